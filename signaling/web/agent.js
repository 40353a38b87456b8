/** The agent: one user on one page, its calls, and its connection to the hub (ACS CallAgent). */

/** @import { AudioOptions, JoinCallOptions, StartCallOptions } from "./call.js" */
/** @import { CommunicationTokenCredential } from "./credential.js" */
/** @import { DeviceManager } from "./devices.js" */
/** @import { Input, News } from "./exchange.js" */
/** @import { CommunicationIdentifier } from "./identifiers.js" */
/** @import { Session } from "./session.js" */

import { Call } from "./call.js";
import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";
import { callerInfo, getIdentifierRawId } from "./identifiers.js";
import { IncomingCall } from "./incoming.js";
import { BAD_ARGUMENT, INVALID_TOKEN, NETWORK, sameReason } from "./reasons.js";
import { Rest } from "./rest.js";
import { Runtime } from "./runtime.js";
import { mintId, wireContext } from "./shapes.js";
import { Snapshot } from "./snapshot.js";
import { LocalAudioStream } from "./streams.js";
import { TransferRequested } from "./transfer.js";

/**
 * @typedef {"Connected" | "Disconnected"} ConnectionState
 * @typedef {{ displayName?: string, transferConsent?: boolean, storage?: Storage }} CallAgentOptions beyond ACS: with
 *   transfer consent the application is asked before it is transferred, event `transferRequested` of the call's
 *   feature; with a storage, such as `sessionStorage`, calls go on when the page is loaded again
 */

/**
 * Call and be called; made by `CallClient.createCallAgent`. Events `incomingCall` with `{ incomingCall }`,
 * `callsUpdated` with `{ added, removed }`, `connectionStateChanged` with a reason `invalidToken` or
 * `connectionIssue`; beyond ACS `mailboxChanged` with `{ new, saved }`.
 */
export class CallAgent extends Emitter {
  /** @type {"CallAgent"} */
  kind = "CallAgent";
  /** @type {ConnectionState} */
  connectionState = "Disconnected";
  /** Beyond ACS: how many messages wait. @type {{ new: number, saved: number } | null} */
  mailbox = null;
  /** Beyond ACS: false while the connection to the hub is lost and sought again; `isHubReachableChanged`. */
  isHubReachable = false;
  #runtime;
  #rest;
  #devices;
  #microphone;
  #onDisposed;
  /** @type {Map<string, Call>} */
  #calls = new Map();
  /** @type {Map<string, IncomingCall>} */
  #incoming = new Map();
  #deviceListeners;

  /**
   * @param {CommunicationTokenCredential} credential
   * @param {string} url
   * @param {DeviceManager} devices
   * @param {RTCConfiguration} configuration
   * @param {CallAgentOptions} options
   * @param {(agent: CallAgent) => void} onDisposed
   * @internal
   */
  constructor(credential, url, devices, configuration, options, onDisposed) {
    super();
    this.displayName = options.displayName ?? "";
    this.#devices = devices;
    this.#onDisposed = onDisposed;
    this.#rest = new Rest(url, credential);
    this.#runtime = new Runtime(credential, url, {
      displayName: this.displayName,
      consent: options.transferConsent ?? false,
      snapshot: options.storage ? new Snapshot(options.storage) : null,
      configuration,
      onNews: (news) => this.#tell(news),
      onLinked: (on) => {
        const before = this.isHubReachable;
        this.isHubReachable = on;
        if (before !== on) this._changed("isHubReachableChanged", before, on);
      },
      onLost: (reason) => this.#move(sameReason(reason, INVALID_TOKEN) ? "invalidToken" : "connectionIssue"),
    });
    this.#microphone = this.#openMicrophone();
    this.#deviceListeners = {
      selectedMicrophoneChanged: () => this.#changeMicrophone(),
      audioConstraintsChanged: () => this.#changeMicrophone(),
      selectedSpeakerChanged: () => this.#route(),
    };
    for (const [event, listener] of Object.entries(this.#deviceListeners)) devices.on(event, listener);
    this.#route();
  }

  /** The calls that are not over; one that rings here is not among them. @returns {ReadonlyArray<Call>} */
  get calls() {
    return [...this.#calls.values()];
  }

  /** Beyond ACS: the calls that ring here. */
  get incomingCalls() {
    return [...this.#incoming.values()];
  }

  /** Beyond ACS: who this agent is, as others see it. */
  get identity() {
    return callerInfo(this.#runtime.me);
  }

  /**
   * Call a person; returns at once, the state then moves. Throws 400/8523 for anything but one participant.
   * @param {(CommunicationIdentifier | string)[]} participants
   * @param {StartCallOptions} [options]
   * @returns {Call}
   */
  startCall(participants, options = {}) {
    this.#checkConnected();
    if (!Array.isArray(participants) || participants.length !== 1) {
      const wanted = "Give one participant; others are added to the call, or join a group.";
      throw CallingCommunicationError.of(BAD_ARGUMENT, wanted);
    }
    const callId = mintId();
    const target = getIdentifierRawId(participants[0]);
    const context = wireContext(options.customContext);
    const muted = options.audioOptions?.muted ?? false;
    const stream = this.#attach(callId, options.audioOptions ?? {});
    this._give({ is: "dial", callId, target, customContext: context, muted });
    return this.#started(callId, stream);
  }

  /**
   * Join a group call, which the first to join makes; returns at once. Throws 400/8523 for rooms and meetings.
   * @param {{ groupId: string }} locator
   * @param {JoinCallOptions} [options]
   * @returns {Call}
   */
  join(locator, options = {}) {
    this.#checkConnected();
    const { groupId } = locator ?? {};
    if (typeof groupId !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(groupId)) {
      const wanted = "Give { groupId }, such as a GUID; there are no rooms or meetings here.";
      throw CallingCommunicationError.of(BAD_ARGUMENT, wanted);
    }
    const callId = mintId();
    const stream = this.#attach(callId, options.audioOptions ?? {});
    this._give({ is: "join", callId, groupId, muted: options.audioOptions?.muted ?? false });
    return this.#started(callId, stream);
  }

  /** Hang up everything and leave the hub. */
  async dispose() {
    if (this.connectionState === "Connected") this.#move(undefined);
    for (const [event, listener] of Object.entries(this.#deviceListeners)) this.#devices.off(event, listener);
    this.#onDisposed(this);
    await this.#runtime.close();
    this.#microphone.dispose();
  }

  /** @internal */
  async _open() {
    const reason = await this.#runtime.open();
    if (reason) {
      await this.#runtime.close();
      throw CallingCommunicationError.of(reason);
    }
    this.connectionState = "Connected";
  }

  /** @internal */
  get _me() {
    return this.#runtime.me;
  }

  /** @internal */
  get _rest() {
    return this.#rest;
  }

  /** @internal */
  get _devices() {
    return this.#devices;
  }

  /** @internal */
  get _media() {
    return this.#runtime.media;
  }

  /**
   * @param {Input} what
   * @internal
   */
  _give(what) {
    this.#runtime.give(what);
  }

  /**
   * @param {string} callId
   * @param {AudioOptions} audio
   * @param {boolean} holdOthers
   * @internal
   */
  _accept(callId, audio, holdOthers) {
    const stream = this.#attach(callId, audio);
    this._give({ is: "accept", callId, muted: audio.muted ?? false, holdOthers });
    return this.#started(callId, stream);
  }

  /** @param {string} callId @param {AudioOptions} audio */
  #attach(callId, audio) {
    const stream = audio.localAudioStreams?.[0] ?? this.#microphone;
    void this.#runtime.media.setSource(callId, stream);
    return stream;
  }

  /** @param {string} callId @param {LocalAudioStream} stream */
  #started(callId, stream) {
    const call = this.#calls.get(callId);
    if (!call) throw CallingCommunicationError.of(NETWORK);
    call.localAudioStreams = [stream];
    return call;
  }

  #checkConnected() {
    if (this.connectionState !== "Connected") {
      throw CallingCommunicationError.of(NETWORK, "The agent is disconnected; create a new one.");
    }
  }

  #openMicrophone() {
    return new LocalAudioStream(this.#devices.selectedMicrophone, { constraints: this.#devices.audioConstraints });
  }

  /** Let the calls that say the microphone say the one that is selected now. */
  #changeMicrophone() {
    const before = this.#microphone;
    this.#microphone = this.#openMicrophone();
    for (const call of this.calls) {
      if (call.localAudioStreams[0] === before) void call.startAudio(this.#microphone);
    }
  }

  #route() {
    this.#runtime.media.setSink(this.#devices.selectedSpeaker?.id.replace(/^speaker:/, "") ?? "");
  }

  /** @param {News} news */
  #tell(news) {
    switch (news.news) {
      case "call":
        return this.#called(news.call);
      case "ring": {
        const incomingCall = new IncomingCall(this, news.call);
        this.#incoming.set(news.call.id, incomingCall);
        return this._emit("incomingCall", { incomingCall });
      }
      case "ringOver":
        this.#incoming.get(news.callId)?._over(news.reason);
        this.#incoming.delete(news.callId);
        return;
      case "dtmf":
        return this.#calls.get(news.callId)?._emit("dtmfReceived", { digit: news.digit, tone: news.digit });
      case "transfer":
        return this.#calls.get(news.update.call_id)?._transfer._set(news.update);
      case "transferTaken": {
        const targetCall = this.#calls.get(news.new);
        return this.#calls.get(news.old)?._transfer._emit("transferAccepted", { targetCall });
      }
      case "transferAsked": {
        const { transfer_id: transferId, replaces } = news.offer;
        const requested = new TransferRequested(news.offer, (accept) => this._give({ is: "consent", transferId, accept }));
        return this.#calls.get(replaces)?._transfer._emit("transferRequested", requested);
      }
      case "mailbox":
        this.mailbox = { new: news.new, saved: news.saved };
        return this._emit("mailboxChanged", this.mailbox);
      case "refused":
        return console.info(`the hub refused ${news.error.about}: ${news.error.reason.message}`);
      default:
        /** @type {never} */ (news);
    }
  }

  /** @param {Session} session */
  #called(session) {
    const known = this.#calls.get(session.id);
    if (!known) {
      this.#incoming.get(session.id)?._over(null);
      this.#incoming.delete(session.id);
      const call = new Call(this, session);
      this.#calls.set(session.id, call);
      const old = this.#calls.get(session.replaces ?? "");
      if (old) call.localAudioStreams = old.localAudioStreams;
      if (session.restoring) call.localAudioStreams = [this.#attach(session.id, {})];
      call._set(session);
      return this._emit("callsUpdated", { added: [call], removed: [] });
    }
    const over = session.state === "Disconnected";
    if (over) this.#calls.delete(session.id);
    known._set(session);
    if (over) this._emit("callsUpdated", { added: [], removed: [known] });
  }

  /** @param {"invalidToken" | "connectionIssue" | undefined} reason */
  #move(reason) {
    if (this.connectionState === "Disconnected") return;
    this.connectionState = "Disconnected";
    this._changed("connectionStateChanged", "Connected", "Disconnected", reason ? { reason } : {});
  }
}
