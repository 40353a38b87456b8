/** What callers of the mailbox meet: greetings, and what the mailbox does. */

/** @import { GreetingKind, MailboxSettings } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, card, field, h, select } from "./dom.js";
import { toOgg } from "./ogg.js";
import { player } from "./player.js";
import { recordControl } from "./recorder.js";
import { attempt, fill, say, sentence } from "./said.js";
import { personField } from "./target.js";

/** @type {[kind: GreetingKind, name: string, when: string][]} */
const KINDS = [
  ["unavailable", "When you do not answer", "Also where one of the two below is missing."],
  ["busy", "When you are busy", "You are in a call, or do not want to be disturbed."],
  ["away", "When you are away", "None of your devices is online."],
  ["temporary", "For the time being", "Stands for all of them as long as it is there, for a holiday say."],
];

/** @param {Softphone} phone */
export function greetingsCard(phone) {
  const place = h("div", { class: "stack" });
  const show = () => fill(place, () => phone.hub.greetings(), (own) => KINDS.map((kind) => greeting(phone, kind, own.includes(kind[0]), show)));
  void show();
  return card("Greetings", h("p", { class: "hint" }, "What callers hear before the beep."), place);
}

/** @param {Softphone} phone @param {typeof KINDS[number]} kind @param {boolean} own @param {() => void} changed */
function greeting(phone, [kind, name, text], own, changed) {
  const kept = own && player({
    label: `the greeting ${name}`, duration: 0, load: () => phone.hub.greeting(kind), speaker: () => phone.speaker,
  });
  const draft = h("div", { class: "stack" });
  const { button: record, meter } = recordControl(phone, {
    start: "Record", stop: "Stop", icon: "record", done: (sound) => (meter.hidden = true, preview(sound)),
    began: () => {
      meter.hidden = false;
      draft.replaceChildren();
    },
  });
  meter.hidden = true;
  const file = h("input", { type: "file", accept: "audio/*", hidden: true, onchange: async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (chosen) void attempt(() => preview(chosen));
  } });
  const upload = button("Choose a file", () => file.click(), { icon: "upload" });
  const preview = async (/** @type {Blob} */ sound) => {
    const ogg = await toOgg(sound);
    const use = button("Use it", () => put(ogg, "Callers hear this greeting from now on."), { icon: "read", class: "primary" });
    draft.replaceChildren(
      player({ label: `the new greeting ${name}`, duration: 0, load: async () => ogg, speaker: () => phone.speaker }),
      h("div", { class: "controls" }, use, button("Discard", () => (draft.replaceChildren(), record.focus()))));
    use.focus();
  };
  const put = (/** @type {Blob | null} */ ogg, /** @type {string} */ told) => attempt(async () => {
    await phone.hub.putGreeting(kind, ogg);
    say(told);
    changed();
  });
  const remove = button("Remove", () => put(null, "The greeting was removed."), { icon: "trash", class: "quiet-danger" });
  const element = h("section", { class: "greeting", "aria-label": name },
    h("div", { class: "who" }, h("h3", {}, name), h("p", { class: "about" }, own ? text : `${text} Not recorded: callers hear ${kind === "unavailable" ? "the built-in words" : kind === "temporary" ? "the others" : "the first one"}.`)),
    kept, h("div", { class: "controls" }, record, upload, file, own && remove), meter, draft);
  return element;
}

/** @param {Softphone} phone */
export function mailboxCard(phone) {
  const place = h("div", { class: "stack" });
  void fill(place, () => phone.hub.mailboxSettings(), (settings) => [form(phone, settings)]);
  return card("Your mailbox", place);
}

/** @param {Softphone} phone @param {MailboxSettings} settings */
function form(phone, settings) {
  const answer = select([["record", "Greet them and take a message"], ["greeting_only", "Greet them, take no message"],
    ["decline", "Do not answer"]], settings.answer);
  const language = select([["en", "English"], ["de", "German"]], settings.language);
  const operator = personField(phone, { label: "Who presses 0 gets", none: "Nobody", now: settings.operator });
  const days = /** @type {[string, string][]} */ ([["", "For ever"], ...[7, 14, 30, 90, 365].map((each) => [String(each), `${each} days`])]);
  const kept = String(settings.retention_days ?? "");
  if (!days.some(([each]) => each === kept)) days.push([kept, `${kept} days`]);
  const retention = select(days, kept);
  const failed = h("p", { class: "failed", role: "alert" });
  const save = h("form", { class: "stack", noValidate: true }, field("When voicemail answers", answer), field("It speaks", language),
    operator.element, field("Heard messages stay", retention), failed, h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Save")));
  save.onsubmit = async (event) => {
    event.preventDefault();
    failed.textContent = "";
    if (!operator.check()) return;
    try {
      await phone.hub.putMailboxSettings({
        ...settings,
        answer: /** @type {MailboxSettings["answer"]} */ (answer.value),
        language: /** @type {MailboxSettings["language"]} */ (language.value),
        operator: operator.value() || null,
        retention_days: retention.value ? Number(retention.value) : null,
      });
      say("Saved.");
    } catch (error) {
      failed.textContent = sentence(error);
    }
  };
  return save;
}

/** @param {Softphone} phone */
export function pinCard(phone) {
  const pin = h("input", { type: "password", inputMode: "numeric", autocomplete: "new-password", maxLength: 12, "aria-describedby": "pin-failed" });
  const failed = h("p", { class: "failed", role: "alert", id: "pin-failed" });
  const put = async (/** @type {string} */ digits, /** @type {string} */ told) => {
    failed.textContent = "";
    pin.removeAttribute("aria-invalid");
    try {
      await phone.hub.putPin(digits);
      pin.value = "";
      say(told);
    } catch (error) {
      fail(sentence(error));
    }
  };
  const fail = (/** @type {string} */ why) => {
    failed.textContent = why;
    pin.setAttribute("aria-invalid", "true");
    pin.focus();
  };
  const form = h("form", { class: "stack" }, field("New PIN", pin, "4 to 12 digits"), failed,
    h("div", { class: "actions" }, button("Remove the PIN", () => put("", "Without a PIN your mailbox is heard from your own devices alone."), { class: "quiet-danger" }),
      h("button", { type: "submit", class: "primary" }, "Set the PIN")));
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!/^[0-9]{4,12}$/.test(pin.value)) return fail("A PIN has 4 to 12 digits.");
    void put(pin.value, "The PIN is set.");
  };
  return card("Hear it from another phone", h("p", { class: "hint" }, "Call voicemail from a colleague's phone, press *, and give your number and this PIN."), form);
}
