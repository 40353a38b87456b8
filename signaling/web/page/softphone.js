/** The softphone of one user: its agent, its devices, and what all views share. */

/** @import { CallAgent } from "../agent.js" */
/** @import { Call } from "../call.js" */
/** @import { IncomingCall } from "../incoming.js" */
/** @import { AudioDeviceInfo, DeviceManager } from "../devices.js" */
/** @import { Settings } from "./hub.js" */

import { AzureCommunicationTokenCredential, CallClient, getIdentifierRawId } from "../callnode.js";
import { Emitter } from "../events.js";
import { Directory } from "./directory.js";
import { Hub } from "./hub.js";
import { attempt } from "./said.js";
import { Tones } from "./tones.js";

const CHOICES = "callnode.devices";

/**
 * @typedef {{ microphone: string, speaker: string, ring: string, echoCancellation: boolean,
 *   noiseSuppression: boolean, autoGainControl: boolean }} Choices
 */

/**
 * What the page is while somebody is signed in. Events `callsUpdated`, `mailboxChanged`, `incomingCall`, `over`,
 * `ringersChanged`, `rulesChanged`.
 */
export class Softphone extends Emitter {
  hub;
  directory;
  tones = new Tones();
  bell = new Tones();
  /** @type {Choices} */
  chosen = {
    microphone: "", speaker: "", ring: "", echoCancellation: true, noiseSuppression: true, autoGainControl: true,
    ...JSON.parse(localStorage.getItem(CHOICES) ?? "{}"),
  };
  /** @type {DeviceManager} */
  devices;
  /** @type {CallAgent} */
  agent;
  /** What becomes of calls, once it is known. @type {Settings | null} */
  settings = null;
  #client;
  /** @type {Set<IncomingCall>} */
  #ringing = new Set();
  #playing = "";

  /**
   * @param {string} token
   * @param {CallClient} client
   * @param {DeviceManager} devices
   * @param {CallAgent} agent
   */
  constructor(token, client, devices, agent) {
    super();
    this.hub = new Hub(token);
    this.directory = new Directory(this.hub);
    this.#client = client;
    this.devices = devices;
    this.agent = agent;
    this.#follow(agent);
    for (const call of agent.calls) call.on("stateChanged", () => this.#sound());
    void this.#restoreChoices();
    void this.hub.settings().then((settings) => this.rules(settings), () => {});
    devices.on("audioDevicesUpdated", () => void this.#restoreChoices());
  }

  /**
   * Sign in; rejects with what is wrong with the token or the hub.
   * @param {string} token
   */
  static async start(token) {
    const client = new CallClient({ hub: location.origin });
    const devices = await client.getDeviceManager();
    const credential = new AzureCommunicationTokenCredential(token);
    const agent = await client.createCallAgent(credential, { storage: sessionStorage });
    return new Softphone(token, client, devices, agent);
  }

  /** The raw id of the user. */
  get me() {
    return getIdentifierRawId(this.agent.identity.identifier);
  }

  get calls() {
    return this.agent.calls;
  }

  /** Who is calling just now. */
  get ringers() {
    return [...this.#ringing].map(({ callerInfo }) => callerInfo.displayName || "Unknown");
  }

  /** The id of the speaker, "" for the system's choice. */
  get speaker() {
    return this.chosen.speaker.replace(/^speaker:/, "");
  }

  /** Take note of what becomes of calls. @param {Settings} settings */
  rules(settings) {
    this.settings = settings;
    this._emit("rulesChanged");
  }

  /**
   * Call somebody; others are put on hold.
   * @param {string} whom
   */
  dial(whom) {
    return this.#begin(() => this.agent.startCall([{ id: whom }]));
  }

  /**
   * Join a group; others are put on hold.
   * @param {string} groupId
   */
  join(groupId) {
    return this.#begin(() => this.agent.join({ groupId }));
  }

  /**
   * Put every call on hold but one.
   * @param {Call} [but]
   */
  async holdOthers(but) {
    const talking = this.calls.filter((call) => call !== but && ["Connected", "RemoteHold"].includes(call.state));
    await Promise.all(talking.map((call) => call.hold()));
  }

  /**
   * Take note that a call rings here, or no longer does.
   * @param {IncomingCall} incoming
   * @param {boolean} on
   */
  ringing(incoming, on) {
    if (on) this.#ringing.add(incoming);
    else this.#ringing.delete(incoming);
    this.#sound();
    this._emit("ringersChanged");
  }

  /**
   * Choose devices and what is done to the voice; kept for the next time.
   * @param {Partial<Choices>} choices
   * @param {AudioDeviceInfo} [device]
   */
  choose(choices, device) {
    this.chosen = { ...this.chosen, ...choices };
    localStorage.setItem(CHOICES, JSON.stringify(this.chosen));
    if (choices.microphone !== undefined) void this.devices.selectMicrophone(device);
    if (choices.speaker !== undefined) void this.devices.selectSpeaker(device);
    this.#apply();
  }

  /** Leave the hub and let everything go. */
  async close() {
    this.directory.close();
    this.tones.stop();
    this.bell.stop();
    await this.#client.dispose();
  }

  /** @param {() => Call} start */
  #begin(start) {
    return attempt(async () => {
      await this.holdOthers();
      start();
    });
  }

  #apply() {
    const { echoCancellation, noiseSuppression, autoGainControl, ring } = this.chosen;
    const before = JSON.stringify(this.devices.audioConstraints);
    const wanted = { echoCancellation, noiseSuppression, autoGainControl };
    if (JSON.stringify(wanted) !== before) this.devices.setAudioConstraints(wanted);
    this.tones.sink = this.speaker;
    this.bell.sink = ring.replace(/^speaker:/, "");
  }

  async #restoreChoices() {
    this.#apply();
    const [microphones, speakers] = await Promise.all([
      this.devices.getMicrophones(),
      this.devices.isSpeakerSelectionAvailable ? this.devices.getSpeakers() : [],
    ]);
    const microphone = microphones.find(({ id }) => id === this.chosen.microphone);
    const speaker = speakers.find(({ id }) => id === this.chosen.speaker);
    if (microphone && this.devices.selectedMicrophone?.id !== microphone.id) await this.devices.selectMicrophone(microphone);
    if (speaker && this.devices.selectedSpeaker?.id !== speaker.id) await this.devices.selectSpeaker(speaker);
  }

  /** @param {CallAgent} agent */
  #follow(agent) {
    agent.on("incomingCall", (event) => this._emit("incomingCall", event));
    agent.on("mailboxChanged", (event) => this._emit("mailboxChanged", event));
    agent.on("isHubReachableChanged", (event) => this._emit("isHubReachableChanged", event));
    agent.on("connectionStateChanged", ({ reason }) => reason && this._emit("over", { reason }));
    agent.on("callsUpdated", ({ added, removed }) => {
      for (const call of added) call.on("stateChanged", () => this.#sound());
      for (const call of removed) if (call.callEndReason?.subCode !== 7015) this.tones.end();
      this.#sound();
      this._emit("callsUpdated", { added, removed });
      void this.directory.refresh();
    });
  }

  /** Play what is due: ringing alone on the bell, waiting beside a call, ringback while it rings there. */
  #sound() {
    const rings = this.#ringing.size > 0;
    const alone = this.calls.length === 0;
    const waitsThere = this.calls.some((call) => call.state === "Ringing" && !call.replaces);
    const due = rings ? (alone ? "ring" : "waiting") : waitsThere ? "ringback" : "";
    if (due === this.#playing) return;
    if (this.#playing) (this.#playing === "ring" ? this.bell : this.tones).stop();
    this.#playing = due;
    if (due === "ring") this.bell.ring();
    else if (due === "waiting") this.tones.waiting();
    else if (due === "ringback") this.tones.ringback();
  }
}
