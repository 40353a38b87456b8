// An endpoint of libwebrtc in a process of its own; the commands are those of tests/bench/peer.py.
// usage: node peer.mjs FOLDER, where FOLDER holds node_modules

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { RTCPeerConnection, nonstandard } = createRequire(`${process.argv[2]}/`)("@roamhq/wrtc");

const RATE = 48000, HALF = 480, FRAME = 960; // libwebrtc takes and gives 10 ms
const LATE = 0.010, HELD = 0.040, LOUD = 32768 * 10 ** (-50 / 20);
const calls = new Map();

const now = () => Number(process.hrtime.bigint()) / 1e9; // the clock of Python's time.monotonic()

const TONE = Int16Array.from({ length: RATE }, (_, i) =>
  Math.round(32768 * Math.SQRT2 * 10 ** (-30 / 20) * Math.sin((2 * Math.PI * 440 * i) / RATE)));

function open(id) {
  const connection = new RTCPeerConnection();
  const source = new nonstandard.RTCAudioSource();
  const call = {
    connection, source, samples: TONE, loop: true, at: 0, said: [], first: 0, keep: false, times: [], frames: [], half: null,
  };
  call.heard = new Promise((resolve) => { call.resolve = resolve; });
  call.track = source.createTrack();
  connection.addTrack(call.track);
  connection.ontrack = ({ track }) => {
    call.sink = new nonstandard.RTCAudioSink(track);
    call.sink.ondata = (data) => hear(call, data);
  };
  calls.set(id, call);
  return call;
}

function hear(call, { samples, sampleRate, channelCount }) {
  const at = now();
  if (!call.first && samples.some((sample) => Math.abs(sample) > 2 * LOUD)) {
    call.first = at;
    call.resolve();
  }
  const half = Int16Array.from({ length: HALF }, (_, i) =>
    samples[Math.floor((i * sampleRate) / RATE) * channelCount]);
  if (!call.half) {
    call.half = { at, half };
    return;
  }
  call.times.push(call.half.at);
  if (call.keep) call.frames.push(call.half.half, half);
  call.half = null;
}

function say(call, at) {
  if (call.at % FRAME === 0) call.said.push(at);
  const samples = new Int16Array(HALF);
  for (let i = 0; i < HALF; i++) {
    const index = call.at + i;
    samples[i] = call.loop ? call.samples[index % call.samples.length] : call.samples[index] ?? 0;
  }
  call.at += HALF;
  call.source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: HALF });
}

let due = now();
function tick() {
  for (; due <= now(); due += 0.01) for (const call of calls.values()) say(call, now());
  setTimeout(tick, Math.max(0, (due - now()) * 1000));
}

async function gathered(connection) {
  if (connection.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
  });
}

function lateness(times) {
  let late = 0, worst = 0, next = times[0] ?? 0;
  for (const at of times) {
    worst = Math.max(worst, at - next);
    if (at - next > LATE) {
      late += 1;
      next = at;
    }
    next = Math.min(next, at + HELD) + FRAME / RATE;
  }
  return { late, worst };
}

function late(key) {
  const found = [...calls.values()].map((call) => lateness(call[key]));
  return {
    late: found.reduce((sum, one) => sum + one.late, 0),
    worst_ms: Math.max(...found.map((one) => one.worst)) * 1000,
    frames: [...calls.values()].reduce((sum, call) => sum + call[key].length, 0),
  };
}

const commands = {
  async offer({ call }) {
    const at = now();
    const { connection } = open(call);
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    return { sdp: connection.localDescription.sdp, at };
  },
  async answer({ call, sdp }) {
    const { connection } = open(call);
    await connection.setRemoteDescription({ type: "offer", sdp });
    await connection.setLocalDescription(await connection.createAnswer());
    await gathered(connection);
    return { sdp: connection.localDescription.sdp };
  },
  async apply({ call, sdp }) {
    await calls.get(call).connection.setRemoteDescription({ type: "answer", sdp });
    return {};
  },
  async heard({ call }) {
    await calls.get(call).heard;
    return { first: calls.get(call).first };
  },
  async hang_up({ call }) {
    const { connection, sink, track } = calls.get(call);
    calls.delete(call);
    sink?.stop();
    track.stop();
    connection.close();
    return {};
  },
  async say({ pcm, loop }) {
    const bytes = readFileSync(pcm);
    const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    for (const call of calls.values()) Object.assign(call, { samples, loop, at: 0, said: [] });
    return {};
  },
  async record({ keep }) {
    for (const call of calls.values()) Object.assign(call, { keep, said: [], times: [], frames: [], half: null });
    return {};
  },
  async save({ call: id, path }) {
    const call = calls.get(id);
    call.keep = false;
    const pcm = new Int16Array(call.frames.length * HALF);
    call.frames.forEach((half, i) => pcm.set(half, i * HALF));
    writeFileSync(`${path}.said`, new Uint8Array(Float64Array.from(call.said).buffer));
    writeFileSync(`${path}.times`, new Uint8Array(Float64Array.from(call.times).buffer));
    writeFileSync(`${path}.pcm`, new Uint8Array(pcm.buffer));
    return { met: 0, lost: 0, late: late("said") };
  },
  async usage() {
    const { user, system } = process.cpuUsage();
    return { cpu: (user + system) / 1e6, at: now(), mouth: late("said"), ear: late("times") };
  },
};

tick();
for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = await commands[name](rest);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
