/** Group calls at the JavaScript client's phone (tests/unit/test_node_groups.py). */

import assert from "node:assert/strict";
import test from "node:test";

import { ANN, BOB, CAROL, Desk } from "./desk.js";

const there = (id, party, state = "Connected", more = {}) => ({ id, party, state, ...more });
const told = (desk, group_id, ...participants) =>
  desk.hub("call.participants", { call_id: "c1", group_id, me: "me", participants });

test("a group is joined by its id", () => {
  const desk = new Desk();
  const joined = desk.give({ is: "join", callId: "c1", groupId: "g1", muted: false });
  assert.deepEqual(joined.ordered, [{ do: "makeOffer", callId: "c1" }]);
  assert.deepEqual(desk.media("offerReady", "c1", { sdp: "v=0" }).sent, [
    { type: "call.join", call_id: "c1", group_id: "g1", sdp: "v=0" },
  ]);
});

test("somebody is asked in and removed, of a call that is up", () => {
  const desk = new Desk();
  const add = { is: "addParticipant", callId: "c1", participantId: "p3", target: "carol", customContext: null };
  assert.deepEqual(desk.give(add).out, []);
  desk.outgoing();
  assert.deepEqual(desk.give(add).sent, [
    { type: "participant.add", call_id: "c1", participant_id: "p3", target: "carol", custom_context: null },
  ]);
  assert.deepEqual(desk.give({ is: "removeParticipant", callId: "c1", participantId: "p3" }).sent, [
    { type: "participant.remove", call_id: "c1", participant_id: "p3" },
  ]);
});

test("who is there is told; a group learns that this end is muted, and of every change", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.give({ is: "mute", callId: "c1", outgoing: true });
  assert.deepEqual(told(desk, "g1", there("p2", BOB), there("p3", CAROL, "Ringing")).sent, [
    { type: "call.mute", call_id: "c1", on: true },
  ]);
  assert.deepEqual([desk.call().groupId, desk.call().participants.length], ["g1", 2]);
  assert.deepEqual(desk.give({ is: "mute", callId: "c1", outgoing: false }).sent, [
    { type: "call.mute", call_id: "c1", on: false },
  ]);
  desk.hub("call.speakers", { call_id: "c1", speakers: ["p3"] });
  assert.deepEqual(desk.call().speakers, ["p3"]);
  told(desk, null, there("p2", BOB, "Disconnected"), there("p3", CAROL));
  assert.deepEqual([desk.call().groupId, desk.call().remote, desk.call().speakers], [null, CAROL, []]);
  assert.deepEqual(desk.hub("call.speakers", { call_id: "gone", speakers: [] }).out, []);
});

test("the hub has this end offer a new path, and tells it when to go over", () => {
  const desk = new Desk();
  desk.incoming();
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1", anew: true }).ordered, [{ do: "renew", callId: "c1" }]);
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1", anew: true }).ordered, [], "the offer is yet to come");
  desk.media("reofferReady", "c1", { sdp: "new" });
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1", anew: true }).ordered, [{ do: "renew", callId: "c1" }], "void");
  desk.media("reofferReady", "c1", { sdp: "newer" });
  assert.deepEqual(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" }).ordered, [
    { do: "applyAnswer", callId: "c1", sdp: "a" },
  ]);
  assert.deepEqual(desk.media("pathReady", "c1").sent, [{ type: "call.up", call_id: "c1" }]);
  assert.deepEqual(desk.hub("call.connected", { call_id: "c1" }).ordered, [{ do: "goOver", callId: "c1" }]);
  // From now on it makes the offers, holds included, until it is sent one.
  assert.ok(desk.give({ is: "hold", callId: "c1", on: true }).ordered[0].offerer);
  desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "b" });
  desk.hub("call.update", { call_id: "c1", kind: "offer", sdp: "c" });
  assert.ok(!desk.give({ is: "hold", callId: "c1", on: false }).ordered[0].offerer);
});

test("a hub that began anew is told of a group call by the id that its mixer knows, and that this end is muted", () => {
  const desk = new Desk();
  desk.outgoing();
  told(desk, "g1", there("p2", BOB), there("p3", ANN));
  desk.hub("call.connected", { call_id: "c1", server_call_id: "n7" });
  desk.give({ is: "mute", callId: "c1", outgoing: true, incoming: null });
  const [{ server_call_id, group_id, participant_id, more }] = desk.give({ is: "anew" }).sent;
  assert.deepEqual([server_call_id, group_id, participant_id, more], ["n7", "g1", desk.call().me, false]);
  assert.deepEqual(desk.hub("call.connected", { call_id: "c1", server_call_id: "n7" }).sent, [
    { type: "call.hold", call_id: "c1", on: false },
    { type: "call.mute", call_id: "c1", on: true },
  ]);
});

test("a group call ends for everyone where that is wanted", () => {
  const other = new Desk();
  other.outgoing();
  assert.deepEqual(other.give({ is: "hangUp", callId: "c1", forEveryone: true }).sent, [
    { type: "call.end", call_id: "c1", cause: "hangup", for_everyone: true },
  ]);
});
