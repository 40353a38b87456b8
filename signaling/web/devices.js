/** Microphones and speakers (ACS DeviceManager). */

import { CallingCommunicationError } from "./errors.js";
import { Emitter } from "./events.js";

/**
 * @typedef {{ name: string, id: string, isSystemDefault: boolean,
 *   deviceType: "Microphone" | "Speaker" }} AudioDeviceInfo
 */

/**
 * The devices of a client; events `audioDevicesUpdated` with `{ added, removed }`, `selectedMicrophoneChanged`,
 * `selectedSpeakerChanged`, `audioConstraintsChanged`. What is selected applies to calls that are going on too.
 */
export class DeviceManager extends Emitter {
  /** @type {AudioDeviceInfo | undefined} */
  selectedMicrophone;
  /** @type {AudioDeviceInfo | undefined} */
  selectedSpeaker;
  /** What is done to the microphone's sound (beyond ACS): W3C MediaTrackConstraints. @type {MediaTrackConstraints} */
  audioConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  /** @type {AudioDeviceInfo[]} */
  #known = [];
  /** The kinds that were ever there. @type {Set<AudioDeviceInfo["deviceType"]>} */
  #kinds = new Set();
  #changed = () => void this.#update();

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener("devicechange", this.#changed);
    void this.#update();
  }

  /** Whether sound can be sent to a chosen speaker. */
  get isSpeakerSelectionAvailable() {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  /** @returns {Promise<AudioDeviceInfo[]>} */
  async getMicrophones() {
    return (await list()).filter((device) => device.deviceType === "Microphone");
  }

  /** @returns {Promise<AudioDeviceInfo[]>} */
  async getSpeakers() {
    if (!this.isSpeakerSelectionAvailable) {
      throw new CallingCommunicationError(405, 40606, "This browser does not let a page choose the speaker.");
    }
    return (await list()).filter((device) => device.deviceType === "Speaker");
  }

  /** There is no video. @returns {Promise<never[]>} */
  async getCameras() {
    return [];
  }

  /** @param {AudioDeviceInfo | undefined} microphone undefined for the system's choice (beyond ACS) */
  async selectMicrophone(microphone) {
    this.selectedMicrophone = microphone;
    this._emit("selectedMicrophoneChanged");
  }

  /** @param {AudioDeviceInfo | undefined} speaker undefined for the system's choice (beyond ACS) */
  async selectSpeaker(speaker) {
    this.selectedSpeaker = speaker;
    this._emit("selectedSpeakerChanged");
  }

  /**
   * Choose echo cancellation, noise suppression and gain control (beyond ACS).
   * @param {MediaTrackConstraints} constraints
   */
  setAudioConstraints(constraints) {
    this.audioConstraints = { ...this.audioConstraints, ...constraints };
    this._emit("audioConstraintsChanged");
  }

  /**
   * Ask the user for the microphone.
   * @param {{ audio?: boolean, video?: boolean }} constraints
   */
  async askDevicePermission({ audio = false } = {}) {
    if (!audio || !navigator.mediaDevices) return { audio: false, video: false };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
      await this.#update();
      return { audio: true, video: false };
    } catch (error) {
      const denied = error instanceof DOMException && error.name === "NotAllowedError";
      if (denied) return { audio: false, video: false };
      throw new CallingCommunicationError(500, 40614, `The microphone cannot be used: ${error}`);
    }
  }

  /**
   * Tell whether there were such devices, and none is left; browsers hide them from those who may not use them.
   * @param {AudioDeviceInfo["deviceType"]} kind
   * @internal
   */
  _isGone(kind) {
    return this.#kinds.has(kind) && !this.#known.some(({ deviceType }) => deviceType === kind);
  }

  /** @internal */
  _dispose() {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#changed);
  }

  async #update() {
    const before = this.#known;
    const now = (this.#known = await list());
    for (const { deviceType } of now) this.#kinds.add(deviceType);
    const added = now.filter(({ id }) => !before.some((device) => device.id === id));
    const removed = before.filter(({ id }) => !now.some((device) => device.id === id));
    if (removed.some(({ id }) => id === this.selectedMicrophone?.id)) {
      this.selectedMicrophone = undefined;
      this._emit("selectedMicrophoneChanged");
    }
    if (removed.some(({ id }) => id === this.selectedSpeaker?.id)) {
      this.selectedSpeaker = undefined;
      this._emit("selectedSpeakerChanged");
    }
    if (added.length || removed.length) this._emit("audioDevicesUpdated", { added, removed });
  }
}

/** @returns {Promise<AudioDeviceInfo[]>} */
async function list() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.flatMap(({ kind, deviceId, label }) => {
    if (kind === "videoinput" || !deviceId) return [];
    const microphone = kind === "audioinput";
    /** @type {AudioDeviceInfo} */
    const device = {
      name: label || (microphone ? "Microphone" : "Speaker"),
      id: `${microphone ? "microphone" : "speaker"}:${deviceId}`,
      isSystemDefault: deviceId === "default",
      deviceType: microphone ? "Microphone" : "Speaker",
    };
    return [device];
  });
}
