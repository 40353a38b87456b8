/** The calls that were. */

/** @import { PastCall } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { avatar, button, choice, day, duration, h, icon, when, whileShown } from "./dom.js";
import { attempt, fill, nothing } from "./said.js";

/**
 * @param {Softphone} phone
 */
export function historyView(phone) {
  const place = h("div", { class: "stack" });
  let missed = false;
  const show = () => fill(place, () => phone.hub.history({ missed }), (first) => {
    const which = { missed };
    if (!first.calls.length) {
      return [missed ? nothing("read", "No missed calls") : nothing("history", "No calls yet", "Calls that you make or get are listed here.")];
    }
    const days = h("div", { class: "stack" });
    let next = first.next;
    let loading = false;
    const more = button("Show earlier calls", async () => {
      if (loading) return;
      loading = true;
      await attempt(async () => add(await phone.hub.history({ ...which, before: next })));
      loading = false;
    });
    const add = (/** @type {typeof first} */ page) => {
      for (const call of page.calls) dayOf(days, call.placed_at).append(row(phone, call));
      next = page.next;
      more.hidden = next === null;
    };
    add(first);
    return [days, more];
  });
  const which = choice("Which calls", [["all", "All"], ["missed", "Missed"]], "all", (chosen) => {
    missed = chosen === "missed";
    void show();
  });
  void show();
  const section = h("section", { "aria-labelledby": "history-heading" },
    h("div", { class: "heading" }, h("h1", { id: "history-heading" }, "History"), which), place);
  whileShown(section, phone, "callsUpdated", show);
  return section;
}

/** The list of a day, made if it is not there. @param {HTMLElement} days @param {string} utc */
function dayOf(days, utc) {
  const name = day(utc);
  const last = days.lastElementChild;
  if (last?.getAttribute("aria-label") === name) return /** @type {HTMLElement} */ (last.querySelector("ul"));
  const list = h("ul", { class: "list" });
  days.append(h("section", { "aria-label": name }, h("h2", { class: "day" }, name), list));
  return list;
}

/** @param {Softphone} phone @param {PastCall} call */
function row(phone, call) {
  const outgoing = call.direction === "outgoing";
  const other = outgoing ? call.callee : call.caller;
  const named = (/** @type {PastCall["caller"]} */ party) => phone.directory.nameOf(party);
  const name = named(other);
  const taken = call.answered_at && call.kind !== "voicemail";
  const missed = !outgoing && !taken;
  const by = call.answered_by && ![phone.me, other.raw_id].includes(call.answered_by.raw_id) && taken && `answered by ${named(call.answered_by)}`;
  const how = [
    outgoing ? "Outgoing" : missed ? "Missed" : "Incoming",
    call.kind === "voicemail" && "voicemail",
    by,
    call.transferor && call.transferor.raw_id !== phone.me && `transferred by ${named(call.transferor)}`,
    call.answered_at ? duration(call.duration ?? 0) : call.reason.message?.replace(/\.$/, ""),
  ].filter(Boolean).join(" · ");
  return h("li", { class: missed ? "missed" : "" }, avatar(name),
    h("div", { class: "who" }, h("div", { class: "line" }, h("span", { class: "name" }, name), when(call.placed_at)),
      h("span", { class: "about" }, icon(missed ? "missed" : outgoing ? "out" : "in"), h("span", {}, how))),
    outgoing && call.kind === "group"
      ? button("Join", () => phone.join(other.raw_id), { icon: "people", class: "act", label: `Join ${name}` })
      : button("Call", () => phone.dial(other.raw_id), { icon: "phone", class: "act", label: `Call ${name}` }));
}
