/** Values of the wire in the shapes that ACS gives them. */

/** @import { CustomContext as WireContext, Reason } from "./messages.js" */

import { CallingCommunicationError } from "./errors.js";
import { BAD_ARGUMENT } from "./reasons.js";

/**
 * @typedef {{ code: number, subCode: number, message: string, resultCategories: string[] }} CallEndReason
 * @typedef {{ key: string, value: string }} Header
 * @typedef {{ userToUser?: string, voipHeaders?: Header[], sipHeaders?: Header[], xHeaders?: Header[] }} CustomContext
 */

const MAX_HEADERS = 5;
const MAX_KEY = 64;
const MAX_VALUE = 256;

/** Return a fresh id of a call or transfer. */
export const mintId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * @param {Reason} reason
 * @returns {CallEndReason}
 */
export function callEndReason({ code, sub_code, message = "", category = "ExpectedError" }) {
  return { code, subCode: sub_code, message, resultCategories: [category] };
}

/**
 * @param {WireContext | null | undefined} context
 * @returns {CustomContext | undefined}
 */
export function customContext(context) {
  if (!context) return undefined;
  const voipHeaders = Object.entries(context.voip_headers ?? {}).map(([key, value]) => ({ key, value }));
  return { userToUser: context.user_to_user ?? "", voipHeaders };
}

/**
 * Return what travels of a custom context: the first five valid headers, as in ACS.
 * @param {CustomContext | undefined} context
 * @returns {WireContext | null}
 */
export function wireContext(context) {
  if (!context) return null;
  const { userToUser = "", voipHeaders = [], sipHeaders = [], xHeaders = [] } = context;
  if (userToUser.length > MAX_VALUE) {
    throw CallingCommunicationError.of(BAD_ARGUMENT, `userToUser has at most ${MAX_VALUE} characters.`);
  }
  const valid = [...voipHeaders, ...sipHeaders, ...xHeaders].filter(
    ({ key, value }) => key && key.length <= MAX_KEY && value.length <= MAX_VALUE,
  );
  const kept = valid.slice(0, MAX_HEADERS).map(({ key, value }) => [key, value]);
  return { user_to_user: userToUser, voip_headers: Object.fromEntries(kept) };
}
