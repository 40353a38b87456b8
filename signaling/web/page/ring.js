/** Calls that come in: seen, heard, and answered or not. */

/** @import { IncomingCall } from "../incoming.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, complain, h, say } from "./dom.js";

/**
 * Show that a call comes in until it is answered or over.
 * @param {Softphone} phone
 * @param {IncomingCall} incoming
 * @param {HTMLElement} place
 */
export function showRinging(phone, incoming, place) {
  const { callerInfo, transferorInfo, forwardedFrom } = incoming;
  const name = callerInfo.displayName || "Unknown";
  const how = transferorInfo
    ? `transferred by ${transferorInfo.displayName}`
    : forwardedFrom
      ? `for ${forwardedFrom.displayName}`
      : "";
  const busy = phone.calls.length > 0;
  const leave = (/** @type {() => Promise<unknown>} */ act) => async () => {
    over();
    await act().catch(complain);
  };
  const accept = button(busy ? "Hold and answer" : "Answer", leave(() => phone.answer(incoming)), { icon: "phone", class: "primary" });
  const card = h("article", { class: "card ringing", role: "alertdialog", "aria-labelledby": `ring-${incoming.id}` },
    h("h2", { id: `ring-${incoming.id}` }, `${name} is calling`),
    h("p", { class: "state" }, how),
    h("div", { class: "controls" }, accept,
      button("Decline", leave(() => incoming.reject()), { icon: "hang-up", class: "danger" }),
      button("To voicemail", leave(() => incoming.sendToVoicemail()), { icon: "voicemail" })));
  place.prepend(card);
  const notification = notify(name, how);
  phone.ringing(incoming, true);
  const over = () => {
    notification?.close();
    card.remove();
    phone.ringing(incoming, false);
  };
  if (!busy) accept.focus();
  incoming.on("callEnded", ({ callEndReason }) => {
    over();
    if (callEndReason.code !== 603) say(`${name} called. ${callEndReason.message}`);
  });
}

/** @param {string} name @param {string} how */
function notify(name, how) {
  if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return null;
  const notification = new Notification(`${name} is calling`, { body: how, icon: "/web/page/icon.svg", tag: "call" });
  notification.onclick = () => window.focus();
  return notification;
}
