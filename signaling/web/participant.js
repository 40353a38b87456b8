/** The others in a call (ACS RemoteParticipant; node/participant.py). */

/** @import { CallerInfo } from "./identifiers.js" */
/** @import { Participant, Reason } from "./messages.js" */
/** @import { Session } from "./session.js" */
/** @import { CallEndReason } from "./shapes.js" */

import { Emitter } from "./events.js";
import { callerInfo, getIdentifierRawId } from "./identifiers.js";
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
   * @param {Participant} told
   * @param {boolean} speaking
   * @internal
   */
  _told({ id, party, state, muted = false, reason }, speaking) {
    const { identifier, displayName } = callerInfo(party);
    this._id = id;
    if (getIdentifierRawId(this.identifier) !== party.raw_id) this.identifier = identifier;
    if (id) this.endpointDetails = [{ participantId: id }];
    if (reason) this.callEndReason = callEndReason(reason);
    this.#become(state, speaking, muted, displayName);
  }

  /**
   * @param {Reason | null} reason
   * @internal
   */
  _over(reason) {
    if (this.state === "Disconnected") return;
    if (reason) this.callEndReason ??= callEndReason(reason);
    this.#become("Disconnected", false, false, this.displayName);
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

/** The others in one call, and those who are asked into it. */
export class Participants {
  /** Those who are there. @type {RemoteParticipant[]} */
  all = [];
  /** @type {Map<string, RemoteParticipant>} those asked in, until the hub tells of them */
  #asked = new Map();

  /**
   * Return somebody who is asked in, whom the hub has yet to tell of.
   * @param {string} participantId
   * @param {string} rawId
   */
  ask(participantId, rawId) {
    const participant = new RemoteParticipant(callerInfo({ raw_id: rawId }), participantId);
    this.#asked.set(participantId, participant);
    return participant;
  }

  /**
   * Take over who is there by now; return who has come and who has gone.
   * @param {Session} session
   * @returns {{ added: RemoteParticipant[], removed: RemoteParticipant[] }}
   */
  follow(session) {
    const before = this.all;
    const live = isLive(session);
    /** @type {{ told: Participant, participant: RemoteParticipant }[]} */
    const now = [];
    for (const told of seen(session)) {
      const known = this.#known(told);
      if (known || told.state !== "Disconnected") {
        const participant = known ?? new RemoteParticipant(callerInfo(told.party), told.id);
        participant._id = told.id;
        now.push({ told, participant });
      }
    }
    this.all = now.filter(({ told }) => told.state !== "Disconnected" || !live).map(({ participant }) => participant);
    for (const { participant, told } of now) {
      const speaks = session.groupId === null ? session.remoteSpeaking : session.speakers.includes(told.id);
      participant._told(told, speaks && told.state === "Connected");
    }
    const removed = before.filter((each) => !this.all.includes(each));
    // Some may be gone without a word: the hub began anew, or never told of those who were asked in.
    for (const each of removed) each._over(session.endReason);
    if (!live) for (const each of this.#asked.values()) each._over(session.endReason);
    return { added: this.all.filter((each) => !before.includes(each)), removed };
  }

  /** @param {Participant} told */
  #known({ id, party }) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    // The one there was before the third is the same one, who had no id yet.
    return this.all.find((each) => each._id && each._id === id) ?? asked
      ?? this.all.find((each) => !each._id && getIdentifierRawId(each.identifier) === party.raw_id);
  }
}

/**
 * Return everybody else in a call; of two, the other end, by the id that it has since there was a third.
 * @param {Session} session
 * @returns {Participant[]}
 */
function seen(session) {
  const there = session.participants.find(({ state }) => state !== "Disconnected");
  const ofTwo = !session.me || (session.groupId === null && there);
  const gone = session.participants.filter(({ state }) => state === "Disconnected");
  /** @type {Participant} */
  const other = { id: there?.id ?? "", party: session.remote, state: participantState(session) };
  const others = ofTwo ? [other, ...gone] : session.participants;
  if (isLive(session)) return [...others];
  return others.map((each) => ({ ...each, state: "Disconnected", reason: each.reason ?? session.endReason ?? undefined }));
}

/** @param {Session} session @returns {Participant["state"]} */
function participantState(session) {
  if (session.up) return session.remoteHold ? "Hold" : "Connected";
  return session.state === "Ringing" ? "Ringing" : "Connecting";
}
