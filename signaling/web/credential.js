/** Tokens: a static one, or one that renews itself (@azure/communication-common). */

import { CallingCommunicationError } from "./errors.js";
import { INVALID_TOKEN } from "./reasons.js";

/**
 * @typedef {{ token: string, expiresOnTimestamp: number }} AccessToken
 * @typedef {{ getToken(options?: { abortSignal?: AbortSignal }): Promise<AccessToken> | AccessToken,
 *   dispose?: () => void }} CommunicationTokenCredential
 * @typedef {{ tokenRefresher: (abortSignal?: AbortSignal) => Promise<string>, token?: string,
 *   refreshProactively?: boolean }} CommunicationTokenRefreshOptions
 */

export const EARLY_MILLISECONDS = 600_000;

/** A token, or a refresher of tokens that is called once however many ask. */
export class AzureCommunicationTokenCredential {
  /** @type {AccessToken | null} */
  #current = null;
  /** @type {CommunicationTokenRefreshOptions | null} */
  #options = null;
  /** @type {Promise<AccessToken> | null} */
  #pending = null;
  #disposed = false;

  /**
   * Throws 495/4507 for text that is no token.
   * @param {string | CommunicationTokenRefreshOptions} given
   */
  constructor(given) {
    if (typeof given === "string") {
      this.#current = readToken(given);
      return;
    }
    if (typeof given?.tokenRefresher !== "function") {
      throw CallingCommunicationError.of(INVALID_TOKEN, "Give a token or a tokenRefresher.");
    }
    this.#options = given;
    this.#current = given.token ? readToken(given.token) : null;
  }

  /**
   * Return the current token, renewed first where it is about to expire.
   * @param {{ abortSignal?: AbortSignal }} [options]
   * @returns {Promise<AccessToken>}
   */
  async getToken(options) {
    if (this.#disposed) throw CallingCommunicationError.of(INVALID_TOKEN, "The credential is disposed.");
    const early = this.#options?.refreshProactively ? EARLY_MILLISECONDS : 0;
    if (this.#current && this.#current.expiresOnTimestamp - early > Date.now()) return this.#current;
    if (!this.#options) return /** @type {AccessToken} */ (this.#current);
    this.#pending ??= this.#refresh(this.#options, options?.abortSignal);
    return this.#pending;
  }

  /** Give no token any more. */
  dispose() {
    this.#disposed = true;
    this.#current = null;
  }

  /**
   * Do not give a token again that the hub refused, if another can be had.
   * @param {string} token
   * @internal
   */
  _forget(token) {
    if (this.#options && this.#current?.token === token) this.#current = null;
  }

  /**
   * @param {CommunicationTokenRefreshOptions} options
   * @param {AbortSignal} [abortSignal]
   */
  async #refresh(options, abortSignal) {
    try {
      return (this.#current = readToken(await options.tokenRefresher(abortSignal)));
    } finally {
      this.#pending = null;
    }
  }
}

/**
 * Return a token with its expiry; only the hub can tell whether it is genuine.
 * @param {string} token
 * @returns {AccessToken}
 */
function readToken(token) {
  const { exp } = claims(token);
  if (typeof exp !== "number") {
    throw CallingCommunicationError.of(INVALID_TOKEN, "This is not an access token.");
  }
  return { token: token.trim(), expiresOnTimestamp: exp * 1000 };
}

/**
 * Return the hub that a token names, "" if it names none.
 * @param {string} token
 */
export function issuer(token) {
  const { iss } = claims(token);
  return typeof iss === "string" && /^https?:\/\//.test(iss) ? iss : "";
}

/**
 * @param {string} token
 * @returns {Record<string, unknown>}
 */
function claims(token) {
  try {
    const body = token.trim().split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0))));
  } catch {
    throw CallingCommunicationError.of(INVALID_TOKEN, "This is not an access token.");
  }
}
