/** What the calling API throws (ACS CommunicationServicesError). */

/** @import { Reason } from "./messages.js" */

/** An operation that was refused: code and sub code as ACS has them, a message that says what to do. */
export class CallingCommunicationError extends Error {
  /**
   * @param {number} code
   * @param {number} subCode
   * @param {string} message
   */
  constructor(code, subCode, message) {
    super(message);
    this.name = "CallingCommunicationError";
    this.code = code;
    this.subCode = subCode;
  }

  /**
   * @param {Reason} reason
   * @param {string} [message] in place of the reason's own
   */
  static of(reason, message) {
    return new CallingCommunicationError(reason.code, reason.sub_code, message ?? reason.message ?? "");
  }
}
