/** A sound with its waveform: played, sought in by pointer and keys, faster on demand. */

import { button, duration as shown, h, rename, select } from "./dom.js";
import { attempt } from "./said.js";

const STEP_SECONDS = 0.1;
const BARS = 100;
const HALF = 24;
const SVG = "http://www.w3.org/2000/svg";
/** @type {Set<() => void>} */
const playing = new Set();
let pauses = 0;

/** Pause whatever is played, or is loaded to be played. */
export function pauseAll() {
  pauses++;
  for (const stop of playing) stop();
}

/**
 * @param {object} sound
 * @param {string} sound.label whose it is, for those who do not see it
 * @param {number} sound.duration in s, 0 if not known yet
 * @param {number[]} [sound.peaks] 0 to 255
 * @param {() => Promise<Blob>} sound.load
 * @param {() => string} sound.speaker the id of the device that plays it
 * @param {() => void} [sound.heard] called at its end
 */
export function player({ label, duration, peaks = [], load, speaker, heard = () => {} }) {
  const audio = new Audio();
  audio.preload = "none";
  let seconds = duration;
  /** @type {Promise<Blob> | null} */
  let loading = null;
  const blob = () => (loading ??= load().catch((error) => ((loading = null), Promise.reject(error))));
  const ready = async () => {
    if (audio.src) return;
    audio.src = URL.createObjectURL(await blob());
    audio.load();
    const id = speaker();
    if (id && "setSinkId" in audio) await audio.setSinkId(id).catch(() => {});
  };
  const wave = waveform(peaks);
  const time = h("span", { class: "clock" });
  const seek = h("input", { type: "range", min: "0", step: String(STEP_SECONDS), value: "0", "aria-label": `Position in ${label}` });
  const show = () => {
    const at = audio.currentTime;
    seek.max = String(seconds);
    seek.value = String(at);
    seek.setAttribute("aria-valuetext", `${shown(at)} of ${shown(seconds)}`);
    time.textContent = `${shown(at)} / ${shown(seconds)}`;
    wave?.played(seconds ? at / seconds : 0);
    rename(play, audio.paused ? "Play" : "Pause", audio.paused ? "play" : "pause");
  };
  const follow = () => {
    show();
    if (!audio.paused && element.isConnected) requestAnimationFrame(follow);
    else if (!audio.paused) audio.pause();
  };
  const stop = () => audio.pause();
  const play = button("Play", () => attempt(async () => {
    if (!audio.paused) return audio.pause();
    const before = pauses;
    await ready();
    if (pauses !== before) return;
    pauseAll();
    await audio.play();
  }), { icon: "play", class: "primary" });
  seek.oninput = () => {
    const at = Number(seek.value);
    void attempt(async () => {
      await ready();
      audio.currentTime = at;
    });
  };
  audio.onplay = () => (playing.add(stop), follow());
  audio.onpause = () => (playing.delete(stop), show());
  audio.onseeked = show;
  audio.ondurationchange = () => {
    if (Number.isFinite(audio.duration) && !duration) seconds = audio.duration;
    show();
  };
  audio.onended = () => {
    show();
    heard();
  };
  const speed = select([["1", "1×"], ["1.25", "1.25×"], ["1.5", "1.5×"], ["2", "2×"]], "1", (rate) => {
    audio.playbackRate = audio.defaultPlaybackRate = Number(rate);
  });
  speed.setAttribute("aria-label", "Speed");
  const element = h("div", { class: "player", role: "group", "aria-label": label }, play,
    h("div", { class: "seek" }, wave?.element, seek), time, speed);
  requestAnimationFrame(show);
  return Object.assign(element, { blob });
}

/** @param {number[]} peaks */
function waveform(peaks) {
  if (!peaks.length) return null;
  const bars = Math.min(peaks.length, BARS);
  let lines = "";
  for (let bar = 0; bar < bars; bar++) {
    const of = peaks.slice(Math.floor((bar * peaks.length) / bars), Math.ceil(((bar + 1) * peaks.length) / bars));
    const half = Math.max(1, (Math.max(...of) / 255) * HALF);
    lines += `M${bar + 0.5} ${HALF - half}v${2 * half}`;
  }
  const element = document.createElementNS(SVG, "svg");
  const [rest, played] = ["rest", "played"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", lines);
    return path;
  });
  element.setAttribute("class", "waveform");
  element.setAttribute("viewBox", `0 0 ${bars} ${2 * HALF}`);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  element.append(rest, played);
  /** @param {number} share */
  const show = (share) => {
    played.style.clipPath = `inset(0 ${100 * (1 - share)}% 0 0)`;
  };
  return { element, played: show };
}
