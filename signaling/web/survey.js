/** What a user says of a call (ACS CallSurvey; node/survey.py). */

/** @import { Call } from "./call.js" */

import { Emitter } from "./events.js";

/**
 * @typedef {{ lowerBound: number, upperBound: number, lowScoreThreshold: number }} RatingScale by default 1, 5 and 2
 * @typedef {"CallCannotJoin" | "CallCannotInvite" | "HadToRejoin" | "CallEndedUnexpectedly" | "OtherIssues"} OverallIssue
 * @typedef {"NoLocalAudio" | "NoRemoteAudio" | "Echo" | "AudioNoise" | "LowVolume" | "AudioStoppedUnexpectedly"
 *   | "DistortedSpeech" | "AudioInterruption" | "OtherIssues"} AudioIssue
 * @typedef {{ score: number, issues?: OverallIssue[], scale?: RatingScale }} OverallRating
 * @typedef {{ score: number, issues?: AudioIssue[], scale?: RatingScale }} AudioRating
 * @typedef {{ overallRating?: OverallRating, audioRating?: AudioRating, videoRating?: unknown,
 *   screenshareRating?: unknown }} CallSurvey ratings of what there is not are ignored
 * @typedef {{ id: string, callId: string, localParticipantId: string }} CallSurveyResponse
 */

/** Ask the user how the call was, best when it is over, and file the answer in the hub. */
export class CallSurveyFeature extends Emitter {
  name = "CallSurvey";
  #call;

  /**
   * @param {Call} call
   * @internal
   */
  constructor(call) {
    super();
    this.#call = call;
  }

  /**
   * File what the user says of this call; the next one takes its place.
   *
   * Rejects with 400/8523 without a rating or off the scale, 404/8523 for a call that never came to the hub, 410/3100
   * when the hub cannot be reached, 495/4507 for a token that it does not accept.
   * @param {CallSurvey} survey
   * @returns {Promise<CallSurveyResponse>}
   */
  async submitSurvey({ overallRating, audioRating }) {
    const survey = { overall_rating: wireRating(overallRating), audio_rating: wireRating(audioRating) };
    const answer = await this.#call._agent._rest.ask("POST", "/v1/surveys", { call_id: this.#call.id, survey });
    const { id, call_id: callId, local_participant_id: localParticipantId } = await answer.json();
    return { id, callId, localParticipantId };
  }

  dispose() {}
}

/** @param {OverallRating | AudioRating | undefined} rating */
function wireRating(rating) {
  if (!rating) return undefined;
  const { score, issues, scale } = rating;
  return {
    score, issues,
    scale: scale && {
      lower_bound: scale.lowerBound, upper_bound: scale.upperBound, low_score_threshold: scale.lowScoreThreshold,
    },
  };
}
