/** Hand a call over: to a person, to another call, to a voicemail box. */

/** @import { Call } from "../call.js" */
/** @import { TransferOptions, TransferTarget } from "../transfer.js" */
/** @import { Softphone } from "./softphone.js" */

import { Features, getIdentifierRawId } from "../callnode.js";
import { button, checkbox, complain, h, say } from "./dom.js";
import { picker } from "./directory.js";

const PROGRESS = {
  trying: "Trying…", ringing: "It rings there…", forwarded: "Forwarded; it rings there…", voicemail: "Voicemail answers…",
};

/**
 * Open the dialog for a call.
 * @param {Softphone} phone
 * @param {Call} call
 */
export function openTransfer(phone, call) {
  const whom = call.remoteParticipants[0]?.displayName || "the other end";
  const toPerson = h("input", { type: "radio", name: "kind", checked: true });
  const toBox = h("input", { type: "radio", name: "kind" });
  const never = checkbox("Never to their voicemail, and no forwards", false);
  const start = (/** @type {TransferTarget} */ target, /** @type {string} */ name, /** @type {TransferOptions} */ options = {}) => {
    dialog.close();
    begin(call, target, options, whom, name);
  };
  const people = picker(phone.directory, {
    label: "Transfer to",
    verb: "Transfer",
    icon: "transfer",
    but: call.remoteParticipants[0] && getIdentifierRawId(call.remoteParticipants[0].identifier),
    pick: (id, name) => {
      if (toBox.checked) return start({ targetParticipantVoicemail: { id } }, `the voicemail of ${name}`);
      start({ targetParticipant: { id } }, name, { disableForwardingAndUnanswered: never.input.checked });
    },
  });
  const kinds = h("fieldset", { class: "kinds" }, h("legend", {}, "What is to happen there?"),
    h("label", { class: "check" }, toPerson, h("span", {}, "The person rings")),
    h("label", { class: "check" }, toBox, h("span", {}, "Straight to their voicemail")),
    never);
  toPerson.onchange = toBox.onchange = () => (never.hidden = toBox.checked);
  const others = phone.calls.filter((other) => other !== call && other.remoteParticipants.length && talks(other));
  const calls = others.map((other) => {
    const name = other.remoteParticipants[0].displayName ?? "";
    return button(`Connect ${whom} with ${name}`, () => start({ targetCallId: other.id }, name), { icon: "transfer", class: "primary" });
  });
  const heading = h("h2", { id: "transfer-heading" }, `Transfer ${whom}`);
  const close = button("Cancel", () => dialog.close());
  const connect = calls.length > 0 && h("section", {}, h("h3", {}, "To your other call"), ...calls);
  const dialog = h("dialog", { class: "panel", "aria-labelledby": "transfer-heading", onclose: () => dialog.remove() },
    heading, connect, kinds, people, h("div", { class: "actions" }, close));
  document.body.append(dialog);
  dialog.showModal();
  people.search.focus();
  call.on("stateChanged", () => call.state === "Disconnected" && dialog.close());
}

/**
 * @param {Call} call
 * @param {TransferTarget} target
 * @param {TransferOptions} options
 * @param {string} whom
 * @param {string} name
 */
function begin(call, target, options, whom, name) {
  let transfer;
  try {
    transfer = call.feature(Features.Transfer).transfer(target, { ...options, hangUpWhenTransferred: true });
  } catch (error) {
    return complain(error);
  }
  const line = h("p", {}, `Transferring ${whom} to ${name}…`);
  const bar = h("div", { class: "banner", role: "status" }, line, button("Cancel transfer", () => transfer.cancel()));
  document.querySelector(".calls")?.prepend(bar);
  transfer.on("progressChanged", ({ newValue }) => {
    line.textContent = `Transferring ${whom} to ${name}: ${PROGRESS[/** @type {keyof PROGRESS} */ (newValue)] ?? ""}`;
  });
  transfer.on("stateChanged", () => {
    if (transfer.state === "Transferring") return;
    bar.remove();
    if (transfer.state === "Failed") {
      return say(`${whom} could not be transferred to ${name}. ${transfer.error?.message ?? ""}`, { seconds: 10 });
    }
    const by = transfer.outcome?.party.display_name || transfer.outcome?.party.name || name;
    const box = transfer.outcome?.kind === "voicemail";
    say(box ? `${whom} is at the voicemail of ${by}.` : `${whom} is now talking to ${by}.`);
  });
}

/** @param {Call} call */
const talks = (call) => ["Connected", "LocalHold", "RemoteHold"].includes(call.state);
