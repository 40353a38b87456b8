/** Transfers at the JavaScript client: asked for, followed, declined (tests/unit/test_handovers.py). */

import assert from "node:assert/strict";
import test from "node:test";

import { ANN, BOB, CAROL, Desk } from "./desk.js";

const REQUEST = {
  type: "transfer.request", transfer_id: "t1", call_id: "c1", target: { kind: "participant", identifier: "carol" },
};
const ORDER = { transfer_id: "t1", call_id: "n1", replaces: "c1", target: CAROL, transferor: BOB, kind: "participant" };
const update = (state, more = {}) => ({ transfer_id: "t1", call_id: "c1", state, ...more });

test("a transfer is asked for, goes on, and ends once", () => {
  const desk = new Desk();
  assert.equal(desk.give({ is: "transfer", request: REQUEST }).news[0].update.error.code, 404);
  desk.outgoing();
  assert.deepEqual(desk.give({ is: "transfer", request: REQUEST }).sent, [REQUEST]);
  assert.equal(desk.phone.deadline, 600);
  assert.equal(desk.hub("transfer.update", update("Transferring", { progress: "ringing" })).news.length, 1);
  assert.deepEqual(desk.give({ is: "cancelTransfer", transferId: "t1" }).sent, [
    { type: "transfer.cancel", transfer_id: "t1" },
  ]);
  assert.equal(desk.hub("transfer.update", update("Transferred")).news[0].update.state, "Transferred");
  assert.deepEqual(desk.hub("transfer.update", update("Failed")).out, []);
  assert.deepEqual(desk.give({ is: "cancelTransfer", transferId: "t1" }).out, []);
  // Its sound may stop: the hub ends it.
  desk.media("mediaLost", "c1");
  assert.equal(desk.phone.deadline, null);
});

test("a transfer that fails takes its call off hold, unless another one talks", () => {
  for (const other of [false, true]) {
    const desk = new Desk();
    desk.outgoing();
    desk.give({ is: "hold", callId: "c1", on: true });
    if (other) desk.incoming("c2");
    desk.give({ is: "transfer", request: REQUEST });
    const { sent } = desk.hub("transfer.update", update("Failed", { error: { code: 603, sub_code: 0 } }));
    assert.deepEqual(sent, other ? [] : [{ type: "call.hold", call_id: "c1", on: false }]);
  }
});

test("a transfer that the hub is silent on is given up", () => {
  const desk = new Desk();
  desk.outgoing();
  desk.give({ is: "transfer", request: REQUEST });
  desk.now = 600;
  assert.equal(desk.give({ is: "tick" }).news[0].update.error.sub_code, 10057);
  desk.give({ is: "transfer", request: REQUEST });
  const { news } = desk.give({ is: "cut", reason: { code: 410, sub_code: 3100 } });
  assert.deepEqual(news.map((each) => each.update?.error.sub_code ?? each.call.state), [3100, "Disconnecting"]);
});

test("an order is followed at once, muted as the old call is", () => {
  const desk = new Desk();
  desk.incoming();
  desk.give({ is: "mute", callId: "c1", outgoing: true });
  const { ordered, news } = desk.hub("call.originate", ORDER);
  assert.deepEqual(ordered.map((order) => order.do), ["mute", "takeOver", "makeOffer"]);
  assert.deepEqual(news.at(-1), { news: "transferTaken", old: "c1", new: "n1" });
  assert.deepEqual([desk.call("n1").transferor, desk.call("n1").replaces], [BOB, "c1"]);
  assert.deepEqual(desk.hub("call.originate", ORDER).out, []);
  assert.equal(desk.media("offerReady", "n1", { sdp: "v=0" }).sent[0].transfer_id, "t1");
  // While the new one is made, lost sound of the old one is excused.
  desk.media("mediaLost", "c1");
  assert.equal(desk.call("c1").deadline, null);
});

test("an order for a call that is gone is declined, and so is one that is left before it is placed", () => {
  const desk = new Desk();
  assert.deepEqual(desk.hub("call.originate", ORDER).sent, [
    { type: "transfer.decline", transfer_id: "t1", call_id: "n1" },
  ]);
  desk.incoming();
  desk.hub("call.originate", ORDER);
  assert.deepEqual(desk.give({ is: "hangUp", callId: "n1" }).sent, [
    { type: "transfer.decline", transfer_id: "t1", call_id: "n1" },
  ]);
});

test("with consent the application decides, but not on being called back", () => {
  for (const accept of [true, false]) {
    const desk = new Desk({ consent: true });
    desk.incoming();
    assert.deepEqual(desk.hub("call.originate", ORDER).out.map((each) => each.news), ["transferAsked"]);
    assert.deepEqual(desk.hub("call.originate", ORDER).out, []);
    const { ordered, sent } = desk.give({ is: "consent", transferId: "t1", accept });
    assert.equal(ordered.length > 0, accept);
    assert.equal(sent.length > 0, !accept);
    assert.deepEqual(desk.give({ is: "consent", transferId: "t1", accept }).out, []);
  }
  const desk = new Desk({ consent: true });
  desk.incoming();
  const recall = { ...ORDER, target: ANN, transferor: ANN };
  assert.equal(desk.hub("call.originate", recall).ordered.at(-1).do, "makeOffer");
  const asked = new Desk({ consent: true });
  asked.incoming();
  asked.hub("call.originate", ORDER);
  asked.hub("call.ended", { call_id: "n1", reason: { code: 487, sub_code: 0 } });
  assert.deepEqual(asked.give({ is: "consent", transferId: "t1", accept: true }).out, []);
});
