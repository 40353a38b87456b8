/** Microphone, speaker, bell: chosen, seen and tried. */

/** @import { AudioDeviceInfo } from "../devices.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, card, checkbox, field, h, select, whileShown } from "./dom.js";
import { player } from "./player.js";
import { recordControl } from "./recorder.js";
import { say } from "./said.js";

/** @param {Softphone} phone */
export function devicesCards(phone) {
  const place = h("div", { class: "stack" });
  const show = async () => {
    const { devices: manager } = phone;
    const speakers = manager.isSpeakerSelectionAvailable ? await manager.getSpeakers() : [];
    const microphones = await manager.getMicrophones();
    const options = (/** @type {AudioDeviceInfo[]} */ all) =>
      /** @type {[string, string][]} */ ([["", "The system's choice"], ...all.map(({ id, name }) => [id, name])]);
    const one = (/** @type {AudioDeviceInfo[]} */ all, /** @type {string} */ id) => all.find((each) => each.id === id);
    const none = manager.isSpeakerSelectionAvailable ? "" : "This browser does not let a page choose the speaker.";
    place.replaceChildren(
      field("Microphone", select(options(microphones), phone.chosen.microphone, (id) => phone.choose({ microphone: id }, one(microphones, id))),
        microphones.length ? "" : "No microphone is there. Plug one in."),
      field("Speaker", select(options(speakers), phone.chosen.speaker, (id) => phone.choose({ speaker: id }, one(speakers, id))), none),
      field("Ring on", select(options(speakers), phone.chosen.ring, (id) => phone.choose({ ring: id }, one(speakers, id))), none || "Ring on the loudspeaker and talk on the headset."),
    );
    for (const each of place.querySelectorAll("select")) each.disabled = each.options.length < 2;
  };
  whileShown(place, phone.devices, "audioDevicesUpdated", show);
  void show();
  return [card("Devices", place, test(phone)), voice(phone), notifications()];
}

/** @param {Softphone} phone */
function test(phone) {
  const hint = h("p", { class: "hint", role: "status" });
  const again = h("div", {});
  const { button: microphone, meter } = recordControl(phone, {
    start: "Test the microphone", stop: "Stop and listen", icon: "mic",
    began: () => {
      again.replaceChildren();
      hint.textContent = "Say something: the bar moves with your voice.";
    },
    done: (said) => {
      hint.textContent = "This is how you sound.";
      const sound = player({ label: "what you said", duration: 0, load: async () => said, speaker: () => phone.speaker });
      again.replaceChildren(sound);
      sound.querySelector("button")?.click();
    },
  });
  return h("div", { class: "stack" },
    h("div", { class: "controls" }, microphone,
      button("Test the speaker", () => phone.tones.test(), { icon: "speaker" }),
      button("Test the ring", () => phone.bell.testRing(), { icon: "bell" })),
    meter, hint, again);
}

/** @param {Softphone} phone */
function voice(phone) {
  const { audioConstraints } = phone.devices;
  const process = (/** @type {string} */ text, /** @type {"echoCancellation" | "noiseSuppression" | "autoGainControl"} */ name, /** @type {string} */ hint) =>
    checkbox(text, audioConstraints[name] !== false, (on) => phone.choose({ [name]: on }), hint);
  return card("Your voice", process("Cancel echo", "echoCancellation", "Off only with headphones."),
    process("Suppress noise", "noiseSuppression", "Fans, keyboards, the street."),
    process("Even out loudness", "autoGainControl", "Quiet or loud, you arrive the same."));
}

function notifications() {
  const state = h("p", { class: "hint", role: "status" });
  const allow = button("Notify me of calls", async () => {
    const permission = await Notification.requestPermission();
    say(permission === "granted" ? "You will be notified." : "The browser does not allow notifications.");
    show();
  }, { icon: "bell" });
  const show = () => {
    const permission = "Notification" in window ? Notification.permission : "denied";
    allow.hidden = permission !== "default";
    state.textContent = {
      default: "A notification tells you of a call while you look elsewhere.",
      granted: "You are notified of calls while you look elsewhere.",
      denied: "The browser does not let this page notify you. Allow it in the browser's settings of this page.",
    }[permission];
  };
  show();
  return card("Notifications", state, allow);
}
