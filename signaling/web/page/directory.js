/** Everybody on the hub, and a list of them to choose from. */

/** @import { Hub, Person } from "./hub.js" */
/** @import { Party } from "../messages.js" */

import { Emitter } from "../events.js";
import { avatar, button, h, icon, whileShown } from "./dom.js";
import { keypad } from "./keypad.js";
import { nothing } from "./said.js";

const REFRESH_MILLISECONDS = 10_000;
const PRESENCE = { available: "Available", busy: "In a call", offline: "Offline" };
const MANY = 50;

/** Who is there, kept fresh while the page is seen; event `changed`. */
export class Directory extends Emitter {
  /** @type {Person[]} */
  people = [];
  /** Whether it was asked for, and whether it came. @type {"" | "loading" | "failed"} */
  state = "loading";
  #hub;
  #timer = 0;

  /** @param {Hub} hub */
  constructor(hub) {
    super();
    this.#hub = hub;
    this.#timer = setInterval(() => document.hidden || void this.refresh(), REFRESH_MILLISECONDS);
    void this.refresh();
  }

  async refresh() {
    const before = JSON.stringify([this.state, this.people]);
    try {
      this.people = await this.#hub.people();
      this.state = "";
    } catch {
      this.state = "failed";
    }
    if (JSON.stringify([this.state, this.people]) !== before) this._emit("changed");
  }

  /** The name by which others know a user. @param {Party | string} party or its raw id */
  nameOf(party) {
    const { raw_id: rawId, display_name: displayName, name } = typeof party === "string" ? { raw_id: party } : party;
    const person = this.people.find((each) => each.raw_id === rawId);
    return person?.display_name || displayName || person?.name || name || rawId.replace(/^4:/, "");
  }

  close() {
    clearInterval(this.#timer);
  }
}

/**
 * A field to search in or to type a number into, and below it whom that fits, each with a button.
 * @param {Directory} directory
 * @param {{ label: string, verb: string, icon: string, pick: (whom: string, name: string) => void,
 *   but?: string[], beside?: Node }} how `verb` is what the buttons say before the name, `but` the raw ids of who is
 *   left out, `beside` what stands beside the field
 */
export function picker(directory, { label, verb, icon: picture, pick, but = [], beside }) {
  const rows = h("ul", { class: "list", "aria-label": "People" });
  const none = h("div", { role: "status" });
  const search = h("input", {
    type: "search", autocomplete: "off", autocapitalize: "none", spellcheck: false, enterKeyHint: "go",
    placeholder: "Name or number", oninput: () => show(),
  });
  const go = () => {
    const text = search.value.trim();
    if (!text) return;
    const [first, ...others] = found(text);
    const exact = first && (!others.length || [first.name, first.display_name].some((each) => same(each, text)));
    pick(exact ? first.raw_id : text, exact ? shown(first) : text);
  };
  const found = (/** @type {string} */ text) => {
    const words = text.toLowerCase().split(/\s+/);
    return directory.people.filter((person) => {
      if (but.includes(person.raw_id)) return false;
      const all = [person.name, person.display_name, ...person.aliases].join(" ").toLowerCase();
      return words.every((word) => all.includes(word));
    });
  };
  const row = (/** @type {string} */ name, /** @type {string} */ about, /** @type {() => void} */ act, /** @type {Person["presence"] | undefined} */ presence) =>
    h("li", {}, avatar(name, presence),
      h("div", { class: "who" }, h("span", { class: "name" }, name), h("span", { class: "about" }, about)),
      button(verb, act, { icon: picture, class: "act", label: `${label} ${name}` }));
  const show = () => {
    const text = search.value.trim();
    const people = found(text).slice(0, MANY);
    // Whoever is at a button stays there when somebody comes or goes.
    const at = rows.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    rows.replaceChildren(...people.map((person) => {
      const numbers = person.aliases.filter((alias) => alias.startsWith("4:")).map((alias) => alias.slice(2));
      const about = [PRESENCE[person.presence], ...numbers].join(" · ");
      return row(shown(person), about, () => pick(person.raw_id, shown(person)), person.presence);
    }));
    if (text && !people.some((person) => same(person.name, text))) {
      rows.append(row(text, /^[+\d]/.test(text) ? "A number" : "A name as you typed it", go, undefined));
    }
    if (at) [...rows.querySelectorAll("button")].find((each) => each.getAttribute("aria-label") === at)?.focus();
    rows.hidden = !rows.hasChildNodes();
    none.replaceChildren(...(people.length || text ? [] : [why()]));
  };
  const why = () => {
    if (directory.state === "loading") return h("p", { class: "loading" }, "One moment…");
    if (directory.state === "failed") return nothing("alert", "The people on this hub cannot be shown", "The hub does not answer. Numbers can still be typed.");
    return nothing("people", "Nobody else is here yet", "Invite somebody, or type a number.");
  };
  const keys = keypad((key) => {
    search.value += key;
    show();
  });
  const pad = button("", () => {
    keys.hidden = !keys.hidden;
    pad.setAttribute("aria-expanded", String(!keys.hidden));
  }, { icon: "keypad", label: "Keypad", class: "quiet" });
  pad.setAttribute("aria-expanded", "false");
  const form = h("form", { role: "search", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), go()) });
  form.append(h("label", { class: "field" }, h("span", {}, label), h("span", { class: "search" }, icon("search"), search)), pad);
  if (beside) form.append(beside);
  const element = h("div", { class: "picker" }, form, keys, none, rows);
  show();
  whileShown(element, directory, "changed", show);
  return Object.assign(element, { search });
}

/** @param {Person} person */
export const shown = (person) => person.display_name || person.name || person.raw_id;

/** @param {string} one @param {string} other */
const same = (one, other) => one.toLowerCase() === other.toLowerCase();
