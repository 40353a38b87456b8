/**
 * All calls of one agent: inputs in; messages, orders and news out (node/phone.py). Pure.
 *
 * `handle(input, now)` returns the outputs in order; `deadline` is when it wants a tick at the latest, in seconds.
 * The hub decides transfers; a phone obeys `call.originate`, and answers a call that replaces one of its own.
 */

/** @import { CallIncoming, CallUpdate, HubMessage, Reason } from "./messages.js" */
/** @import { Happening, Input, Output } from "./exchange.js" */
/** @import { Session } from "./session.js" */

import { Calls } from "./calls.js";
import { Groups } from "./groups.js";
import { Handovers, SETUP_SECONDS } from "./handovers.js";
import { part, PICKUP_SECONDS, restore } from "./reload.js";
import {
  CANCELLED, DECLINED, HUNG_UP, MEDIA_LOST, NETWORK, NO_MEDIA, TIMED_OUT,
} from "./reasons.js";
import { claim, isLasting, isLive, isOfferer, ringing, session, talking } from "./session.js";

const ATTACH_SECONDS = 40;

/** The calls of one agent; with `consent` the application decides whether it may be transferred. */
export class Phone {
  /** @type {Map<string, Session>} */
  ringing = new Map();
  #calls = new Calls();
  #handovers;
  #groups = new Groups(this.#calls);
  #linked = true;

  /** @param {{ consent?: boolean }} [options] */
  constructor({ consent = false } = {}) {
    this.#handovers = new Handovers(this.#calls, consent);
  }

  /** The calls that are not over, by id. @returns {ReadonlyMap<string, Session>} */
  get calls() {
    return this.#calls.all;
  }

  /** @returns {number | null} */
  get deadline() {
    const due = [...this.calls.values()].map((call) => call.deadline ?? Infinity);
    const least = Math.min(...due, this.#handovers.deadline);
    return least === Infinity ? null : least;
  }

  /**
   * Take one input and return what it makes necessary, in order.
   * @param {Input} what
   * @param {number} now
   * @returns {Output[]}
   */
  handle(what, now) {
    this.#calls.out = [];
    this.#handle(what, now);
    const offered = [...this.#handovers.offers.values()].map((offer) => offer.replaces);
    this.#calls.awaitReasons(now, this.#linked, offered);
    return this.#calls.out;
  }

  /** @param {Input} what @param {number} now */
  #handle(what, now) {
    const calls = this.#calls;
    switch (what.is) {
      case "dial": {
        const { callId: id, target, customContext, muted } = what;
        const deadline = now + SETUP_SECONDS;
        calls.add(session({ id, direction: "Outgoing", remote: { raw_id: target }, customContext, muted, deadline }));
        return calls.do({ do: "makeOffer", callId: id });
      }
      case "join":
        return this.#groups.join(what, now);
      case "addParticipant":
      case "removeParticipant":
        return this.#groups.ask(what);
      case "accept": {
        const rings = this.ringing.get(what.callId);
        if (!rings) return;
        this.ringing.delete(what.callId);
        if (what.holdOthers) calls.holdAll();
        return this.#pickUp(session({ ...rings, muted: what.muted }), now);
      }
      case "reject":
      case "pass":
        if (!this.ringing.has(what.callId)) return;
        // A device that fails counts as one that is not there: what is unanswered goes on at once.
        calls.send({ type: "call.end", call_id: what.callId, cause: what.is === "pass" ? "failed" : "declined" });
        return this.#silence(what.callId, DECLINED);
      case "hangUp": {
        const call = calls.live(what.callId);
        const reason = call?.up || call?.direction === "Incoming" ? HUNG_UP : CANCELLED;
        return call ? calls.leave(call, reason, what.forEveryone) : undefined;
      }
      case "hold": {
        const call = calls.talking(what.callId);
        if (call && call.localHold !== what.on) calls.hold(call, what.on);
        return;
      }
      case "mute":
        return calls.mute(what.callId, what.outgoing, what.incoming);
      case "dtmf":
        if (calls.talking(what.callId)) calls.do({ do: "sendDtmf", callId: what.callId, digits: what.digits });
        return;
      case "transfer":
        return this.#handovers.request(what.request, now);
      case "cancelTransfer":
        return this.#handovers.cancel(what.transferId);
      case "consent":
        return this.#handovers.decide(what.transferId, what.accept, now);
      case "linked":
        this.#linked = what.on;
        if (what.on) for (const call of [...this.calls.values()]) if (call.pathLost) calls.renew(call.id);
        return;
      case "fromHub":
        return this.#fromHub(what.message, now);
      case "fromMedia":
        return this.#fromMedia(what.happening);
      case "cut":
        return this.#cut(what.reason);
      case "anew":
        return this.#attach(now);
      case "parting":
        return part(calls);
      case "restore":
        return this.#restore(what.calls, what.ringing, now);
      case "tick":
        return this.#tick(now);
      default:
        /** @type {never} */ (what);
    }
  }

  /** @param {HubMessage} message @param {number} now */
  #fromHub(message, now) {
    const calls = this.#calls;
    switch (message.type) {
      case "call.incoming":
        return this.#incoming(message, now);
      case "call.progress": {
        const call = calls.live(message.call_id);
        const state = message.progress === "ringing" ? "Ringing" : call?.state;
        if (call && state) calls.put({ ...call, state, remote: message.party });
        return;
      }
      case "call.answered": {
        const call = calls.live(message.call_id);
        if (!call) return;
        calls.do({ do: "applyAnswer", callId: call.id, sdp: message.sdp });
        const { outcome } = message;
        calls.put({ ...call, outcome, remote: outcome.party, state: "Connecting" });
        return;
      }
      case "call.connected": {
        const call = calls.live(message.call_id);
        if (!call) return;
        const upAt = call.up ? call.upAt : now;
        const serverCallId = message.server_call_id ?? null;
        const changed = { up: true, upAt, serverCallId, attaching: false, deadline: null, state: talking(call) };
        const up = calls.put({ ...call, ...changed });
        if (call.attaching) this.#repeat(call);
        else if (call.up) {
          // Its path goes over, or the other end came back anew, and may not know what was said.
          calls.do({ do: "goOver", callId: call.id });
          this.#repeat(call);
        } else if (call.localHold) calls.hold(up, true);
        return;
      }
      case "call.ended": {
        this.#silence(message.call_id, message.reason);
        this.#handovers.withdraw(message.call_id);
        const call = calls.live(message.call_id);
        if (call) calls.close(call, message.reason);
        return;
      }
      case "call.candidate": {
        const known = this.calls.has(message.call_id) || this.ringing.has(message.call_id);
        if (!known || !message.candidate) return;
        const { candidate, sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex } = message.candidate;
        return calls.do({ do: "addCandidate", callId: message.call_id, candidate: { candidate, sdpMid, sdpMLineIndex } });
      }
      case "call.update":
        return this.#update(message);
      case "call.renew":
        return calls.renew(message.call_id, message);
      case "call.hold": {
        const call = calls.live(message.call_id);
        if (call && call.remoteHold !== message.on) calls.rehold({ ...call, remoteHold: message.on });
        return;
      }
      case "call.originate":
        return this.#handovers.ordered(message, now);
      case "transfer.update":
        return this.#handovers.updated(message);
      case "call.participants":
      case "call.speakers":
        return this.#groups.told(message);
      case "mailbox.changed":
        return calls.tell({ news: "mailbox", new: message.new, saved: message.saved });
      case "error":
        return calls.tell({ news: "refused", error: message });
      case "welcome":
      case "pong":
      case "ice.servers":
      case "session.end":
      case "mixer.place": // which asks for what no page is for
        return;
      default:
        /** @type {never} */ (message);
    }
  }

  /** @param {Happening} happening */
  #fromMedia(happening) {
    const calls = this.#calls;
    const call = this.calls.get(happening.callId);
    if (!call) return;
    if (happening.has === "closed") {
      if (call.state === "Disconnecting") calls.over(call);
      return;
    }
    if (!isLive(call)) return;
    const call_id = call.id;
    switch (happening.has) {
      case "offerReady":
        calls.put({ ...call, placed: true }, true);
        if (call.remote.raw_id === call.groupId) {
          return calls.send({ type: "call.join", call_id, group_id: call.groupId, sdp: happening.sdp });
        }
        return calls.send({
          type: "call.place", call_id, target: call.remote.raw_id, sdp: happening.sdp,
          transfer_id: call.transferId, custom_context: call.customContext,
        });
      case "answerReady":
        return calls.send({ type: "call.answer", call_id, sdp: happening.sdp });
      case "candidate": {
        const { candidate, sdpMid, sdpMLineIndex } = happening.candidate;
        return calls.send({
          type: "call.candidate", call_id,
          candidate: { candidate, sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex },
        });
      }
      case "reofferReady":
        calls.put({ ...call, reoffer: happening.sdp }, true);
        return calls.send({ type: "call.update", call_id, kind: "offer", sdp: happening.sdp });
      case "reofferAnswered": {
        const answered = calls.put({ ...call, owed: Math.max(0, call.owed - 1) }, true);
        calls.send({ type: "call.update", call_id, kind: "answer", sdp: happening.sdp });
        return call.restoring ? calls.renewed(answered) : undefined;
      }
      case "audioUp":
        calls.put({ ...call, heard: true }, true);
        return calls.send({ type: "call.up", call_id });
      case "pathReady":
        return calls.send({ type: "call.up", call_id });
      case "dtmfReceived":
        return calls.tell({ news: "dtmf", callId: call_id, digit: happening.digit });
      case "remoteSpeaking":
        calls.put({ ...call, remoteSpeaking: happening.on });
        return;
      case "pathLost":
        calls.put({ ...call, pathLost: true });
        return this.#linked && !call.renegotiating ? calls.renew(call_id) : undefined;
      case "pathBack":
        calls.put({ ...call, pathLost: false, renewDue: false, lost: false, deadline: call.lost ? null : call.deadline });
        return;
      case "mediaLost":
        calls.put({ ...call, lost: true, deadline: null }, true);
        return;
      case "failed":
        return calls.leave(call, NO_MEDIA);
      default:
        /** @type {never} */ (happening);
    }
  }

  /** @param {CallIncoming} message @param {number} now */
  #incoming(message, now) {
    // What rings already may come again, to be answered in the place of a call to the same person.
    const rings = this.ringing.has(message.call_id);
    if (this.calls.has(message.call_id) || (rings && !message.replaces)) return;
    if (this.#calls.past.includes(message.call_id)) {
      return this.#calls.send({ type: "call.end", call_id: message.call_id, cause: "hangup" });
    }
    const call = ringing(message);
    const old = this.#calls.live(message.replaces);
    if (!message.replaces) {
      this.ringing.set(call.id, call);
      this.#calls.send({ type: "call.ringing", call_id: call.id });
      this.#calls.tell({ news: "ring", call });
    } else if (old) {
      this.ringing.delete(call.id);
      const { muted, incomingMuted, localHold } = old;
      this.#pickUp(session({ ...call, replaces: old.id, muted, incomingMuted, localHold }), now);
    } else if (!rings) {
      this.#calls.send({ type: "call.end", call_id: call.id, cause: "failed" });
    }
  }

  /** @param {Session} call @param {number} now */
  #pickUp(call, now) {
    this.#calls.add({ ...call, state: "Connecting", offer: "", deadline: now + PICKUP_SECONDS });
    if (call.replaces) this.#calls.do({ do: "takeOver", callId: call.id, old: call.replaces });
    this.#calls.do({ do: "makeAnswer", callId: call.id, sdp: call.offer });
  }

  /** @param {CallUpdate} update */
  #update({ call_id: callId, kind, sdp }) {
    const calls = this.#calls;
    const call = calls.live(callId);
    if (!call) return;
    if (kind === "offer") {
      calls.put({ ...call, owed: call.owed + 1, turned: call.turned !== isOfferer(call) }, true);
      return calls.do({ do: "answerReoffer", callId, sdp });
    }
    // What was offered before the page was loaded again went with it.
    if (call.stale) {
      calls.put({ ...call, stale: call.stale - 1 }, true);
      return;
    }
    calls.do({ do: "applyAnswer", callId, sdp });
    calls.renegotiated(call);
  }

  /**
   * Go on with the calls of a page that was loaded again; what rang rings.
   * @param {Session[]} restored
   * @param {Session[]} ringing
   * @param {number} now
   */
  #restore(restored, ringing, now) {
    for (const call of ringing) {
      this.ringing.set(call.id, call);
      this.#calls.tell({ news: "ring", call });
    }
    for (const call of restored) restore(this.#calls, call, now);
  }

  /**
   * Stop ringing; candidates that came early go with the media.
   * @param {string} callId
   * @param {Reason} reason
   */
  #silence(callId, reason) {
    if (!this.ringing.delete(callId)) return;
    this.#calls.forget(callId);
    this.#calls.do({ do: "close", callId });
    this.#calls.tell({ news: "ringOver", callId, reason });
  }

  /**
   * Tell a hub that began anew of the calls that go on without it; all else cannot.
   * @param {number} now
   */
  #attach(now) {
    const lasting = [...this.calls.values()].filter(isLasting);
    const replaced = new Set(lasting.map((call) => call.replaces));
    const kept = lasting.filter((call) => !replaced.has(call.id));
    this.#cut(NETWORK, new Set(kept.map((call) => call.id)));
    for (const call of kept) {
      this.#calls.put({ ...call, attaching: true, deadline: now + ATTACH_SECONDS }, true);
      this.#calls.send(claim(call, now));
    }
  }

  /**
   * Say once more what may have been lost with a hub or session that was: who holds, and what is offered.
   * @param {Session} call
   */
  #repeat(call) {
    this.#calls.send({ type: "call.hold", call_id: call.id, on: call.localHold });
    if (call.groupId !== null) this.#calls.send({ type: "call.mute", call_id: call.id, on: call.muted });
    if (call.reoffer) this.#calls.send({ type: "call.update", call_id: call.id, kind: "offer", sdp: call.reoffer });
  }

  /** @param {Reason} reason @param {Set<string>} [kept] */
  #cut(reason, kept = new Set()) {
    for (const callId of [...this.ringing.keys()]) this.#silence(callId, reason);
    this.#handovers.cut(reason);
    for (const call of [...this.calls.values()]) if (isLive(call) && !kept.has(call.id)) this.#calls.close(call, reason);
  }

  /** @param {number} now */
  #tick(now) {
    for (const call of [...this.calls.values()]) {
      if (call.deadline !== null && call.deadline <= now) {
        this.#calls.leave(call, call.attaching ? NETWORK : call.up ? MEDIA_LOST : TIMED_OUT);
      }
    }
    this.#handovers.tick(now);
  }
}
