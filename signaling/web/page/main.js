/** The page: signing in, and the views of whoever is signed in. */

/** @import { Call } from "../call.js" */

import { CallCard } from "./call-card.js";
import { button, checkbox, complain, field, h, say } from "./dom.js";
import { picker } from "./directory.js";
import { historyView } from "./history.js";
import { signIn } from "./hub.js";
import { showRinging } from "./ring.js";
import { settingsView } from "./settings.js";
import { Softphone } from "./softphone.js";
import { voicemailView } from "./voicemail.js";

const TOKEN = "callnode.token";
const TRY_AGAIN_MILLISECONDS = 5_000;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));

/** @type {{ name: string, title: string, icon: string, make: (phone: Softphone) => HTMLElement }[]} */
const VIEWS = [
  { name: "phone", title: "Phone", icon: "phone", make: phoneView },
  { name: "history", title: "History", icon: "history", make: historyView },
  { name: "voicemail", title: "Voicemail", icon: "voicemail", make: voicemailView },
  { name: "settings", title: "Settings", icon: "settings", make: settingsView },
];

/** @param {string} [told] */
function showSignIn(told = "") {
  const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
  const input = h("input", {
    required: true, autocomplete: "off", spellcheck: false, autocapitalize: "characters", value: code,
  });
  const stay = checkbox("Stay signed in on this device", false);
  const failed = h("p", { class: "failed", role: "alert" }, told);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { class: "stack" });
  form.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    failed.textContent = "";
    try {
      const text = input.value.trim();
      const token = text.includes(".") ? text : await signIn(text);
      const phone = await Softphone.start(token);
      (stay.input.checked ? localStorage : sessionStorage).setItem(TOKEN, token);
      history.replaceState(null, "", location.pathname);
      show(phone);
      // Asked for here, where a click stands behind it, so that the first call need not wait.
      void phone.devices.askDevicePermission({ audio: true }).then(({ audio }) => {
        if (!audio) say("Without the microphone nobody will hear you. Allow it in the browser's settings of this page.");
      }, complain);
    } catch (error) {
      failed.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      submit.disabled = false;
    }
  };
  form.append(field("Invitation code or access token", input), stay, submit, failed);
  const hint = h("p", { class: "hint" }, "Open the invitation that you were sent, or paste the token that ",
    h("code", {}, "callnode token NAME"), " prints.");
  app.replaceChildren(h("main", { class: "sign-in card" }, h("h1", {}, "callnode"), form, hint));
  input.focus();
}

/** @param {Softphone} phone */
function show(phone) {
  const calls = h("section", { class: "calls", "aria-label": "Calls" });
  const main = h("main", { id: "view", tabIndex: -1 });
  const away = h("p", { class: "banner away", role: "status", hidden: true }, "The connection to the hub is lost; calls go on. Connecting again…");
  const badge = h("span", { class: "badge", hidden: true });
  const tabs = VIEWS.map((view) => {
    const tab = button(view.title, () => go(view), { icon: view.icon });
    if (view.name === "voicemail") tab.append(badge);
    return tab;
  });
  const go = (/** @type {typeof VIEWS[number]} */ view) => {
    for (const [at, each] of VIEWS.entries()) {
      if (each === view) tabs[at].setAttribute("aria-current", "page");
      else tabs[at].removeAttribute("aria-current");
    }
    main.replaceChildren(view.make(phone));
    document.title = `${view.title} – callnode`;
  };
  const counted = () => {
    const waiting = phone.agent.mailbox?.new ?? 0;
    badge.hidden = waiting === 0;
    badge.textContent = String(waiting);
    badge.setAttribute("aria-label", `${waiting} new`);
  };
  const leave = async (/** @type {string} */ told) => {
    await phone.close();
    sessionStorage.removeItem(TOKEN);
    localStorage.removeItem(TOKEN);
    showSignIn(told);
  };
  /** @type {Map<Call, CallCard>} */
  const cards = new Map();
  const follow = (/** @type {{ added: Call[], removed: Call[] }} */ { added, removed }) => {
    for (const call of added) {
      const card = new CallCard(phone, call);
      cards.set(call, card);
      calls.append(card.element);
      if (!call.replaces) card.element.focus();
    }
    for (const call of removed) {
      const card = cards.get(call);
      const reason = call.callEndReason;
      if (reason && reason.resultCategories[0] !== "Success") say(`Call with ${card?.name}: ${reason.message}`);
      card?.element.remove();
      cards.delete(call);
    }
    app.classList.toggle("in-call", cards.size > 0);
  };
  phone.on("callsUpdated", follow);
  phone.on("incomingCall", ({ incomingCall }) => showRinging(phone, incomingCall, calls));
  phone.on("mailboxChanged", counted);
  phone.on("isHubReachableChanged", ({ newValue }) => (away.hidden = newValue));
  phone.on("over", ({ reason }) => {
    if (reason === "invalidToken") return void leave("Your sign-in has ended. Sign in again.");
    void phone.close();
    void resume(phone.hub.token);
  });
  const { displayName } = phone.agent.identity;
  const header = h("header", { class: "top" }, h("span", { class: "me" }, displayName || phone.agent.identity.name || "You"),
    button("Sign out", () => void leave(""), { class: "quiet" }));
  const nav = h("nav", { "aria-label": "Views" }, ...tabs);
  app.replaceChildren(h("a", { class: "skip", href: "#view" }, "Skip to content"), header, nav, h("div", { class: "content" }, away, calls, main));
  follow({ added: [...phone.calls], removed: [] });
  for (const incoming of phone.agent.incomingCalls) showRinging(phone, incoming, calls);
  counted();
  go(VIEWS[0]);
}

/** @param {Softphone} phone */
function phoneView(phone) {
  const people = picker(phone.directory, {
    label: "Call",
    verb: "Call",
    icon: "phone",
    pick: (whom) => {
      people.search.value = "";
      void phone.dial(whom);
    },
  });
  return h("section", { "aria-labelledby": "phone-heading" }, h("h1", { id: "phone-heading" }, "Phone"), people);
}

/** Sign in again with a token, for as long as the hub cannot be reached. @param {string} token */
async function resume(token) {
  app.replaceChildren(h("main", { class: "sign-in card" }, h("h1", {}, "callnode"), h("p", { role: "status" }, "Connecting to the hub…")));
  for (;;) {
    try {
      return show(await Softphone.start(token));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : 0;
      if (code === 495) return showSignIn("Your sign-in has ended. Sign in again.");
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MILLISECONDS));
    }
  }
}

const kept = sessionStorage.getItem(TOKEN) ?? localStorage.getItem(TOKEN);
if (kept && !location.hash.includes("code=")) void resume(kept);
else showSignIn();
