/** Who is in a group call: how they are, who speaks, who did not come and why, and what can be done about it. */

/** @import { Call } from "../call.js" */
/** @import { RemoteParticipant } from "../participant.js" */
/** @import { Softphone } from "./softphone.js" */

import { getIdentifierRawId } from "../callnode.js";
import { avatar, button, h } from "./dom.js";
import { openEnd } from "./group-dialogs.js";
import { attempt, say } from "./said.js";

/** @type {Record<string, string>} */
const STATES = { Idle: "Asked in…", Connecting: "Asked in…", Ringing: "Ringing…", Connected: "Connected", Hold: "On hold" };

/** @param {RemoteParticipant} participant */
export const isHere = ({ state }) => state === "Connected" || state === "Hold";

/** Whether a call was joined by its group's id. @param {Call} call */
const isJoined = (call) => call.outcome?.kind === "group";

/** Whether a mixer stands between those who are in a call. @param {Call} call */
const isMixed = (call) => {
  const others = call.remoteParticipants.filter(isHere).length;
  return others > 1 || (isJoined(call) && others > 0);
};

/** Whether a call is up, held or not. @param {Call} call */
export const isUp = ({ state }) => ["Connected", "LocalHold", "RemoteHold"].includes(state);

/** The link that lets somebody join a group. @param {string} groupId */
const linkTo = (groupId) => `${location.origin}/#join=${groupId}`;

/** The participants of a call, hidden as long as it is one of two; what changes is said. */
export class Participants {
  #phone;
  #call;
  #changed;
  /** @type {Map<RemoteParticipant, { row: HTMLElement, here: boolean, over: boolean }>} */
  #known = new Map();
  /** Whether it is known who was there from the beginning. */
  #met = false;
  #list = h("ul", { "aria-label": "Participants" });
  #alone = h("p", { class: "hint", role: "status" }, "Nobody else is here yet.");
  #link;
  /** Beside hanging up, to end the call for the others too. */
  end;

  /** @param {Softphone} phone @param {Call} call @param {() => void} changed what updates the call's card, and this */
  constructor(phone, call, changed) {
    this.#phone = phone;
    this.#call = call;
    this.#changed = changed;
    this.#link = button("Copy link", () => attempt(() => this.#copy()), { icon: "link" });
    this.end = button("End for everyone", () => openEnd(call), { icon: "hang-up", class: "quiet-danger" });
    this.element = h("section", { class: "participants", "aria-label": "Who is in the call", hidden: true }, this.#list, this.#alone, this.#link);
  }

  /** Ask somebody in. @param {string} whom */
  add(whom) {
    void attempt(() => {
      this.#follow(this.#call.addParticipant(whom));
      this.#changed();
    });
  }

  /** Show what is. */
  update() {
    const call = this.#call;
    // That all are gone with the call itself is no news.
    if (call.state === "Disconnecting" || call.state === "Disconnected") return;
    const { groupId } = call.info;
    const joined = isJoined(call);
    for (const participant of call.remoteParticipants) if (participant.endpointDetails.length) this.#follow(participant);
    this.#met ||= groupId !== undefined && call.remoteParticipants.every((each) => each.endpointDetails.length > 0);
    for (const participant of this.#known.keys()) this.#show(participant);
    const others = [...this.#known.values()].some(({ here }) => !here);
    this.element.hidden = groupId === undefined && !others;
    this.#list.hidden = !this.#known.size;
    this.#alone.hidden = !joined || call.state !== "Connected" || this.#known.size > 0;
    this.#link.hidden = !joined;
    const mixed = isMixed(call);
    // Whoever is at a button that goes stays at the call.
    if (!mixed && this.end === document.activeElement) this.end.closest("article")?.focus();
    this.end.hidden = !mixed;
  }

  /** @param {RemoteParticipant} participant */
  #follow(participant) {
    if (this.#known.has(participant)) return;
    // Somebody who is asked once more takes the place of what became of it the last time.
    for (const [other, { over }] of this.#known) if (over && same(other, participant)) this.#forget(other);
    const row = h("li", {});
    this.#known.set(participant, { row, here: isHere(participant) && !this.#met, over: false });
    this.#list.append(row);
    for (const event of ["stateChanged", "isSpeakingChanged", "isMutedChanged", "displayNameChanged"]) {
      participant.on(event, () => this.#known.has(participant) && this.#changed());
    }
  }

  /** @param {RemoteParticipant} participant */
  #forget(participant) {
    this.#known.get(participant)?.row.remove();
    this.#known.delete(participant);
  }

  /** @param {RemoteParticipant} participant */
  #show(participant) {
    const known = this.#known.get(participant);
    if (!known || known.over) return;
    const name = this.#nameOf(participant);
    if (participant.state === "Disconnected") return this.#gone(participant, known.here, name);
    if (isHere(participant) && !known.here) {
      known.here = true;
      say(`${name} joined.`);
    }
    const speaks = participant.state === "Connected" && participant.isSpeaking;
    const about = [STATES[participant.state], participant.isMuted && "muted", speaks && "speaking"].filter(Boolean).join(" · ");
    const remove = this.#mayRemove(participant) && button("", () => this.#remove(participant), { icon: "close", label: `Remove ${name}`, class: "quiet" });
    this.#fill(known.row, name, about, remove || null);
    known.row.dataset.state = participant.state;
    known.row.dataset.speaking = String(speaks);
  }

  /** @param {RemoteParticipant} participant @param {boolean} came @param {string} name */
  #gone(participant, came, name) {
    const known = this.#known.get(participant);
    const { code, subCode, message } = participant.callEndReason ?? { code: 0, subCode: 0, message: "" };
    if (!known || came || code === 0 || (code === 487 && subCode === 0)) {
      this.#forget(participant);
      const how = subCode === 5300 ? "was removed" : came ? "left" : "is no longer asked in";
      return say(`${name} ${how}.`);
    }
    known.over = true;
    const dismiss = button("", () => (this.#forget(participant), this.#changed()), { icon: "close", label: `Dismiss ${name}`, class: "quiet" });
    known.row.dataset.state = participant.state;
    this.#fill(known.row, name, `Did not come: ${message}`, dismiss);
    say(`${name} did not come. ${message}`, { kind: "failed", seconds: 15 });
  }

  /**
   * Fill a row, unless it says all that already; whoever is at its button stays there.
   * @param {HTMLElement} row @param {string} name @param {string} about @param {HTMLElement | null} act
   */
  #fill(row, name, about, act) {
    const shown = [name, about, act?.getAttribute("aria-label")].join("\n");
    if (row.dataset.shown === shown) return;
    row.dataset.shown = shown;
    const focused = row.contains(document.activeElement);
    row.replaceChildren(avatar(name), h("div", { class: "who" }, h("span", { class: "name" }, name), h("span", { class: "about" }, about)), ...(act ? [act] : []));
    if (focused) act?.focus();
  }

  /** Of a pair one hangs up. @param {RemoteParticipant} participant */
  #mayRemove(participant) {
    return !isHere(participant) || isMixed(this.#call);
  }

  /** @param {RemoteParticipant} participant */
  #remove({ identifier }) {
    void attempt(() => this.#call.removeParticipant(identifier));
  }

  async #copy() {
    await navigator.clipboard.writeText(linkTo(this.#call.info.groupId ?? ""));
    say("Link copied: whoever has it, and is a user here, can join.");
  }

  /** @param {RemoteParticipant} participant */
  #nameOf(participant) {
    return this.#phone.directory.nameOf({ raw_id: getIdentifierRawId(participant.identifier), display_name: participant.displayName });
  }
}

/** @param {RemoteParticipant} one @param {RemoteParticipant} other */
const same = (one, other) => getIdentifierRawId(one.identifier) === getIdentifierRawId(other.identifier);
