/** The others in a call (ACS RemoteParticipant). */

/** @import { CallerInfo } from "./identifiers.js" */
/** @import { Participant } from "./messages.js" */
/** @import { Session } from "./session.js" */
/** @import { CallEndReason } from "./shapes.js" */

import { Emitter } from "./events.js";
import { callerInfo } from "./identifiers.js";
import { isLive } from "./session.js";
import { callEndReason } from "./shapes.js";

/**
 * @typedef {"Idle" | "Connecting" | "Ringing" | "Connected" | "Hold" | "InLobby" | "EarlyMedia"
 *   | "Disconnected"} RemoteParticipantState
 */

/**
 * Somebody else in a call. Events `stateChanged`, `isSpeakingChanged`, `isMutedChanged`, `displayNameChanged`.
 */
export class RemoteParticipant extends Emitter {
  /** @type {(value?: unknown) => void} */
  #resolve = () => {};
  /** @type {RemoteParticipantState} */
  state = "Idle";
  isSpeaking = false;
  isMuted = false;
  role = "Unknown";
  /** @type {never[]} */
  videoStreams = [];
  /** @type {{ participantId: string }[]} */
  endpointDetails = [];
  /** @type {CallEndReason | undefined} */
  callEndReason;
  /** @type {string | undefined} */
  displayName;

  /**
   * @param {CallerInfo} info
   * @param {string} [id] by which the hub knows it, once there is a third
   * @internal
   */
  constructor(info, id = "") {
    super();
    this._id = id;
    this.identifier = info.identifier;
    this.displayName = info.displayName;
    if (id) this.endpointDetails = [{ participantId: id }];
  }

  /** Resolves once it is Disconnected. @internal */
  _gone = new Promise((resolve) => (this.#resolve = resolve));

  /**
   * @param {Session} session
   * @internal
   */
  _set(session) {
    const { displayName } = callerInfo(session.remote);
    if (session.endReason) this.callEndReason = callEndReason(session.endReason);
    this.#become(participantState(session), session.remoteSpeaking, this.isMuted, displayName);
  }

  /**
   * @param {Participant} told
   * @param {boolean} speaking
   * @internal
   */
  _told({ id, party, state, muted = false, reason }, speaking) {
    const { identifier, displayName } = callerInfo(party);
    this._id = id;
    this.identifier = identifier;
    this.endpointDetails = [{ participantId: id }];
    if (reason) this.callEndReason = callEndReason(reason);
    this.#become(state, speaking, muted, displayName);
  }

  /**
   * @param {RemoteParticipantState} state
   * @param {boolean} speaking
   * @param {boolean} muted
   * @param {string | undefined} displayName
   */
  #become(state, speaking, muted, displayName) {
    const { state: before, isSpeaking: spoke, isMuted: wasMuted, displayName: name } = this;
    Object.assign(this, { state, isSpeaking: speaking, isMuted: muted, displayName });
    if (name !== displayName) this._changed("displayNameChanged", name, displayName);
    if (spoke !== speaking) this._changed("isSpeakingChanged", spoke, speaking);
    if (wasMuted !== muted) this._changed("isMutedChanged", wasMuted, muted);
    if (before !== state) this._changed("stateChanged", before, state);
    if (state === "Disconnected") this.#resolve();
  }
}

/** @param {Session} session @returns {RemoteParticipantState} */
function participantState(session) {
  if (!isLive(session)) return "Disconnected";
  if (session.up) return session.remoteHold ? "Hold" : "Connected";
  return session.state === "Ringing" ? "Ringing" : "Connecting";
}
