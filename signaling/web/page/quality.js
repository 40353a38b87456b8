/** How good the sound of a call is: a word, bars, and the figures behind them. */

/** @import { Call } from "../call.js" */
/** @import { MediaStatsReportSample } from "../stats.js" */

import { Features } from "../callnode.js";
import { h } from "./dom.js";

const WORDS = { good: "Good", fair: "Fair", bad: "Bad" };

/** @param {Call} call */
export function quality(call) {
  const word = h("span", { class: "quality" }, "Not measured yet");
  const figures = h("dl", {});
  const element = h("details", {}, h("summary", {}, "Sound quality ", word), figures);
  const collector = call.feature(Features.MediaStats).createCollector();
  collector.on("sampleReported", (sample) => {
    const judged = judge(sample);
    if (!judged) return;
    word.textContent = WORDS[judged.grade];
    element.dataset.quality = judged.grade;
    figures.replaceChildren(...judged.rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  });
  return element;
}

/**
 * @param {MediaStatsReportSample} sample
 * @returns {{ grade: keyof WORDS, rows: [string, string][] } | null}
 */
function judge({ audio: { send: [send], receive: [receive] }, transports: [path] }) {
  if (!receive || !send) return null;
  const expected = receive.packetsPerSecond + receive.packetsLostPerSecond;
  const loss = expected ? receive.packetsLostPerSecond / expected : 0;
  const rtt = path?.rttInMs ?? send.rttInMs ?? 0;
  const bad = loss > 0.1 || receive.jitterInMs > 100 || rtt > 1000;
  const poor = loss > 0.03 || receive.jitterInMs > 40 || rtt > 400;
  return {
    grade: bad ? "bad" : poor ? "fair" : "good",
    rows: [
      ["Codec", receive.codecName ?? "–"],
      ["Received", `${Math.round(receive.bitrate / 1000)} kbit/s`],
      ["Sent", `${Math.round(send.bitrate / 1000)} kbit/s`],
      ["Lost", `${(100 * loss).toFixed(1)} %`],
      ["Jitter", `${receive.jitterInMs.toFixed(0)} ms`],
      ["Round trip", `${rtt.toFixed(0)} ms`],
      ["Buffer", `${(receive.jitterBufferDelayInMs ?? 0).toFixed(0)} ms`],
    ],
  };
}
