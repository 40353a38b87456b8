/** The hub's REST API in a user's name (node/rest.py). */

/** @import { CommunicationTokenCredential } from "./credential.js" */

import { CallingCommunicationError } from "./errors.js";
import { BAD_ARGUMENT, INVALID_TOKEN, NETWORK } from "./reasons.js";

const UNAUTHORIZED = 401;

/** Ask the hub at a URL as the user of a credential. */
export class Rest {
  #hub;
  #credential;

  /** @param {string} hub @param {CommunicationTokenCredential} credential */
  constructor(hub, credential) {
    this.#hub = hub.replace(/\/$/, "");
    this.#credential = credential;
  }

  /**
   * Return the hub's answer; rejects as `ask` does.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async ask(method, path, body) {
    const { token } = await this.#credential.getToken();
    return ask(method, this.#hub + path, body, token);
  }
}

/**
 * Return the answer of a hub; rejects with 410/3100 when it cannot be reached, 495/4507 for a token that it does not
 * accept, else with the HTTP status and the hub's sentence.
 * @param {string} method
 * @param {string} url
 * @param {object} [given] a Blob is sent as it is, all else as JSON
 * @param {string} [token]
 */
export async function ask(method, url, given, token) {
  const body = given && !(given instanceof Blob) ? JSON.stringify(given) : given;
  /** @type {Record<string, string>} */
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(url, { method, headers, body });
  } catch {
    throw CallingCommunicationError.of(NETWORK, "The hub cannot be reached. Check the network and try again.");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  const sentence = said?.error?.message ?? response.statusText;
  const plain = sentence.replace(/^the JSON body does not fit: | - at `.*`$/g, "");
  const message = `${plain.charAt(0).toUpperCase()}${plain.slice(1)}.`;
  if (response.status === UNAUTHORIZED) throw CallingCommunicationError.of(INVALID_TOKEN, message);
  throw new CallingCommunicationError(response.status, BAD_ARGUMENT.sub_code, message);
}
