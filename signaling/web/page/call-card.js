/** One call on the screen: who, since when, how well, and what can be done. */

/** @import { Call } from "../call.js" */
/** @import { Softphone } from "./softphone.js" */
/** @import { LocalAudioStream, RemoteAudioStream, Volume } from "../streams.js" */

import { DiagnosticQuality, Features } from "../callnode.js";
import { avatar, button, duration, h, levelMeter, newId, rename } from "./dom.js";
import { openAdd } from "./group-dialogs.js";
import { isKey, keypad } from "./keypad.js";
import { isHere, isUp, Participants } from "./participants.js";
import { qualityOf } from "./quality.js";
import { attempt } from "./said.js";
import { openTransfer } from "./transfer-dialog.js";

const STATES = {
  None: "…", Connecting: "Connecting…", Ringing: "Ringing…", EarlyMedia: "Connecting…", Connected: "Connected",
  LocalHold: "On hold", RemoteHold: "They put you on hold", InLobby: "Waiting", Disconnecting: "Ending…",
  Disconnected: "Ended",
};
/** @type {Record<string, string>} */
const WARNINGS = {
  speakingWhileMicrophoneIsMuted: "You are muted: nobody hears what you say.",
  noMicrophoneDevicesEnumerated: "No microphone is left. Plug one in.",
  microphonePermissionDenied: "The browser has taken the microphone from this page. Allow it in the browser's settings of this page.",
  microphoneNotFunctioning: "Your microphone gives no sound. Choose another in the settings.",
  microphoneMuteUnexpectedly: "Your microphone is silent: is it muted by a switch, or by the system?",
  networkReconnect: "Nothing is heard of the other end. Trying to get the sound back…",
};

const WORRY_MILLISECONDS = 1500;

/** A call's card. */
export class CallCard {
  #phone;
  #call;
  #since = 0;
  #timer = 0;
  #shownName = "";
  #picture = avatar("");
  #name = h("h2", {});
  #state = h("p", { class: "state", role: "status" });
  #clock = h("span", { class: "clock", "aria-label": "Duration", role: "timer" });
  #warning = h("p", { class: "warning", role: "status" });
  /** @type {Map<string, number>} the timers of what is wrong */
  #wrong = new Map();
  #mine = levelMeter("Your level");
  #theirs = levelMeter("Their level");
  #pressed = h("output", { class: "pressed", "aria-label": "Keys pressed" });
  #keypad = keypad((key) => this.#press(key), this.#pressed);
  #mute;
  #hold;
  #keys;
  #add;
  #transfer;
  #participants;
  #noTransfer = h("p", { class: "hint", id: newId(), hidden: true }, "A group call is not transferred: add the person, then leave.");
  /** @type {Map<ReturnType<typeof levelMeter>, Volume>} what each meter shows */
  #heard = new Map();

  /** @param {Softphone} phone @param {Call} call */
  constructor(phone, call) {
    this.#phone = phone;
    this.#call = call;
    this.#mute = button("Mute", () => attempt(() => (call.isMuted ? call.unmute() : call.mute())), { icon: "mic" });
    this.#hold = button("Hold", () => attempt(() => this.#toggleHold()), { icon: "pause" });
    this.#keys = button("Keypad", () => this.#toggleKeypad(), { icon: "keypad" });
    this.#keys.setAttribute("aria-expanded", "false");
    this.#participants = new Participants(phone, call, () => this.update());
    this.#add = button("Add", () => openAdd(phone, call, this.#participants), { icon: "add" });
    this.#transfer = button("Transfer", () => openTransfer(phone, call, this.element), { icon: "transfer" });
    const end = button("Hang up", () => attempt(() => call.hangUp()), { icon: "hang-up", class: "danger" });
    this.element = h("article", { class: "card call", tabIndex: -1 },
      h("header", {}, this.#picture, h("div", { class: "who" }, this.#name, this.#state), this.#clock),
      this.#warning,
      h("div", { class: "levels" }, h("div", {}, "You", this.#mine), h("div", {}, "They", this.#theirs)),
      this.#participants.element,
      h("div", { class: "tiles" }, this.#mute, this.#hold, this.#keys, this.#add, this.#transfer, end), this.#participants.end, this.#noTransfer,
      this.#keypad, qualityOf(call));
    this.element.addEventListener("keydown", (event) => this.#typed(event));
    for (const event of ["stateChanged", "isMutedChanged", "remoteParticipantsUpdated", "infoChanged"]) call.on(event, () => this.update());
    for (const event of ["localAudioStreamsUpdated", "remoteAudioStreamsUpdated"]) call.on(event, () => this.#measure());
    this.#watch();
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.update();
  }

  /** The name of the other end, or how many are in the group. */
  get name() {
    const { remoteParticipants, info } = this.#call;
    const here = remoteParticipants.filter(isHere);
    if (here.length > 1) return `Group of ${here.length + 1}`;
    const [other] = here.length ? here : remoteParticipants;
    return other?.displayName || (info.groupId ? "Group call" : "Unknown");
  }

  /** Show what is. */
  update() {
    const call = this.#call;
    const talking = isUp(call);
    if (this.#shownName !== this.name) {
      this.#shownName = this.#name.textContent = this.name;
      const picture = avatar(this.name);
      this.#picture.replaceWith(picture);
      this.#picture = picture;
      this.element.setAttribute("aria-label", `Call with ${this.name}`);
    }
    const text = this.#words();
    if (this.#state.textContent !== text) this.#state.textContent = text;
    this.element.dataset.state = call.state;
    if (talking && !this.#since) this.#since = Date.now();
    rename(this.#mute, call.isMuted ? "Unmute" : "Mute", call.isMuted ? "mic-off" : "mic");
    this.#mute.dataset.on = String(call.isMuted);
    const held = call.isHeld.local;
    rename(this.#hold, held ? "Resume" : "Hold", held ? "play" : "pause");
    this.#hold.dataset.on = String(held);
    const group = call.info.groupId !== undefined;
    this.#hold.disabled = !talking;
    this.#add.disabled = call.state !== "Connected" || call.outcome?.kind === "voicemail";
    this.#transfer.disabled = !talking || group;
    this.#noTransfer.hidden = !group || !talking;
    if (group) this.#transfer.setAttribute("aria-describedby", this.#noTransfer.id);
    else this.#transfer.removeAttribute("aria-describedby");
    this.#participants.update();
    this.#keys.disabled = call.state !== "Connected";
    if (this.#keys.disabled) this.#showKeypad(false);
    this.#tick();
    this.#measure();
    if (call.state === "Disconnected") clearInterval(this.#timer);
  }

  /** Take it off the screen; whoever was in it goes on at the next call, or at the view. */
  remove() {
    const next = this.element.nextElementSibling ?? this.element.previousElementSibling ?? document.getElementById("view");
    const focused = this.element.contains(document.activeElement);
    this.element.remove();
    if (focused && next instanceof HTMLElement) next.focus();
  }

  #words() {
    const call = this.#call;
    const box = call.outcome?.kind === "voicemail" && call.state === "Connected";
    const by = call.transferorInfo?.displayName;
    return [box ? "Voicemail" : STATES[call.state], call.isMuted && "you are muted", by && `transferred by ${by}`]
      .filter(Boolean).join(" · ");
  }

  #watch() {
    const { network, media } = this.#call.feature(Features.UserFacingDiagnostics);
    for (const each of [network, media]) {
      each.on("diagnosticChanged", ({ diagnostic, value }) => {
        if (!(diagnostic in WARNINGS)) return;
        clearTimeout(this.#wrong.get(diagnostic));
        this.#wrong.delete(diagnostic);
        if (value !== true && value !== DiagnosticQuality.Bad) return this.#warn();
        // What is over at once is nobody's worry.
        this.#wrong.set(diagnostic, setTimeout(() => this.#warn(), WORRY_MILLISECONDS));
      });
    }
  }

  #warn() {
    this.#warning.textContent = [...this.#wrong.keys()].map((each) => WARNINGS[each]).join(" ");
  }

  #tick() {
    this.#clock.textContent = this.#since ? duration((Date.now() - this.#since) / 1000) : "";
  }

  /** Follow how loud both ends are, also when the stream is another one. */
  #measure() {
    const call = this.#call;
    if (call.state !== "Connected") return;
    void this.#hear(this.#mine, call.localAudioStreams[0]);
    void this.#hear(this.#theirs, call.remoteAudioStreams[0]);
  }

  /** @param {ReturnType<typeof levelMeter>} meter @param {LocalAudioStream | RemoteAudioStream | undefined} stream */
  async #hear(meter, stream) {
    const volume = await stream?.getVolume().catch(() => null);
    const { localAudioStreams: [mine], remoteAudioStreams: [theirs] } = this.#call;
    if (!volume || stream !== (meter === this.#mine ? mine : theirs) || this.#heard.get(meter) === volume) return;
    this.#heard.set(meter, volume);
    volume.on("levelChanged", ({ level }) => {
      if (this.#heard.get(meter) === volume) meter.show(meter === this.#mine && this.#call.isMuted ? 0 : level);
    });
  }

  async #toggleHold() {
    const call = this.#call;
    if (!call.isHeld.local) return call.hold();
    await this.#phone.holdOthers(call);
    await call.resume();
  }

  #toggleKeypad() {
    this.#showKeypad(this.#keypad.hidden);
    if (!this.#keypad.hidden) this.#keypad.querySelector("button")?.focus();
  }

  /** @param {boolean} on */
  #showKeypad(on) {
    this.#keypad.hidden = !on;
    this.#keys.setAttribute("aria-expanded", String(on));
  }

  /** @param {string} key */
  #press(key) {
    this.#phone.tones.key(key);
    this.#pressed.value += key;
    void attempt(() => this.#call.sendDtmf(key));
  }

  /** @param {KeyboardEvent} event */
  #typed(event) {
    if (this.#keypad.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      this.#showKeypad(false);
      this.#keys.focus();
    } else if (isKey(event.key)) {
      event.preventDefault();
      this.#press(event.key);
    }
  }
}
