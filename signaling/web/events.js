/** Events of the calling API: handlers by name, called in the order in which they came. */

/** Whatever has events. A listener that throws does not keep the others from being told. */
export class Emitter {
  /** @type {Map<string, Set<(event: any) => void>>} */
  #listeners = new Map();

  /**
   * Call a listener at every such event; a name that is never emitted is accepted, as of a page with video.
   * @param {string} event
   * @param {(event: any) => void} listener
   */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  /**
   * Call a listener no more.
   * @param {string} event
   * @param {(event: any) => void} listener
   */
  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  /**
   * @param {string} event
   * @param {unknown} [payload]
   * @internal
   */
  _emit(event, payload) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        console.error(`a listener of ${event} failed`, error);
      }
    }
  }

  /**
   * Tell of a property that has changed, under the names of both ACS and W3C.
   * @template T
   * @param {string} event
   * @param {T} oldValue
   * @param {T} newValue
   * @param {object} [more]
   * @internal
   */
  _changed(event, oldValue, newValue, more) {
    this._emit(event, { oldValue, newValue, oldState: oldValue, newState: newValue, ...more });
  }
}
