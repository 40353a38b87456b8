/** What is said into a call and what is heard of it (ACS LocalAudioStream, RemoteAudioStream, Volume). */

/** @import { AudioDeviceInfo } from "./devices.js" */

import { Emitter } from "./events.js";

const LEVEL_MILLISECONDS = 100;

/** How loud a stream is, 0 to 100; event `levelChanged` with `{ level }`. */
export class Volume extends Emitter {
  level = 0;
  #timer = 0;
  /** @type {AudioContext | null} */
  #context = null;

  /**
   * @param {MediaStreamTrack} track
   * @internal
   */
  constructor(track) {
    super();
    this.#context = new AudioContext();
    const analyser = new AnalyserNode(this.#context, { fftSize: 2048 });
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      // -60 dBFS is nothing, 0 dBFS is everything.
      const level = Math.round(Math.min(100, Math.max(0, 100 + (10 * Math.log10(sum / samples.length + 1e-12)) / 0.6)));
      if (level === this.level) return;
      this.level = level;
      this._emit("levelChanged", { level });
    }, LEVEL_MILLISECONDS);
  }

  /** Measure no more. */
  dispose() {
    clearInterval(this.#timer);
    void this.#context?.close();
    this.#context = null;
  }
}

/**
 * What is said into calls: a microphone, or a MediaStream of the application's. Event `audioSourceChanged`.
 *
 * The microphone is open while a call uses it.
 */
export class LocalAudioStream extends Emitter {
  /** @type {"Audio"} */
  mediaStreamType = "Audio";
  #source;
  /** @type {Promise<MediaStream> | null} */
  #stream = null;
  /** @type {MediaStream | null} */
  #opened = null;
  /** @type {Map<object, () => void>} */
  #users = new Map();
  /** @type {Volume | null} */
  #volume = null;
  #constraints;

  /**
   * @param {AudioDeviceInfo | MediaStream | undefined} source undefined for the browser's own choice
   * @param {{ autoDisposeOnCallEnd?: boolean, constraints?: MediaTrackConstraints }} [options]
   */
  constructor(source, options = {}) {
    super();
    this.#source = source;
    this.#constraints = options.constraints ?? {};
  }

  /** The microphone, undefined for a MediaStream and for the browser's own choice. */
  get source() {
    return this.#source instanceof MediaStream ? undefined : this.#source;
  }

  /** @internal */
  get _isMicrophone() {
    return !(this.#source instanceof MediaStream);
  }

  /** What is open, undefined while it is being opened, null if nothing is. @internal */
  get _open() {
    if (this.#source instanceof MediaStream) return this.#source;
    return this.#opened ?? (this.#stream ? undefined : null);
  }

  /** @returns {Promise<MediaStream>} */
  async getMediaStream() {
    if (this.#source instanceof MediaStream) return this.#source;
    const opening = (this.#stream ??= openMicrophone(this.#source?.id ?? "", this.#constraints));
    try {
      const open = await opening;
      if (this.#stream === opening) this.#opened = open;
      return open;
    } catch (error) {
      if (this.#stream === opening) this.#stream = null;
      throw error;
    }
  }

  /**
   * Say another stream, in all calls that say this one.
   * @param {MediaStream} stream
   */
  async setMediaStream(stream) {
    await this.#switch(stream);
  }

  /**
   * Say what another microphone hears, in all calls that say this one.
   * @param {AudioDeviceInfo} source
   */
  async switchSource(source) {
    await this.#switch(source);
  }

  /** Return how loud it is. */
  async getVolume() {
    const [track] = (await this.getMediaStream()).getAudioTracks();
    this.#volume ??= new Volume(track);
    return this.#volume;
  }

  /** Let the microphone go. */
  dispose() {
    this.#volume?.dispose();
    this.#volume = null;
    this.#release();
  }

  /** @param {AudioDeviceInfo | MediaStream | undefined} source */
  async #switch(source) {
    const before = this.#stream;
    this.#volume?.dispose();
    this.#volume = null;
    this.#source = source;
    this.#stream = this.#opened = null;
    for (const changed of this.#users.values()) changed();
    this._emit("audioSourceChanged", { source });
    (await before?.catch(() => null))?.getTracks().forEach((track) => track.stop());
  }

  /**
   * @param {object} user
   * @param {() => void} changed
   * @internal
   */
  _attach(user, changed) {
    this.#users.set(user, changed);
  }

  /**
   * @param {object} user
   * @internal
   */
  _detach(user) {
    this.#users.delete(user);
    if (this.#users.size === 0) this.dispose();
  }

  #release() {
    const stream = this.#stream;
    this.#stream = this.#opened = null;
    void stream?.then((open) => open.getTracks().forEach((track) => track.stop())).catch(() => {});
  }
}

/** What is heard of a call; event of its volume: `levelChanged`. */
export class RemoteAudioStream {
  /** @internal */
  _track;
  /** @type {Volume | null} */
  #volume = null;

  /**
   * @param {MediaStreamTrack} track
   * @internal
   */
  constructor(track) {
    this._track = track;
  }

  /** @returns {Promise<MediaStream>} */
  async getMediaStream() {
    return new MediaStream([this._track]);
  }

  /** Return how loud it is. */
  async getVolume() {
    this.#volume ??= new Volume(this._track);
    return this.#volume;
  }

  /** @internal */
  _dispose() {
    this.#volume?.dispose();
  }
}

/**
 * @param {string} id of an AudioDeviceInfo, "" for the default
 * @param {MediaTrackConstraints} constraints
 */
function openMicrophone(id, constraints) {
  const deviceId = id.replace(/^microphone:/, "");
  const audio = { ...constraints, ...(deviceId ? { deviceId: { exact: deviceId } } : {}) };
  if (!navigator.mediaDevices) {
    return Promise.reject(new DOMException("The page must come over https, or from localhost.", "SecurityError"));
  }
  return navigator.mediaDevices.getUserMedia({ audio });
}
