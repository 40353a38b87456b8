/** The frame around the views of whoever is signed in: who it is, where to go, calls, what is wrong. */

/** @import { Call } from "../call.js" */
/** @import { Softphone } from "./softphone.js" */

import { CallCard } from "./call-card.js";
import { avatar, button, h, mark } from "./dom.js";
import { picker } from "./directory.js";
import { groupOf, openJoin } from "./group-dialogs.js";
import { historyView } from "./history.js";
import { pauseAll } from "./player.js";
import { showRinging } from "./ring.js";
import { attempt, say } from "./said.js";
import { settingsView } from "./settings.js";
import { brand } from "./sign-in.js";
import { voicemailView } from "./voicemail.js";

/** @type {{ name: string, title: string, icon: string, make: (phone: Softphone, part: string) => HTMLElement }[]} */
const VIEWS = [
  { name: "phone", title: "Phone", icon: "phone", make: phoneView },
  { name: "history", title: "History", icon: "history", make: historyView },
  { name: "voicemail", title: "Voicemail", icon: "voicemail", make: voicemailView },
  { name: "settings", title: "Settings", icon: "settings", make: settingsView },
];

/**
 * @param {HTMLElement} app
 * @param {Softphone} phone
 * @param {() => void} leave
 */
export function showPhone(app, phone, leave) {
  const calls = h("section", { class: "calls", "aria-label": "Calls" });
  const main = h("main", { id: "view", tabIndex: -1 });
  const badge = h("span", { class: "badge", hidden: true });
  let title = "";
  const retitle = () => {
    const [ringer] = phone.ringers;
    document.title = ringer ? `${ringer} is calling – callnode` : `${title} – callnode`;
  };
  const go = (/** @type {string} */ hash) => {
    const [name, part = ""] = hash.slice(1).split("/");
    const view = VIEWS.find((each) => each.name === name) ?? VIEWS[0];
    mark(tabs, VIEWS.indexOf(view));
    main.replaceChildren(view.make(phone, part));
    title = view.title;
    retitle();
    const groupId = groupOf(hash);
    if (!groupId) return;
    history.replaceState(null, "", location.pathname);
    openJoin(phone, groupId);
  };
  const tabs = VIEWS.map((view) => {
    const tab = button(view.title, () => {
      if (location.hash !== `#${view.name}`) history.pushState(null, "", `#${view.name}`);
      go(location.hash);
      main.scrollIntoView();
    }, { icon: view.icon });
    if (view.name === "voicemail") tab.append(badge);
    return tab;
  });
  // A view of before, by the browser's own button; of the page that is no more, nothing.
  window.onpopstate = () => main.isConnected && go(location.hash);
  const counted = () => {
    const waiting = phone.agent.mailbox?.new ?? 0;
    badge.hidden = waiting === 0;
    badge.replaceChildren(String(waiting), h("span", { class: "unseen" }, " new"));
  };
  phone.on("callsUpdated", followCalls(app, phone, calls));
  phone.on("incomingCall", ({ incomingCall }) => showRinging(phone, incomingCall, calls));
  phone.on("mailboxChanged", counted);
  phone.on("ringersChanged", retitle);
  const { displayName } = phone.agent.identity;
  const name = displayName || phone.agent.identity.name || "You";
  const header = h("header", { class: "top" }, brand(),
    h("span", { class: "me" }, avatar(name, "available"), h("span", { class: "name" }, name)), button("Sign out", leave, { icon: "leave", class: "quiet" }));
  const nav = h("nav", { class: "views", "aria-label": "Views" }, ...tabs);
  app.className = "phone";
  app.replaceChildren(h("a", { class: "skip", href: "#view", onclick: (/** @type {Event} */ event) => (event.preventDefault(), main.focus()) }, "Skip to content"),
    header, nav, h("div", { class: "content" }, ...banners(phone), calls, main));
  followCalls(app, phone, calls)({ added: [...phone.calls], removed: [] });
  for (const incoming of phone.agent.incomingCalls) showRinging(phone, incoming, calls);
  counted();
  go(location.hash);
}

/** @param {HTMLElement} app @param {Softphone} phone @param {HTMLElement} calls */
function followCalls(app, phone, calls) {
  return (/** @type {{ added: Call[], removed: Call[] }} */ { added, removed }) => {
    if (added.length) pauseAll();
    for (const call of added) {
      const card = new CallCard(phone, call);
      cards.set(call, card);
      calls.append(card.element);
      if (!call.replaces) card.element.focus();
    }
    for (const call of removed) {
      const card = cards.get(call);
      const reason = call.callEndReason;
      if (reason && reason.resultCategories[0] !== "Success") say(`Call with ${card?.name}: ${reason.message}`, { seconds: 10 });
      card?.remove();
      cards.delete(call);
    }
    app.classList.toggle("in-call", phone.calls.length > 0);
  };
}

const PROBE_MILLISECONDS = 1000;
/** @type {WeakMap<Call, CallCard>} */
const cards = new WeakMap();

/** What everybody must know wherever they are. @param {Softphone} phone */
function banners(phone) {
  const away = h("p", { class: "banner", role: "status", hidden: true }, "The connection to the hub is lost; calls go on. Connecting again…");
  phone.on("isHubReachableChanged", ({ newValue }) => (away.hidden = newValue));
  const disturb = h("div", { class: "banner", hidden: true, role: "status" }, h("span", {}, "Do not disturb is on: nothing rings here."), button("Turn off", () => attempt(async () => {
    // What else is set may have been changed elsewhere.
    const settings = await phone.hub.settings();
    phone.rules(await phone.hub.putSettings({ ...settings, do_not_disturb: false }));
  })));
  const ruled = () => {
    const focused = disturb.contains(document.activeElement);
    disturb.hidden = !phone.settings?.do_not_disturb;
    // Whoever was at its button goes on at the view.
    if (disturb.hidden && focused) document.getElementById("view")?.focus();
  };
  phone.on("rulesChanged", ruled);
  ruled();
  const hush = () => {
    silent.hidden = true;
  };
  const silent = h("div", { class: "banner", role: "status", hidden: true }, h("span", {}, "The browser lets this page ring only after a click."),
    button("Let it ring", hush));
  // As is a page that was opened without a click, such as one that was loaded again. Sound takes a moment to start.
  const probe = new AudioContext();
  setTimeout(() => {
    silent.hidden = probe.state !== "suspended" || navigator.userActivation?.hasBeenActive;
    void probe.close();
  }, PROBE_MILLISECONDS);
  addEventListener("pointerdown", hush, { once: true });
  return [away, disturb, silent];
}

/** @param {Softphone} phone */
function phoneView(phone) {
  const people = picker(phone.directory, {
    label: "Call",
    verb: "Call",
    icon: "phone",
    beside: button("Join a group", () => openJoin(phone), { icon: "people" }),
    pick: (whom) => {
      people.search.value = "";
      people.search.dispatchEvent(new Event("input"));
      void phone.dial(whom);
    },
  });
  return h("section", { "aria-labelledby": "phone-heading" }, h("h1", { id: "phone-heading" }, "Phone"), people);
}
