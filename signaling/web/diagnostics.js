/** What is wrong with the network or the microphone, for the user to see (ACS UserFacingDiagnostics). */

/** @import { Call } from "./call.js" */
/** @import { MediaStatsReportSample } from "./stats.js" */

import { Emitter } from "./events.js";
import { MediaStatsCollector } from "./stats.js";

export const DiagnosticQuality = Object.freeze({ Good: 1, Poor: 2, Bad: 3 });

const SPEECH = 40; // level of a Volume: -36 dBFS
const SILENT_SAMPLES = 10;

/** Diagnostics of one kind; event `diagnosticChanged` with `{ diagnostic, value, valueType }`. */
export class Diagnostics extends Emitter {
  /** @type {Record<string, { value: number | boolean, valueType: string }>} */
  #latest = {};

  /** @param {string} diagnostic @param {(string | undefined)} mediaType @internal */
  constructor(diagnostic = "", mediaType = undefined) {
    super();
    this.kind = diagnostic;
    this.mediaType = mediaType;
  }

  /** Return the latest value of each diagnostic that has had one. */
  getLatest() {
    return { ...this.#latest };
  }

  /**
   * @param {string} diagnostic
   * @param {number | boolean} value
   * @internal
   */
  _set(diagnostic, value) {
    if (this.#latest[diagnostic]?.value === value) return;
    const initially = value === false || value === DiagnosticQuality.Good;
    if (!this.#latest[diagnostic] && initially) return;
    const valueType = typeof value === "boolean" ? "DiagnosticFlag" : "DiagnosticQuality";
    this.#latest[diagnostic] = { value, valueType };
    this._emit("diagnosticChanged", { diagnostic, value, valueType, mediaType: this.mediaType });
  }
}

/** Watch a call: network quality both ways, speaking while muted, a microphone that hears nothing. */
export class UserFacingDiagnosticsFeature extends Emitter {
  name = "UserFacingDiagnostics";
  network = new Diagnostics("network");
  media = new Diagnostics("media", "Audio");
  #call;
  #collector;
  #silent = 0;

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    this.#call = call;
    this.#collector = new MediaStatsCollector(call, {});
    this.#collector.on("sampleReported", (sample) => {
      this.#judge(sample);
      void this.#listen().catch(() => {});
    });
  }

  dispose() {
    this.#collector.dispose();
  }

  /** @param {MediaStatsReportSample} sample */
  #judge({ audio: { send: [send], receive: [receive] } }) {
    const call = this.#call;
    if (receive && call.state === "Connected") {
      const expected = receive.packetsPerSecond + receive.packetsLostPerSecond;
      const lost = expected ? receive.packetsLostPerSecond / expected : 0;
      this.network._set("networkReceiveQuality", quality(lost, receive.jitterInMs));
      this.network._set("networkReconnect", receive.packetsPerSecond === 0 ? DiagnosticQuality.Bad : DiagnosticQuality.Good);
    }
    if (!send || call.state !== "Connected") return;
    this.network._set("networkSendQuality", quality(0, send.jitterInMs ?? 0, send.rttInMs));
    const level = send.audioInputLevel ?? 0;
    this.#silent = level === 0 && !call.isMuted ? this.#silent + 1 : 0;
    this.media._set("microphoneNotFunctioning", this.#silent >= SILENT_SAMPLES);
  }

  /** What is sent while muted is silence: the microphone itself is listened to. */
  async #listen() {
    const call = this.#call;
    const volume = call.isMuted && call.state === "Connected" ? await call.localAudioStreams[0]?.getVolume() : null;
    this.media._set("speakingWhileMicrophoneIsMuted", (volume?.level ?? 0) > SPEECH);
  }
}

/**
 * @param {number} lost share of packets
 * @param {number} jitter in ms
 * @param {number} [rtt] in ms
 */
function quality(lost, jitter, rtt = 0) {
  if (lost > 0.1 || jitter > 100 || rtt > 1_000) return DiagnosticQuality.Bad;
  return lost > 0.03 || jitter > 40 || rtt > 400 ? DiagnosticQuality.Poor : DiagnosticQuality.Good;
}
