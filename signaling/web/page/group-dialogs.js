/** Ask somebody into a call, and join a group by its id. */

/** @import { Call } from "../call.js" */
/** @import { Participants } from "./participants.js" */
/** @import { Softphone } from "./softphone.js" */

import { getIdentifierRawId } from "../callnode.js";
import { openDialog } from "./dialog.js";
import { field, h } from "./dom.js";
import { picker } from "./directory.js";

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
  people.search.focus();
  call.on("stateChanged", () => call.state === "Disconnected" && dialog.close());
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
