/** Hand a call over: to a person, to another call, to a voicemail box. */

/** @import { Call } from "../call.js" */
/** @import { TransferOptions, TransferTarget } from "../transfer.js" */
/** @import { Softphone } from "./softphone.js" */

import { Features, getIdentifierRawId } from "../callnode.js";
import { closeWith, openDialog } from "./dialog.js";
import { button, checkbox, choice, h } from "./dom.js";
import { picker } from "./directory.js";
import { isUp } from "./participants.js";
import { complain, say } from "./said.js";

/** @type {Record<string, (name: string) => string>} */
const PROGRESS = {
  trying: (name) => `Trying to reach ${name}…`,
  ringing: (name) => `It rings there: ${name}`,
  forwarded: (name) => `${name} is not there; the call goes on to somebody else…`,
  voicemail: (name) => `The voicemail of ${name} answers…`,
};

/**
 * Open the dialog for a call.
 * @param {Softphone} phone
 * @param {Call} call
 * @param {HTMLElement} card where progress is shown
 */
export function openTransfer(phone, call, card) {
  const other = call.remoteParticipants[0];
  const whom = other?.displayName || "the other end";
  let box = false;
  const never = checkbox("Never to their voicemail", false, undefined, "Nor anywhere else: if they do not answer, the call comes back to you.");
  const start = (/** @type {TransferTarget} */ target, /** @type {string} */ name, /** @type {TransferOptions} */ options = {}) => {
    dialog.close();
    begin(call, target, options, { whom, name, card });
  };
  const people = picker(phone.directory, {
    label: "Transfer to",
    verb: "Transfer",
    icon: "transfer",
    but: other && [getIdentifierRawId(other.identifier)],
    pick: (id, name) => {
      if (box) return start({ targetParticipantVoicemail: { id } }, `the voicemail of ${name}`);
      start({ targetParticipant: { id } }, name, { disableForwardingAndUnanswered: never.input.checked });
    },
  });
  const kinds = choice("What is to happen there", [["person", "It rings there"], ["voicemail", "Straight to voicemail"]], "person", (kind) => {
    box = kind === "voicemail";
    never.hidden = box;
  });
  const others = phone.calls.filter((each) => each !== call && each.remoteParticipants.length && isUp(each) && !each.info.groupId);
  const calls = others.map((each) => {
    const name = each.remoteParticipants[0].displayName ?? "";
    return button(`Connect ${whom} with ${name}`, () => start({ targetCallId: each.id }, name), { icon: "people", class: "primary" });
  });
  const connect = calls.length > 0 && h("section", { class: "stack", "aria-label": "Your other calls" }, h("h3", {}, "With your other call"), ...calls);
  const dialog = openDialog(`Transfer ${whom}`, connect, connect && h("h3", {}, "To somebody else"), kinds, never, people);
  closeWith(dialog, call);
  people.search.focus();
}

/**
 * @param {Call} call
 * @param {TransferTarget} target
 * @param {TransferOptions} options
 * @param {{ whom: string, name: string, card: HTMLElement }} shown
 */
function begin(call, target, options, { whom, name, card }) {
  let transfer;
  try {
    transfer = call.feature(Features.Transfer).transfer(target, { ...options, hangUpWhenTransferred: true });
  } catch (error) {
    return complain(error);
  }
  const line = h("p", {}, `Transferring ${whom} to ${name}…`);
  const bar = h("div", { class: "moving", role: "status" }, h("span", { class: "spinner" }), line,
    button("Cancel transfer", () => transfer.cancel(), { class: "quiet" }));
  card.querySelector("header")?.after(bar);
  transfer.on("progressChanged", ({ newValue }) => (line.textContent = PROGRESS[newValue]?.(name) ?? line.textContent));
  transfer.on("stateChanged", () => {
    if (transfer.state === "Transferring") return;
    const focused = bar.contains(document.activeElement);
    bar.remove();
    if (focused) card.focus();
    if (transfer.state === "Failed") {
      return say(`${whom} could not be transferred to ${name}. ${transfer.error?.message ?? ""}`, { kind: "failed", seconds: 15 });
    }
    const by = transfer.outcome?.party.display_name || transfer.outcome?.party.name || name;
    const box = transfer.outcome?.kind === "voicemail";
    say(box ? `${whom} is at the voicemail of ${by}.` : `${whom} is now talking to ${by}.`, { seconds: 10 });
  });
}
