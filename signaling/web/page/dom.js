/** Elements in one expression each. */

/** @import { Emitter } from "../events.js" */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [given] `on…` are listeners, `class`, `aria-…` and the like attributes, else properties
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "role") Object.assign(element, { [name]: value });
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  if (given.class) element.className = given.class;
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * A picture beside words, which say it all.
 * @param {string} name in icons.svg
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/web/page/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * The first letters of a name on a colour of its own.
 * @param {string} name
 * @param {string} [presence] shown as a dot
 */
export function avatar(name, presence) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : ""].map((word) => [...(word ?? "")][0] ?? "").join("");
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, letters.toUpperCase() || "?");
  let hue = 0;
  for (const letter of name) hue = (31 * hue + (letter.codePointAt(0) ?? 0)) % 360;
  element.style.setProperty("--hue", String(hue));
  if (presence) element.dataset.presence = presence;
  return element;
}

/**
 * @param {string} text "" if the picture says it, with a label
 * @param {() => unknown} act
 * @param {{ icon?: string, class?: string, type?: "button" | "submit", label?: string }} [more]
 */
export function button(text, act, { icon: picture, class: kind = "", type = "button", label } = {}) {
  const words = h("span", { class: "words" }, text);
  return h("button", { type, class: kind, onclick: act, "aria-label": label, title: text ? "" : (label ?? "") }, picture && icon(picture), words);
}

/**
 * @param {HTMLButtonElement} element
 * @param {string} text
 * @param {string} [picture]
 */
export function rename(element, text, picture) {
  const words = element.querySelector(".words");
  if (words && words.textContent !== text) words.textContent = text;
  if (picture) element.querySelector("use")?.setAttribute("href", `/web/page/icons.svg#${picture}`);
}

let ids = 0;

/** Return an id that no other element has. */
export const newId = () => `id-${++ids}`;

/**
 * A field with its label.
 * @param {string} text
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(text, control, hint) {
  const label = h("label", { class: "field" }, h("span", {}, text), control);
  return hint ? h("div", { class: "hinted" }, label, described(control, hint)) : label;
}

/**
 * A switch.
 * @param {string} text
 * @param {boolean} checked
 * @param {(on: boolean) => void} changed
 * @param {string} [hint]
 */
export function checkbox(text, checked, changed = () => {}, hint) {
  const input = h("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  const label = h("label", { class: "check" }, input, h("span", {}, text));
  return Object.assign(hint ? h("div", { class: "hinted" }, label, described(input, hint)) : label, { input });
}

/** @param {HTMLElement} control @param {string} hint */
function described(control, hint) {
  const id = newId();
  control.setAttribute("aria-describedby", id);
  return h("small", { id }, hint);
}

/**
 * @param {[value: string, text: string][]} options
 * @param {string} value
 * @param {(value: string) => void} [changed]
 */
export function select(options, value, changed = () => {}) {
  const element = h("select", { onchange: () => changed(element.value) });
  element.append(...options.map(([each, text]) => h("option", { value: each, selected: each === value }, text)));
  return element;
}

/**
 * How loud something is, 0 to 100.
 * @param {string} label
 */
export function levelMeter(label) {
  const bar = h("span", {});
  const element = h("div", { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, bar);
  const show = (/** @type {number} */ level) => {
    element.setAttribute("aria-valuenow", String(level));
    bar.style.transform = `scaleX(${level / 100})`;
  };
  return Object.assign(element, { show });
}

/**
 * A card with a heading of its own.
 * @param {string} title
 * @param {...(Node | string | null | undefined | false)} children
 */
export function card(title, ...children) {
  const id = newId();
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

/** @type {Set<{ element: HTMLElement, off: () => void }>} */
const listening = new Set();

/**
 * Call a listener at every such event for as long as an element, which is about to be shown, is on the page.
 * @param {HTMLElement} element
 * @param {Emitter} emitter
 * @param {string} event
 * @param {() => void} listener
 */
export function whileShown(element, emitter, event, listener) {
  const heard = () => (element.isConnected ? listener() : one.off());
  const one = { element, off: () => (emitter.off(event, heard), listening.delete(one)) };
  queueMicrotask(() => {
    // Of those that are shown no more, nothing is kept until the event that they would hear.
    for (const each of listening) if (!each.element.isConnected) each.off();
    listening.add(one);
    emitter.on(event, heard);
  });
}

/**
 * Mark the tab of what is shown.
 * @param {HTMLElement[]} tabs
 * @param {number} shown
 */
export function mark(tabs, shown) {
  for (const [at, tab] of tabs.entries()) {
    if (at === shown) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/**
 * Buttons of which one is chosen.
 * @param {string} label
 * @param {[value: string, text: string][]} options
 * @param {string} value
 * @param {(value: string) => void} changed
 */
export function choice(label, options, value, changed) {
  const buttons = options.map(([each, text]) => {
    const element = button(text, () => {
      for (const one of buttons) one.setAttribute("aria-pressed", String(one === element));
      changed(each);
    });
    element.setAttribute("aria-pressed", String(each === value));
    return element;
  });
  return h("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {string} utc */
export function when(utc) {
  const at = new Date(utc);
  return h("time", { dateTime: utc }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
}

/** The day in words. @param {string} utc */
export function day(utc) {
  const at = new Date(utc);
  const ago = (/** @type {number} */ days) => new Date(Date.now() - days * 86_400_000).toDateString();
  if (at.toDateString() === ago(0)) return "Today";
  if (at.toDateString() === ago(1)) return "Yesterday";
  return at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}
