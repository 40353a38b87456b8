/** Devices, and what becomes of calls that are not taken. */

/** @import { AudioDeviceInfo } from "../devices.js" */
/** @import { Destination, Settings } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { LocalAudioStream } from "../callnode.js";
import { button, checkbox, complain, field, h, rename, say, select } from "./dom.js";

/** @param {Softphone} phone */
export function settingsView(phone) {
  return h("section", { "aria-labelledby": "settings-heading" }, h("h1", { id: "settings-heading" }, "Settings"),
    h("div", { class: "columns" }, devices(phone), rules(phone)));
}

/** @param {Softphone} phone */
function devices(phone) {
  const place = h("div", { class: "stack" });
  const meter = h("meter", { min: 0, max: 100, "aria-label": "Microphone level" });
  /** @type {LocalAudioStream | null} */
  let tested = null;
  const stop = () => {
    tested?.dispose();
    tested = null;
    meter.value = 0;
    rename(test, "Test the microphone");
  };
  const test = button("Test the microphone", async () => {
    if (tested) return stop();
    try {
      tested = new LocalAudioStream(phone.devices.selectedMicrophone, { constraints: phone.devices.audioConstraints });
      (await tested.getVolume()).on("levelChanged", ({ level }) => (section.isConnected ? (meter.value = level) : stop()));
      rename(test, "Stop the test");
    } catch (error) {
      stop();
      complain(error);
    }
  });
  const show = async () => {
    const { devices: manager } = phone;
    const speakers = manager.isSpeakerSelectionAvailable ? await manager.getSpeakers() : [];
    const microphones = await manager.getMicrophones();
    const options = (/** @type {AudioDeviceInfo[]} */ all) =>
      /** @type {[string, string][]} */ ([["", "The system's choice"], ...all.map(({ id, name }) => [id, name])]);
    const one = (/** @type {AudioDeviceInfo[]} */ all, /** @type {string} */ id) => all.find((each) => each.id === id);
    place.replaceChildren(
      field("Microphone", select(options(microphones), phone.chosen.microphone, (id) => {
        stop();
        phone.choose({ microphone: id }, one(microphones, id));
      })),
      field("Speaker", select(options(speakers), phone.chosen.speaker, (id) => phone.choose({ speaker: id }, one(speakers, id)))),
      field("Ring on", select(options(speakers), phone.chosen.ring, (id) => phone.choose({ ring: id }, one(speakers, id)))),
    );
    for (const each of place.querySelectorAll("select")) each.disabled = each.options.length < 2;
  };
  const changed = () => (section.isConnected ? void show() : phone.devices.off("audioDevicesUpdated", changed));
  queueMicrotask(() => phone.devices.on("audioDevicesUpdated", changed));
  void show();
  const { audioConstraints } = phone.devices;
  const process = (/** @type {string} */ text, /** @type {"echoCancellation" | "noiseSuppression" | "autoGainControl"} */ name) =>
    checkbox(text, audioConstraints[name] !== false, (on) => phone.choose({ [name]: on }));
  const notifications = "Notification" in window && Notification.permission === "default"
    && button("Notify me of calls while I look elsewhere", async () => {
      const permission = await Notification.requestPermission();
      say(permission === "granted" ? "You will be notified." : "The browser does not allow notifications.");
    });
  const section = h("section", { class: "card", "aria-labelledby": "devices-heading" },
    h("h2", { id: "devices-heading" }, "Devices"), place,
    h("div", { class: "controls" }, test, button("Test the speaker", () => phone.tones.test()),
      button("Test the ring", () => { phone.bell.ring(); setTimeout(() => phone.bell.stop(), 3000); })),
    meter,
    h("fieldset", {}, h("legend", {}, "Your voice"), process("Cancel echo", "echoCancellation"),
      process("Suppress noise", "noiseSuppression"), process("Even out loudness", "autoGainControl")),
    notifications);
  return section;
}

/** @type {[key: "forwarding" | "unanswered" | "declined" | "busy", text: string][]} */
const RULES = [
  ["forwarding", "Every call"], ["unanswered", "Unanswered"], ["declined", "Declined"], ["busy", "Busy"],
];

/** @param {Softphone} phone */
function rules(phone) {
  const form = h("form", { class: "stack" }, h("p", { class: "hint" }, "One moment…"));
  const show = (/** @type {Settings} */ settings) => {
    const delays = [10, 20, 30, 40, 50, 60].map((each) => /** @type {[string, string]} */ ([String(each), `after ${each} s`]));
    const delay = select(delays, String(settings.unanswered_delay));
    const rows = RULES.map(([key, text]) => destination(phone, key, text, settings[key], key === "unanswered" ? delay : null));
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        const chosen = Object.fromEntries(rows.map(({ key, value }) => [key, value()]));
        // What this page does not know of is left as it is.
        const wanted = /** @type {Settings} */ ({ ...settings, ...chosen, unanswered_delay: Number(delay.value) });
        show(await phone.hub.putSettings(wanted));
        say("Saved.");
      } catch (error) {
        complain(error);
      }
    };
    form.replaceChildren(...rows.map(({ element }) => element), h("button", { type: "submit", class: "primary" }, "Save"));
  };
  phone.hub.settings().then(show, complain);
  return h("section", { class: "card", "aria-labelledby": "rules-heading" },
    h("h2", { id: "rules-heading" }, "Calls you do not take"), form);
}

/** @param {Softphone} phone @param {string} key @param {string} text @param {Destination} now @param {HTMLElement | null} more */
function destination(phone, key, text, now, more) {
  /** @type {[string, string][]} */
  const kinds = [["", key === "forwarding" ? "ring here" : "end"], ["voicemail", "go to voicemail"], ["person", "go to a person"]];
  // A rule of a kind that this page does not offer is kept unless another is chosen.
  if (now && !kinds.some(([kind]) => kind === now.kind)) kinds.push([now.kind, now.kind]);
  const kind = select(kinds, now?.kind ?? "", () => update());
  const options = phone.directory.people.map((person) => /** @type {[string, string]} */ ([person.raw_id, person.display_name || person.name]));
  const target = now?.kind === "person" ? now.identifier : "";
  if (target && !options.some(([id]) => id === target)) options.push([target, target]);
  const person = select(options, target);
  person.setAttribute("aria-label", `${text}: person`);
  const update = () => (person.hidden = kind.value !== "person");
  update();
  kind.setAttribute("aria-label", `${text}: what becomes of it`);
  more?.setAttribute("aria-label", `${text}: how soon`);
  const element = h("fieldset", { class: "rule" }, h("legend", {}, text), kind, person, more);
  /** @returns {Destination} */
  const value = () => {
    if (kind.value === now?.kind && kind.value !== "person") return now;
    if (kind.value === "person") return { kind: "person", identifier: person.value };
    return kind.value === "voicemail" ? { kind: "voicemail" } : null;
  };
  return { key, element, value };
}
