/** The phone of the JavaScript client: the stories of tests/unit/test_phone.py that a page can tell. */

import assert from "node:assert/strict";
import test from "node:test";

import { Phone } from "../../signaling/web/phone.js";
import { ANN, BOB, CAROL, Desk } from "./desk.js";

test("a call that is dialled, answered, heard and hung up", () => {
  const desk = new Desk();
  const context = { user_to_user: "hello", voip_headers: {} };
  const dialled = desk.give({ is: "dial", callId: "c1", target: "bob", customContext: context, muted: true });
  assert.deepEqual(dialled.ordered.map((order) => order.do), ["mute", "makeOffer"]);
  assert.equal(desk.call().state, "Connecting");
  assert.equal(desk.phone.deadline, 900);
  assert.deepEqual(desk.media("offerReady", "c1", { sdp: "v=0" }).sent, [
    { type: "call.place", call_id: "c1", target: "bob", sdp: "v=0", transfer_id: null, custom_context: context },
  ]);
  desk.hub("call.progress", { call_id: "c1", progress: "ringing", party: BOB });
  assert.deepEqual([desk.call().state, desk.call().remote], ["Ringing", BOB]);
  const outcome = { kind: "forwarded", party: CAROL, via: ["8:acs:bob"] };
  assert.deepEqual(desk.hub("call.answered", { call_id: "c1", sdp: "a", outcome }).ordered, [
    { do: "applyAnswer", callId: "c1", sdp: "a" },
  ]);
  assert.deepEqual(desk.media("audioUp", "c1").sent, [{ type: "call.up", call_id: "c1" }]);
  desk.hub("call.connected", { call_id: "c1" });
  assert.equal(desk.call().state, "Connected");
  assert.equal(desk.phone.deadline, null);
  const left = desk.give({ is: "hangUp", callId: "c1" });
  assert.deepEqual(left.sent, [{ type: "call.end", call_id: "c1", cause: "hangup" }]);
  assert.deepEqual([left.news[0].call.state, left.news[0].call.endReason.code], ["Disconnecting", 0]);
  assert.equal(desk.media("closed", "c1").news[0].call.state, "Disconnected");
  assert.equal(desk.phone.calls.size, 0);
});

test("a call that is given up is cancelled, and one that nobody takes ends in time", () => {
  const desk = new Desk();
  desk.give({ is: "dial", callId: "c1", target: "bob", customContext: null, muted: false });
  assert.equal(desk.give({ is: "hangUp", callId: "c1" }).news[0].call.endReason.code, 487);
  desk.give({ is: "dial", callId: "c2", target: "bob", customContext: null, muted: false });
  desk.now = 900;
  assert.equal(desk.give({ is: "tick" }).news[0].call.endReason.sub_code, 10057);
});

test("a call that rings is accepted, rejected, sent on or gone", () => {
  const desk = new Desk();
  const ring = (call_id) => desk.hub("call.incoming", { call_id, caller: ANN, sdp: "v=0" });
  assert.deepEqual(ring("c1").sent, [{ type: "call.ringing", call_id: "c1" }]);
  assert.deepEqual(ring("c1").out, []);
  assert.deepEqual(desk.give({ is: "accept", callId: "c1", muted: false, holdOthers: true }).ordered, [
    { do: "makeAnswer", callId: "c1", sdp: "v=0" },
  ]);
  assert.deepEqual(desk.media("answerReady", "c1", { sdp: "a" }).sent, [
    { type: "call.answer", call_id: "c1", sdp: "a" },
  ]);
  for (const [is, cause, callId] of [["reject", "declined", "r1"], ["pass", "failed", "r2"]]) {
    ring(callId);
    const { sent, news } = desk.give({ is, callId });
    assert.deepEqual(sent, [{ type: "call.end", call_id: callId, cause }]);
    assert.deepEqual(news.map((each) => each.news), ["ringOver"]);
    assert.deepEqual(desk.give({ is, callId }).out, []);
    assert.deepEqual(ring(callId).sent, [{ type: "call.end", call_id: callId, cause: "hangup" }], "it does not come again");
  }
  ring("c3");
  const reason = { code: 487, sub_code: 0 };
  assert.deepEqual(desk.hub("call.ended", { call_id: "c3", reason }).news, [{ news: "ringOver", callId: "c3", reason }]);
  assert.deepEqual(desk.hub("call.ended", { call_id: "c3", reason }).out, []);
});

test("a second call that is accepted puts the first on hold", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.hub("call.incoming", { call_id: "c2", caller: ANN, sdp: "v=0" });
  const { sent } = desk.give({ is: "accept", callId: "c2", muted: false, holdOthers: true });
  assert.deepEqual(sent, [{ type: "call.hold", call_id: "c1", on: true }]);
  assert.equal(desk.call("c1").state, "LocalHold");
});

test("what rings is answered in the place of a call to the same person", () => {
  const desk = new Desk();
  desk.give({ is: "dial", callId: "mine", target: "ann", customContext: null, muted: true });
  desk.hub("call.incoming", { call_id: "c1", caller: ANN, sdp: "v=0" });
  const { ordered } = desk.hub("call.incoming", { call_id: "c1", caller: ANN, sdp: "v=0", replaces: "mine" });
  assert.deepEqual(ordered.map((order) => order.do), ["mute", "takeOver", "makeAnswer"]);
  assert.equal(desk.phone.ringing.size, 0);
  assert.deepEqual(desk.hub("call.incoming", { call_id: "c9", caller: ANN, sdp: "v=0", replaces: "gone" }).sent, [
    { type: "call.end", call_id: "c9", cause: "failed" },
  ]);
});

test("both ends hold; the caller makes one re-offer at a time", () => {
  const desk = new Desk();
  desk.outgoing();
  const held = desk.give({ is: "hold", callId: "c1", on: true });
  assert.deepEqual(held.sent, [{ type: "call.hold", call_id: "c1", on: true }]);
  assert.deepEqual(held.ordered, [{ do: "setHold", callId: "c1", local: true, remote: false, offerer: true }]);
  assert.deepEqual(desk.give({ is: "hold", callId: "c1", on: true }).out, []);
  desk.media("reofferReady", "c1", { sdp: "hold" });
  assert.deepEqual(desk.hub("call.hold", { call_id: "c1", on: true }).ordered, []);
  assert.equal(desk.call().state, "LocalHold");
  assert.deepEqual(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" }).ordered, [
    { do: "applyAnswer", callId: "c1", sdp: "a" },
    { do: "setHold", callId: "c1", local: true, remote: true, offerer: true },
  ]);
  desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "b" });
  desk.give({ is: "hold", callId: "c1", on: false });
  assert.equal(desk.call().state, "RemoteHold");
});

test("a path that is lost is made anew, by the caller", () => {
  const desk = new Desk();
  desk.outgoing();
  assert.deepEqual(desk.media("pathLost", "c1").ordered, [{ do: "renew", callId: "c1" }]);
  assert.ok(desk.call().pathLost);
  assert.deepEqual(desk.media("pathLost", "c1").ordered, [], "one re-offer at a time");
  desk.media("reofferReady", "c1", { sdp: "new" });
  desk.media("pathBack", "c1");
  assert.deepEqual(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" }).ordered, [
    { do: "applyAnswer", callId: "c1", sdp: "a" },
  ]);
  const callee = new Desk();
  callee.incoming();
  assert.deepEqual(callee.media("pathLost", "c1").sent, [{ type: "call.renew", call_id: "c1" }]);
  callee.give({ is: "linked", on: false });
  assert.deepEqual(callee.give({ is: "linked", on: true }).sent, [{ type: "call.renew", call_id: "c1" }]);
});

test("a path is sought again when the hub asks twice, once the first is answered", () => {
  const desk = new Desk();
  desk.outgoing();
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1" }).ordered, [{ do: "renew", callId: "c1" }]);
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1" }).ordered, []);
  assert.deepEqual(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" }).ordered.at(-1), {
    do: "renew", callId: "c1",
  });
  // The other end was loaded again, and knows nothing of that offer.
  assert.deepEqual(desk.hub("call.renew", { call_id: "c1", unanswered: true }).ordered, [{ do: "renew", callId: "c1" }]);
});

test("sound that is lost ends the call, unless the hub says why first", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.media("mediaLost", "c1");
  assert.equal(desk.phone.deadline, 3);
  desk.give({ is: "linked", on: false });
  assert.equal(desk.phone.deadline, null, "the hub cannot say it");
  desk.give({ is: "linked", on: true });
  desk.now = 3;
  const { sent, news } = desk.give({ is: "tick" });
  assert.deepEqual(sent, [{ type: "call.end", call_id: "c1", cause: "media_lost" }]);
  assert.equal(news[0].call.endReason.sub_code, 301005);
});

test("a page that is loaded again goes on, on hold meanwhile", () => {
  for (const [begin, restored] of /** @type {const} */ ([["outgoing", "renew"], ["incoming", undefined]])) {
    const before = new Desk();
    before[begin]();
    before.hub("call.incoming", { call_id: "r1", caller: CAROL, sdp: "v=0" });
    assert.deepEqual(before.give({ is: "parting" }).sent, [{ type: "call.hold", call_id: "c1", on: true }]);
    const kept = JSON.parse(JSON.stringify([[...before.phone.calls.values()], [...before.phone.ringing.values()]]));
    const desk = new Desk();
    const { ordered, sent, news } = desk.give({ is: "restore", calls: kept[0], ringing: kept[1] });
    assert.equal(ordered.find((order) => order.do === "renew")?.do, restored);
    if (!restored) assert.deepEqual(sent, [{ type: "call.renew", call_id: "c1" }]);
    assert.deepEqual([news[0].news, news[0].call.id], ["ring", "r1"]);
    assert.equal(desk.call().state, "Connecting");
    const back = restored
      ? desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" })
      : desk.media("reofferAnswered", "c1", { sdp: "a" });
    assert.deepEqual(back.sent.at(-1), { type: "call.hold", call_id: "c1", on: false });
    assert.equal(desk.call().state, "Connected");
  }
});

test("what a page has offered or owed when it was loaded again is not waited for", () => {
  const offering = new Desk();
  offering.outgoing();
  offering.give({ is: "hold", callId: "c1", on: true });
  offering.media("reofferReady", "c1", { sdp: "gone" });
  const desk = new Desk();
  desk.give({ is: "restore", calls: [...offering.phone.calls.values()], ringing: [] });
  assert.deepEqual(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "to the page before" }).ordered, []);
  assert.equal(desk.hub("call.update", { call_id: "c1", kind: "answer", sdp: "a" }).ordered[0].do, "applyAnswer");
  const answering = new Desk();
  answering.incoming();
  answering.hub("call.update", { call_id: "c1", kind: "offer", sdp: "hold" });
  const again = new Desk();
  assert.deepEqual(again.give({ is: "restore", calls: [...answering.phone.calls.values()], ringing: [] }).sent, [
    { type: "call.renew", call_id: "c1", unanswered: true },
  ]);
  assert.equal(again.call().owed, 0);
});

test("what was not up when the page was loaded again is over", () => {
  const before = new Desk();
  before.give({ is: "dial", callId: "c1", target: "bob", customContext: null, muted: false });
  const desk = new Desk();
  assert.deepEqual(desk.give({ is: "restore", calls: [...before.phone.calls.values()], ringing: [] }).sent, [
    { type: "call.end", call_id: "c1", cause: "hangup" },
  ]);
});

test("a hub that began anew is told of the calls that are heard; all else ends", () => {
  const desk = new Desk();
  desk.now = 100;
  desk.outgoing();
  desk.hub("call.incoming", { call_id: "r1", caller: CAROL, sdp: "v=0" });
  desk.give({ is: "dial", callId: "c2", target: "carol", customContext: null, muted: false });
  desk.give({ is: "hold", callId: "c1", on: true });
  desk.media("reofferReady", "c1", { sdp: "hold" });
  desk.now = 130;
  const { sent, news } = desk.give({ is: "anew" });
  assert.deepEqual(sent, [{
    type: "call.attach", call_id: "c1", remote: BOB.raw_id, caller: true, mailbox: null, dialled: null,
    transferor: null, seconds: 30, server_call_id: null, group_id: null, participant_id: null, more: false,
  }]);
  assert.deepEqual(news.map((each) => each.news), ["ringOver", "call"]);
  assert.deepEqual(desk.hub("call.connected", { call_id: "c1" }).sent, [
    { type: "call.hold", call_id: "c1", on: true },
    { type: "call.update", call_id: "c1", kind: "offer", sdp: "hold" },
  ]);
  desk.give({ is: "anew" });
  desk.now = 170;
  assert.equal(desk.give({ is: "tick" }).news.at(-1).call.endReason.sub_code, 3100);
});

test("an offer is made again to an end that came back anew", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.give({ is: "hold", callId: "c1", on: true });
  desk.media("reofferReady", "c1", { sdp: "hold" });
  assert.deepEqual(desk.hub("call.connected", { call_id: "c1" }).sent, [
    { type: "call.hold", call_id: "c1", on: true },
    { type: "call.update", call_id: "c1", kind: "offer", sdp: "hold" },
  ]);
});

test("digits, speech, candidates, and news of the mailbox", () => {
  const desk = new Desk();
  desk.outgoing();
  assert.deepEqual(desk.give({ is: "dtmf", callId: "c1", digits: "12#" }).ordered, [
    { do: "sendDtmf", callId: "c1", digits: "12#" },
  ]);
  assert.deepEqual(desk.media("dtmfReceived", "c1", { digit: "5" }).out, [{ news: "dtmf", callId: "c1", digit: "5" }]);
  desk.media("remoteSpeaking", "c1", { on: true });
  assert.ok(desk.call().remoteSpeaking);
  const candidate = { candidate: "candidate:1", sdp_mid: "0", sdp_mline_index: 0 };
  assert.deepEqual(desk.hub("call.candidate", { call_id: "c1", candidate }).ordered, [
    { do: "addCandidate", callId: "c1", candidate: { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 } },
  ]);
  assert.deepEqual(desk.media("candidate", "c1", { candidate: { candidate: "x", sdpMid: "0", sdpMLineIndex: 0 } }).sent, [
    { type: "call.candidate", call_id: "c1", candidate: { candidate: "x", sdp_mid: "0", sdp_mline_index: 0 } },
  ]);
  assert.deepEqual(desk.hub("mailbox.changed", { new: 1, saved: 2 }).out, [{ news: "mailbox", new: 1, saved: 2 }]);
  const error = { type: "error", reason: { code: 400, sub_code: 8523 } };
  assert.deepEqual(desk.give({ is: "fromHub", message: error }).out, [{ news: "refused", error }]);
  for (const type of ["welcome", "pong", "ice.servers", "session.end"]) assert.deepEqual(desk.hub(type, {}).out, []);
});

test("mute is this call's, and that of what takes its place", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.give({ is: "mute", callId: "c1", outgoing: true });
  desk.hub("call.incoming", { call_id: "c2", caller: CAROL, sdp: "v=0", replaces: "c1" });
  assert.ok(desk.call("c2").muted);
  assert.deepEqual(desk.give({ is: "mute", callId: "c1", outgoing: false }).ordered.map((order) => order.callId), ["c1", "c2"]);
});

test("a sound that cannot be set up ends the call for that reason", () => {
  const desk = new Desk();
  desk.incoming();
  assert.deepEqual(desk.media("failed", "c1", { what: "no Opus" }).sent, [
    { type: "call.end", call_id: "c1", cause: "no_media" },
  ]);
  assert.deepEqual(desk.media("audioUp", "c1").out, []);
  assert.deepEqual(desk.media("audioUp", "gone").out, []);
  assert.equal(new Phone().deadline, null);
});
