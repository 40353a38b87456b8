/** The calls that were. */

/** @import { PastCall } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, complain, duration, h, icon, when } from "./dom.js";

/**
 * @param {Softphone} phone
 */
export function historyView(phone) {
  const list = h("ul", { class: "rows" });
  const hint = h("p", { class: "hint" }, "One moment…");
  const show = async () => {
    const calls = await phone.hub.history().catch((error) => (complain(error), []));
    hint.textContent = calls.length ? "" : "No calls yet.";
    list.replaceChildren(...calls.map((call) => row(phone, call)));
  };
  void show();
  return h("section", { "aria-labelledby": "history-heading" }, h("h1", { id: "history-heading" }, "History"), hint, list);
}

/** @param {Softphone} phone @param {PastCall} call */
function row(phone, call) {
  const outgoing = call.caller.raw_id === phone.me;
  const other = outgoing ? call.callee : call.caller;
  const name = other.display_name || other.name || other.raw_id;
  const seconds = call.answered_at ? (Date.parse(call.ended_at) - Date.parse(call.answered_at)) / 1000 : 0;
  const missed = !outgoing && !call.answered_at;
  const how = outgoing ? "Outgoing" : missed ? "Missed" : "Incoming";
  const end = call.answered_at ? duration(seconds) : (call.reason.message ?? "");
  const voicemail = call.kind === "voicemail" ? " · voicemail" : "";
  const who = h("div", { class: "who" }, h("span", { class: "name" }, name),
    h("span", { class: "presence" }, `${how}${voicemail} · `, when(call.placed_at), ` · ${end}`));
  const picture = h("span", { class: missed ? "missed" : "" }, icon(outgoing ? "out" : "in"));
  const again = button("Call", () => phone.dial(other.raw_id), { icon: "phone", class: "row-action", label: `Call ${name}` });
  return h("li", {}, picture, who, again);
}
