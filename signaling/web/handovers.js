/**
 * Transfers at an endpoint: those asked for here (A), and the orders to follow one (B) (node/handovers.py). Pure.
 *
 * The hub decides. B obeys `call.originate`, after its application has agreed where that wants to be asked.
 */

/** @import { Calls } from "./calls.js" */
/** @import { CallOriginate, Reason, TransferRequest, TransferUpdate } from "./messages.js" */

import { TIMED_OUT, UNKNOWN_CALL } from "./reasons.js";
import { following, isLive } from "./session.js";

// The hub has the shorter deadlines; a call that is forwarded on and on may ring for ten minutes.
export const SETUP_SECONDS = 900;
const TRANSFER_SECONDS = 600;

/** What is under way; with `consent` the application decides whether this end may be transferred. */
export class Handovers {
  /** @type {Map<string, CallOriginate>} */
  offers = new Map();
  /** @type {Map<string, { request: TransferRequest, deadline: number }>} */
  asked = new Map();
  #calls;
  #consent;

  /** @param {Calls} calls @param {boolean} consent */
  constructor(calls, consent) {
    this.#calls = calls;
    this.#consent = consent;
  }

  /** When `tick` must be called next, Infinity for never. */
  get deadline() {
    return Math.min(...[...this.asked.values()].map(({ deadline }) => deadline));
  }

  /**
   * Follow the hub's order to place a call in the place of another, or ask the application first.
   * @param {CallOriginate} offer
   * @param {number} now
   */
  ordered(offer, now) {
    if (this.#calls.all.has(offer.call_id) || this.offers.has(offer.transfer_id)) return;
    const recall = offer.target.raw_id === offer.transferor.raw_id;
    if (this.#consent && !recall && this.#calls.live(offer.replaces)) {
      this.offers.set(offer.transfer_id, offer);
      this.#calls.tell({ news: "transferAsked", offer });
    } else {
      this.#follow(offer, now);
    }
  }

  /**
   * Take the application's answer to what it was asked.
   * @param {string} transferId
   * @param {boolean} accept
   * @param {number} now
   */
  decide(transferId, accept, now) {
    const offer = this.offers.get(transferId);
    if (!offer) return;
    this.offers.delete(transferId);
    if (accept) this.#follow(offer, now);
    else this.#decline(offer);
  }

  /**
   * Forget the offer of a call that is not to be placed any more.
   * @param {string} callId
   */
  withdraw(callId) {
    for (const [transferId, offer] of this.offers) if (offer.call_id === callId) this.offers.delete(transferId);
  }

  /**
   * Ask the hub for a transfer of a call that is up.
   * @param {TransferRequest} request
   * @param {number} now
   */
  request(request, now) {
    if (!this.#calls.talking(request.call_id)) return this.#fail(request, UNKNOWN_CALL);
    this.asked.set(request.transfer_id, { request, deadline: now + TRANSFER_SECONDS });
    this.#calls.send(request);
  }

  /**
   * Call a transfer off that is under way.
   * @param {string} transferId
   */
  cancel(transferId) {
    if (this.asked.has(transferId)) this.#calls.send({ type: "transfer.cancel", transfer_id: transferId });
  }

  /**
   * Pass on how a transfer stands; a failure takes its call off hold, unless another one talks.
   * @param {TransferUpdate} update
   */
  updated(update) {
    const known = this.asked.get(update.transfer_id);
    if (!known) return;
    const call = this.#calls.all.get(update.call_id);
    if (update.state !== "Transferring") this.asked.delete(update.transfer_id);
    if (call && update.state === "Transferred") this.#calls.put({ ...call, transferred: true, deadline: null }, true);
    const { target } = known.request;
    const toCall = target.kind === "call" && this.#calls.live(target.call_id);
    const pending = [...this.asked.values()].some(({ request }) => request.call_id === update.call_id);
    const talks = [...this.#calls.all.values()].some((each) => each.up && isLive(each) && !each.localHold);
    if (call && isLive(call) && update.state === "Failed" && call.localHold && !toCall && !pending && !talks) {
      this.#calls.hold(call, false);
    }
    this.#calls.tell({ news: "transfer", update });
  }

  /**
   * Give everything up: the hub knows nothing of it any more.
   * @param {Reason} reason
   */
  cut(reason) {
    this.offers.clear();
    for (const { request } of this.asked.values()) this.#fail(request, reason);
    this.asked.clear();
  }

  /**
   * Give up what the hub has not said a last word on in time.
   * @param {number} now
   */
  tick(now) {
    for (const [transferId, { request, deadline }] of [...this.asked]) {
      if (deadline > now) continue;
      this.asked.delete(transferId);
      this.#fail(request, TIMED_OUT);
    }
  }

  /** @param {CallOriginate} offer @param {number} now */
  #follow(offer, now) {
    const old = this.#calls.live(offer.replaces);
    if (!old) return this.#decline(offer);
    this.#calls.add({ ...following(offer, old), deadline: now + SETUP_SECONDS });
    this.#calls.do({ do: "takeOver", callId: offer.call_id, old: old.id });
    this.#calls.do({ do: "makeOffer", callId: offer.call_id });
    this.#calls.tell({ news: "transferTaken", old: old.id, new: offer.call_id });
  }

  /** @param {CallOriginate} offer */
  #decline(offer) {
    this.#calls.send({ type: "transfer.decline", transfer_id: offer.transfer_id, call_id: offer.call_id });
  }

  /** @param {TransferRequest} request @param {Reason} error */
  #fail({ transfer_id, call_id }, error) {
    this.#calls.tell({
      news: "transfer", update: { type: "transfer.update", transfer_id, call_id, state: "Failed", error },
    });
  }
}
