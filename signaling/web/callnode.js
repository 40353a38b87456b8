/**
 * The calling client for browsers, with the names of the ACS Calling SDK for JavaScript (audio).
 *
 * A page written for `@azure/communication-calling` and `@azure/communication-common` imports from here instead.
 */

export { CallAgent } from "./agent.js";
export { Call } from "./call.js";
export { CallClient } from "./client.js";
export { AzureCommunicationTokenCredential } from "./credential.js";
export { DeviceManager } from "./devices.js";
export { CallingCommunicationError } from "./errors.js";
export { Features } from "./features.js";
export {
  createIdentifierFromRawId, getIdentifierKind, getIdentifierRawId, isCommunicationUserIdentifier,
  isMicrosoftTeamsAppIdentifier, isMicrosoftTeamsUserIdentifier, isPhoneNumberIdentifier,
  isTeamsExtensionUserIdentifier, isUnknownIdentifier,
} from "./identifiers.js";
export { IncomingCall } from "./incoming.js";
export { DiagnosticQuality } from "./judgement.js";
export { RemoteParticipant } from "./participant.js";
export { LocalAudioStream, RemoteAudioStream } from "./streams.js";
export { Transfer } from "./transfer.js";

/** ACS CallKind, CallAgentKind. */
export const CallKind = Object.freeze({ Call: "Call", TeamsCall: "TeamsCall" });
export const CallAgentKind = Object.freeze({ CallAgent: "CallAgent", TeamsCallAgent: "TeamsCallAgent" });
export const IncomingCallKind = Object.freeze({ IncomingCall: "IncomingCall", TeamsIncomingCall: "TeamsIncomingCall" });
