/** Where calls go that are not taken here: forwards, rules, do not disturb, the call group. */

/** @import { Group, Settings } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, card, checkbox, choice, field, h, select, whileShown } from "./dom.js";
import { fill, say, sentence } from "./said.js";
import { personField, targetField } from "./target.js";

const DELAYS = [10, 20, 30, 40, 50, 60].map((each) => /** @type {[string, string]} */ ([String(each), `${each} seconds`]));
const MOST_MEMBERS = 25;
const MOST_IN_ORDER = 5;
const ENDS = "The call ends";

/** @param {Softphone} phone */
export function rulesCards(phone) {
  const place = h("div", { class: "stack" });
  /** @type {ReturnType<typeof form> | undefined} */
  let shown;
  const show = (/** @type {Settings} */ settings) => (shown = form(phone, settings)).element;
  void fill(place, async () => {
    await phone.directory.refresh();
    return phone.hub.settings();
  }, (settings) => [show(settings)]);
  whileShown(place, phone, "rulesChanged", () => {
    if (phone.settings && shown && !shown.follow(phone.settings)) place.replaceChildren(show(phone.settings));
  });
  return place;
}

/**
 * `follow` takes over rules that were changed beside the form, as far as it goes with what is not saved yet; false if
 * the form is to be made anew.
 * @param {Softphone} phone
 * @param {Settings} settings
 */
function form(phone, settings) {
  const disturb = checkbox("Do not disturb", settings.do_not_disturb, () => (instead.element.hidden = !disturb.input.checked), "Nothing rings here.");
  const instead = targetField(phone, {
    label: "Meanwhile calls go to", also: [["unanswered", "Where unanswered ones go"]], none: ENDS, now: settings.do_not_disturb_to,
  });
  instead.element.hidden = !settings.do_not_disturb;
  let mode = settings.forwarding ? "forward" : settings.simultaneous ? "along" : "here";
  const forward = targetField(phone, { label: "Send them to", now: settings.forwarding ?? { kind: "voicemail" } });
  const along = targetField(phone, { label: "Also rings", voicemail: false, now: settings.simultaneous ?? { kind: "group", identifier: null } });
  const modes = choice("When somebody calls", [["here", "Ring here"], ["along", "Ring elsewhere too"], ["forward", "Send on at once"]], mode, (chosen) => {
    mode = chosen;
    pick();
  });
  const pick = () => {
    forward.element.hidden = mode !== "forward";
    along.element.hidden = mode !== "along";
  };
  pick();
  const unanswered = targetField(phone, { label: "Unanswered calls go to", none: ENDS, now: settings.unanswered });
  const delay = select(DELAYS, String(settings.unanswered_delay));
  const declined = targetField(phone, { label: "Declined calls go to", none: ENDS, now: settings.declined });
  const busy = targetField(phone, { label: "While you are busy, calls go to", none: ENDS, now: settings.busy });
  const waiting = checkbox("Call waiting", settings.call_waiting, undefined, "A second call rings while you talk. Without it you are busy.");
  const group = groupFields(phone, settings.group);
  const failed = h("p", { class: "failed", role: "alert" });
  const unsaved = h("p", { class: "hint", role: "status" }, "Everything is saved.");
  const save = h("button", { type: "submit", class: "primary" }, "Save");
  const bar = h("div", { class: "card save" }, h("div", { class: "who" }, unsaved, failed), save);
  let edited = false;
  const edit = () => {
    edited = true;
    unsaved.textContent = "Not saved yet.";
  };
  const element = h("form", { class: "stack", noValidate: true, oninput: edit },
    card("Do not disturb", disturb, instead.element),
    card("When somebody calls", modes, along.element, forward.element),
    card("When you do not take it", h("div", { class: "pair" }, unanswered.element, field("After", delay)), declined.element, busy.element, waiting),
    card("Your call group", ...group.elements), bar);
  element.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest(".choice, .members")) edit();
  });
  const targets = [instead, forward, along, unanswered, declined, busy];
  element.onsubmit = async (event) => {
    event.preventDefault();
    failed.textContent = "";
    if (!targets.every((each) => each.check())) return;
    /** @type {Settings} */
    const wanted = {
      ...settings,
      forwarding: mode === "forward" ? forward.value() : null,
      simultaneous: mode === "along" ? along.value() : null,
      unanswered: unanswered.value(),
      unanswered_delay: Number(delay.value),
      declined: declined.value(),
      busy: busy.value(),
      do_not_disturb: disturb.input.checked,
      do_not_disturb_to: instead.value(),
      call_waiting: waiting.input.checked,
      group: group.value(),
    };
    const wrong = objection(wanted);
    try {
      if (wrong) throw new Error(wrong);
      save.disabled = true;
      edited = false;
      settings = await phone.hub.putSettings(wanted);
      phone.rules(settings);
      if (!edited) unsaved.textContent = "Everything is saved.";
      say("Saved.");
    } catch (error) {
      edited = true;
      unsaved.textContent = "";
      failed.textContent = sentence(error);
    } finally {
      save.disabled = false;
    }
  };
  const follow = (/** @type {Settings} */ now) => {
    if (JSON.stringify(now) === JSON.stringify(settings)) return true;
    settings = now;
    disturb.input.checked = now.do_not_disturb;
    instead.element.hidden = !now.do_not_disturb;
    return edited || save.disabled;
  };
  return { element, follow };
}

/** Say what cannot be saved, before the hub does. @param {Settings} settings */
function objection({ group, ...rules }) {
  const own = [rules.forwarding, rules.simultaneous, rules.unanswered, rules.declined, rules.busy, rules.do_not_disturb_to]
    .some((to) => to && typeof to === "object" && to.kind === "group" && !to.identifier);
  if (own && !group) return "A rule leads to your call group, but nobody is in it. Add somebody below.";
  if (group?.order === "in_order" && group.members.length > MOST_IN_ORDER) {
    return `At most ${MOST_IN_ORDER} people can ring one after the other. Remove some, or let all ring at once.`;
  }
  return group && group.members.length > MOST_MEMBERS ? `At most ${MOST_MEMBERS} people are in a group. Remove some.` : "";
}

/** @param {Softphone} phone @param {Group | null} now */
function groupFields(phone, now) {
  const members = [...(now?.members ?? [])];
  const list = h("ul", { class: "members" });
  const none = h("p", { class: "hint" }, "Nobody is in your group. Calls can be sent to it, or ring there too.");
  const someone = personField(phone, { label: "Add", now: null });
  const show = () => {
    none.hidden = members.length > 0;
    list.hidden = !members.length;
    list.replaceChildren(...members.map((member, at) => {
      const name = phone.directory.nameOf(member);
      return h("li", {}, h("span", { class: "name" }, name), button("", () => {
        members.splice(at, 1);
        show();
        add.focus();
      }, { icon: "close", label: `Remove ${name} from the group`, class: "quiet" }));
    }));
  };
  const add = button("Add to the group", () => {
    const chosen = someone.value();
    if (!someone.check() || !chosen) return;
    if (members.includes(chosen)) return say(`${phone.directory.nameOf(chosen)} is in the group already.`);
    members.push(chosen);
    show();
  }, { icon: "add" });
  const order = select([["simultaneous", "All at once"], ["in_order", "One after the other"]], now?.order ?? "simultaneous");
  const delay = select(DELAYS, String(now?.delay ?? 20));
  show();
  const value = () => members.length
    ? { members, order: /** @type {Group["order"]} */ (order.value), delay: Number(delay.value) }
    : null;
  return {
    elements: [none, list, h("div", { class: "pair members" }, someone.element, add),
      h("div", { class: "pair" }, field("They ring", order), field("For", delay))],
    value,
  };
}
