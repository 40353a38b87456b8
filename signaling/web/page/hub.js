/** The hub's REST interface, as far as the page needs it. */

/** @import { Party, Reason } from "../messages.js" */

import { ask } from "../rest.js";

/**
 * @typedef {{ raw_id: string, name: string, display_name: string, aliases: string[],
 *   presence: "available" | "busy" | "offline" }} Person
 * @typedef {{ number: number, call_id: string, direction: "incoming" | "outgoing", caller: Party, callee: Party,
 *   transferor: Party | null, kind: string | null, answered_by: Party | null, placed_at: string,
 *   answered_at: string | null, duration: number | null, reason: Reason }} PastCall
 * @typedef {"new" | "saved" | "deleted"} Folder
 * @typedef {{ id: string, folder: Folder, caller: Party, transferor: Party | null, received_at: string,
 *   duration: number, peaks: number[], urgent: boolean, forwarded_by: Party | null, transcript?: string | null }} VoiceMessage
 * @typedef {{ kind: "person", identifier: string } | { kind: "group", identifier: string | null }
 *   | { kind: "voicemail" } | null} Destination
 * @typedef {{ members: string[], order: "simultaneous" | "in_order", delay: number }} Group
 * @typedef {{ forwarding: Destination, simultaneous: Destination, unanswered: Destination, unanswered_delay: number,
 *   declined: Destination, busy: Destination, do_not_disturb: boolean, do_not_disturb_to: Destination | "unanswered",
 *   call_waiting: boolean, group: Group | null }} Settings
 * @typedef {"unavailable" | "busy" | "away" | "temporary"} GreetingKind
 * @typedef {{ answer: "record" | "greeting_only" | "decline", language: "en" | "de", operator: string | null,
 *   retention_days: number | null }} MailboxSettings
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

  /**
   * @param {{ missed?: boolean, before?: number | null }} [which]
   * @returns {Promise<{ calls: PastCall[], next: number | null }>}
   */
  history({ missed = false, before = null } = {}) {
    const query = new URLSearchParams({ limit: "50", ...(missed && { missed: "true" }), ...(before && { before: String(before) }) });
    return this.#json("GET", `/v1/history?${query}`);
  }

  /** @param {Folder} [folder] by default new and saved ones @returns {Promise<VoiceMessage[]>} */
  async messages(folder) {
    return (await this.#json("GET", folder ? `/v1/mailbox?folder=${folder}` : "/v1/mailbox")).messages;
  }

  /** @param {string} id @returns {Promise<Blob>} */
  async audio(id) {
    return (await this.#ask("GET", `/v1/mailbox/${encodeURIComponent(id)}/audio`)).blob();
  }

  /** @param {string} id @param {Folder | "undeleted"} folder */
  async move(id, folder) {
    await this.#json("PATCH", `/v1/mailbox/${encodeURIComponent(id)}`, { folder });
  }

  /** Delete for good what is deleted. @param {string} id */
  async purge(id) {
    await this.#ask("DELETE", `/v1/mailbox/${encodeURIComponent(id)}`);
  }

  /** @returns {Promise<MailboxSettings>} */
  mailboxSettings() {
    return this.#json("GET", "/v1/mailbox-settings");
  }

  /** @param {MailboxSettings} settings */
  async putMailboxSettings(settings) {
    await this.#json("PUT", "/v1/mailbox-settings", settings);
  }

  /** @param {string} pin "" for none */
  async putPin(pin) {
    await (pin ? this.#ask("PUT", "/v1/mailbox-pin", { pin }) : this.#ask("DELETE", "/v1/mailbox-pin"));
  }

  /** @returns {Promise<GreetingKind[]>} */
  greetings() {
    return this.#json("GET", "/v1/mailbox-greetings");
  }

  /** @param {GreetingKind} kind @returns {Promise<Blob>} */
  async greeting(kind) {
    return (await this.#ask("GET", `/v1/mailbox-greetings/${kind}`)).blob();
  }

  /** @param {GreetingKind} kind @param {Blob | null} sound Ogg Opus, null for none */
  async putGreeting(kind, sound) {
    await this.#ask(sound ? "PUT" : "DELETE", `/v1/mailbox-greetings/${kind}`, sound ?? undefined);
  }

  /** @returns {Promise<Settings>} */
  settings() {
    return this.#json("GET", "/v1/settings");
  }

  /** @param {Settings} settings @returns {Promise<Settings>} */
  putSettings(settings) {
    return this.#json("PUT", "/v1/settings", settings);
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  async #json(method, path, body) {
    return (await this.#ask(method, path, body)).json();
  }

  /** @param {string} method @param {string} path @param {object} [body] */
  #ask(method, path, body) {
    return ask(method, path, body, this.token);
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
