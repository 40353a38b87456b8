/**
 * One agent's pump: the only place where phone, link and media meet (node/runtime.py).
 *
 * Everything enters by `give` and is handled one after the other; outputs are carried out in order. News go to the
 * owner, who may give again from within.
 */

/** @import { CommunicationTokenCredential } from "./credential.js" */
/** @import { Input, News, Output } from "./exchange.js" */
/** @import { HubMessage, IceServer, Party, Reason, Welcome } from "./messages.js" */
/** @import { Snapshot } from "./snapshot.js" */

import { AzureCommunicationTokenCredential, EARLY_MILLISECONDS } from "./credential.js";
import { Link } from "./link.js";
import { Media } from "./media.js";
import { Phone } from "./phone.js";
import { NETWORK } from "./reasons.js";

/** Run one phone until closed or until the hub is lost for good. */
export class Runtime {
  /** @type {Party} */
  me = { raw_id: "8:unknown" };
  /** @type {readonly string[]} */
  rights = [];
  media;
  #phone;
  #link;
  #credential;
  #onNews;
  #onLinked;
  #onLost;
  /** @type {Input[]} */
  #inputs = [];
  /** @type {News[]} */
  #news = [];
  #pumping = false;
  #timer = 0;
  #renewal = 0;
  #token = "";
  #iceServers;
  #snapshot;
  #earlier;
  #parting = () => this.give({ is: "parting" });

  /**
   * @param {CommunicationTokenCredential} credential
   * @param {string} url of the hub
   * @param {{ displayName: string, consent: boolean, configuration: RTCConfiguration,
   *   onNews: (news: News) => void, onLinked: (on: boolean) => void, onLost: (reason: Reason) => void,
   *   snapshot: Snapshot | null }} options
   */
  constructor(credential, url, { displayName, consent, configuration, onNews, onLinked, onLost, snapshot }) {
    this.#snapshot = snapshot;
    this.#earlier = snapshot?.load() ?? null;
    if (snapshot) window.addEventListener("pagehide", this.#parting);
    this.#credential = credential;
    this.#onNews = onNews;
    this.#onLinked = onLinked;
    this.#onLost = onLost;
    this.#iceServers = configuration.iceServers ?? [];
    this.media = new Media((happening) => this.give({ is: "fromMedia", happening }), configuration);
    this.#phone = new Phone({ consent });
    this.#link = new Link(url, () => this.#freshToken(), displayName, this, this.#earlier?.resume);
  }

  /** Connect; return why that is impossible, or null. */
  open() {
    return this.#link.open();
  }

  /**
   * Take one input and carry out what follows, after what is under way.
   * @param {Input} what
   */
  give(what) {
    this.#inputs.push(what);
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let input = this.#inputs.shift(); input; input = this.#inputs.shift()) {
        for (const output of this.#phone.handle(input, now())) this.#carryOut(output);
      }
    } finally {
      this.#pumping = false;
      this.#arm();
    }
    this.#save();
    for (let news = this.#news.shift(); news; news = this.#news.shift()) this.#onNews(news);
  }

  /** Let every call and the link go. */
  async close() {
    this.give({ is: "cut", reason: NETWORK });
    clearTimeout(this.#renewal);
    window.removeEventListener("pagehide", this.#parting);
    await this.#link.close();
    this.#snapshot?.clear();
    this.media.close();
    clearTimeout(this.#timer);
  }

  /** @param {Welcome} welcome @param {boolean} again */
  welcomed(welcome, again) {
    this.me = welcome.me;
    this.#use(welcome.ice_servers ?? []);
    this.rights = welcome.rights;
    if (again && !welcome.resumed) this.give({ is: "anew" });
    if (this.#earlier && welcome.resumed) {
      this.give({ is: "restore", calls: this.#earlier.calls, ringing: this.#earlier.ringing });
    }
    this.#earlier = null;
    this.give({ is: "linked", on: true });
    this.#onLinked(true);
  }

  /** @param {HubMessage} message */
  received(message) {
    if (message.type === "ice.servers") this.#use(message.servers);
    this.give({ is: "fromHub", message });
  }

  away() {
    this.give({ is: "linked", on: false });
    this.#onLinked(false);
  }

  /** @param {string} token */
  refused(token) {
    if (this.#credential instanceof AzureCommunicationTokenCredential) this.#credential._forget(token);
  }

  /** @param {Reason} reason */
  closed(reason) {
    clearTimeout(this.#renewal);
    this.give({ is: "cut", reason });
    this.#onLost(reason);
  }

  /**
   * Seek new paths with the application's servers and these of the hub.
   * @param {readonly IceServer[]} told
   */
  #use(told) {
    const servers = told.map(({ urls, username, credential }) => ({ urls: [...urls], username, credential }));
    this.media.setIceServers([...this.#iceServers, ...servers]);
  }

  #save() {
    const { calls, ringing } = this.#phone;
    this.#snapshot?.save({ resume: this.#link.resume, calls: [...calls.values()], ringing: [...ringing.values()] });
  }

  /** @param {Output} output */
  #carryOut(output) {
    try {
      if ("send" in output) this.#link.send(output.send);
      else if ("order" in output) this.media.carryOut(output.order);
      else this.#news.push(output);
    } catch (error) {
      // A bug with one call must not take the others with it.
      console.error("an output could not be carried out", error);
    }
  }

  #arm() {
    clearTimeout(this.#timer);
    const { deadline } = this.#phone;
    if (deadline === null) return;
    this.#timer = setTimeout(() => this.give({ is: "tick" }), Math.max(0, deadline - now()) * 1000);
  }

  async #freshToken() {
    const { token, expiresOnTimestamp } = await this.#credential.getToken();
    this.#token = token;
    const left = expiresOnTimestamp - Date.now();
    clearTimeout(this.#renewal);
    const early = left > EARLY_MILLISECONDS ? left - EARLY_MILLISECONDS : left / 2;
    if (left > 1_000) this.#renewal = setTimeout(() => void this.#renew(), Math.min(early, 2 ** 31 - 1));
    return token;
  }

  /** Send a fresh token before the current one expires, if the credential has one. */
  async #renew() {
    const before = this.#token;
    try {
      const token = await this.#freshToken();
      if (token !== before) this.#link.send({ type: "token.refresh", token });
    } catch {
      console.warn("the token cannot be renewed now");
      this.#renewal = setTimeout(() => void this.#renew(), 30_000);
    }
  }
}

/** Return the time, in seconds, on a clock that never goes back and goes on in a page that is loaded again. */
const now = () => (performance.timeOrigin + performance.now()) / 1000;
