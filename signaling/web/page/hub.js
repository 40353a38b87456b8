/** The hub's REST interface, as far as the page needs it. */

/** @import { Party, Reason } from "../messages.js" */

/**
 * @typedef {{ raw_id: string, name: string, display_name: string, aliases: string[],
 *   presence: "available" | "busy" | "offline" }} Person
 * @typedef {{ call_id: string, caller: Party, callee: Party, transferor: Party | null, kind: string | null,
 *   placed_at: string, answered_at: string | null, ended_at: string, reason: Reason }} PastCall
 * @typedef {{ id: string, folder: "new" | "saved", caller: Party, transferor: Party | null, received_at: string,
 *   duration: number, peaks: number[] }} VoiceMessage
 * @typedef {{ kind: "person", identifier: string } | { kind: "voicemail" } | null} Destination
 * @typedef {{ forwarding: Destination, unanswered: Destination, unanswered_delay: number, declined: Destination,
 *   busy: Destination }} Settings
 */

/** A hub, as the user of a token sees it. Everything rejects with an Error that says what to do. */
export class Hub {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
  }

  /** @returns {Promise<Person[]>} */
  async people() {
    return (await this.#json("GET", "/v1/directory")).people;
  }

  /** @returns {Promise<PastCall[]>} */
  async history() {
    return (await this.#json("GET", "/v1/history?limit=100")).calls;
  }

  /** @returns {Promise<VoiceMessage[]>} */
  async messages() {
    return (await this.#json("GET", "/v1/mailbox")).messages;
  }

  /** @param {string} id @returns {Promise<Blob>} */
  async audio(id) {
    return (await this.#ask("GET", `/v1/mailbox/${encodeURIComponent(id)}/audio`)).blob();
  }

  /** @param {string} id @param {"new" | "saved"} folder */
  async move(id, folder) {
    await this.#json("PATCH", `/v1/mailbox/${encodeURIComponent(id)}`, { folder });
  }

  /** @param {string} id */
  async remove(id) {
    await this.#ask("DELETE", `/v1/mailbox/${encodeURIComponent(id)}`);
  }

  /** @returns {Promise<Settings>} */
  settings() {
    return this.#json("GET", "/v1/settings");
  }

  /** @param {Settings} settings @returns {Promise<Settings>} */
  putSettings(settings) {
    return this.#json("PUT", "/v1/settings", settings);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async #json(method, path, body) {
    return (await this.#ask(method, path, body)).json();
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  #ask(method, path, body) {
    return ask(method, path, body, { Authorization: `Bearer ${this.token}` });
  }
}

/**
 * Return the token that an invitation's code is good for.
 * @param {string} code
 * @returns {Promise<string>}
 */
export async function signIn(code) {
  return (await (await ask("POST", "/v1/sign-in", { code })).json()).token;
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [headers] */
async function ask(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("The hub cannot be reached. Check the network and try again.");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  const sentence = said?.error?.message ?? response.statusText;
  throw new Error(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`);
}
