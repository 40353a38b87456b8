/** Calls as an application sees them (ACS Call, IncomingCall, RemoteParticipant). */

/** @import { CallAgent } from "./agent.js" */
/** @import { Input } from "./exchange.js" */
/** @import { CallerInfo, CommunicationIdentifier } from "./identifiers.js" */
/** @import { Reason } from "./messages.js" */
/** @import { CallState, Session } from "./session.js" */
/** @import { CallEndReason, CustomContext } from "./shapes.js" */
/** @import { FeatureFactory } from "./features.js" */

import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";
import { callerInfo } from "./identifiers.js";
import { BAD_ARGUMENT, WRONG_STATE } from "./reasons.js";
import { isLive } from "./session.js";
import { callEndReason, customContext } from "./shapes.js";
import { LocalAudioStream, RemoteAudioStream } from "./streams.js";
import { TransferCallFeature } from "./transfer.js";

/**
 * @typedef {{ muted?: boolean, localAudioStreams?: LocalAudioStream[] }} AudioOptions
 * @typedef {{ audioOptions?: AudioOptions, videoOptions?: unknown }} AcceptCallOptions
 * @typedef {AcceptCallOptions & { customContext?: CustomContext, alternateCallerId?: unknown }} StartCallOptions
 * @typedef {"Idle" | "Connecting" | "Ringing" | "Connected" | "Hold" | "InLobby" | "EarlyMedia"
 *   | "Disconnected"} RemoteParticipantState
 */

/** ACS DtmfTone. @type {Record<string, string>} */
const TONES = {
  ...Object.fromEntries([..."0123456789"].map((digit) => [`Num${digit}`, digit])),
  Star: "*", Pound: "#", A: "A", B: "B", C: "C", D: "D",
};

/** A call that rings here: accept it or reject it. Event `callEnded` with `{ callEndReason }`. */
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
    return this.#agent._accept(this.id, options.audioOptions ?? {});
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

/**
 * One call; its properties follow what happens, its events tell when: `stateChanged`, `isMutedChanged`,
 * `isIncomingAudioMutedChanged`, `remoteParticipantsUpdated`, `localAudioStreamsUpdated`,
 * `remoteAudioStreamsUpdated`, `callerInfoChanged`, `dtmfReceived`.
 */
export class Call extends Emitter {
  /** @type {"Call"} */
  kind = "Call";
  /** @type {CallState} */
  state = "None";
  role = "Unknown";
  isScreenSharingOn = false;
  isLocalVideoStarted = false;
  /** @type {never[]} */
  localVideoStreams = [];
  /** @type {LocalAudioStream[]} */
  localAudioStreams = [];
  /** @type {RemoteAudioStream[]} */
  remoteAudioStreams = [];
  /** @type {RemoteParticipant[]} */
  remoteParticipants = [];
  #agent;
  #session;
  /** @type {Map<FeatureFactory<any>, any>} */
  #features = new Map();

  /**
   * @param {CallAgent} agent
   * @param {Session} session
   * @internal
   */
  constructor(agent, session) {
    super();
    this.#agent = agent;
    this.#session = session;
  }

  get id() {
    return this.#session.id;
  }

  get direction() {
    return this.#session.direction;
  }

  /** What ACS tells of a call besides. */
  get info() {
    const { id } = this;
    return { participantId: this.#agent._me.raw_id, groupId: undefined, getServerCallId: async () => id };
  }

  /** Who called: the other end, or this user. */
  get callerInfo() {
    return callerInfo(this.#session.caller ?? this.#agent._me);
  }

  /** Who transferred this call. */
  get transferorInfo() {
    return this.#session.transferor ? callerInfo(this.#session.transferor) : undefined;
  }

  get customContext() {
    return customContext(this.#session.customContext);
  }

  /** Why the call ended; set before the state is Disconnected. */
  get callEndReason() {
    return this.#session.endReason ? callEndReason(this.#session.endReason) : undefined;
  }

  /** Beyond ACS: who or what answered an outgoing call, a person, a forward or voicemail. */
  get outcome() {
    return this.#session.outcome ?? undefined;
  }

  /** Beyond ACS: the id of the call whose place this one takes. */
  get replaces() {
    return this.#session.replaces ?? undefined;
  }

  get isMuted() {
    return this.#session.muted;
  }

  get isIncomingAudioMuted() {
    return this.#session.incomingMuted;
  }

  /** Beyond ACS: whether this end, the other end, or both hold. */
  get isHeld() {
    return { local: this.#session.localHold, remote: this.#session.remoteHold };
  }

  /**
   * Return a feature of this call, such as `Features.Transfer`.
   * @template T
   * @param {FeatureFactory<T>} factory
   * @returns {T}
   */
  feature(factory) {
    const feature = this.#features.get(factory) ?? factory.create(this);
    this.#features.set(factory, feature);
    return feature;
  }

  /**
   * Leave the call, or give up calling; resolves once everything of it is let go.
   *
   * A call has two ends, so it is over for everyone either way.
   * @param {{ forEveryone?: boolean }} [_options]
   */
  async hangUp(_options) {
    this._give({ is: "hangUp", callId: this.id });
    if (this.state === "Disconnected") return;
    await new Promise((resolve) => {
      this.on("stateChanged", () => this.state === "Disconnected" && resolve(undefined));
    });
  }

  /** Send silence. */
  async mute() {
    this._give({ is: "mute", callId: this.id, outgoing: true });
  }

  /** Send what the stream says. */
  async unmute() {
    this._give({ is: "mute", callId: this.id, outgoing: false });
  }

  /** Keep silent here what the other end says. */
  async muteIncomingAudio() {
    this._give({ is: "mute", callId: this.id, incoming: true });
  }

  /** Hear the other end again. */
  async unmuteIncomingAudio() {
    this._give({ is: "mute", callId: this.id, incoming: false });
  }

  /** Hold: nobody hears anybody until resumed; rejects with 400/8585 if not connected. */
  async hold() {
    this.#hold(true);
  }

  /** Take the call off hold; audio is back once the other end does not hold it either. */
  async resume() {
    this.#hold(false);
  }

  /**
   * Press a key, `Num0` to `Num9`, `Star`, `Pound`, `A` to `D`; or, beyond ACS, several such as `12#`.
   * @param {string} tone
   */
  async sendDtmf(tone) {
    const digits = TONES[tone] ?? tone;
    if (!/^[0-9*#A-D]+$/.test(digits)) {
      throw CallingCommunicationError.of(BAD_ARGUMENT, `There is no key ${tone}; keys are 0-9 * # A-D.`);
    }
    if (this.state !== "Connected") throw CallingCommunicationError.of(WRONG_STATE, "The call is not connected.");
    this._give({ is: "dtmf", callId: this.id, digits });
  }

  /**
   * Say another stream into the call.
   * @param {LocalAudioStream} stream
   */
  async startAudio(stream) {
    const removed = this.localAudioStreams;
    this.localAudioStreams = [stream];
    await this.#agent._media.setSource(this.id, stream);
    this._emit("localAudioStreamsUpdated", { added: [stream], removed });
  }

  /** Say nothing more into the call; `startAudio` says something again. */
  async stopAudio() {
    const silence = new AudioContext().createMediaStreamDestination().stream;
    await this.startAudio(new LocalAudioStream(silence));
  }

  /** @returns {never} */
  addParticipant() {
    throw CallingCommunicationError.of(BAD_ARGUMENT, "Group calls are not there yet.");
  }

  /** @returns {Promise<never>} */
  async removeParticipant(/** @type {CommunicationIdentifier} */ _identifier) {
    throw CallingCommunicationError.of(BAD_ARGUMENT, "Group calls are not there yet; hang up instead.");
  }

  /** As ACS has it: there is nothing to let go. */
  dispose() {}

  /** Return the figures of the media (W3C RTCStatsReport), null when there is none. */
  getStats() {
    return this.#agent._media.stats(this.id);
  }

  /** @param {boolean} on */
  #hold(on) {
    if (!this.#session.up || !isLive(this.#session)) {
      throw CallingCommunicationError.of(WRONG_STATE, "The call is not connected.");
    }
    this._give({ is: "hold", callId: this.id, on });
  }

  /**
   * @param {Input} what
   * @internal
   */
  _give(what) {
    this.#agent._give(what);
  }

  /** @internal */
  get _transfer() {
    return this.feature(TRANSFER);
  }

  /**
   * @param {Session} session
   * @internal
   */
  _set(session) {
    const [before, old] = [this.#session, this.state];
    this.#session = session;
    this.state = session.state;
    this.#meet(before, session, old === "None");
    this.#listen();
    if (before.muted !== session.muted) this._changed("isMutedChanged", before.muted, session.muted);
    if (before.incomingMuted !== session.incomingMuted) {
      this._changed("isIncomingAudioMutedChanged", before.incomingMuted, session.incomingMuted);
    }
    if (old !== session.state) this._changed("stateChanged", old, session.state);
    if (session.state === "Disconnected") for (const stream of this.remoteAudioStreams) stream._dispose();
  }

  /** @param {Session} before @param {Session} session @param {boolean} first */
  #meet(before, session, first) {
    const [other] = this.remoteParticipants;
    if (first || before.remote.raw_id !== session.remote.raw_id) {
      const removed = this.remoteParticipants;
      const added = [new RemoteParticipant(callerInfo(session.remote))];
      this.remoteParticipants = added;
      added[0]._set(session);
      this._emit("remoteParticipantsUpdated", { added, removed });
    } else {
      other._set(session);
    }
  }

  #listen() {
    const track = this.#agent._media.heard(this.id);
    if (!track || this.remoteAudioStreams.length) return;
    this.remoteAudioStreams = [new RemoteAudioStream(track)];
    this._emit("remoteAudioStreamsUpdated", { added: this.remoteAudioStreams, removed: [] });
  }
}

/** @type {FeatureFactory<TransferCallFeature>} */
export const TRANSFER = { create: (call) => new TransferCallFeature(call) };

/** @param {Session} session @returns {RemoteParticipantState} */
function participantState(session) {
  if (!isLive(session)) return "Disconnected";
  if (session.up) return session.remoteHold ? "Hold" : "Connected";
  return session.state === "Ringing" ? "Ringing" : "Connecting";
}
