/** Everybody on the hub, and a list of them to choose from. */

/** @import { Hub, Person } from "./hub.js" */

import { Emitter } from "../events.js";
import { button, h } from "./dom.js";

const REFRESH_MILLISECONDS = 10_000;
const PRESENCE = { available: "available", busy: "in a call", offline: "offline" };
const MANY = 50;

/** Who is there, kept fresh while the page is seen; event `changed`. */
export class Directory extends Emitter {
  /** @type {Person[]} */
  people = [];
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
    const before = JSON.stringify(this.people);
    this.people = await this.#hub.people().catch(() => this.people);
    if (JSON.stringify(this.people) !== before) this._emit("changed");
  }

  close() {
    clearInterval(this.#timer);
  }
}

/**
 * A field to search in or to type a number into, and below it whom that fits, each with a button.
 * @param {Directory} directory
 * @param {{ label: string, verb: string, icon: string, pick: (whom: string, name: string) => void,
 *   but?: string }} how `verb` is what the buttons say before the name, `but` the raw id of whom is left out
 */
export function picker(directory, { label, verb, icon, pick, but }) {
  const rows = h("ul", { class: "people" });
  const count = h("p", { class: "hint", role: "status" });
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
      if (person.raw_id === but) return false;
      const all = [person.name, person.display_name, ...person.aliases].join(" ").toLowerCase();
      return words.every((word) => all.includes(word));
    });
  };
  const action = (/** @type {string} */ name, /** @type {() => void} */ act) =>
    button(verb, act, { icon, class: "row-action", label: `${label} ${name}` });
  const show = () => {
    const text = search.value.trim();
    const people = found(text).slice(0, MANY);
    rows.replaceChildren(...people.map((person) => {
      const act = action(shown(person), () => pick(person.raw_id, shown(person)));
      const presence = h("span", { class: "presence" }, PRESENCE[person.presence]);
      presence.dataset.presence = person.presence;
      const name = h("span", { class: "name" }, shown(person));
      return h("li", {}, h("div", { class: "who" }, name, presence), act);
    }));
    if (text && !people.some((person) => same(person.name, text))) {
      rows.append(h("li", {}, h("div", { class: "who" }, h("span", { class: "name" }, text)), action(text, go)));
    }
    count.textContent = people.length ? "" : text ? "Nobody of that name here; a number can be dialled." : "Nobody else is here yet.";
  };
  const listen = () => element.isConnected ? show() : directory.off("changed", listen);
  const form = h("form", { role: "search", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), go()) });
  form.append(h("label", { class: "field" }, h("span", {}, label), search));
  const element = h("div", { class: "picker" }, form, count, rows);
  show();
  queueMicrotask(() => directory.on("changed", listen));
  return Object.assign(element, { search });
}

/** @param {Person} person */
const shown = (person) => person.display_name || person.name || person.raw_id;

/** @param {string} one @param {string} other */
const same = (one, other) => one.toLowerCase() === other.toLowerCase();
