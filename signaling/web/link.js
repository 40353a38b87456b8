/**
 * The connection to the hub: one WebSocket, numbered messages both ways, resumed after a loss (node/link.py).
 *
 * What is sent is kept until the hub has acknowledged it; after a resume the rest is sent again, and what the hub
 * repeats is dropped, so that nothing is lost and nothing comes twice. The token stands in the first message.
 */

/** @import { ClientMessage, HubMessage, Reason, Resume, Welcome } from "./messages.js" */

import { INVALID_TOKEN, NETWORK, sameReason } from "./reasons.js";

const PING_MILLISECONDS = 10_000;
const REPLY_MILLISECONDS = 5_000;
const GIVE_UP_MILLISECONDS = 30_000;
const STEADY_MILLISECONDS = 3_000;
const UNACKNOWLEDGED = 512;
const PROTOCOL = 1;

// Close codes (signaling/WIRE.md).
const RESTART = 1012, BAD_MESSAGES = 4400, UNAUTHORIZED = 4401, SUPERSEDED = 4409, SESSION_ENDED = 4410;
const TOO_MANY = 4429;

/**
 * @typedef {object} LinkOwner
 * @property {(welcome: Welcome, again: boolean) => void} welcomed takes a session; `again` and not
 *   `welcome.resumed` means that the earlier one is lost
 * @property {(message: HubMessage) => void} received takes a message, each once and in order
 * @property {() => void} away takes note that the connection is lost and sought again
 * @property {(token: string) => void} refused takes note that the hub does not accept a token (any more)
 * @property {(reason: Reason) => void} closed takes note that the link is gone for good
 */

/** The hub ended the session. */
class EndedError extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(reason.message);
    this.reason = reason;
  }
}

/** The connection is gone, with a close code if there was one. */
class LostError extends Error {
  /** @param {string} message @param {number} [code] */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** One agent's connection to its hub. */
export class Link {
  #url;
  #token;
  #displayName;
  #owner;
  /** @type {Welcome | null} */
  #welcome = null;
  /** @type {{ seq: number, frame: string }[]} */
  #sent = [];
  #seq = 0;
  #heard = 0;
  #resumable = false;
  #badMessages = 0;
  #used = "";
  #refused = "";
  #closing = false;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Promise<void> | null} */
  #running = null;
  #wake = () => {};
  /** @type {Resume | null} */
  #earlier;

  /**
   * @param {string} url of the hub
   * @param {() => Promise<string>} token
   * @param {string} displayName
   * @param {LinkOwner} owner
   * @param {Resume | null} [earlier] the session to take up, of a page that was loaded again
   */
  constructor(url, token, displayName, owner, earlier = null) {
    this.#earlier = earlier;
    this.#heard = earlier?.last_seq ?? 0;
    this.#url = url.replace(/\/$/, "").replace(/^http/, "ws") + "/v1/agent";
    this.#token = token;
    this.#displayName = displayName;
    this.#owner = owner;
  }

  /**
   * Connect for the first time; return why that is impossible, or null once welcomed.
   * @returns {Promise<Reason | null>}
   */
  open() {
    return new Promise((resolve) => {
      this.#running = this.#run(resolve);
    });
  }

  /**
   * What it takes to go on with this session, null without one.
   * @returns {Resume | null}
   */
  get resume() {
    if (!this.#welcome || !this.#resumable) return null;
    return { session: this.#welcome.session, secret: this.#welcome.secret, last_seq: this.#heard };
  }

  /**
   * Send a message now, or after the connection is back.
   * @param {ClientMessage} message
   */
  send(message) {
    this.#seq += 1;
    const frame = JSON.stringify({ ...message, seq: this.#seq });
    this.#sent.push({ seq: this.#seq, frame });
    this.#socket?.send(frame);
    if (this.#sent.length > UNACKNOWLEDGED) {
      // What the hub has not acknowledged for so long it will never be able to follow up.
      this.#sent = [];
      this.#resumable = false;
    }
  }

  /** Say goodbye and let the connection go. */
  async close() {
    this.#closing = true;
    this.#socket?.send(JSON.stringify({ type: "bye" }));
    this.#wake();
    await this.#running;
  }

  /** @param {(reason: Reason | null) => void} opened */
  async #run(opened) {
    let first = true;
    let since = Date.now();
    let attempts = 0;
    let reason = NETWORK;
    const greeted = () => {
      if (first) opened(null);
      first = false;
    };
    while (!this.#closing) {
      const lost = await this.#live(greeted);
      if (lost instanceof EndedError) {
        reason = lost.reason;
        break;
      }
      if (this.#closing) break;
      if (lost.steady) {
        since = Date.now();
        attempts = 0;
      }
      if (Date.now() - since >= (first ? REPLY_MILLISECONDS : GIVE_UP_MILLISECONDS)) {
        if (this.#refused) reason = INVALID_TOKEN;
        break;
      }
      const backoff = attempts ? Math.random() * Math.min(5_000, 300 * 2 ** attempts) : 0;
      attempts += 1;
      await this.#pause(backoff + leastWait(lost.error));
    }
    this.#socket = null;
    if (first) opened(reason);
    else if (!this.#closing) this.#owner.closed(reason);
  }

  /**
   * Connect, and serve until the connection is lost.
   * @param {() => void} greeted
   * @returns {Promise<EndedError | { error: LostError, steady: boolean }>}
   */
  async #live(greeted) {
    let welcomed = Infinity;
    /** @type {LostError} */
    let lost;
    try {
      const socket = await this.#connect();
      welcomed = Date.now();
      this.#refused = "";
      greeted();
      await this.#serve(socket);
      lost = new LostError("the connection is closed");
    } catch (error) {
      if (error instanceof EndedError) {
        if (!sameReason(error.reason, INVALID_TOKEN) || this.#refused) return error;
        this.#refused = this.#used;
        this.#owner.refused(this.#used);
        lost = new LostError("the hub wants another token");
      } else {
        lost = error instanceof LostError ? error : new LostError(String(error));
      }
    }
    this.#socket = null;
    const steady = Date.now() - welcomed >= STEADY_MILLISECONDS;
    if (welcomed < Infinity && !this.#closing) this.#owner.away();
    this.#badMessages = (steady ? 0 : this.#badMessages) + (lost.code === BAD_MESSAGES ? 1 : 0);
    if (this.#badMessages > 1) this.#resumable = false; // what is sent again would be refused again
    return { error: lost, steady };
  }

  /**
   * Open a socket and greet; rejects with what a retry may mend, or with EndedError.
   * @returns {Promise<WebSocket>}
   */
  async #connect() {
    const used = (this.#used = await this.#freshToken());
    const resume = this.resume ?? this.#earlier;
    const socket = new WebSocket(this.#url);
    try {
      await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new LostError("the hub does not answer")), REPLY_MILLISECONDS);
        const settle = (/** @type {() => void} */ how) => () => (clearTimeout(late), how());
        socket.onopen = () => {
          /** @type {ClientMessage} */
          const hello = {
            type: "hello", token: used, display_name: this.#displayName, version: PROTOCOL, resume,
          };
          socket.send(JSON.stringify(hello));
        };
        socket.onclose = (event) => settle(() => reject(closed(event)))();
        socket.onmessage = ({ data }) => {
          /** @type {HubMessage} */
          const message = JSON.parse(data);
          if (message.type === "session.end") settle(() => reject(new EndedError(message.reason)))();
          if (message.type !== "welcome") return;
          this.#start(socket, message);
          settle(() => resolve(undefined))();
        };
      });
    } catch (error) {
      socket.onmessage = socket.onclose = socket.onopen = null;
      socket.close();
      throw error;
    }
    return socket;
  }

  /** @returns {Promise<string>} */
  async #freshToken() {
    let token = "";
    try {
      token = await within(REPLY_MILLISECONDS, this.#token());
    } catch {
      throw new LostError("there is no token for the hub now");
    }
    if (token === this.#refused) throw new EndedError(INVALID_TOKEN);
    return token;
  }

  /** @param {WebSocket} socket @param {Welcome} welcome */
  #start(socket, welcome) {
    const again = this.#welcome !== null;
    this.#welcome = welcome;
    this.#resumable = true;
    if (welcome.resumed) {
      this.#acknowledged(welcome.last_seq ?? 0);
      if (this.#earlier) this.#seq = welcome.last_seq ?? 0;
    } else {
      this.#sent = [];
      this.#seq = this.#heard = 0;
    }
    this.#earlier = null;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    for (const { frame } of this.#sent) socket.send(frame);
    this.#owner.welcomed(welcome, again);
  }

  /** @type {(error: Error) => void} */
  #broken = () => {};
  #answered = true;

  /**
   * Read and ping until the socket is gone.
   * @param {WebSocket} socket
   */
  async #serve(socket) {
    this.#answered = true;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const ping = () => {
      this.#answered = false;
      socket.send(JSON.stringify({ type: "ping", ack: this.#heard }));
      timer = setTimeout(() => {
        if (!this.#answered) return this.#broken(new LostError("the connection is dead"));
        timer = setTimeout(ping, PING_MILLISECONDS - REPLY_MILLISECONDS);
      }, REPLY_MILLISECONDS);
    };
    try {
      await new Promise((_, reject) => {
        this.#broken = reject;
        socket.onclose = (event) => reject(closed(event));
        if (socket.readyState > WebSocket.OPEN) reject(new LostError("the connection is closed"));
        else ping();
      });
    } finally {
      // @ts-expect-error: assigned by the first ping, or not at all
      clearTimeout(timer);
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  /** @param {WebSocket} socket @param {string} data */
  #receive(socket, data) {
    if (socket !== this.#socket) return;
    /** @type {HubMessage} */
    const message = JSON.parse(data);
    const seq = message.seq ?? 0;
    if (message.type === "session.end") {
      this.#broken(new EndedError(message.reason));
    } else if (message.type === "pong") {
      this.#answered = true;
      this.#acknowledged(message.ack ?? 0);
    } else if (seq === 0) {
      this.#owner.received(message);
    } else if (seq > this.#heard) {
      this.#heard = seq;
      this.#owner.received(message);
    }
  }

  /** @param {number} seq */
  #acknowledged(seq) {
    while (this.#sent.length && this.#sent[0].seq <= seq) this.#sent.shift();
  }

  /** @param {number} milliseconds */
  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => (clearTimeout(timer), resolve(undefined));
    });
  }
}

/** @param {CloseEvent} event */
function closed({ code }) {
  if (code === UNAUTHORIZED) return new EndedError(INVALID_TOKEN);
  if (code === SUPERSEDED || code === SESSION_ENDED) return new EndedError(NETWORK);
  return new LostError(`closed with ${code}`, code);
}

/**
 * Return how long to stay away: a hub that restarts must not get everybody at once.
 * @param {LostError} lost
 */
function leastWait(lost) {
  return lost.code === TOO_MANY ? 2_000 : lost.code === RESTART ? Math.random() * 1_000 : 0;
}

/**
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function within(milliseconds, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new LostError("too late")), milliseconds);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}
