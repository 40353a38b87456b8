/** Why a call or transfer ended: code, sub code, a sentence for people (signaling/reasons.py). */

/** @import { Reason } from "./messages.js" */

/**
 * @param {number} code
 * @param {number} sub_code
 * @param {string} message
 * @param {Reason["category"]} [category]
 * @returns {Readonly<Reason>}
 */
const reason = (code, sub_code, message, category = "ExpectedError") =>
  Object.freeze({ code, sub_code, message, category });

export const HUNG_UP = reason(0, 0, "The call was hung up.", "Success");
export const CANCELLED = reason(487, 0, "The caller gave up before anyone answered.", "Success");
export const DECLINED = reason(603, 0, "The call was declined.");
export const NETWORK = reason(410, 3100, "The connection to the other end or to the hub was lost.");
export const NO_MEDIA = reason(
  410, 301004, "No sound could be exchanged with the other end.", "UnexpectedClientError",
);
export const MEDIA_LOST = reason(410, 301005, "The sound connection was lost.", "UnexpectedClientError");
export const TIMED_OUT = reason(408, 10057, "The other end did not finish setting up in time.");
export const UNKNOWN_CALL = reason(404, 8522, "There is no such call of yours.");
export const INVALID_TOKEN = reason(495, 4507, "The token is invalid, expired or revoked; get a new one.");
export const BAD_ARGUMENT = reason(
  400, 8523, "A target or option does not fit; see the message.", "UnexpectedClientError",
);
export const NOT_PRESENT = reason(404, 8558, "There is no such participant in the call.");
export const WRONG_STATE = reason(
  400, 8585, "The call is not in a state that allows this.", "UnexpectedClientError",
);

/**
 * Tell whether two reasons are the same, whatever their sentences.
 * @param {Reason} one
 * @param {Reason} other
 */
export const sameReason = (one, other) => one.code === other.code && one.sub_code === other.sub_code;
