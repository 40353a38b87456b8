/** Fields that say where calls go: to a person, a group, voicemail. */

/** @import { Destination } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { h, newId } from "./dom.js";
import { shown } from "./directory.js";

const OTHER = "other";
const THEIR_GROUP = "their group";

/**
 * One select, and a field for what is not in it. `check` tells whether it can be saved, and says what is missing.
 * @param {Softphone} phone
 * @param {string} label
 * @param {[value: string, text: string][]} fixed what can be chosen besides people
 * @param {boolean} groups whether somebody's call group can be chosen
 * @param {string} now a raw id, one of the fixed values, or `their group` and a raw id
 */
function chooser(phone, label, fixed, groups, now) {
  const everybody = phone.directory.people.map((person) => /** @type {const} */ ([person.raw_id, shown(person)]));
  const known = [...fixed, ...everybody].some(([value]) => value === now);
  const group = now.startsWith(THEIR_GROUP);
  const typed = known ? "" : now.replace(THEIR_GROUP, "").trim();
  const option = (/** @type {readonly [string, string]} */ [value, text]) => h("option", { value }, text);
  const control = h("select", { onchange: () => update(true), "aria-label": label });
  control.append(...fixed.map(option));
  if (everybody.length) control.append(h("optgroup", { label: "People" }, ...everybody.map(option)));
  control.append(h("optgroup", { label: "Others" }, option([OTHER, "A number or name…"]),
    ...(groups ? [option([THEIR_GROUP, "The call group of somebody…"])] : [])));
  control.value = known ? now : group ? THEIR_GROUP : OTHER;
  const id = newId();
  const text = h("input", {
    type: "text", value: typed && phone.directory.nameOf(typed), placeholder: "Name or number", autocapitalize: "none",
    spellcheck: false, "aria-label": `${label}: name or number`, "aria-describedby": id,
    oninput: () => fail(""),
  });
  const wrong = h("p", { class: "failed", id });
  const open = () => control.value === OTHER || control.value === THEIR_GROUP;
  const update = (/** @type {boolean} */ chosen) => {
    text.hidden = !open();
    fail("");
    if (chosen && open()) text.focus();
  };
  const fail = (/** @type {string} */ why) => {
    wrong.textContent = why;
    if (why) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  };
  update(false);
  const given = () => {
    const said = text.value.trim();
    const same = phone.directory.people.find((each) => [each.name, shown(each)].some((name) => name.toLowerCase() === said.toLowerCase()));
    return same?.raw_id ?? said;
  };
  const value = () => (control.value === OTHER ? given() : control.value === THEIR_GROUP ? `${THEIR_GROUP} ${given()}` : control.value);
  const check = () => {
    if (element.closest("[hidden]") || !open() || text.value.trim()) return true;
    fail("Type a name or number, or choose something else.");
    text.focus();
    return false;
  };
  const element = h("div", { class: "target" }, h("label", { class: "field" }, h("span", {}, label), control), text, wrong);
  return { element, value, check };
}

/**
 * A person or nobody; the value is a raw id, number or name, "" for nobody.
 * @param {Softphone} phone
 * @param {{ label: string, none?: string, now: string | null }} how
 */
export function personField(phone, { label, none, now }) {
  return chooser(phone, label, none === undefined ? [] : [["", none]], false, now ?? (none === undefined ? (phone.directory.people[0]?.raw_id ?? OTHER) : ""));
}

/**
 * Where calls go.
 * @param {Softphone} phone
 * @param {{ label: string, none?: string, also?: [value: string, text: string][], voicemail?: boolean, now: Destination | string }} how `none` what
 *   it is called that calls go nowhere, `also` further values
 */
export function targetField(phone, { label, none, also = [], voicemail = true, now }) {
  /** @type {[string, string][]} */
  const fixed = [...also, ...(voicemail ? [/** @type {[string, string]} */ (["voicemail", "Voicemail"])] : []), ["group", "My call group"]];
  if (none !== undefined) fixed.push(["", none]);
  const { element, value, check } = chooser(phone, label, fixed, true, written(now) || (none === undefined ? fixed[0][0] : ""));
  /** @returns {any} */
  const destination = () => {
    const chosen = value();
    if (chosen === "") return null;
    if (also.some(([each]) => each === chosen)) return chosen;
    if (chosen === "voicemail") return { kind: "voicemail" };
    if (chosen === "group") return { kind: "group" };
    if (chosen.startsWith(THEIR_GROUP)) return { kind: "group", identifier: chosen.slice(THEIR_GROUP.length + 1) };
    return { kind: "person", identifier: chosen };
  };
  return { element, value: destination, check };
}

/** @param {Destination | string} now */
function written(now) {
  if (now === null || typeof now === "string") return now ?? "";
  if (now.kind === "person") return now.identifier;
  if (now.kind === "group") return now.identifier ? `${THEIR_GROUP} ${now.identifier}` : "group";
  return now.kind;
}
