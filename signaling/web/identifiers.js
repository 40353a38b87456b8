/** Identifiers of ACS and the raw ids behind them (@azure/communication-common, signaling/identifiers.py). */

/** @import { Party } from "./messages.js" */

import { CallingCommunicationError } from "./errors.js";
import { BAD_ARGUMENT } from "./reasons.js";

/**
 * @typedef {{ communicationUserId: string }} CommunicationUserIdentifier
 * @typedef {{ phoneNumber: string, rawId?: string }} PhoneNumberIdentifier
 * @typedef {{ microsoftTeamsUserId: string, rawId?: string, isAnonymous?: boolean,
 *   cloud?: "public" | "dod" | "gcch" }} MicrosoftTeamsUserIdentifier
 * @typedef {{ id: string }} UnknownIdentifier
 * @typedef {CommunicationUserIdentifier | PhoneNumberIdentifier | MicrosoftTeamsUserIdentifier
 *   | UnknownIdentifier} CommunicationIdentifier
 * @typedef {(CommunicationUserIdentifier & { kind: "communicationUser" })
 *   | (PhoneNumberIdentifier & { kind: "phoneNumber" })
 *   | (MicrosoftTeamsUserIdentifier & { kind: "microsoftTeamsUser" })
 *   | (UnknownIdentifier & { kind: "unknown" })} CommunicationIdentifierKind
 * @typedef {{ identifier: CommunicationIdentifierKind, displayName?: string, name?: string }} CallerInfo
 */

const USER = /^8:(acs|spool|dod-acs|gcch-acs):/;
const NUMBER = /^(?:4:)?(\+[1-9]\d{1,14})$/;
const TEAMS = /^8:(orgid|dod|gcch|teamsvisitor):(.*)$/s;

/**
 * Return the identifier that a raw id, a phone number or a short name stands for.
 * @param {string} rawId
 * @returns {CommunicationIdentifierKind}
 */
export function createIdentifierFromRawId(rawId) {
  if (USER.test(rawId)) return { kind: "communicationUser", communicationUserId: rawId };
  const number = NUMBER.exec(rawId);
  if (number) return { kind: "phoneNumber", phoneNumber: number[1], rawId: `4:${number[1]}` };
  const teams = TEAMS.exec(rawId);
  if (!teams) return { kind: "unknown", id: rawId };
  const [, prefix, microsoftTeamsUserId] = teams;
  if (prefix === "teamsvisitor") {
    return { kind: "microsoftTeamsUser", microsoftTeamsUserId, rawId, isAnonymous: true, cloud: "public" };
  }
  const cloud = prefix === "dod" || prefix === "gcch" ? prefix : "public";
  return { kind: "microsoftTeamsUser", microsoftTeamsUserId, rawId, isAnonymous: false, cloud };
}

/**
 * Return the raw id of an identifier, or of a plain name or number.
 * @param {CommunicationIdentifier | string} identifier
 * @returns {string}
 */
export function getIdentifierRawId(identifier) {
  if (typeof identifier === "string" && identifier.trim()) return identifier.trim();
  if (identifier && typeof identifier === "object") {
    if ("communicationUserId" in identifier) return identifier.communicationUserId;
    if ("phoneNumber" in identifier) return identifier.rawId ?? `4:${identifier.phoneNumber}`;
    if ("microsoftTeamsUserId" in identifier) {
      const prefix = identifier.isAnonymous
        ? "teamsvisitor"
        : { public: "orgid", dod: "dod", gcch: "gcch" }[identifier.cloud ?? "public"];
      return identifier.rawId ?? `8:${prefix}:${identifier.microsoftTeamsUserId}`;
    }
    if ("id" in identifier && identifier.id) return identifier.id;
  }
  throw CallingCommunicationError.of(BAD_ARGUMENT, "Give an identifier such as { communicationUserId }.");
}

/** @param {CommunicationIdentifier} identifier @returns {identifier is CommunicationUserIdentifier} */
export const isCommunicationUserIdentifier = (identifier) => "communicationUserId" in identifier;
/** @param {CommunicationIdentifier} identifier @returns {identifier is PhoneNumberIdentifier} */
export const isPhoneNumberIdentifier = (identifier) => "phoneNumber" in identifier;
/** @param {CommunicationIdentifier} identifier @returns {identifier is MicrosoftTeamsUserIdentifier} */
export const isMicrosoftTeamsUserIdentifier = (identifier) => "microsoftTeamsUserId" in identifier;
/** @param {CommunicationIdentifier} identifier @returns {identifier is UnknownIdentifier} */
export const isUnknownIdentifier = (identifier) => "id" in identifier;
/** @param {CommunicationIdentifier} identifier */
export const getIdentifierKind = (identifier) => createIdentifierFromRawId(getIdentifierRawId(identifier));

/**
 * Return a party as the calling API shows it.
 * @param {Party} party
 * @returns {CallerInfo}
 */
export function callerInfo(party) {
  const identifier = createIdentifierFromRawId(party.raw_id);
  return { identifier, displayName: party.display_name || party.name || "", name: party.name || "" };
}
