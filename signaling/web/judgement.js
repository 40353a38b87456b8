/** What is wrong with a call, as its user would say it, from what was observed of it (node/judgement.py). Pure. */

/** @import { AudioReceiveStats, MediaStatsReportSample } from "./stats.js" */

/** How good something is (ACS DiagnosticQuality). */
export const DiagnosticQuality = Object.freeze({ Good: 1, Poor: 2, Bad: 3 });

/**
 * @typedef {"works" | "none" | "denied" | "ended" | "muted" | "silent" | "fell silent"} Microphone `ended` and `muted`
 *   by the browser; one that works brings noise, `silent` are zeros from the beginning, `fell silent` zeros after sound
 *
 * @typedef {object} Observed
 * @property {boolean} connected
 * @property {boolean} reconnecting
 * @property {boolean} linked whether the hub is there
 * @property {boolean} relaysLost whether there are TURN servers, and none could be reached
 * @property {MediaStatsReportSample | null} sample figures of the last second
 * @property {boolean} speakingWhileMuted
 * @property {Microphone} microphone
 * @property {boolean} speakerLost whether there were speakers, and none is left
 *
 * @typedef {Record<string, number | boolean>} Said a quality or a flag, by the name of the diagnostic in ACS
 */

const FEW_PACKETS = 10; // a second, below which the end that sends pauses (DTX): a share of them says nothing

/**
 * Return what can be said of the network; what is not in it stays as it was.
 *
 * Nothing can be said of a call that is not connected: on hold there is little to measure.
 * @param {Pick<Observed, "connected" | "reconnecting" | "linked" | "relaysLost" | "sample">} seen
 * @returns {Said}
 */
export function network({ connected, reconnecting, linked, relaysLost, sample }) {
  const lost = reconnecting ? DiagnosticQuality.Bad : DiagnosticQuality.Good;
  /** @type {Said} */
  const said = {
    networkReconnect: lost, noNetwork: reconnecting && !linked, networkRelaysNotReachable: relaysLost,
  };
  if (!sample || !connected) return said;
  for (const stream of sample.audio.receive) {
    said.networkReceiveQuality = Math.max(lost, quality(shareLost(stream), stream.jitterInMs));
  }
  for (const { packetsPerSecond, fractionLost = 0, jitterInMs, rttInMs } of sample.audio.send) {
    said.networkSendQuality = quality(packetsPerSecond < FEW_PACKETS ? 0 : fractionLost, jitterInMs, rttInMs);
  }
  return said;
}

/**
 * Return what is to be said of microphone and speaker.
 * @param {Pick<Observed, "speakingWhileMuted" | "microphone" | "speakerLost">} seen
 * @returns {Said}
 */
export function media({ speakingWhileMuted, microphone, speakerLost }) {
  return {
    speakingWhileMicrophoneIsMuted: speakingWhileMuted,
    noMicrophoneDevicesEnumerated: microphone === "none",
    microphonePermissionDenied: microphone === "denied",
    microphoneNotFunctioning: microphone === "ended" || microphone === "silent",
    microphoneMuteUnexpectedly: microphone === "muted" || microphone === "fell silent",
    noSpeakerDevicesEnumerated: speakerLost,
  };
}

/**
 * Return the share of packets that did not come.
 * @param {AudioReceiveStats} stream
 */
export function shareLost({ packetsPerSecond, packetsLostPerSecond }) {
  const expected = packetsPerSecond + packetsLostPerSecond;
  return expected < FEW_PACKETS ? 0 : packetsLostPerSecond / expected;
}

/**
 * @param {number} lost share of packets
 * @param {number} [jitter] in ms
 * @param {number} [rtt] in ms
 */
export function quality(lost, jitter = 0, rtt = 0) {
  if (lost > 0.1 || jitter > 100 || rtt > 1_000) return DiagnosticQuality.Bad;
  return lost > 0.03 || jitter > 40 || rtt > 400 ? DiagnosticQuality.Poor : DiagnosticQuality.Good;
}
