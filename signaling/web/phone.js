/**
 * All calls of one agent: inputs in; messages, orders and news out (node/phone.py). Pure.
 *
 * `handle(input, now)` returns the outputs in order; `deadline` is when it wants a tick at the latest, in seconds.
 * The hub decides transfers; a phone obeys `call.originate`, and answers a call that replaces one of its own.
 */

/** @import { CallEnd, CallIncoming, CallOriginate, CallUpdate, ClientMessage, HubMessage, Reason,
 *    TransferRequest, TransferUpdate } from "./messages.js" */
/** @import { Happening, Input, Order, Output } from "./exchange.js" */
/** @import { Session, SessionFields } from "./session.js" */

import {
  CANCELLED, DECLINED, HUNG_UP, MEDIA_LOST, NETWORK, NO_MEDIA, TIMED_OUT, UNKNOWN_CALL,
} from "./reasons.js";
import { awaiting, following, isLive, isOfferer, ringing, session, talking } from "./session.js";

// The hub has the shorter deadlines; a call that is forwarded on and on may ring for ten minutes.
const SETUP_SECONDS = 900;
const PICKUP_SECONDS = 30;
const TRANSFER_SECONDS = 600;
const ATTACH_SECONDS = 40;

/** What is true of a call that has no peer connection yet. */
const FRESH = { lost: false, renegotiating: false, renewDue: false, reoffer: "", holdChanged: false };

/** @type {Map<Reason, CallEnd["cause"]>} */
const CAUSES = new Map([[NO_MEDIA, "no_media"], [MEDIA_LOST, "media_lost"], [TIMED_OUT, "failed"]]);

/** The calls of one agent; with `consent` the application decides whether it may be transferred. */
export class Phone {
  /** @type {Map<string, Session>} */
  calls = new Map();
  /** @type {Map<string, Session>} */
  ringing = new Map();
  /** @type {Map<string, CallOriginate>} */
  offers = new Map();
  /** @type {Map<string, { request: TransferRequest, deadline: number }>} */
  transfers = new Map();
  #consent;
  #linked = true;
  /** @type {Output[]} */
  #out = [];

  /** @param {{ consent?: boolean }} [options] */
  constructor({ consent = false } = {}) {
    this.#consent = consent;
  }

  /** @returns {number | null} */
  get deadline() {
    const due = [...this.calls.values()].map((call) => call.deadline ?? Infinity);
    const least = Math.min(...due, ...[...this.transfers.values()].map((transfer) => transfer.deadline));
    return least === Infinity ? null : least;
  }

  /**
   * Take one input and return what it makes necessary, in order.
   * @param {Input} what
   * @param {number} now
   * @returns {Output[]}
   */
  handle(what, now) {
    this.#out = [];
    this.#handle(what, now);
    this.#awaitReasons(now);
    return this.#out;
  }

  /** @param {Input} what @param {number} now */
  #handle(what, now) {
    switch (what.is) {
      case "dial": {
        const { callId: id, target, customContext, muted } = what;
        const deadline = now + SETUP_SECONDS;
        this.#new(session({ id, direction: "Outgoing", remote: { raw_id: target }, customContext, muted, deadline }));
        return this.#do({ do: "makeOffer", callId: id });
      }
      case "accept": {
        const rings = this.ringing.get(what.callId);
        if (!rings) return;
        this.ringing.delete(what.callId);
        return this.#pickUp(session({ ...rings, muted: what.muted }), now);
      }
      case "reject":
      case "pass":
        if (!this.ringing.delete(what.callId)) return;
        // A device that fails counts as one that is not there: what is unanswered goes on at once.
        this.#send({ type: "call.end", call_id: what.callId, cause: what.is === "pass" ? "failed" : "declined" });
        return this.#silence(what.callId, DECLINED);
      case "hangUp": {
        const call = this.#live(what.callId);
        if (call) this.#leave(call, call.up || call.direction === "Incoming" ? HUNG_UP : CANCELLED);
        return;
      }
      case "hold": {
        const call = this.#live(what.callId);
        if (!call?.up || call.localHold === what.on) return;
        this.#send({ type: "call.hold", call_id: call.id, on: what.on });
        return this.#rehold({ ...call, localHold: what.on });
      }
      case "mute":
        // What takes the place of a call is muted with it.
        for (const call of this.calls.values()) {
          if (!isLive(call) || (what.callId !== call.id && what.callId !== call.replaces)) continue;
          const muted = what.outgoing ?? call.muted;
          const incomingMuted = what.incoming ?? call.incomingMuted;
          this.#put({ ...call, muted, incomingMuted });
          this.#do({ do: "mute", callId: call.id, outgoing: muted, incoming: incomingMuted });
        }
        return;
      case "dtmf":
        if (this.#live(what.callId)?.up) this.#do({ do: "sendDtmf", callId: what.callId, digits: what.digits });
        return;
      case "transfer":
        return this.#transfer(what.request, now);
      case "cancelTransfer":
        if (this.transfers.has(what.transferId)) {
          this.#send({ type: "transfer.cancel", transfer_id: what.transferId });
        }
        return;
      case "consent": {
        const offer = this.offers.get(what.transferId);
        if (!offer) return;
        this.offers.delete(what.transferId);
        return what.accept ? this.#follow(offer, now) : this.#decline(offer);
      }
      case "linked":
        this.#linked = what.on;
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
        // A page that is loaded again comes back within a moment: the other end is to wait without any sound.
        for (const call of this.calls.values()) {
          if (call.up && isLive(call) && !call.localHold) this.#send({ type: "call.hold", call_id: call.id, on: true });
        }
        return;
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
    switch (message.type) {
      case "call.incoming":
        return this.#incoming(message, now);
      case "call.progress": {
        const call = this.#live(message.call_id);
        const state = message.progress === "ringing" ? "Ringing" : call?.state;
        if (call && state) this.#put({ ...call, state, remote: message.party });
        return;
      }
      case "call.answered": {
        const call = this.#live(message.call_id);
        if (!call) return;
        this.#do({ do: "applyAnswer", callId: call.id, sdp: message.sdp });
        const { outcome } = message;
        return this.#put({ ...call, outcome, remote: outcome.party, state: "Connecting" });
      }
      case "call.connected": {
        const call = this.#live(message.call_id);
        if (!call) return;
        this.#put({ ...call, up: true, attaching: false, deadline: null, state: talking(call) });
        if (call.attaching) this.#repeat(call);
        return;
      }
      case "call.ended":
        return this.#ended(message.call_id, message.reason);
      case "call.candidate": {
        const known = this.calls.has(message.call_id) || this.ringing.has(message.call_id);
        if (!known || !message.candidate) return;
        const { candidate, sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex } = message.candidate;
        return this.#do({ do: "addCandidate", callId: message.call_id, candidate: { candidate, sdpMid, sdpMLineIndex } });
      }
      case "call.update":
        return this.#update(message);
      case "call.renew": {
        const call = this.#live(message.call_id);
        return call?.up ? this.#renew(call) : undefined;
      }
      case "call.hold": {
        const call = this.#live(message.call_id);
        if (call && call.remoteHold !== message.on) this.#rehold({ ...call, remoteHold: message.on });
        return;
      }
      case "call.originate":
        return this.#originate(message, now);
      case "transfer.update":
        return this.#transferUpdate(message);
      case "call.participants":
      case "call.speakers":
      case "mixer.place":
        return;
      case "mailbox.changed":
        this.#out.push({ news: "mailbox", new: message.new, saved: message.saved });
        return;
      case "error":
        this.#out.push({ news: "refused", error: message });
        return;
      case "welcome":
      case "pong":
      case "ice.servers":
      case "session.end":
        return;
      default:
        /** @type {never} */ (message);
    }
  }

  /** @param {Happening} happening */
  #fromMedia(happening) {
    const call = this.calls.get(happening.callId);
    if (!call) {
      return;
    }
    if (happening.has === "closed") {
      if (call.state === "Disconnecting") this.#over(call);
      return;
    }
    if (!isLive(call)) return;
    const call_id = call.id;
    switch (happening.has) {
      case "offerReady":
        this.#put({ ...call, placed: true }, true);
        return this.#send({
          type: "call.place", call_id, target: call.remote.raw_id, sdp: happening.sdp,
          transfer_id: call.transferId, custom_context: call.customContext,
        });
      case "answerReady":
        return this.#send({ type: "call.answer", call_id, sdp: happening.sdp });
      case "candidate": {
        const { candidate, sdpMid, sdpMLineIndex } = happening.candidate;
        return this.#send({
          type: "call.candidate", call_id,
          candidate: { candidate, sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex },
        });
      }
      case "reofferReady":
        this.#put({ ...call, reoffer: happening.sdp }, true);
        return this.#send({ type: "call.update", call_id, kind: "offer", sdp: happening.sdp });
      case "reofferAnswered":
        this.#send({ type: "call.update", call_id, kind: "answer", sdp: happening.sdp });
        return call.renewing ? this.#renewed(call) : undefined;
      case "audioUp":
        this.#put({ ...call, heard: true }, true);
        return this.#send({ type: "call.up", call_id });
      case "dtmfReceived":
        this.#out.push({ news: "dtmf", callId: call_id, digit: happening.digit });
        return;
      case "remoteSpeaking":
        return this.#put({ ...call, remoteSpeaking: happening.on });
      case "pathLost":
        return this.#linked && call.up && !call.renegotiating ? this.#renew(call) : undefined;
      case "mediaLost":
        return this.#put({ ...call, lost: true, deadline: null }, true);
      case "failed":
        return this.#leave(call, NO_MEDIA);
      default:
        /** @type {never} */ (happening);
    }
  }

  /** @param {CallIncoming} message @param {number} now */
  #incoming(message, now) {
    if (this.calls.has(message.call_id) || this.ringing.has(message.call_id)) return;
    const call = ringing(message);
    if (!message.replaces) {
      this.ringing.set(call.id, call);
      this.#send({ type: "call.ringing", call_id: call.id });
      this.#out.push({ news: "ring", call });
      return;
    }
    const old = this.#live(message.replaces);
    if (old) {
      const { muted, incomingMuted } = old;
      this.#pickUp(session({ ...call, replaces: old.id, muted, incomingMuted }), now);
    } else {
      this.#send({ type: "call.end", call_id: call.id, cause: "failed" });
    }
  }

  /** @param {Session} call @param {number} now */
  #pickUp(call, now) {
    this.#new(session({ ...call, state: "Connecting", offer: "", deadline: now + PICKUP_SECONDS }));
    if (call.replaces) this.#do({ do: "takeOver", callId: call.id, old: call.replaces });
    this.#do({ do: "makeAnswer", callId: call.id, sdp: call.offer });
  }

  /** @param {CallOriginate} offer @param {number} now */
  #originate(offer, now) {
    if (this.calls.has(offer.call_id) || this.offers.has(offer.transfer_id)) return;
    if (!this.#live(offer.replaces)) {
      this.#decline(offer);
    } else if (this.#consent && offer.target.raw_id !== offer.transferor.raw_id) {
      this.offers.set(offer.transfer_id, offer);
      this.#out.push({ news: "transferAsked", offer });
    } else {
      this.#follow(offer, now);
    }
  }

  /** @param {CallOriginate} offer @param {number} now */
  #follow(offer, now) {
    const old = this.#live(offer.replaces);
    if (!old) return this.#decline(offer);
    this.#new(session({ ...following(offer, old), deadline: now + SETUP_SECONDS }));
    this.#do({ do: "takeOver", callId: offer.call_id, old: old.id });
    this.#do({ do: "makeOffer", callId: offer.call_id });
    this.#out.push({ news: "transferTaken", old: old.id, new: offer.call_id });
  }

  /** @param {CallOriginate} offer */
  #decline(offer) {
    this.#send({ type: "transfer.decline", transfer_id: offer.transfer_id, call_id: offer.call_id });
  }

  /** @param {TransferRequest} request @param {number} now */
  #transfer(request, now) {
    if (!this.#live(request.call_id)?.up) return this.#failTransfer(request, UNKNOWN_CALL);
    this.transfers.set(request.transfer_id, { request, deadline: now + TRANSFER_SECONDS });
    this.#send(request);
  }

  /** @param {TransferUpdate} update */
  #transferUpdate(update) {
    const known = this.transfers.get(update.transfer_id);
    if (!known) return;
    if (update.state !== "Transferring") this.transfers.delete(update.transfer_id);
    const call = this.calls.get(update.call_id);
    if (call && update.state === "Transferred") this.#put({ ...call, transferred: true, deadline: null }, true);
    const toCall = known.request.target.kind === "call";
    const pending = [...this.transfers.values()].some(({ request }) => request.call_id === update.call_id);
    const talks = [...this.calls.values()].some((each) => each.up && isLive(each) && !each.localHold);
    if (call && isLive(call) && update.state === "Failed" && call.localHold && !toCall && !pending && !talks) {
      this.#send({ type: "call.hold", call_id: call.id, on: false });
      this.#rehold({ ...call, localHold: false });
    }
    this.#out.push({ news: "transfer", update });
  }

  /** @param {CallUpdate} update */
  #update({ call_id: callId, kind, sdp }) {
    const call = this.#live(callId);
    if (!call) return;
    if (kind === "offer") return this.#do({ do: "answerReoffer", callId, sdp });
    // What was offered before the page was loaded again went with it.
    if (call.stale) return this.#put({ ...call, stale: call.stale - 1 }, true);
    this.#do({ do: "applyAnswer", callId, sdp });
    const answered = { ...call, renegotiating: false, renewDue: false, reoffer: "", deadline: null };
    if (call.renewDue) return this.#renew(session(answered));
    if (call.renewing) return this.#renewed(session(answered));
    if (call.holdChanged) this.#rehold({ ...answered, holdChanged: false });
    else this.#put(answered, true);
  }

  /**
   * Let the path of a call be made anew; the end that makes no offers asks the other one to.
   * @param {Session} call
   */
  #renew(call) {
    if (!isOfferer(call)) {
      this.#put(call, true);
      return this.#send({ type: "call.renew", call_id: call.id });
    }
    if (call.renegotiating) return this.#put({ ...call, renewDue: true }, true);
    this.#put({ ...call, renegotiating: true }, true);
    this.#do({ do: "renew", callId: call.id });
  }

  /**
   * Go on where the page that was loaded again left off.
   * @param {Session} call
   */
  #renewed(call) {
    const next = session({ ...call, renewing: false, lost: false, state: talking(call), deadline: null });
    this.#put(next);
    this.#send({ type: "call.hold", call_id: call.id, on: call.localHold });
    if (isOfferer(next) && (next.localHold || next.remoteHold)) this.#rehold(next);
  }

  /**
   * Carry out a change of hold; an offerer makes one re-offer at a time.
   * @param {SessionFields} changed
   */
  #rehold(changed) {
    const call = { ...changed, state: changed.up ? talking(changed) : changed.state };
    const offerer = isOfferer(call);
    if (offerer && call.renegotiating) return this.#put({ ...call, holdChanged: true });
    this.#put({ ...call, renegotiating: offerer });
    this.#do({ do: "setHold", callId: call.id, local: call.localHold, remote: call.remoteHold, offerer });
  }

  /**
   * Go on with the calls of a page that was loaded again; what was not up is over, what rang rings.
   * @param {Session[]} calls
   * @param {Session[]} ringing
   * @param {number} now
   */
  #restore(calls, ringing, now) {
    for (const call of ringing) {
      this.ringing.set(call.id, call);
      this.#out.push({ news: "ring", call });
    }
    for (const call of calls) {
      if (!call.up || !isLive(call)) {
        this.#send({ type: "call.end", call_id: call.id, cause: "hangup" });
        continue;
      }
      const deadline = now + PICKUP_SECONDS;
      const stale = call.stale + (call.reoffer ? 1 : 0);
      this.#new(session({ ...call, ...FRESH, stale, renewing: true, state: "Connecting", deadline }));
      const { id: callId, localHold: local, remoteHold: remote } = call;
      this.#do({ do: "setHold", callId, local, remote, offerer: false });
      const restored = this.#live(callId);
      if (restored) this.#renew(restored);
    }
  }

  /** @param {string} callId @param {Reason} reason */
  #ended(callId, reason) {
    if (this.ringing.delete(callId)) this.#silence(callId, reason);
    for (const [transferId, offer] of this.offers) if (offer.call_id === callId) this.offers.delete(transferId);
    const call = this.#live(callId);
    if (call) this.#close(call, reason);
  }

  /**
   * Stop ringing; candidates that came early go with the media.
   * @param {string} callId
   * @param {Reason} reason
   */
  #silence(callId, reason) {
    this.#do({ do: "close", callId });
    this.#out.push({ news: "ringOver", callId, reason });
  }

  /** @param {Session} call @param {Reason} reason */
  #leave(call, reason) {
    if (call.placed || call.direction === "Incoming") {
      this.#send({ type: "call.end", call_id: call.id, cause: CAUSES.get(reason) ?? "hangup" });
    } else if (call.transferId) {
      this.#send({ type: "transfer.decline", transfer_id: call.transferId, call_id: call.id });
    }
    this.#close(call, reason);
  }

  /** @param {Session} call @param {Reason} reason */
  #close(call, reason) {
    this.#put({ ...call, state: "Disconnecting", endReason: reason, deadline: null });
    this.#do({ do: "close", callId: call.id });
  }

  /** @param {Session} call */
  #over(call) {
    this.calls.delete(call.id);
    this.#out.push({ news: "call", call: session({ ...call, state: "Disconnected" }) });
  }

  /**
   * Give the hub a moment to say why sound is lost, and more where it may not know it yet.
   * @param {number} now
   */
  #awaitReasons(now) {
    const waiting = new Set([...this.offers.values()].map((offer) => offer.replaces));
    for (const call of this.calls.values()) if (isLive(call) && call.replaces) waiting.add(call.replaces);
    for (const call of this.calls.values()) {
      const excused = call.transferred || waiting.has(call.id) || call.remoteHold || !this.#linked;
      const next = awaiting(call, now, excused);
      if (next !== call) this.#put(next, true);
    }
  }

  /**
   * Tell a hub that began anew of the calls that are heard; all else cannot go on.
   * @param {number} now
   */
  #attach(now) {
    const heard = [...this.calls.values()].filter((call) => call.heard && isLive(call) && !call.transferred);
    const replaced = new Set(heard.map((call) => call.replaces));
    const kept = heard.filter((call) => !replaced.has(call.id));
    this.#cut(NETWORK, new Set(kept.map((call) => call.id)));
    for (const call of kept) {
      this.#put({ ...call, attaching: true, deadline: now + ATTACH_SECONDS }, true);
      this.#send({
        type: "call.attach", call_id: call.id, remote: call.remote.raw_id, caller: isOfferer(call),
        mailbox: call.mailbox?.raw_id ?? null,
      });
    }
  }

  /**
   * Say once more what may have been lost with the hub that was: who holds, and what is offered.
   * @param {Session} call
   */
  #repeat(call) {
    this.#send({ type: "call.hold", call_id: call.id, on: call.localHold });
    if (call.reoffer) this.#send({ type: "call.update", call_id: call.id, kind: "offer", sdp: call.reoffer });
  }

  /** @param {Reason} reason @param {Set<string>} [kept] */
  #cut(reason, kept = new Set()) {
    for (const callId of [...this.ringing.keys()]) {
      this.ringing.delete(callId);
      this.#silence(callId, reason);
    }
    this.offers.clear();
    for (const [transferId, { request }] of [...this.transfers]) {
      this.transfers.delete(transferId);
      this.#failTransfer(request, reason);
    }
    for (const call of [...this.calls.values()]) if (isLive(call) && !kept.has(call.id)) this.#close(call, reason);
  }

  /** @param {number} now */
  #tick(now) {
    for (const call of [...this.calls.values()]) {
      if (call.deadline !== null && call.deadline <= now) {
        this.#leave(call, call.attaching ? NETWORK : call.up ? MEDIA_LOST : TIMED_OUT);
      }
    }
    for (const [transferId, { request, deadline }] of [...this.transfers]) {
      if (deadline > now) continue;
      this.transfers.delete(transferId);
      this.#failTransfer(request, TIMED_OUT);
    }
  }

  /** @param {TransferRequest} request @param {Reason} error */
  #failTransfer(request, error) {
    const { transfer_id, call_id } = request;
    this.#out.push({
      news: "transfer", update: { type: "transfer.update", transfer_id, call_id, state: "Failed", error },
    });
  }

  /** @param {string} callId @returns {Session | undefined} */
  #live(callId) {
    const call = this.calls.get(callId);
    return call && isLive(call) ? call : undefined;
  }

  /** @param {Session} call */
  #new(call) {
    this.#put(call);
    if (!call.muted && !call.incomingMuted) return;
    this.#do({ do: "mute", callId: call.id, outgoing: call.muted, incoming: call.incomingMuted });
  }

  /** @param {SessionFields} given @param {boolean} [quiet] */
  #put(given, quiet = false) {
    const call = session(given);
    this.calls.set(call.id, call);
    if (!quiet) this.#out.push({ news: "call", call });
  }

  /** @param {ClientMessage} send */
  #send(send) {
    this.#out.push({ send });
  }

  /** @param {Order} order */
  #do(order) {
    this.#out.push({ order });
  }
}
