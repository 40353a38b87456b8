/** A dialog: the browser keeps the focus in it, closes it by Escape and gives the focus back. */

/** @import { Call } from "../call.js" */

import { button, h, whileShown } from "./dom.js";
import { sayIn } from "./said.js";

/**
 * @param {string} title
 * @param {...(Node | string | null | undefined | false)} children
 */
export function openDialog(title, ...children) {
  const close = button("", () => dialog.close(), { icon: "close", label: "Close", class: "quiet" });
  const dialog = h("dialog", { class: "panel", "aria-labelledby": "dialog-heading", onclose: () => gone() },
    h("header", {}, h("h2", { id: "dialog-heading" }, title), close), ...children);
  const gone = () => {
    // A call that rings in here rings on.
    document.querySelector(".calls")?.prepend(...dialog.querySelectorAll(".ringing"));
    sayIn(document.body);
    dialog.remove();
  };
  document.body.append(dialog);
  dialog.showModal();
  // What is said beside an open dialog is not read.
  sayIn(dialog);
  return dialog;
}

/**
 * Close a dialog when its call is over.
 * @param {HTMLDialogElement} dialog
 * @param {Call} call
 */
export function closeWith(dialog, call) {
  whileShown(dialog, call, "stateChanged", () => call.state === "Disconnected" && dialog.close());
}
