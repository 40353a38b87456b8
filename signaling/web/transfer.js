/** The transfer feature of a call (ACS Features.Transfer). */

/** @import { Call } from "./call.js" */
/** @import { CallOriginate, Outcome, TransferRequest, TransferUpdate } from "./messages.js" */
/** @import { CommunicationIdentifier } from "./identifiers.js" */
/** @import { CallEndReason, CustomContext } from "./shapes.js" */

import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";
import { callerInfo, getIdentifierRawId } from "./identifiers.js";
import { BAD_ARGUMENT } from "./reasons.js";
import { callEndReason, customContext, mintId, wireContext } from "./shapes.js";

/**
 * @typedef {"None" | "Transferring" | "Transferred" | "Failed"} TransferState
 * @typedef {{ targetParticipant: CommunicationIdentifier | string } | { targetCallId: string }
 *   | { targetParticipantVoicemail: CommunicationIdentifier | string }} TransferTarget
 * @typedef {{ disableForwardingAndUnanswered?: boolean, customContext?: CustomContext, ringTarget?: boolean,
 *   hangUpWhenTransferred?: boolean }} TransferOptions the last two beyond ACS
 */

/** One attempt to transfer; a new attempt is a new object. Events `stateChanged`, `progressChanged`. */
export class Transfer extends Emitter {
  /** @type {TransferState} */
  state = "None";
  /** @type {CallEndReason | undefined} */
  error;
  /** Beyond ACS: how far it is. @type {TransferUpdate["progress"]} */
  progress = null;
  /** Beyond ACS: who or what answered, over which forwards. @type {Outcome | undefined} */
  outcome;
  /** @type {string | undefined} */
  newCallId;
  #cancel;

  /**
   * @param {string} id
   * @param {() => void} cancel
   * @internal
   */
  constructor(id, cancel) {
    super();
    this.id = id;
    this.#cancel = cancel;
  }

  /** Call the transfer off (beyond ACS); it then fails with 487/0, unless it is already over. */
  cancel() {
    this.#cancel();
  }

  /**
   * @param {TransferUpdate} update
   * @internal
   */
  _set(update) {
    if (this.state === "Transferred" || this.state === "Failed") return;
    if (update.progress && update.progress !== this.progress) {
      const before = this.progress;
      this.progress = update.progress;
      this._changed("progressChanged", before, update.progress);
    }
    if (update.state === this.state) return;
    const before = this.state;
    this.state = update.state;
    this.error = update.error ? callEndReason(update.error) : undefined;
    this.outcome = update.outcome ?? undefined;
    this.newCallId = update.new_call_id ?? undefined;
    this._changed("stateChanged", before, this.state);
  }
}

/** The event `transferRequested` of an agent with transfer consent: accept or reject within 30 s (beyond ACS). */
export class TransferRequested {
  #decide;

  /**
   * @param {CallOriginate} offer
   * @param {(accept: boolean) => void} decide
   * @internal
   */
  constructor(offer, decide) {
    this.transferorInfo = callerInfo(offer.transferor);
    this.targetInfo = callerInfo(offer.target);
    this.kind = offer.kind;
    this.customContext = customContext(offer.custom_context);
    this.#decide = decide;
  }

  /** Let the transfer go on. */
  accept() {
    this.#decide(true);
  }

  /** Refuse; the call stays as it is. */
  reject() {
    this.#decide(false);
  }
}

/** Transfer the other end of a call; events `transferAccepted` with `{ targetCall }`, `transferRequested`. */
export class TransferCallFeature extends Emitter {
  name = "Transfer";
  #call;
  /** @type {Map<string, Transfer>} */
  #transfers = new Map();

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    this.#call = call;
  }

  /**
   * Hand the other end over to a person, to another call, or to a mailbox; returns at once.
   *
   * Throws 400/8523 if it is not exactly one target.
   * @param {TransferTarget} target
   * @param {TransferOptions} [options]
   */
  transfer(target, options = {}) {
    const call = this.#call;
    const id = mintId();
    /** @type {TransferRequest} */
    const request = {
      type: "transfer.request",
      transfer_id: id,
      call_id: call.id,
      target: wireTarget(target),
      disable_forwarding_and_unanswered: options.disableForwardingAndUnanswered ?? false,
      ring_target: options.ringTarget ?? false,
      hang_up_when_transferred: options.hangUpWhenTransferred ?? false,
      custom_context: wireContext(options.customContext),
    };
    const transfer = new Transfer(id, () => call._give({ is: "cancelTransfer", transferId: id }));
    this.#transfers.set(id, transfer);
    // Later, so that a refusal at once still finds the listeners of the caller.
    queueMicrotask(() => call._give({ is: "transfer", request }));
    return transfer;
  }

  /** As ACS has it: there is nothing to let go. */
  dispose() {}

  /**
   * @param {TransferUpdate} update
   * @internal
   */
  _set(update) {
    this.#transfers.get(update.transfer_id)?._set(update);
    if (update.state !== "Transferring") this.#transfers.delete(update.transfer_id);
  }
}

/**
 * @param {TransferTarget} given
 * @returns {TransferRequest["target"]}
 */
function wireTarget(given) {
  const targets = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  if (targets.length === 1) {
    const [[name, value]] = targets;
    if (name === "targetParticipant") return { kind: "participant", identifier: getIdentifierRawId(value) };
    if (name === "targetCallId" && typeof value === "string") return { kind: "call", call_id: value };
    if (name === "targetParticipantVoicemail") return { kind: "voicemail", identifier: getIdentifierRawId(value) };
  }
  const wanted = "Give exactly one of targetParticipant, targetCallId, targetParticipantVoicemail.";
  throw CallingCommunicationError.of(BAD_ARGUMENT, wanted);
}
