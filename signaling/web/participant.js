/** The others in a call (ACS RemoteParticipant). */

/** @import { CallerInfo } from "./identifiers.js" */
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

/** The other end of a call. Events `stateChanged`, `isSpeakingChanged`, `displayNameChanged`. */
export class RemoteParticipant extends Emitter {
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
   * @internal
   */
  constructor(info) {
    super();
    this.identifier = info.identifier;
    this.displayName = info.displayName;
  }

  /**
   * @param {Session} session
   * @internal
   */
  _set(session) {
    const speaking = session.remoteSpeaking;
    const { displayName } = callerInfo(session.remote);
    const [before, spoke, name] = [this.state, this.isSpeaking, this.displayName];
    this.state = participantState(session);
    this.isSpeaking = speaking;
    this.displayName = displayName;
    if (session.endReason) this.callEndReason = callEndReason(session.endReason);
    if (name !== displayName) this._changed("displayNameChanged", name, displayName);
    if (spoke !== speaking) this._changed("isSpeakingChanged", spoke, speaking);
    if (before !== this.state) this._changed("stateChanged", before, this.state);
  }
}

/** @param {Session} session @returns {RemoteParticipantState} */
function participantState(session) {
  if (!isLive(session)) return "Disconnected";
  if (session.up) return session.remoteHold ? "Hold" : "Connected";
  return session.state === "Ringing" ? "Ringing" : "Connecting";
}
