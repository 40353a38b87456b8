/** What can be set: sound, calls, voicemail. */

/** @import { Softphone } from "./softphone.js" */

import { button, h, mark } from "./dom.js";
import { devicesCards } from "./devices-cards.js";
import { greetingsCard, mailboxCard, pinCard } from "./greetings.js";
import { rulesCards } from "./rules.js";

/** @type {{ name: string, title: string, make: (phone: Softphone) => HTMLElement[] }[]} */
const PARTS = [
  { name: "sound", title: "Sound", make: devicesCards },
  { name: "calls", title: "Calls", make: (phone) => [rulesCards(phone)] },
  { name: "mailbox", title: "Mailbox", make: (phone) => [greetingsCard(phone), mailboxCard(phone), pinCard(phone)] },
];

/** @param {Softphone} phone @param {string} wanted the name of a part */
export function settingsView(phone, wanted) {
  const place = h("div", { class: "stack" });
  const tabs = PARTS.map((part) => button(part.title, () => go(part)));
  const go = (/** @type {typeof PARTS[number]} */ part) => {
    mark(tabs, PARTS.indexOf(part));
    history.replaceState(null, "", `#settings/${part.name}`);
    place.replaceChildren(...part.make(phone));
  };
  go(PARTS.find(({ name }) => name === wanted) ?? PARTS[0]);
  return h("section", { "aria-labelledby": "settings-heading" },
    h("div", { class: "heading" }, h("h1", { id: "settings-heading" }, "Settings"), h("nav", { class: "choice", "aria-label": "Settings" }, ...tabs)), place);
}
