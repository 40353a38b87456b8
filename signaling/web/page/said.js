/** What the page tells the user: for some seconds, until it is dismissed, or in place of what is not there. */

import { button, h, icon } from "./dom.js";

const AT_ONCE = 3;
const place = /** @type {HTMLElement} */ (document.getElementById("said"));

/**
 * Say something for some seconds, longer while it is pointed at; screen readers read it.
 * @param {string} text
 * @param {{ action?: string, act?: () => void, kind?: string, seconds?: number }} [more]
 */
export function say(text, { action, act = () => {}, kind = "", seconds = 6 } = {}) {
  let timer = 0;
  const end = () => {
    clearTimeout(timer);
    toast.remove();
  };
  const wait = () => {
    timer = setTimeout(end, seconds * 1000);
  };
  const undo = action && button(action, () => (end(), act()));
  const toast = h("div", { class: `toast ${kind}`, onpointerenter: () => clearTimeout(timer), onpointerleave: wait },
    kind && icon("alert"), h("span", { class: "words" }, text), undo, button("", end, { icon: "close", label: "Dismiss" }));
  wait();
  while (place.children.length >= AT_ONCE) place.firstElementChild?.remove();
  // Shown anew, so that it lies above a dialog that was opened meanwhile; before it says something, so that it is heard.
  if (place.matches(":popover-open")) place.hidePopover();
  place.showPopover();
  place.append(toast);
}

/** Say what there is to say within an element. @param {HTMLElement} element */
export function sayIn(element) {
  element.append(place);
  place.showPopover();
}

/** @param {unknown} error */
export const sentence = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Say what went wrong.
 * @param {unknown} error
 */
export function complain(error) {
  say(sentence(error), { kind: "failed", seconds: 15 });
}

/**
 * Do something, and say what went wrong; return what comes of it, or undefined.
 * @template T
 * @param {() => T | Promise<T>} work
 */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    complain(error);
    return undefined;
  }
}

/**
 * What stands where there is nothing yet.
 * @param {string} picture
 * @param {string} title
 * @param {string} [text]
 */
export function nothing(picture, title, text) {
  return h("div", { class: "empty" }, icon(picture), h("p", { class: "title" }, title), text && h("p", {}, text));
}

/** The latest load of each place. @type {WeakMap<HTMLElement, object>} */
const loads = new WeakMap();

/**
 * Show in a place what is loaded; meanwhile that it is, and what went wrong with a way to try again. What is loaded
 * last is shown, whichever comes first.
 * @template T
 * @param {HTMLElement} place
 * @param {() => Promise<T>} load
 * @param {(loaded: T) => (Node | null | false)[]} render
 */
export async function fill(place, load, render) {
  const again = () => (place.replaceChildren(), fill(place, load, render));
  const show = (/** @type {() => (Node | null | false)[]} */ shown) =>
    loads.get(place) === load && place.replaceChildren(...shown().filter((each) => each instanceof Node));
  loads.set(place, load);
  if (!place.hasChildNodes()) place.replaceChildren(h("p", { class: "loading", role: "status" }, "One moment…"));
  try {
    const loaded = await load();
    show(() => render(loaded));
  } catch (error) {
    show(() => [h("div", { class: "empty", role: "alert" }, icon("alert"), h("p", {}, sentence(error)), button("Try again", again))]);
  }
}
