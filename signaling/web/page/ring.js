/** Calls that come in: seen, heard, and answered or not. */

/** @import { IncomingCall } from "../incoming.js" */
/** @import { Softphone } from "./softphone.js" */

import { avatar, button, h } from "./dom.js";
import { attempt, say } from "./said.js";

/**
 * Show that a call comes in until it is answered or over.
 * @param {Softphone} phone
 * @param {IncomingCall} incoming
 * @param {HTMLElement} calls
 */
export function showRinging(phone, incoming, calls) {
  const { callerInfo, transferorInfo, forwardedFrom, info } = incoming;
  const name = callerInfo.displayName || "Unknown";
  const how = info.groupId
    ? "asks you into a group call"
    : transferorInfo
      ? `transferred by ${transferorInfo.displayName}`
      : forwardedFrom
        ? `for ${forwardedFrom.displayName}`
        : "";
  const busy = phone.calls.length > 0;
  const before = document.activeElement;
  const leave = (/** @type {() => Promise<unknown>} */ act) => () => {
    over();
    void attempt(act);
  };
  const accept = button(busy ? "Hold and answer" : "Answer", leave(() => incoming.accept()), { icon: "phone", class: "good" });
  const card = h("div", { class: "card ringing", role: "alertdialog", "aria-labelledby": `ring-${incoming.id}`, "aria-describedby": `how-${incoming.id}` },
    h("header", {}, avatar(name), h("div", { class: "who" }, h("h2", { id: `ring-${incoming.id}` }, `${name} is calling`),
      h("p", { class: "state", id: `how-${incoming.id}` }, how || (busy ? "while you are in a call" : "")))),
    h("div", { class: "tiles" }, accept,
      button("Decline", leave(() => incoming.reject()), { icon: "hang-up", class: "danger" }),
      button("To voicemail", leave(() => incoming.sendToVoicemail()), { icon: "voicemail" })));
  // What lies beside an open dialog cannot be reached.
  (document.querySelector("dialog[open]") ?? calls).prepend(card);
  const notification = notify(name, how);
  phone.ringing(incoming, true);
  const over = () => {
    notification?.close();
    const focused = card.contains(document.activeElement);
    card.remove();
    if (focused && before instanceof HTMLElement) before.focus();
    phone.ringing(incoming, false);
  };
  // Whoever types goes on typing, and does not answer by the space bar.
  if (!busy && !before?.matches("input, select, textarea")) accept.focus();
  else card.append(h("p", { class: "unseen", role: "alert" }, [`${name} is calling`, how].filter(Boolean).join(", ")));
  incoming.on("callEnded", ({ callEndReason }) => {
    over();
    if (callEndReason.code !== 603) say(`${name} called. ${callEndReason.message}`, { seconds: 10 });
  });
}

/** @param {string} name @param {string} how */
function notify(name, how) {
  if (document.hasFocus() || !("Notification" in window) || Notification.permission !== "granted") return null;
  const notification = new Notification(`${name} is calling`, { body: how, icon: "/web/page/icon.svg", tag: "call", requireInteraction: true });
  notification.onclick = () => window.focus();
  return notification;
}
