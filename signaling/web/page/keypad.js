/** Twelve keys, pressed or typed. */

import { h } from "./dom.js";

/** @type {[key: string, letters: string][]} ITU-T E.161 */
const KEYS = [
  ["1", ""], ["2", "ABC"], ["3", "DEF"], ["4", "GHI"], ["5", "JKL"], ["6", "MNO"], ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"],
  ["*", ""], ["0", "+"], ["#", ""],
];

/** @param {string} key */
export const isKey = (key) => KEYS.some(([each]) => each === key);

/**
 * @param {(key: string) => void} press
 * @param {...Node} above what stands above the keys
 */
export function keypad(press, ...above) {
  const keys = KEYS.map(([key, letters]) => h("button", { type: "button", class: "key", "data-letters": letters, onclick: () => press(key) }, key));
  return h("div", { class: "keypad", hidden: true, role: "group", "aria-label": "Keypad" }, ...above, ...keys);
}
