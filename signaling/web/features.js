/** What `call.feature()` gives (ACS Features). */

/** @import { Call } from "./call.js" */

import { TRANSFER } from "./call.js";
import { UserFacingDiagnosticsFeature } from "./diagnostics.js";
import { DominantSpeakersFeature } from "./speakers.js";
import { MediaStatsFeature } from "./stats.js";
import { CallSurveyFeature } from "./survey.js";

/**
 * @template T
 * @typedef {{ create(call: Call): T }} FeatureFactory
 */

export const Features = Object.freeze({
  Transfer: TRANSFER,
  /** @type {FeatureFactory<MediaStatsFeature>} */
  MediaStats: { create: (call) => new MediaStatsFeature(call) },
  /** @type {FeatureFactory<UserFacingDiagnosticsFeature>} */
  UserFacingDiagnostics: { create: (call) => new UserFacingDiagnosticsFeature(call) },
  /** @type {FeatureFactory<DominantSpeakersFeature>} */
  DominantSpeakers: { create: (call) => new DominantSpeakersFeature(call) },
  /** @type {FeatureFactory<CallSurveyFeature>} */
  CallSurvey: { create: (call) => new CallSurveyFeature(call) },
});
