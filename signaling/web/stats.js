/** The quality of a call's media (ACS MediaStats, from W3C webrtc-stats). */

/** @import { Call } from "./call.js" */

import { Emitter } from "./events.js";

/**
 * @typedef {{ id: string, codecName?: string, bitrate: number, jitterInMs?: number, packets: number,
 *   packetsPerSecond: number, packetsLost: number, packetsLostPerSecond: number, rttInMs?: number,
 *   audioInputLevel?: number, fractionLost?: number }} AudioSendStats levels 0 to 65536, as ACS has them; beyond ACS the
 *   share of packets that the other end has missed of late
 * @typedef {{ id: string, codecName?: string, bitrate: number, jitterInMs: number, packets: number,
 *   packetsPerSecond: number, packetsLost: number, packetsLostPerSecond: number, jitterBufferDelayInMs?: number,
 *   audioOutputLevel?: number, healedRatio: number }} AudioReceiveStats
 * @typedef {{ id: string, rttInMs?: number }} TransportStats
 * @typedef {{ timestamp: Date, audio: { send: AudioSendStats[], receive: AudioReceiveStats[] },
 *   video: { send: never[], receive: never[] }, screenShare: { send: never[], receive: never[] },
 *   transports: TransportStats[] }} MediaStatsReportSample
 */

const SAMPLE_MILLISECONDS = 1_000;
const LEVEL = 65_536;

/** Collect figures; events of a collector: `sampleReported` every second, `summaryReported` for several of them. */
export class MediaStatsCollector extends Emitter {
  #call;
  #timer;
  /** @type {RTCStatsReport | null} */
  #before = null;
  /** @type {MediaStatsReportSample[]} */
  #samples = [];
  #points;

  /**
   * @param {Call} call
   * @param {{ aggregationInterval?: number, dataPointsPerAggregation?: number }} options
   * @internal
   */
  constructor(call, { aggregationInterval = 10 }) {
    super();
    this.#call = call;
    this.#points = aggregationInterval;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MILLISECONDS);
    call.on("stateChanged", () => call.state === "Disconnected" && this.dispose());
  }

  /** Collect no more. */
  dispose() {
    clearInterval(this.#timer);
  }

  async #sample() {
    const report = await this.#call.getStats();
    if (!report) return;
    const sample = compare(report, this.#before);
    this.#before = report;
    this._emit("sampleReported", sample);
    this.#samples.push(sample);
    if (this.#samples.length < this.#points) return;
    this._emit("summaryReported", { samples: this.#samples.splice(0) });
  }
}

/** Make collectors. */
export class MediaStatsFeature extends Emitter {
  name = "MediaStats";
  #call;
  /** @type {Set<MediaStatsCollector>} */
  #collectors = new Set();

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    this.#call = call;
  }

  /** @param {{ aggregationInterval?: number, dataPointsPerAggregation?: number }} [options] */
  createCollector(options = {}) {
    const collector = new MediaStatsCollector(this.#call, options);
    this.#collectors.add(collector);
    return collector;
  }

  disposeAllCollectors() {
    for (const collector of this.#collectors) collector.dispose();
    this.#collectors.clear();
  }

  dispose() {
    this.disposeAllCollectors();
  }
}

/**
 * @param {RTCStatsReport} report
 * @param {RTCStatsReport | null} before
 * @returns {MediaStatsReportSample}
 */
function compare(report, before) {
  /** @type {MediaStatsReportSample} */
  const sample = {
    timestamp: new Date(),
    audio: { send: [], receive: [] },
    video: { send: [], receive: [] },
    screenShare: { send: [], receive: [] },
    transports: [],
  };
  // lib.dom has the report as a map of any.
  const all = /** @type {any[]} */ ([...report.values()]);
  const codec = (/** @type {any} */ { codecId }) => report.get(codecId)?.mimeType?.replace("audio/", "");
  for (const stat of all) {
    const old = before?.get(stat.id);
    const rate = (/** @type {string} */ name) => perSecond(name, stat, old);
    const shared = { id: stat.id, codecName: codec(stat) };
    if (stat.type === "inbound-rtp" && stat.kind === "audio") {
      const delay = stat.jitterBufferEmittedCount ? stat.jitterBufferDelay / stat.jitterBufferEmittedCount : 0;
      sample.audio.receive.push({
        ...shared,
        bitrate: Math.round(8 * rate("bytesReceived")),
        packets: stat.packetsReceived ?? 0,
        packetsPerSecond: rate("packetsReceived"),
        packetsLost: stat.packetsLost ?? 0,
        packetsLostPerSecond: rate("packetsLost"),
        jitterInMs: 1000 * (stat.jitter ?? 0),
        jitterBufferDelayInMs: 1000 * delay,
        audioOutputLevel: LEVEL * (stat.audioLevel ?? 0),
        healedRatio: stat.totalSamplesReceived ? (stat.concealedSamples ?? 0) / stat.totalSamplesReceived : 0,
      });
    } else if (stat.type === "outbound-rtp" && stat.kind === "audio") {
      const source = all.find((each) => each.type === "media-source");
      const remote = all.find((each) => each.type === "remote-inbound-rtp" && each.localId === stat.id);
      sample.audio.send.push({
        ...shared,
        bitrate: Math.round(8 * rate("bytesSent")),
        packets: stat.packetsSent ?? 0,
        packetsPerSecond: rate("packetsSent"),
        packetsLost: remote?.packetsLost ?? 0,
        packetsLostPerSecond: remote ? perSecond("packetsLost", remote, before?.get(remote.id)) : 0,
        fractionLost: remote?.fractionLost,
        jitterInMs: remote ? 1000 * (remote.jitter ?? 0) : undefined,
        rttInMs: remote?.roundTripTime === undefined ? undefined : 1000 * remote.roundTripTime,
        // Not every browser tells it.
        audioInputLevel: source?.audioLevel === undefined ? undefined : LEVEL * source.audioLevel,
      });
    } else if (stat.type === "candidate-pair" && stat.nominated) {
      const { currentRoundTripTime: time } = stat;
      sample.transports.push({ id: stat.id, rttInMs: time === undefined ? undefined : 1000 * time });
    }
  }
  return sample;
}

/**
 * Return how much a figure grew, by the clock of who measured it.
 * @param {string} name
 * @param {any} stat
 * @param {any} old
 */
function perSecond(name, stat, old) {
  const seconds = old ? (stat.timestamp - old.timestamp) / 1000 : 0;
  return seconds > 0 ? Math.max(0, ((stat[name] ?? 0) - (old[name] ?? 0)) / seconds) : 0;
}
