/** Group calls at an endpoint: joined, asked for, and who is in them (node/groups.py). Pure. */

/** @import { Calls } from "./calls.js" */
/** @import { Input } from "./exchange.js" */
/** @import { CallParticipants, CallSpeakers } from "./messages.js" */

import { SETUP_SECONDS } from "./handovers.js";
import { NO_SPEAKERS, session } from "./session.js";

const GROUP = "Group call";

/** What the calls of an endpoint have to do with groups. */
export class Groups {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Join a group.
   * @param {Extract<Input, { is: "join" }>} what
   * @param {number} now
   */
  join({ callId: id, groupId, muted }, now) {
    const remote = { raw_id: groupId, display_name: GROUP };
    this.#calls.add(session({ id, direction: "Outgoing", remote, groupId, muted, deadline: now + SETUP_SECONDS }));
    this.#calls.do({ do: "makeOffer", callId: id });
  }

  /**
   * Pass on what is wanted of a group.
   * @param {Extract<Input, { is: "addParticipant" | "removeParticipant" }>} what
   */
  ask(what) {
    const { callId: call_id, participantId: participant_id } = what;
    if (!this.#calls.talking(call_id)) return;
    if (what.is === "addParticipant") {
      const { target, customContext: custom_context } = what;
      this.#calls.send({ type: "participant.add", call_id, participant_id, target, custom_context });
    } else {
      this.#calls.send({ type: "participant.remove", call_id, participant_id });
    }
  }

  /**
   * Take note of who is in a call, or talks there; a group learns at first that this end is muted.
   * @param {CallParticipants | CallSpeakers} message
   */
  told(message) {
    const call = this.#calls.live(message.call_id);
    if (!call) return;
    if (message.type === "call.speakers") {
      this.#calls.put({ ...call, speakers: message.speakers });
      return;
    }
    const { group_id: groupId, me, participants } = message;
    const isNew = !call.me || call.groupId === null;
    const [other, ...more] = participants.filter((each) => each.state !== "Disconnected");
    const ofTwo = groupId === null && other && !more.length;
    const remote = ofTwo ? other.party : call.remote;
    const speakers = groupId === null ? NO_SPEAKERS : call.speakers;
    this.#calls.put({ ...call, groupId, me, participants, remote, speakers });
    if (isNew && groupId !== null && call.muted) this.#calls.send({ type: "call.mute", call_id: call.id, on: true });
  }
}
