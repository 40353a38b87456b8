/** What is wrong with the network or the microphone, for the user to see (ACS UserFacingDiagnostics). */

/** @import { Call } from "./call.js" */
/** @import { Microphone, Said } from "./judgement.js" */
/** @import { MediaStatsReportSample } from "./stats.js" */
/** @import { LocalAudioStream } from "./streams.js" */

import { Emitter } from "./events.js";
import { DiagnosticQuality, media, network } from "./judgement.js";
import { MediaStatsCollector } from "./stats.js";

const SPEECH = 40; // level of a Volume: -36 dBFS
const SILENT_SAMPLES = 10;

/** Diagnostics of one kind; event `diagnosticChanged` with `{ diagnostic, value, valueType }`. */
export class Diagnostics extends Emitter {
  /** @type {Record<string, { value: number | boolean, valueType: string }>} */
  #latest = {};

  /** @param {string} kind @param {string} [mediaType] @internal */
  constructor(kind, mediaType) {
    super();
    this.kind = kind;
    this.mediaType = mediaType;
  }

  /** Return the latest value of each diagnostic that has had one. */
  getLatest() {
    return { ...this.#latest };
  }

  /**
   * Tell of what has changed, first when something is wrong.
   * @param {Said} said
   * @internal
   */
  _say(said) {
    for (const [diagnostic, value] of Object.entries(said)) {
      const known = this.#latest[diagnostic];
      const well = value === false || value === DiagnosticQuality.Good;
      if (known ? known.value === value : well) continue;
      const valueType = typeof value === "boolean" ? "DiagnosticFlag" : "DiagnosticQuality";
      this.#latest[diagnostic] = { value, valueType };
      this._emit("diagnosticChanged", { diagnostic, value, valueType, mediaType: this.mediaType });
    }
  }
}

/**
 * Watch a call from the first time that the feature is asked for, once a second, a lost path at once.
 *
 * `network`: noNetwork, networkReconnect, networkRelaysNotReachable, networkReceiveQuality, networkSendQuality.
 * `media`: speakingWhileMicrophoneIsMuted, noMicrophoneDevicesEnumerated, microphonePermissionDenied,
 * microphoneNotFunctioning (the browser ended it, or only zeros), microphoneMuteUnexpectedly (the browser muted it, or
 * zeros after sound), noSpeakerDevicesEnumerated; that none is left can be told of devices alone that were there.
 */
export class UserFacingDiagnosticsFeature extends Emitter {
  name = "UserFacingDiagnostics";
  network = new Diagnostics("network");
  media = new Diagnostics("media", "Audio");
  #call;
  #collector;
  /** @type {MediaStatsReportSample | null} */
  #sample = null;
  /** @type {LocalAudioStream | undefined} */
  #stream;
  #zeros = 0;
  #sounded = false;
  /** @type {PermissionStatus | null} */
  #permission = null;
  #judge = () => this.network._say(network(this.#seen()));

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    this.#call = call;
    this.#collector = new MediaStatsCollector(call, {});
    this.#collector.on("sampleReported", (sample) => {
      this.#sample = sample;
      this.#judge();
      void this.#listen(sample).catch(() => {});
    });
    call.on("isReconnectingChanged", this.#judge);
    // Not every browser tells it.
    const name = /** @type {PermissionName} */ ("microphone");
    void navigator.permissions?.query({ name }).then((status) => (this.#permission = status), () => {});
  }

  /** Watch no more. */
  dispose() {
    this.#collector.dispose();
    this.#call.off("isReconnectingChanged", this.#judge);
  }

  #seen() {
    const { state, isReconnecting, _agent: agent, id } = this.#call;
    return {
      connected: state === "Connected", reconnecting: isReconnecting, linked: agent.isHubReachable,
      relaysLost: agent._media.relaysLost(id), sample: this.#sample,
    };
  }

  /** @param {MediaStatsReportSample} sample */
  async #listen({ audio: { send: [send] } }) {
    const call = this.#call;
    const [stream] = call.localAudioStreams;
    // On hold nobody is heard, muted or not.
    if (call.state !== "Connected" || !send || !stream) return this.media._say({ speakingWhileMicrophoneIsMuted: false });
    const open = stream._open;
    if (open === undefined) return;
    const [track] = open?.getAudioTracks() ?? [];
    // What is sent while muted is silence: the microphone itself is listened to.
    const volume = call.isMuted && track ? await stream.getVolume() : null;
    if (stream !== this.#stream) [this.#stream, this.#zeros, this.#sounded] = [stream, 0, false];
    this.#sounded ||= (send.audioInputLevel ?? 0) > 0;
    this.#zeros = send.audioInputLevel !== 0 || call.isMuted ? 0 : this.#zeros + 1;
    this.media._say(media({
      speakingWhileMuted: (volume?.level ?? 0) > SPEECH,
      microphone: this.#microphone(stream, track),
      // What may not be seen is not gone.
      speakerLost: this.#permission?.state !== "denied" && call._agent._devices._isGone("Speaker"),
    }));
  }

  /**
   * @param {LocalAudioStream} stream
   * @param {MediaStreamTrack | undefined} track
   * @returns {Microphone}
   */
  #microphone(stream, track) {
    if (stream._isMicrophone && this.#permission?.state === "denied") return "denied";
    if (stream._isMicrophone && this.#call._agent._devices._isGone("Microphone")) return "none";
    if (!track || track.readyState === "ended") return "ended";
    if (track.muted) return "muted";
    if (!stream._isMicrophone || this.#zeros < SILENT_SAMPLES) return "works";
    return this.#sounded ? "fell silent" : "silent";
  }
}
