/** What a call's devices are said to do, second by second, by figures and by what is open. */

import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import { setImmediate as settled } from "node:timers/promises";

import { DeviceManager } from "../../signaling/web/devices.js";
import { UserFacingDiagnosticsFeature } from "../../signaling/web/diagnostics.js";
import { LocalAudioStream } from "../../signaling/web/streams.js";

/** What the browser has, as far as Node lacks it. */
let devices, permission, opened, figures, call, diagnostics, second;

beforeEach(async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const media = Object.assign(new EventTarget(), {
    enumerateDevices: async () => devices,
    getUserMedia: async () => {
      opened++;
      if (!devices.length) throw new Error("no microphone");
      return { getAudioTracks: () => [{ readyState: "live", muted: false }], getTracks: () => [{ stop() {} }] };
    },
  });
  const given = {
    navigator: { mediaDevices: media, permissions: { query: async () => permission } },
    MediaStream: class {},
    AudioContext: class { createMediaStreamSource = () => ({ connect() {} }); close() {} },
    AnalyserNode: class { fftSize = 1; getFloatTimeDomainData = (samples) => samples.fill(0.5); },
  };
  for (const [name, value] of Object.entries(given)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  devices = ["audioinput", "audiooutput"].map((kind) => ({ kind, deviceId: kind, label: kind }));
  [permission, opened, figures] = [{ state: "granted" }, 0, { audioLevel: 0.5 }];
  const stream = new LocalAudioStream(undefined);
  await stream.getMediaStream();
  call = {
    state: "Connected", isMuted: false, isReconnecting: false, localAudioStreams: [stream], on() {}, off() {},
    getStats: async () => new Map([
      ["said", { id: "said", type: "outbound-rtp", kind: "audio" }], ["source", { id: "source", type: "media-source", ...figures }],
    ]),
    _agent: { isHubReachable: true, _media: { relaysLost: () => false }, _devices: new DeviceManager() },
  };
  diagnostics = new UserFacingDiagnosticsFeature(call);
  second = async (times = 1) => {
    for (let time = 0; time < times; time++) {
      context.mock.timers.tick(1000);
      await settled();
    }
    return Object.entries(diagnostics.media.getLatest()).flatMap(([name, { value }]) => (value ? [name] : []));
  };
  await settled();
});

test("zeros for ten seconds are a microphone that does not work, a level that is not told is none", async () => {
  figures = {};
  assert.deepEqual(await second(12), []);
  figures = { audioLevel: 0 };
  assert.deepEqual(await second(9), []);
  assert.deepEqual(await second(), ["microphoneNotFunctioning"]);
});

test("nobody speaks unheard on hold", async () => {
  call.isMuted = true;
  assert.deepEqual(await second(2), ["speakingWhileMicrophoneIsMuted"]);
  call.state = "LocalHold";
  assert.deepEqual(await second(), []);
});

test("that no microphone is left, or that none may be used, is told, and none is opened for that", async () => {
  for (const [state, said] of [["granted", ["noMicrophoneDevicesEnumerated", "noSpeakerDevicesEnumerated"]], ["denied", ["microphonePermissionDenied"]]]) {
    permission.state = state;
    devices = [];
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    call.localAudioStreams = [new LocalAudioStream(undefined)];
    await assert.rejects(call.localAudioStreams[0].getMediaStream());
    call.isMuted = true;
    opened = 0;
    assert.deepEqual(await second(3), said);
    assert.equal(opened, 0);
  }
});

test("a microphone that is just being opened is not judged", async () => {
  const stream = new LocalAudioStream(undefined);
  call.localAudioStreams = [stream];
  navigator.mediaDevices.getUserMedia = () => new Promise(() => {});
  void stream.getMediaStream();
  assert.deepEqual(await second(3), []);
});
