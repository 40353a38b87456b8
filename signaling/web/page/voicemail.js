/** The mailbox: messages with their waveform, played here. */

/** @import { VoiceMessage } from "./hub.js" */
/** @import { Softphone } from "./softphone.js" */

import { button, complain, duration, h, rename, say, select, when } from "./dom.js";

const UNDO_SECONDS = 6;

/** @param {Softphone} phone */
export function voicemailView(phone) {
  const list = h("ul", { class: "rows messages" });
  const hint = h("p", { class: "hint" }, "One moment…");
  const section = h("section", { "aria-labelledby": "voicemail-heading" },
    h("h1", { id: "voicemail-heading" }, "Voicemail"), hint, list);
  /** @type {Set<string>} */
  const going = new Set();
  /** @type {Map<string, HTMLLIElement>} */
  const rows = new Map();
  const show = async () => {
    const messages = await phone.hub.messages().catch((error) => (complain(error), []));
    const shown = messages.filter(({ id }) => !going.has(id));
    hint.textContent = shown.length ? "" : "No messages.";
    for (const id of rows.keys()) if (!shown.some((message) => message.id === id)) rows.delete(id);
    for (const message of shown) {
      const row = rows.get(message.id) ?? messageRow(phone, message, remove);
      rows.set(message.id, row);
      row.dataset.folder = message.folder;
    }
    const order = shown.map(({ id }) => /** @type {HTMLLIElement} */ (rows.get(id)));
    // A row that plays is not moved, or it would stop.
    if (order.some((row, at) => list.children[at] !== row) || list.children.length !== order.length) list.replaceChildren(...order);
  };
  const remove = (/** @type {VoiceMessage} */ message) => {
    going.add(message.id);
    void show();
    say("Message deleted.", {
      action: "Undo",
      seconds: UNDO_SECONDS,
      act: () => (going.delete(message.id), void show()),
      over: () => void phone.hub.remove(message.id).catch(complain).then(show),
    });
  };
  const changed = () => (section.isConnected ? void show() : phone.off("mailboxChanged", changed));
  queueMicrotask(() => phone.on("mailboxChanged", changed));
  void show();
  return section;
}

/** @param {Softphone} phone @param {VoiceMessage} message @param {(message: VoiceMessage) => void} remove */
function messageRow(phone, message, remove) {
  const name = message.caller.display_name || message.caller.name || message.caller.raw_id;
  const audio = h("audio", { controls: true, preload: "none", "aria-label": `Message of ${name}` });
  const wave = waveform(message, audio);
  /** @type {Promise<Blob> | null} */
  let sound = null;
  const load = async () => {
    sound ??= phone.hub.audio(message.id);
    const blob = await sound;
    if (!audio.src) audio.src = URL.createObjectURL(blob);
    return blob;
  };
  const player = h("div", { class: "player", hidden: true }, audio,
    h("label", { class: "inline" }, "Speed ", select([["1", "1×"], ["1.5", "1.5×"], ["2", "2×"]], "1", (rate) => {
      audio.playbackRate = audio.defaultPlaybackRate = Number(rate);
    })));
  const play = button("Play", async () => {
    try {
      await load();
      player.hidden = false;
      if (audio.paused) await audio.play();
      else audio.pause();
    } catch (error) {
      sound = null;
      complain(error);
    }
  }, { icon: "voicemail", class: "primary" });
  audio.onplay = audio.onpause = () => rename(play, audio.paused ? "Play" : "Pause");
  audio.onended = async () => {
    if (message.folder === "new") await mark("saved");
  };
  const mark = async (/** @type {"new" | "saved"} */ folder) => {
    try {
      await phone.hub.move(message.id, folder);
      message.folder = folder;
      row.dataset.folder = folder;
      rename(keep, folder === "new" ? "Mark as heard" : "Mark as new");
    } catch (error) {
      complain(error);
    }
  };
  const keep = button(message.folder === "new" ? "Mark as heard" : "Mark as new",
    () => void mark(message.folder === "new" ? "saved" : "new"));
  const download = button("Download", async () => {
    const url = URL.createObjectURL(await load());
    h("a", { href: url, download: `voicemail-${name}-${message.received_at.slice(0, 10)}.ogg` }).click();
  });
  const by = message.transferor ? ` · transferred by ${message.transferor.display_name || message.transferor.name}` : "";
  const row = h("li", {}, h("div", { class: "who" }, h("span", { class: "name" }, name),
    h("span", { class: "presence" }, when(message.received_at), ` · ${duration(message.duration)}${by}`)),
    wave, player,
    h("div", { class: "controls" }, play, keep, button("Call back", () => phone.dial(message.caller.raw_id)),
      download, button("Delete", () => remove(message), { class: "quiet-danger" })));
  return row;
}

/** @param {VoiceMessage} message @param {HTMLAudioElement} audio */
function waveform(message, audio) {
  const { peaks, duration: seconds } = message;
  const canvas = h("canvas", { class: "waveform", width: 800, height: 80, "aria-hidden": "true" });
  const draw = () => {
    const context = canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(canvas);
    const [played, rest] = [style.getPropertyValue("--accent"), style.getPropertyValue("--line")];
    const bar = canvas.width / Math.max(1, peaks.length);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const [at, peak] of peaks.entries()) {
      const height = Math.max(2, (peak / 255) * canvas.height);
      context.fillStyle = audio.currentTime > 0 && at / peaks.length <= audio.currentTime / seconds ? played : rest;
      context.fillRect(at * bar, (canvas.height - height) / 2, Math.max(1, bar - 1), height);
    }
  };
  canvas.onclick = ({ offsetX }) => {
    if (audio.src) audio.currentTime = (offsetX / canvas.clientWidth) * seconds;
  };
  audio.ontimeupdate = draw;
  requestAnimationFrame(draw);
  return canvas;
}
