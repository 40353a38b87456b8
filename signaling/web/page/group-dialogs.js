/** Ask somebody into a call, join a group by its id, and end it for everyone. */

/** @import { Call } from "../call.js" */
/** @import { Participants } from "./participants.js" */
/** @import { Softphone } from "./softphone.js" */

import { getIdentifierRawId } from "../callnode.js";
import { closeWith, openDialog } from "./dialog.js";
import { button, field, h } from "./dom.js";
import { picker } from "./directory.js";
import { attempt } from "./said.js";

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Open the dialog that asks somebody into a call.
 * @param {Softphone} phone
 * @param {Call} call
 * @param {Participants} participants
 */
export function openAdd(phone, call, participants) {
  const people = picker(phone.directory, {
    label: "Add",
    verb: "Add",
    icon: "add",
    but: call.remoteParticipants.map((each) => getIdentifierRawId(each.identifier)),
    pick: (whom) => {
      dialog.close();
      participants.add(whom);
    },
  });
  const dialog = openDialog("Add to the call", people);
  closeWith(dialog, call);
  people.search.focus();
}

/**
 * Ask whether a group call is to end for everyone.
 * @param {Call} call
 */
export function openEnd(call) {
  const end = button("End for everyone", () => {
    dialog.close();
    void attempt(() => call.hangUp({ forEveryone: true }));
  }, { icon: "hang-up", class: "danger" });
  const cancel = button("Cancel", () => dialog.close());
  const dialog = openDialog("End the call for everyone?", h("p", {}, "Nobody stays in it. To leave the others to it, hang up."),
    h("div", { class: "actions" }, cancel, end));
  closeWith(dialog, call);
  cancel.focus();
}

/** The group that an address invites to, "" if to none. @param {string} address */
export const groupOf = (address) => new URLSearchParams(address.split("#")[1]).get("join") ?? "";

/**
 * Open the dialog that joins a group: a link alone must not open the microphone.
 * @param {Softphone} phone
 * @param {string} [groupId]
 */
export function openJoin(phone, groupId = "") {
  const input = h("input", {
    required: true, autocomplete: "off", autocapitalize: "none", spellcheck: false, value: groupId,
  });
  const failed = h("p", { class: "failed", role: "alert", id: "join-failed" });
  const submit = h("button", { type: "submit", class: "primary" }, "Join");
  const named = field("Link or id of the group", input, "Whoever knows it can join. The first to join makes the group.");
  input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby")} join-failed`);
  const form = h("form", { class: "stack" }, named, failed, submit);
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    const id = groupOf(text) || text;
    if (!ID.test(id)) {
      failed.textContent = "An id is up to 64 letters, digits, - and _.";
      return input.focus();
    }
    dialog.close();
    void phone.join(id);
  };
  const dialog = openDialog("Join a group call", form);
  (groupId ? submit : input).focus();
}
