/** Identifiers of ACS and the raw ids behind them (@azure/communication-common, signaling/identifiers.py). */

/** @import { Party } from "./messages.js" */

import { CallingCommunicationError } from "./errors.js";
import { BAD_ARGUMENT } from "./reasons.js";

/**
 * @typedef {{ communicationUserId: string }} CommunicationUserIdentifier
 * @typedef {{ phoneNumber: string, rawId?: string }} PhoneNumberIdentifier
 * @typedef {{ microsoftTeamsUserId: string, rawId?: string, isAnonymous?: boolean,
 *   cloud?: "public" | "dod" | "gcch" }} MicrosoftTeamsUserIdentifier
 * @typedef {{ teamsAppId: string, rawId?: string, cloud?: "public" | "dod" | "gcch" }} MicrosoftTeamsAppIdentifier
 * @typedef {{ userId: string, tenantId: string, resourceId: string, rawId?: string,
 *   cloud?: "public" | "dod" | "gcch" }} TeamsExtensionUserIdentifier
 * @typedef {{ id: string }} UnknownIdentifier
 * @typedef {CommunicationUserIdentifier | PhoneNumberIdentifier | MicrosoftTeamsUserIdentifier
 *   | MicrosoftTeamsAppIdentifier | TeamsExtensionUserIdentifier | UnknownIdentifier} CommunicationIdentifier
 * @typedef {(CommunicationUserIdentifier & { kind: "communicationUser" })
 *   | (PhoneNumberIdentifier & { kind: "phoneNumber" })
 *   | (MicrosoftTeamsUserIdentifier & { kind: "microsoftTeamsUser" })
 *   | (MicrosoftTeamsAppIdentifier & { kind: "microsoftTeamsApp" })
 *   | (TeamsExtensionUserIdentifier & { kind: "teamsExtensionUser" })
 *   | (UnknownIdentifier & { kind: "unknown" })} CommunicationIdentifierKind
 * @typedef {{ identifier: CommunicationIdentifierKind, displayName?: string, name?: string }} CallerInfo
 */

const USER = /^8:(acs|spool|dod-acs|gcch-acs):/;
const EXTENSION = /^8:(acs|dod-acs|gcch-acs):([^_]+)_([^_]+)_([^_]+)$/;
const APP = /^28:(orgid|dod|gcch):(.*)$/s;
/** @type {Record<string, "public" | "dod" | "gcch">} by the prefix of a raw id */
const CLOUDS = { orgid: "public", acs: "public", dod: "dod", "dod-acs": "dod", gcch: "gcch", "gcch-acs": "gcch" };
const PREFIXES = { public: "orgid", dod: "dod", gcch: "gcch" };
const USER_PREFIXES = { public: "acs", dod: "dod-acs", gcch: "gcch-acs" };
const NUMBER = /^(?:4:)?(\+[1-9]\d{1,14})$/;
const TEAMS = /^8:(orgid|dod|gcch|teamsvisitor):(.*)$/s;

/**
 * Return the identifier that a raw id, a phone number or a short name stands for.
 * @param {string} rawId
 * @returns {CommunicationIdentifierKind}
 */
export function createIdentifierFromRawId(rawId) {
  const extension = EXTENSION.exec(rawId);
  if (extension) {
    const [, prefix, resourceId, tenantId, userId] = extension;
    return { kind: "teamsExtensionUser", userId, tenantId, resourceId, rawId, cloud: CLOUDS[prefix] };
  }
  if (USER.test(rawId)) return { kind: "communicationUser", communicationUserId: rawId };
  const number = NUMBER.exec(rawId);
  if (number) return { kind: "phoneNumber", phoneNumber: number[1], rawId: `4:${number[1]}` };
  const app = APP.exec(rawId);
  if (app) return { kind: "microsoftTeamsApp", teamsAppId: app[2], rawId, cloud: CLOUDS[app[1]] };
  const teams = TEAMS.exec(rawId);
  if (!teams) return { kind: "unknown", id: rawId };
  const [, prefix, microsoftTeamsUserId] = teams;
  if (prefix === "teamsvisitor") {
    return { kind: "microsoftTeamsUser", microsoftTeamsUserId, rawId, isAnonymous: true, cloud: "public" };
  }
  return { kind: "microsoftTeamsUser", microsoftTeamsUserId, rawId, isAnonymous: false, cloud: CLOUDS[prefix] };
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
      const prefix = identifier.isAnonymous ? "teamsvisitor" : PREFIXES[identifier.cloud ?? "public"];
      return identifier.rawId ?? `8:${prefix}:${identifier.microsoftTeamsUserId}`;
    }
    if ("teamsAppId" in identifier) {
      return identifier.rawId ?? `28:${PREFIXES[identifier.cloud ?? "public"]}:${identifier.teamsAppId}`;
    }
    if ("tenantId" in identifier) {
      const { resourceId, tenantId, userId, cloud = "public" } = identifier;
      return identifier.rawId ?? `8:${USER_PREFIXES[cloud]}:${resourceId}_${tenantId}_${userId}`;
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
/** @param {CommunicationIdentifier} identifier @returns {identifier is MicrosoftTeamsAppIdentifier} */
export const isMicrosoftTeamsAppIdentifier = (identifier) => "teamsAppId" in identifier;
/** @param {CommunicationIdentifier} identifier @returns {identifier is TeamsExtensionUserIdentifier} */
export const isTeamsExtensionUserIdentifier = (identifier) => "tenantId" in identifier;
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
