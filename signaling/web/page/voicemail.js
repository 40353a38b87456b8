/** The mailbox: messages with their waveform, played here. */

/** @import { VoiceMessage } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { avatar, button, choice, day, h, icon, rename, when, whileShown } from "./dom.js";
import { player } from "./player.js";
import { attempt, nothing, say, sentence } from "./said.js";

/** @param {Softphone} phone */
export function voicemailView(phone) {
  const list = h("ul", { class: "list messages" });
  const instead = h("div", {}, h("p", { class: "loading", role: "status" }, "One moment…"));
  /** @type {"inbox" | "deleted"} */
  let folder = "inbox";
  /** @type {Map<string, ReturnType<typeof messageRow>>} */
  const rows = new Map();
  // What was asked for last is shown, whichever comes first.
  let latest = 0;
  const show = async () => {
    const asked = ++latest;
    try {
      const messages = await phone.hub.messages(folder === "deleted" ? "deleted" : undefined);
      if (asked !== latest) return;
      instead.replaceChildren(...(messages.length ? [] : [empty()]));
      for (const id of rows.keys()) if (!messages.some((message) => message.id === id)) rows.delete(id);
      const order = messages.map((message) => {
        const row = rows.get(message.id) ?? messageRow(phone, message);
        rows.set(message.id, row);
        row.show(message);
        return row.element;
      });
      // A row that plays is not moved, or it would stop.
      if (order.some((row, at) => list.children[at] !== row) || list.children.length !== order.length) list.replaceChildren(...order);
    } catch (error) {
      if (asked !== latest) return;
      instead.replaceChildren(h("div", { class: "empty", role: "alert" }, icon("alert"), h("p", {}, sentence(error)), button("Try again", show)));
    }
  };
  const empty = () => folder === "deleted"
    ? nothing("trash", "Nothing was deleted", "Deleted messages stay here until they are deleted for good.")
    : nothing("voicemail", "No messages", "What callers say when you do not answer is heard here.");
  const which = choice("Which messages", [["inbox", "Inbox"], ["deleted", "Deleted"]], "inbox", (chosen) => {
    folder = chosen === "deleted" ? "deleted" : "inbox";
    rows.clear();
    list.replaceChildren();
    void show();
  });
  void show();
  const section = h("section", { "aria-labelledby": "voicemail-heading" },
    h("div", { class: "heading" }, h("h1", { id: "voicemail-heading" }, "Voicemail"), which), instead, list);
  whileShown(section, phone, "mailboxChanged", show);
  return section;
}

/** @param {Softphone} phone @param {VoiceMessage} message */
function messageRow(phone, message) {
  const named = (/** @type {VoiceMessage["caller"]} */ party) => phone.directory.nameOf(party);
  const name = named(message.caller);
  const act = (/** @type {() => Promise<unknown>} */ work) => () => attempt(work);
  const move = (/** @type {VoiceMessage["folder"] | "undeleted"} */ folder) => phone.hub.move(message.id, folder);
  const sound = player({
    label: `the message of ${name}`,
    duration: message.duration,
    peaks: message.peaks,
    load: () => phone.hub.audio(message.id),
    speaker: () => phone.speaker,
    heard: () => void (message.folder === "new" && attempt(() => move("saved"))),
  });
  const keep = button("Mark as heard", act(() => move(message.folder === "new" ? "saved" : "new")), { icon: "read" });
  const download = button("Download", act(async () => {
    const url = URL.createObjectURL(await sound.blob());
    h("a", { href: url, download: `voicemail-${name}-${message.received_at.slice(0, 10)}.ogg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }), { icon: "download" });
  const remove = button("Delete", act(async () => {
    await move("deleted");
    say("Message deleted.", { action: "Undo", act: act(() => move("undeleted")), seconds: 10 });
  }), { icon: "trash", class: "quiet-danger" });
  const restore = button("Restore", act(() => move("undeleted")), { icon: "restore" });
  const purge = button("Delete for good", act(() => phone.hub.purge(message.id)), { icon: "trash", class: "quiet-danger" });
  const back = button("Call back", () => phone.dial(message.caller.raw_id), { icon: "phone" });
  const fresh = h("span", { class: "tag" }, "New");
  const about = [
    day(message.received_at),
    message.transferor && `transferred by ${named(message.transferor)}`,
    message.forwarded_by && `forwarded by ${named(message.forwarded_by)}`,
  ].filter(Boolean).join(" · ");
  const words = h("p", { class: "transcript" });
  const element = h("li", {},
    h("div", { class: "row" }, avatar(name),
      h("div", { class: "who" },
        h("span", { class: "name" }, name, " ", fresh, message.urgent && h("span", { class: "tag urgent" }, "Urgent")),
        h("span", { class: "about" }, about)),
      when(message.received_at)),
    sound, words, h("div", { class: "controls" }, back, keep, download, remove, restore, purge));
  const show = (/** @type {VoiceMessage} */ now) => {
    message = now;
    const deleted = now.folder === "deleted";
    element.dataset.folder = now.folder;
    fresh.hidden = now.folder !== "new";
    rename(keep, now.folder === "new" ? "Mark as heard" : "Mark as new", now.folder === "new" ? "read" : "unread");
    for (const each of [keep, download, remove, back]) each.hidden = deleted;
    for (const each of [restore, purge]) each.hidden = !deleted;
    words.textContent = now.transcript ?? "";
    words.hidden = !now.transcript;
  };
  return { element, show };
}
