/** How good the sound of a call is: a word, bars, and the figures behind them. */

/** @import { Call } from "../call.js" */
/** @import { MediaStatsReportSample } from "../stats.js" */

import { DiagnosticQuality, Features } from "../callnode.js";
import { quality, shareLost } from "../judgement.js";
import { h } from "./dom.js";

/** @type {Record<number, string>} */
const WORDS = { [DiagnosticQuality.Good]: "Good", [DiagnosticQuality.Poor]: "Fair", [DiagnosticQuality.Bad]: "Bad" };

/** @param {Call} call */
export function qualityOf(call) {
  const word = h("span", { class: "quality" }, "Not measured yet");
  const figures = h("dl", {});
  const element = h("details", {}, h("summary", {}, "Sound quality ", word), figures);
  const collector = call.feature(Features.MediaStats).createCollector();
  collector.on("sampleReported", (sample) => {
    const judged = judge(sample);
    if (!judged) return;
    word.textContent = WORDS[judged.grade];
    element.dataset.quality = word.textContent.toLowerCase();
    figures.replaceChildren(...judged.rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  });
  return element;
}

/**
 * @param {MediaStatsReportSample} sample
 * @returns {{ grade: number, rows: [string, string][] } | null}
 */
function judge({ audio: { send: [send], receive: [receive] }, transports: [path] }) {
  if (!receive || !send) return null;
  const rtt = path?.rttInMs ?? send.rttInMs ?? 0;
  const lost = shareLost(receive);
  return {
    grade: quality(lost, receive.jitterInMs, rtt),
    rows: [
      ["Codec", receive.codecName ?? "–"],
      ["Received", `${Math.round(receive.bitrate / 1000)} kbit/s`],
      ["Sent", `${Math.round(send.bitrate / 1000)} kbit/s`],
      ["Lost", `${(100 * lost).toFixed(1)} %`],
      ["Jitter", `${receive.jitterInMs.toFixed(0)} ms`],
      ["Round trip", `${rtt.toFixed(0)} ms`],
      ["Buffer", `${(receive.jitterBufferDelayInMs ?? 0).toFixed(0)} ms`],
    ],
  };
}
