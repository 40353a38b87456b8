/** Who else is in a call, as the JavaScript client shows it (tests/unit/test_node_groups.py). */

import assert from "node:assert/strict";
import test from "node:test";

import { Call } from "../../signaling/web/call.js";
import { getIdentifierRawId } from "../../signaling/web/identifiers.js";
import { Participants } from "../../signaling/web/participant.js";
import { BOB, CAROL, Desk } from "./desk.js";

const there = (id, party, state = "Connected", more = {}) => ({ id, party, state, ...more });

/** A call and those who are in it, followed with every news of the phone. */
class Room extends Desk {
  participants = new Participants();
  updates = [];

  give(what) {
    const given = super.give(what);
    for (const { call } of given.news.filter(({ news }) => news === "call")) {
      const { added, removed } = this.participants.follow(call);
      if (added.length || removed.length) this.updates.push([added, removed].map((all) => all.map(nameOf)));
    }
    return given;
  }

  told(group_id, ...participants) {
    return this.hub("call.participants", { call_id: "c1", group_id, me: "me", participants });
  }

  get shown() {
    return this.participants.all.map((each) => [nameOf(each), each.state, each.isSpeaking, each.isMuted]);
  }
}

const nameOf = ({ displayName, identifier }) => displayName || getIdentifierRawId(identifier);

test("the other end of a call of two rings, speaks, holds and is gone", () => {
  const room = new Room();
  room.outgoing();
  assert.deepEqual(room.updates, [[["bob"], []], [["Bob"], ["bob"]]], "who answers is another than who was dialled");
  assert.deepEqual(room.shown, [["Bob", "Connected", false, false]]);
  const [bob] = room.participants.all;
  assert.deepEqual(bob.endpointDetails, [], "the hub gives ids to those of a group");
  const { identifier } = bob;
  room.media("remoteSpeaking", "c1", { on: true });
  assert.deepEqual(room.shown, [["Bob", "Connected", true, false]]);
  assert.equal(bob.identifier, identifier);
  room.hub("call.hold", { call_id: "c1", on: true });
  assert.deepEqual(room.shown, [["Bob", "Hold", false, false]]);
  room.hub("call.ended", { call_id: "c1", reason: { code: 0, sub_code: 0 } });
  assert.deepEqual([room.participants.all, bob.state, bob.callEndReason.code], [[bob], "Disconnected", 0]);
});

test("who was there before the third is the same one then, and again when two are left", () => {
  const room = new Room();
  room.outgoing();
  const [bob] = room.participants.all;
  const carol = room.participants.ask("p3", "carol");
  room.told("g1", there("p2", BOB), there("p3", CAROL, "Ringing"));
  assert.deepEqual(room.participants.all, [bob, carol]);
  room.told("g1", there("p2", BOB), there("p3", CAROL, "Connected", { muted: true }));
  room.hub("call.speakers", { call_id: "c1", speakers: ["p2"] });
  assert.deepEqual(room.shown, [["Bob", "Connected", true, false], ["Carol", "Connected", false, true]]);
  room.told(null, there("p2", BOB), there("p3", CAROL, "Disconnected", { reason: { code: 0, sub_code: 5300 } }));
  assert.deepEqual([room.participants.all, carol.state, carol.callEndReason.subCode], [[bob], "Disconnected", 5300]);
  assert.deepEqual(bob.endpointDetails, [{ participantId: "p2" }]);
  // From now on the hub tells of them no more: what becomes of the call is theirs.
  room.media("remoteSpeaking", "c1", { on: true });
  assert.deepEqual(room.shown, [["Bob", "Connected", true, false]]);
  room.hub("call.hold", { call_id: "c1", on: true });
  assert.deepEqual(room.shown, [["Bob", "Hold", false, false]]);
  room.give({ is: "hangUp", callId: "c1" });
  assert.deepEqual([bob.state, carol.callEndReason.subCode], ["Disconnected", 5300]);
  assert.deepEqual(room.updates.slice(2), [[["Carol"], []], [[], ["Carol"]]]);
});

test("nobody begins to speak by the others being told of once more", () => {
  const room = new Room();
  room.outgoing();
  const { speakers } = room.call();
  room.told(null, there("p2", BOB), there("p3", CAROL, "Disconnected", { reason: { code: 603, sub_code: 0 } }));
  assert.equal(room.call().speakers, speakers);
});

test("a call tells that it has become a group call, and that it is one no more", () => {
  const desk = new Desk();
  desk.outgoing();
  const call = new Call({ _media: { heard: () => null } }, desk.call());
  const groups = [];
  call.on("infoChanged", ({ groupId }) => groups.push(groupId));
  for (const groupId of ["g1", "g1", null]) {
    desk.hub("call.participants", { call_id: "c1", group_id: groupId, me: "me", participants: [there("p2", BOB)] });
    call._set(desk.call());
  }
  assert.deepEqual(groups, ["g1", undefined]);
});

test("who is asked in does not wait for ever when the call is over, nor who is gone without a word", async () => {
  const room = new Room();
  room.outgoing();
  room.told("g1", there("p2", BOB), there("p4", { raw_id: "dan" }));
  const dan = room.participants.all[1];
  const carol = room.participants.ask("p3", "carol");
  room.told("g1", there("p2", BOB));
  assert.equal(dan.state, "Disconnected");
  room.told("g1", there("p2", BOB, "Disconnected"));
  assert.deepEqual(room.participants.all, [], "who is left waits for the hub to end it");
  room.give({ is: "hangUp", callId: "c1" });
  assert.deepEqual([carol.state, carol.callEndReason.code], ["Disconnected", 0]);
  await carol._gone;
});
