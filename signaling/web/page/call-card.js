/** One call on the screen: who, since when, how well, and what can be done. */

/** @import { Call } from "../call.js" */
/** @import { MediaStatsReportSample } from "../stats.js" */
/** @import { Softphone } from "./softphone.js" */

import { Features } from "../callnode.js";
import { button, complain, duration, h, rename } from "./dom.js";
import { openTransfer } from "./transfer-dialog.js";

const STATES = {
  None: "…", Connecting: "Connecting…", Ringing: "Ringing…", EarlyMedia: "Connecting…", Connected: "Connected",
  LocalHold: "On hold", RemoteHold: "They put you on hold", InLobby: "Waiting", Disconnecting: "Ending…",
  Disconnected: "Ended",
};
const KEYS = [..."123456789*0#"];

/** A call's card. */
export class CallCard {
  #phone;
  #call;
  #since = 0;
  #timer = 0;
  #name = h("h2", {});
  #state = h("p", { class: "state", role: "status" });
  #clock = h("span", { class: "clock" });
  #quality = h("span", { class: "quality" });
  #details = h("dl", {});
  #mine = h("meter", { min: 0, max: 100, "aria-label": "Your level" });
  #theirs = h("meter", { min: 0, max: 100, "aria-label": "Their level" });
  #pressed = h("output", { class: "pressed", "aria-label": "Keys pressed" });
  #keypad;
  #mute;
  #hold;
  #keys;
  #transfer;
  #measured = false;

  /** @param {Softphone} phone @param {Call} call */
  constructor(phone, call) {
    this.#phone = phone;
    this.#call = call;
    this.#mute = button("Mute", () => this.#try(call.isMuted ? call.unmute() : call.mute()), { icon: "mic" });
    this.#hold = button("Hold", () => this.#toggleHold(), { icon: "pause" });
    this.#keys = button("Keypad", () => this.#toggleKeypad(), { icon: "keypad" });
    this.#transfer = button("Transfer", () => openTransfer(phone, call), { icon: "transfer" });
    const end = button("Hang up", () => this.#try(call.hangUp()), { icon: "hang-up", class: "danger" });
    const keys = KEYS.map((key) => h("button", { type: "button", class: "key", onclick: () => this.#press(key) }, key));
    this.#keypad = h("div", { class: "keypad", hidden: true, role: "group", "aria-label": "Keypad" }, this.#pressed, ...keys);
    const levels = h("div", { class: "levels" },
      h("label", {}, "You ", this.#mine), h("label", {}, "They ", this.#theirs));
    const figures = h("details", {}, h("summary", {}, "Quality ", this.#quality), this.#details);
    this.element = h("article", { class: "card call", tabIndex: -1 },
      h("header", {}, this.#name, h("p", {}, this.#clock)), this.#state, levels,
      h("div", { class: "controls" }, this.#mute, this.#hold, this.#keys, this.#transfer, end),
      this.#keypad, figures);
    this.element.addEventListener("keydown", (event) => this.#typed(event));
    for (const event of ["stateChanged", "isMutedChanged", "remoteParticipantsUpdated"]) call.on(event, () => this.update());
    const collector = call.feature(Features.MediaStats).createCollector();
    collector.on("sampleReported", (sample) => this.#judge(sample));
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.update();
  }

  /** The name of the other end. */
  get name() {
    return this.#call.remoteParticipants[0]?.displayName || "Unknown";
  }

  /** Show what is. */
  update() {
    const call = this.#call;
    const talking = ["Connected", "LocalHold", "RemoteHold"].includes(call.state);
    this.#name.textContent = this.name;
    const by = call.transferorInfo?.displayName;
    const muted = call.isMuted ? " · you are muted" : "";
    this.#state.textContent = `${STATES[call.state]}${muted}${by ? ` · transferred by ${by}` : ""}`;
    this.element.dataset.state = call.state;
    this.element.setAttribute("aria-label", `Call with ${this.name}`);
    if (talking && !this.#since) this.#since = Date.now();
    rename(this.#mute, call.isMuted ? "Unmute" : "Mute");
    this.#mute.setAttribute("aria-pressed", String(call.isMuted));
    const held = call.isHeld.local;
    rename(this.#hold, held ? "Resume" : "Hold");
    this.#hold.setAttribute("aria-pressed", String(held));
    for (const control of [this.#hold, this.#transfer]) control.disabled = !talking;
    this.#keys.disabled = call.state !== "Connected";
    this.#tick();
    if (call.state === "Connected") void this.#measure();
    if (call.state === "Disconnected") clearInterval(this.#timer);
  }

  #tick() {
    this.#clock.textContent = this.#since ? duration((Date.now() - this.#since) / 1000) : "";
  }

  async #measure() {
    if (this.#measured) return;
    this.#measured = true;
    const own = await this.#call.localAudioStreams[0]?.getVolume().catch(() => null);
    own?.on("levelChanged", ({ level }) => (this.#mine.value = this.#call.isMuted ? 0 : level));
    const other = await this.#call.remoteAudioStreams[0]?.getVolume().catch(() => null);
    other?.on("levelChanged", ({ level }) => (this.#theirs.value = level));
  }

  async #toggleHold() {
    const call = this.#call;
    if (!call.isHeld.local) return this.#try(call.hold());
    await this.#phone.holdOthers(call);
    await this.#try(call.resume());
  }

  #toggleKeypad() {
    this.#keypad.hidden = !this.#keypad.hidden;
    this.#keys.setAttribute("aria-expanded", String(!this.#keypad.hidden));
    if (!this.#keypad.hidden) this.#keypad.querySelector("button")?.focus();
  }

  /** @param {string} key */
  #press(key) {
    this.#phone.tones.key(key);
    this.#pressed.value += key;
    void this.#try(this.#call.sendDtmf(key));
  }

  /** @param {KeyboardEvent} event */
  #typed(event) {
    if (this.#keypad.hidden || event.ctrlKey || event.metaKey || event.altKey || !KEYS.includes(event.key)) return;
    event.preventDefault();
    this.#press(event.key);
  }

  /** @param {MediaStatsReportSample} sample */
  #judge({ audio: { send: [send], receive: [receive] }, transports: [path] }) {
    if (!receive || !send) return;
    const expected = receive.packetsPerSecond + receive.packetsLostPerSecond;
    const loss = expected ? receive.packetsLostPerSecond / expected : 0;
    const rtt = path?.rttInMs ?? send.rttInMs ?? 0;
    const bad = loss > 0.1 || receive.jitterInMs > 100 || rtt > 1000;
    const poor = loss > 0.03 || receive.jitterInMs > 40 || rtt > 400;
    this.#quality.textContent = bad ? "bad" : poor ? "fair" : "good";
    this.#quality.dataset.quality = this.#quality.textContent;
    const rows = [
      ["Codec", receive.codecName ?? "–"],
      ["Received", `${Math.round(receive.bitrate / 1000)} kbit/s`],
      ["Sent", `${Math.round(send.bitrate / 1000)} kbit/s`],
      ["Lost", `${(100 * loss).toFixed(1)} %`],
      ["Jitter", `${receive.jitterInMs.toFixed(0)} ms`],
      ["Round trip", `${rtt.toFixed(0)} ms`],
      ["Buffer", `${(receive.jitterBufferDelayInMs ?? 0).toFixed(0)} ms`],
    ];
    this.#details.replaceChildren(...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  /** @param {Promise<void>} work */
  async #try(work) {
    await work.catch(complain);
  }
}
