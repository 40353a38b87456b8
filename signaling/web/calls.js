/**
 * The calls of one agent, and what is said and ordered for each of them (node/calls.py). Pure.
 *
 * `Calls` holds the calls and is the only one to replace them; what comes out is collected in `out`, in order.
 */

/** @import { CallEnd, ClientMessage, Reason } from "./messages.js" */
/** @import { News, Order, Output } from "./exchange.js" */
/** @import { Session, SessionFields } from "./session.js" */

import { MEDIA_LOST, NO_MEDIA, TIMED_OUT } from "./reasons.js";
import { awaiting, isLive, isOfferer, session, talking } from "./session.js";

/** @type {Map<Reason, CallEnd["cause"]>} */
const CAUSES = new Map([[NO_MEDIA, "no_media"], [MEDIA_LOST, "media_lost"], [TIMED_OUT, "failed"]]);

const REMEMBERED = 64;

/** All calls that were dialled or answered here and are not over, by id. */
export class Calls {
  /** @type {Map<string, Session>} */
  all = new Map();
  /** @type {string[]} */
  past = [];
  /** @type {Output[]} */
  out = [];

  /**
   * Return a call that is neither over nor about to be.
   * @param {string | null | undefined} callId
   * @returns {Session | undefined}
   */
  live(callId) {
    const call = this.all.get(callId ?? "");
    return call && isLive(call) ? call : undefined;
  }

  /**
   * Return a live call that is up.
   * @param {string} callId
   */
  talking(callId) {
    const call = this.live(callId);
    return call?.up ? call : undefined;
  }

  /**
   * Take on a call, muted and held as it says.
   * @param {SessionFields} given
   */
  add(given) {
    const call = this.put(given);
    if (call.localHold) this.do({ do: "setHold", callId: call.id, local: true, remote: false, offerer: false });
    if (!call.muted && !call.incomingMuted) return;
    this.do({ do: "mute", callId: call.id, outgoing: call.muted, incoming: call.incomingMuted });
  }

  /**
   * Replace a call by what it has become; quiet where the application does not see the difference.
   * @param {SessionFields} given
   * @param {boolean} [quiet]
   */
  put(given, quiet = false) {
    const call = session(given);
    this.all.set(call.id, call);
    if (!quiet) this.tell({ news: "call", call });
    return call;
  }

  /**
   * Mute a call, and with it what takes its place; undefined leaves as it is.
   * @param {string} callId
   * @param {boolean | undefined} outgoing
   * @param {boolean | undefined} incoming
   */
  mute(callId, outgoing, incoming) {
    for (const call of this.all.values()) {
      if (!isLive(call) || (callId !== call.id && callId !== call.replaces)) continue;
      const muted = outgoing ?? call.muted;
      const incomingMuted = incoming ?? call.incomingMuted;
      this.put({ ...call, muted, incomingMuted });
      if (call.groupId !== null && call.muted !== muted) this.send({ type: "call.mute", call_id: call.id, on: muted });
      this.do({ do: "mute", callId: call.id, outgoing: muted, incoming: incomingMuted });
    }
  }

  /**
   * Hold a call here, or resume it, and with it what takes its place; tell the other end.
   * @param {Session} call
   * @param {boolean} on
   */
  hold(call, on) {
    this.send({ type: "call.hold", call_id: call.id, on });
    this.rehold({ ...call, localHold: on });
    for (const next of [...this.all.values()].filter((each) => isLive(each) && each.replaces === call.id)) {
      if (next.up) {
        this.hold(next, on);
      } else {
        this.put({ ...next, localHold: on }, true);
        this.do({ do: "setHold", callId: next.id, local: on, remote: false, offerer: false });
      }
    }
  }

  /**
   * Remember that a call is over: it does not come again.
   * @param {string} callId
   */
  forget(callId) {
    this.past = [callId, ...this.past].slice(0, REMEMBERED);
  }

  /** Hold every call that is up. */
  holdAll() {
    for (const call of [...this.all.values()]) if (isLive(call) && call.up && !call.localHold) this.hold(call, true);
  }

  /**
   * Carry out a change of hold; an offerer makes one re-offer at a time.
   * @param {SessionFields} changed
   */
  rehold(changed) {
    const call = { ...changed, state: changed.up ? talking(changed) : changed.state };
    const offerer = isOfferer(call);
    if (offerer && call.renegotiating) {
      this.put({ ...call, holdChanged: true });
      return;
    }
    this.put({ ...call, renegotiating: offerer });
    this.do({ do: "setHold", callId: call.id, local: call.localHold, remote: call.remoteHold, offerer });
  }

  /**
   * Take note that a re-offer was answered, and carry out what was waiting for it.
   * @param {Session} given
   */
  renegotiated(given) {
    const again = given.renewDue;
    const fresh = { renegotiating: false, renewing: false, renewDue: false, reoffer: "", deadline: null };
    const call = session({ ...given, ...fresh });
    if (again) {
      this.put(call, true);
      this.renew(call.id);
    } else if (call.restoring) {
      this.renewed(call);
    } else if (call.holdChanged) {
      this.rehold({ ...call, holdChanged: false });
    } else {
      this.put(call, true);
    }
  }

  /**
   * Let the path of a call be made anew; the end that makes no offers asks the other one to.
   *
   * With `anew` it is the hub that wants it: this end offers, and an offer that is not answered is void. With
   * `unanswered`, what the other end, or this one, has offered before will not be answered any more.
   * @param {string} callId
   * @param {{ anew?: boolean, unanswered?: boolean }} [how]
   */
  renew(callId, { anew = false, unanswered = false } = {}) {
    const known = this.talking(callId);
    if (!known) return;
    const call = session({ ...known, turned: known.turned !== (anew && !isOfferer(known)) });
    if (!isOfferer(call)) {
      this.send(unanswered ? { type: "call.renew", call_id: callId, unanswered } : { type: "call.renew", call_id: callId });
    } else if (anew && call.renewing && !call.reoffer) {
      // The offer is yet to come.
    } else if (call.renegotiating && !unanswered && !(anew && call.renewing)) {
      this.put({ ...call, renewDue: true }, true);
    } else {
      this.put({ ...call, renegotiating: true, renewing: true, renewDue: false, reoffer: "", deadline: null }, true);
      this.do({ do: "renew", callId });
    }
  }

  /**
   * Go on where the page that was loaded again left off.
   * @param {Session} call
   */
  renewed(call) {
    const next = this.put({ ...call, restoring: false, lost: false, state: talking(call), deadline: null });
    this.send({ type: "call.hold", call_id: call.id, on: call.localHold });
    if (isOfferer(next) && (next.localHold || next.remoteHold)) this.rehold(next);
  }

  /**
   * End a call for a reason of this end, and tell the hub what it knows of.
   * @param {Session} call
   * @param {Reason} reason
   * @param {boolean} [forEveryone] whether a group call is over for all
   */
  leave(call, reason, forEveryone = false) {
    if (call.placed || call.direction === "Incoming") {
      const everyone = forEveryone ? { for_everyone: true } : {};
      this.send({ type: "call.end", call_id: call.id, cause: CAUSES.get(reason) ?? "hangup", ...everyone });
    } else if (call.transferId) {
      this.send({ type: "transfer.decline", transfer_id: call.transferId, call_id: call.id });
    }
    this.close(call, reason);
  }

  /**
   * Let the media of a call go; it is over when that has.
   * @param {Session} call
   * @param {Reason} reason
   */
  close(call, reason) {
    this.put({ ...call, state: "Disconnecting", endReason: reason, deadline: null });
    this.do({ do: "close", callId: call.id });
  }

  /**
   * Forget a call whose media is gone.
   * @param {Session} call
   */
  over(call) {
    this.all.delete(call.id);
    this.forget(call.id);
    this.tell({ news: "call", call: session({ ...call, state: "Disconnected" }) });
  }

  /**
   * Give the hub a moment to say why sound is lost, and more where it may not know it yet.
   * @param {number} now
   * @param {boolean} linked
   * @param {Iterable<string>} replaced
   */
  awaitReasons(now, linked, replaced) {
    const waiting = new Set(replaced);
    for (const call of this.all.values()) if (isLive(call) && call.replaces) waiting.add(call.replaces);
    for (const call of [...this.all.values()]) {
      const excused = call.transferred || waiting.has(call.id) || call.remoteHold || !linked;
      const next = awaiting(call, now, excused);
      if (next !== call) this.put(next, true);
    }
  }

  /** @param {ClientMessage} send to the hub */
  send(send) {
    this.out.push({ send });
  }

  /** @param {Order} order to the media */
  do(order) {
    this.out.push({ order });
  }

  /** @param {News} news for the application */
  tell(news) {
    this.out.push(news);
  }
}
