/** One phone on a desk: what goes in, and what of it comes out, in short. */

import { Phone } from "../../signaling/web/phone.js";

export const ANN = { raw_id: "8:acs:ann", display_name: "Ann" };
export const BOB = { raw_id: "8:acs:bob", display_name: "Bob" };
export const CAROL = { raw_id: "8:acs:carol", display_name: "Carol" };

/** A phone, and a clock that stands still unless it is told. */
export class Desk {
  now = 0;

  constructor(options) {
    this.phone = new Phone(options);
  }

  /** Give an input; return what comes out. */
  give(what) {
    const out = this.phone.handle(what, this.now);
    return {
      out,
      sent: out.filter((each) => "send" in each).map(({ send }) => send),
      ordered: out.filter((each) => "order" in each).map(({ order }) => order),
      news: out.filter((each) => "news" in each),
    };
  }

  hub(type, message) {
    return this.give({ is: "fromHub", message: { type, ...message } });
  }

  media(has, callId, more = {}) {
    return this.give({ is: "fromMedia", happening: { has, callId, ...more } });
  }

  call(callId = "c1") {
    return this.phone.calls.get(callId);
  }

  /** Have a call up that was dialled here. */
  outgoing(callId = "c1") {
    this.give({ is: "dial", callId, target: "bob", customContext: null, muted: false });
    this.media("offerReady", callId, { sdp: "offer" });
    this.hub("call.answered", { call_id: callId, sdp: "answer", outcome: { kind: "participant", party: BOB } });
    this.media("audioUp", callId);
    return this.hub("call.connected", { call_id: callId });
  }

  /** Have a call up that was answered here. */
  incoming(callId = "c1") {
    this.hub("call.incoming", { call_id: callId, caller: ANN, sdp: "offer" });
    this.give({ is: "accept", callId, muted: false, holdOthers: false });
    this.media("answerReady", callId, { sdp: "answer" });
    this.media("audioUp", callId);
    return this.hub("call.connected", { call_id: callId });
  }
}
