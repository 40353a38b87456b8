/** A call as an application sees it (ACS Call). */

/** @import { CallAgent } from "./agent.js" */
/** @import { Input } from "./exchange.js" */
/** @import { CommunicationIdentifier } from "./identifiers.js" */
/** @import { CallState, Session } from "./session.js" */
/** @import { CustomContext } from "./shapes.js" */
/** @import { FeatureFactory } from "./features.js" */
/** @import { RemoteParticipant } from "./participant.js" */

import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";
import { callerInfo, getIdentifierRawId } from "./identifiers.js";
import { Participants } from "./participant.js";
import { BAD_ARGUMENT, NOT_PRESENT, WRONG_STATE } from "./reasons.js";
import { isLive } from "./session.js";
import { callEndReason, customContext, mintId, wireContext } from "./shapes.js";
import { LocalAudioStream, RemoteAudioStream } from "./streams.js";
import { TransferCallFeature } from "./transfer.js";

/**
 * @typedef {{ muted?: boolean, localAudioStreams?: LocalAudioStream[] }} AudioOptions
 * @typedef {{ audioOptions?: AudioOptions, videoOptions?: unknown }} JoinCallOptions
 * @typedef {JoinCallOptions & { holdOtherCalls?: boolean }} AcceptCallOptions beyond ACS: whether the calls that this
 *   page talks in are held, which they are by default
 * @typedef {JoinCallOptions & { customContext?: CustomContext, alternateCallerId?: unknown }} StartCallOptions
 */

/** ACS DtmfTone. @type {Record<string, string>} */
const TONES = {
  ...Object.fromEntries([..."0123456789"].map((digit) => [`Num${digit}`, digit])),
  Star: "*", Pound: "#", A: "A", B: "B", C: "C", D: "D",
};

/**
 * One call; its properties follow what happens, its events tell when: `stateChanged`, `isMutedChanged`,
 * `isIncomingAudioMutedChanged`, `remoteParticipantsUpdated`, `localAudioStreamsUpdated`,
 * `remoteAudioStreamsUpdated`, `callerInfoChanged`, `dtmfReceived`, `isReconnectingChanged`,
 * beyond ACS `infoChanged` when it becomes a group call or is one no more.
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
  #agent;
  #session;
  #participants = new Participants();
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
    const { me, groupId } = this.#session;
    const participantId = me || this.#agent._me.raw_id;
    return { participantId, groupId: groupId ?? undefined, getServerCallId: async () => id };
  }

  /** The others in the call. @returns {RemoteParticipant[]} */
  get remoteParticipants() {
    return this.#participants.all;
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

  /** Beyond ACS: whether no packet comes although none holds, and another path is sought. */
  get isReconnecting() {
    return this.#session.pathLost;
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
   * A group call goes on for the others, unless it is to end for everyone.
   * @param {{ forEveryone?: boolean }} [options]
   */
  async hangUp(options = {}) {
    this._give({ is: "hangUp", callId: this.id, forEveryone: options.forEveryone ?? false });
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

  /**
   * Ask somebody into the call, which becomes a group call; returns at once. If they do not come, the participant is
   * Disconnected, with the reason. Throws 400/8585 if the call is not connected.
   * @param {CommunicationIdentifier | string} identifier
   * @param {{ alternateCallerId?: unknown, customContext?: CustomContext }} [options]
   * @returns {RemoteParticipant}
   */
  addParticipant(identifier, options = {}) {
    this.#checkUp();
    const target = getIdentifierRawId(identifier);
    const participantId = mintId();
    const participant = this.#participants.ask(participantId, target);
    const customContext = wireContext(options.customContext);
    this._give({ is: "addParticipant", callId: this.id, participantId, target, customContext });
    return participant;
  }

  /**
   * Remove somebody from a group call, or call off that they are asked into it; resolves when they are gone. Rejects
   * with 404/8558 if they are not there, 400/8585 in a call of two, which `hangUp` ends.
   * @param {CommunicationIdentifier | string} identifier
   */
  async removeParticipant(identifier) {
    if (this.#session.groupId === null) {
      throw CallingCommunicationError.of(WRONG_STATE, "Hang up to end a call of two.");
    }
    const rawId = getIdentifierRawId(identifier);
    const same = (/** @type {RemoteParticipant} */ each) => getIdentifierRawId(each.identifier) === rawId;
    const there = this.remoteParticipants.filter((each) => each._id && same(each));
    if (!there.length) throw CallingCommunicationError.of(NOT_PRESENT);
    for (const participant of there) {
      this._give({ is: "removeParticipant", callId: this.id, participantId: participant._id });
      await participant._gone;
    }
  }

  /** As ACS has it: there is nothing to let go. */
  dispose() {}

  /** Return the figures of the media (W3C RTCStatsReport), null when there is none. */
  getStats() {
    return this.#agent._media.stats(this.id);
  }

  #checkUp() {
    if (this.#session.up && isLive(this.#session)) return;
    throw CallingCommunicationError.of(WRONG_STATE, "The call is not connected.");
  }

  /** @param {boolean} on */
  #hold(on) {
    this.#checkUp();
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
  get _agent() {
    return this.#agent;
  }

  /** Who talks in a group call, the dominant one first. @internal */
  get _speakers() {
    const find = (/** @type {string} */ id) => this.remoteParticipants.find((each) => each._id === id)?.identifier;
    return this.#session.speakers.map(find).filter((identifier) => identifier !== undefined);
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
    const { added, removed } = this.#participants.follow(session);
    if (added.length || removed.length) this._emit("remoteParticipantsUpdated", { added, removed });
    if (before.groupId !== session.groupId) this._emit("infoChanged", this.info);
    if (before.speakers !== session.speakers) this._emit("speakersChanged", this._speakers);
    this.#listen();
    if (before.muted !== session.muted) this._changed("isMutedChanged", before.muted, session.muted);
    if (before.incomingMuted !== session.incomingMuted) {
      this._changed("isIncomingAudioMutedChanged", before.incomingMuted, session.incomingMuted);
    }
    if (before.pathLost !== session.pathLost) {
      this._changed("isReconnectingChanged", before.pathLost, session.pathLost);
    }
    if (old !== session.state) this._changed("stateChanged", old, session.state);
    if (session.state === "Disconnected") for (const stream of this.remoteAudioStreams) stream._dispose();
  }

  #listen() {
    const track = this.#agent._media.heard(this.id);
    const removed = this.remoteAudioStreams;
    if (!track || removed[0]?._track === track) return;
    this.remoteAudioStreams = [new RemoteAudioStream(track)];
    for (const stream of removed) stream._dispose();
    this._emit("remoteAudioStreamsUpdated", { added: this.remoteAudioStreams, removed });
  }
}

/** @type {FeatureFactory<TransferCallFeature>} */
export const TRANSFER = { create: (call) => new TransferCallFeature(call) };
