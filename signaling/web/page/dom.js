/** Elements in one expression each, and what the page tells the user. */

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
 * @param {string} text
 * @param {() => void} act
 * @param {{ icon?: string, class?: string, type?: "button" | "submit", label?: string }} [more]
 */
export function button(text, act, { icon: picture, class: kind = "", type = "button", label } = {}) {
  const words = h("span", { class: "words" }, text);
  return h("button", { type, class: kind, onclick: act, "aria-label": label }, picture && icon(picture), words);
}

/**
 * @param {HTMLButtonElement} element
 * @param {string} text
 */
export function rename(element, text) {
  const words = element.querySelector(".words");
  if (words && words.textContent !== text) words.textContent = text;
}

/**
 * A field with its label.
 * @param {string} text
 * @param {HTMLElement} control
 */
export function field(text, control) {
  return h("label", { class: "field" }, h("span", {}, text), control);
}

/**
 * @param {string} text
 * @param {boolean} checked
 * @param {(on: boolean) => void} changed
 */
export function checkbox(text, checked, changed = () => {}) {
  const input = h("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  return Object.assign(h("label", { class: "check" }, input, h("span", {}, text)), { input });
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
 * Say something for some seconds; screen readers read it.
 * @param {string} text
 * @param {{ action?: string, act?: () => void, over?: () => void, seconds?: number }} [more]
 */
export function say(text, { action, act = () => {}, over = () => {}, seconds = 6 } = {}) {
  const end = (/** @type {() => void} */ then) => () => {
    clearTimeout(timer);
    toast.remove();
    then();
  };
  const undo = action && h("button", { type: "button", onclick: () => end(act)() }, action);
  const toast = h("div", { class: "toast" }, h("span", {}, text), undo);
  const timer = setTimeout(() => end(over)(), seconds * 1000);
  document.getElementById("said")?.append(toast);
}

/**
 * Say what went wrong.
 * @param {unknown} error
 */
export function complain(error) {
  say(error instanceof Error ? error.message : String(error), { seconds: 10 });
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {string} utc */
export function when(utc) {
  const at = new Date(utc);
  const today = at.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: "2-digit", minute: "2-digit" };
  const text = at.toLocaleString([], today ? time : { ...time, day: "numeric", month: "short" });
  return h("time", { dateTime: utc }, text);
}
