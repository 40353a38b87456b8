/** A call that rings here (ACS IncomingCall). */

/** @import { CallAgent } from "./agent.js" */
/** @import { AcceptCallOptions, Call } from "./call.js" */
/** @import { Reason } from "./messages.js" */
/** @import { Session } from "./session.js" */
/** @import { CallEndReason } from "./shapes.js" */

import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";
import { callerInfo } from "./identifiers.js";
import { callEndReason, customContext } from "./shapes.js";

/** Accept it or reject it. Event `callEnded` with `{ callEndReason }`. */
export class IncomingCall extends Emitter {
  /** @type {"IncomingCall"} */
  kind = "IncomingCall";
  /** @type {CallEndReason | undefined} */
  callEndReason;
  #agent;
  #ringing = true;

  /**
   * @param {CallAgent} agent
   * @param {Session} session
   * @internal
   */
  constructor(agent, session) {
    super();
    this.#agent = agent;
    this.id = session.id;
    /** The group call that this one is part of, if it is. */
    this.info = { groupId: session.groupId ?? undefined };
    this.callerInfo = callerInfo(session.remote);
    this.transferorInfo = session.transferor ? callerInfo(session.transferor) : undefined;
    this.forwardedFrom = session.forwardedFrom ? callerInfo(session.forwardedFrom) : undefined;
    this.customContext = customContext(session.customContext);
  }

  /**
   * Answer on this device; rejects with 400/41006 if it no longer rings.
   * @param {AcceptCallOptions} [options]
   * @returns {Promise<Call>}
   */
  async accept(options = {}) {
    this.#check(41006, "accepted");
    return this.#agent._accept(this.id, options.audioOptions ?? {}, options.holdOtherCalls ?? true);
  }

  /** Decline on all devices; rejects with 400/41007 if it no longer rings. */
  async reject() {
    this.#check(41007, "rejected");
    this.#agent._give({ is: "reject", callId: this.id });
  }

  /** Beyond ACS: stop ringing here and go on as if nobody had answered, by default to voicemail. */
  async sendToVoicemail() {
    this.#check(41007, "sent on");
    this.#agent._give({ is: "pass", callId: this.id });
  }

  /** @param {number} subCode @param {string} what */
  #check(subCode, what) {
    if (!this.#ringing) {
      throw new CallingCommunicationError(400, subCode, `This call no longer rings and cannot be ${what}.`);
    }
    this.#ringing = false;
  }

  /**
   * @param {Reason | null} reason null if it was accepted here
   * @internal
   */
  _over(reason) {
    this.#ringing = false;
    if (!reason || this.callEndReason) return;
    this.callEndReason = callEndReason(reason);
    this._emit("callEnded", { callEndReason: this.callEndReason });
  }
}
