// Somebody at libwebrtc for Node, who knows of callnode only what signaling/WIRE.md says: answers every call, says a
// sentence over and over, holds still when held, and follows where it is transferred to.
// usage: node person.mjs FOLDER HUB TOKEN VOICE, where FOLDER holds node_modules and VOICE is 48 kHz mono int16;
// each line of stdin is a number of seconds, for which what is heard from then on is printed in base64;
// lines such as "connected CALL" tell what happens

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [, , folder, hub, token, voice] = process.argv;
const require = createRequire(`${folder}/`);
const { RTCPeerConnection, nonstandard } = require("@roamhq/wrtc");
const { WebSocket } = require("ws");

const RATE = 48_000, TEN_MILLISECONDS = 480;
const bytes = readFileSync(voice);
const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
const calls = new Map();
let heard = null;

// --- the wire: numbered messages, acknowledged by pings -------------------------------------------

const socket = new WebSocket(`${hub.replace(/^http/, "ws")}/v1/agent`);
let said = 0, received = 0;

function send(message) {
  said += 1;
  socket.send(JSON.stringify({ ...message, seq: said }));
}

socket.on("open", () => socket.send(JSON.stringify({ type: "hello", token, display_name: "Bob", version: 1 })));
socket.on("close", () => process.exit(0));
socket.on("message", (data) => {
  const message = JSON.parse(data);
  if (message.seq) {
    if (message.seq <= received) return;
    received = message.seq;
  }
  react[message.type]?.(message);
});
setInterval(() => socket.send(JSON.stringify({ type: "ping", ack: received })), 5_000);

const tell = (...what) => process.stdout.write(`${what.join(" ")}\n`);

const react = {
  welcome: () => tell("welcome"),
  async "call.incoming"({ call_id, sdp }) {
    send({ type: "call.ringing", call_id });
    const { connection } = open(call_id);
    send({ type: "call.answer", call_id, sdp: await answer(connection, sdp) });
  },
  // A transfer: the call that is to take the place of another one.
  async "call.originate"({ call_id, transfer_id, target }) {
    const { connection } = open(call_id);
    await connection.setLocalDescription(await connection.createOffer());
    send({ type: "call.place", call_id, transfer_id, target: target.raw_id, sdp: connection.localDescription.sdp });
  },
  async "call.answered"({ call_id, sdp }) {
    await described(calls.get(call_id), { type: "answer", sdp });
  },
  async "call.update"({ call_id, kind, sdp }) {
    const call = calls.get(call_id);
    if (kind === "answer") await call.connection.setRemoteDescription({ type: "answer", sdp });
    else send({ type: "call.update", call_id, kind: "answer", sdp: await answer(call.connection, sdp) });
  },
  async "call.candidate"({ call_id, candidate }) {
    if (!candidate) return;
    const call = calls.get(call_id);
    const { sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex } = candidate;
    const init = { candidate: candidate.candidate, sdpMid, sdpMLineIndex };
    if (call.connection.remoteDescription) await call.connection.addIceCandidate(init);
    else call.early.push(init);
  },
  "call.hold": ({ call_id, on }) => tell(on ? "held" : "resumed", call_id),
  "call.connected": ({ call_id }) => tell("connected", call_id),
  "call.ended"({ call_id, reason }) {
    close(call_id);
    tell("ended", call_id, reason.code, reason.sub_code);
  },
};

// --- the sound ------------------------------------------------------------------------------------

function open(call_id) {
  const connection = new RTCPeerConnection();
  const source = new nonstandard.RTCAudioSource();
  const call = { connection, source, track: source.createTrack(), early: [], sink: null, up: false };
  connection.addTrack(call.track);
  connection.onicecandidate = ({ candidate }) => {
    if (!candidate?.candidate) return;
    const { sdpMid: sdp_mid, sdpMLineIndex: sdp_mline_index } = candidate;
    send({ type: "call.candidate", call_id, candidate: { candidate: candidate.candidate, sdp_mid, sdp_mline_index } });
  };
  connection.ontrack = ({ track }) => {
    call.sink ??= new nonstandard.RTCAudioSink(track);
    call.sink.ondata = (data) => hear(call_id, call, data);
  };
  calls.set(call_id, call);
  return call;
}

function close(call_id) {
  const call = calls.get(call_id);
  calls.delete(call_id);
  call?.sink?.stop();
  call?.track.stop();
  call?.connection.close();
}

async function answer(connection, sdp) {
  await described([...calls.values()].find((call) => call.connection === connection), { type: "offer", sdp });
  await connection.setLocalDescription(await connection.createAnswer());
  return connection.localDescription.sdp;
}

async function described({ connection, early }, description) {
  await connection.setRemoteDescription(description);
  for (const candidate of early.splice(0)) await connection.addIceCandidate(candidate);
}

function hear(call_id, call, { samples: block, sampleRate, channelCount }) {
  if (!call.up && block.some((sample) => sample !== 0)) {
    call.up = true;
    send({ type: "call.up", call_id });
  }
  // The latest call that is up is the one that is listened to.
  const up = [...calls.values()].filter((each) => each.up);
  if (!heard || call !== up.at(-1)) return;
  const length = Math.round(RATE / 100);
  for (let i = 0; i < length; i++) heard.push(block[Math.floor((i * sampleRate) / RATE) * channelCount]);
}

let due = performance.now(), at = 0;
function speak() {
  for (; due <= performance.now(); due += 10) {
    const block = Int16Array.from({ length: TEN_MILLISECONDS }, (_, i) => samples[(at + i) % samples.length]);
    at += TEN_MILLISECONDS;
    for (const { source } of calls.values()) {
      source.onData({
        samples: block, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: TEN_MILLISECONDS,
      });
    }
  }
  setTimeout(speak, Math.max(0, due - performance.now()));
}
speak();

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = Number(line) * RATE;
  heard = [];
  while (heard.length < wanted) await new Promise((resolve) => setTimeout(resolve, 50));
  const listened = Int16Array.from(heard);
  heard = null;
  tell("heard", Buffer.from(listened.buffer).toString("base64"));
}
process.exit(0);
