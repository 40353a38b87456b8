/** What is said of a call by what was seen of it (tests/unit/test_judgement.py). */

import assert from "node:assert/strict";
import test from "node:test";

import { DiagnosticQuality, media, network, quality, shareLost } from "../../signaling/web/judgement.js";

const { Good, Poor, Bad } = DiagnosticQuality;
const WELL = { connected: true, reconnecting: false, linked: true, relaysLost: false, sample: null };

/** A second with 50 packets each way, but for what is given. */
const figures = (receive = {}, send = {}) => ({
  audio: {
    receive: [{ packetsPerSecond: 50, packetsLostPerSecond: 0, jitterInMs: 0, ...receive }],
    send: [{ packetsPerSecond: 50, ...send }],
  },
});

test("the network by figures", () => {
  for (const [sample, receive, send] of [
    [figures(), Good, Good],
    [figures({ packetsLostPerSecond: 1 }), Good, Good],
    [figures({ packetsLostPerSecond: 3 }), Poor, Good],
    [figures({ packetsLostPerSecond: 9 }), Bad, Good],
    [figures({ jitterInMs: 50 }), Poor, Good],
    [figures({}, { jitterInMs: 110 }), Good, Bad],
    [figures({}, { rttInMs: 500 }), Good, Poor],
    [figures({}, { fractionLost: 0.2 }), Good, Bad],
    // Who sends pauses: a share of few packets says nothing.
    [figures({ packetsPerSecond: 3, packetsLostPerSecond: 2 }), Good, Good],
    [figures({}, { packetsPerSecond: 3, fractionLost: 0.5 }), Good, Good],
  ]) {
    const said = network({ ...WELL, sample });
    assert.deepEqual([said.networkReceiveQuality, said.networkSendQuality], [receive, send]);
    assert.deepEqual([said.networkReconnect, said.noNetwork], [Good, false]);
  }
  assert.equal(shareLost({ packetsPerSecond: 0, packetsLostPerSecond: 0 }), 0);
  assert.equal(quality(0), Good);
});

test("a lost path, no network at all, and no relay; of a call on hold no more than that", () => {
  const lost = network({ ...WELL, reconnecting: true, sample: figures() });
  assert.deepEqual([lost.networkReconnect, lost.networkReceiveQuality, lost.noNetwork], [Bad, Bad, false]);
  assert.ok(network({ ...WELL, reconnecting: true, linked: false }).noNetwork);
  assert.ok(!network({ ...WELL, linked: false }).noNetwork);
  assert.ok(network({ ...WELL, relaysLost: true }).networkRelaysNotReachable);
  assert.ok(!("networkSendQuality" in network({ ...WELL, connected: false, sample: figures() })));
  assert.ok(!("networkSendQuality" in network(WELL)));
});

test("the microphone and the speaker", () => {
  const wrong = (seen) => {
    const said = media({ speakingWhileMuted: false, microphone: "works", speakerLost: false, ...seen });
    return Object.entries(said).flatMap(([name, value]) => (value ? [name] : []));
  };
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ speakingWhileMuted: true, speakerLost: true }), [
    "speakingWhileMicrophoneIsMuted", "noSpeakerDevicesEnumerated",
  ]);
  for (const [microphone, said] of Object.entries({
    none: "noMicrophoneDevicesEnumerated", denied: "microphonePermissionDenied", ended: "microphoneNotFunctioning",
    silent: "microphoneNotFunctioning", muted: "microphoneMuteUnexpectedly", "fell silent": "microphoneMuteUnexpectedly",
  })) {
    assert.deepEqual(wrong({ microphone }), [said]);
  }
});
