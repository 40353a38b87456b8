/** What a page keeps for itself while it is loaded again: its session with the hub, and its calls. */

/** @import { Resume } from "./messages.js" */
/** @import { Session } from "./session.js" */

/** @typedef {{ resume: Resume | null, calls: Session[], ringing: Session[] }} Kept */

const KEY = "callnode.session";

/** Keep it in a storage, such as `sessionStorage`; it holds the session's secret. */
export class Snapshot {
  #storage;
  #closed = false;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * Return what was kept, if this is the same page loaded again; a copy of the tab has its own session.
   * @returns {Kept | null}
   */
  load() {
    const [navigation] = performance.getEntriesByType("navigation");
    const again = navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
    const text = this.#storage.getItem(KEY);
    this.#storage.removeItem(KEY);
    return again && text ? JSON.parse(text) : null;
  }

  /** @param {Kept} kept */
  save(kept) {
    if (!this.#closed) this.#storage.setItem(KEY, JSON.stringify(kept));
  }

  /** Forget it for good. */
  clear() {
    this.#closed = true;
    this.#storage.removeItem(KEY);
  }
}
