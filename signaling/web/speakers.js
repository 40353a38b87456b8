/** Who speaks most (ACS DominantSpeakers). */

/** @import { Call } from "./call.js" */
/** @import { CommunicationIdentifierKind } from "./identifiers.js" */

import { Emitter } from "./events.js";

/** Who spoke last, first, or in a group who dominates; event `dominantSpeakersChanged`. */
export class DominantSpeakersFeature extends Emitter {
  name = "DominantSpeakers";
  /** @type {{ speakersList: CommunicationIdentifierKind[], timestamp: Date }} */
  dominantSpeakers = { speakersList: [], timestamp: new Date() };
  #watched = new WeakSet();

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    const watch = () => {
      for (const participant of call.remoteParticipants) {
        if (this.#watched.has(participant)) continue;
        this.#watched.add(participant);
        // In a group the mixer says who dominates.
        participant.on("isSpeakingChanged", () => {
          if (participant.isSpeaking && !call.info.groupId) this.#spoke(participant.identifier);
        });
      }
    };
    call.on("remoteParticipantsUpdated", watch);
    call.on("speakersChanged", (speakersList) => {
      this.dominantSpeakers = { speakersList, timestamp: new Date() };
      this._emit("dominantSpeakersChanged");
    });
    watch();
  }

  dispose() {}

  /** @param {CommunicationIdentifierKind} identifier */
  #spoke(identifier) {
    const others = this.dominantSpeakers.speakersList.filter((each) => each !== identifier);
    this.dominantSpeakers = { speakersList: [identifier, ...others], timestamp: new Date() };
    this._emit("dominantSpeakersChanged");
  }
}
