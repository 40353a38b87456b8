/** What the page's elements are made with: who listens for what is shown no more is let go. */

import assert from "node:assert/strict";
import test from "node:test";

import { Emitter } from "../../signaling/web/events.js";
import { whileShown } from "../../signaling/web/page/dom.js";

/** @returns {any} */
const shown = () => ({ isConnected: true });

class Counted extends Emitter {
  listeners = 0;

  on(...given) {
    this.listeners++;
    super.on(...given);
  }

  off(...given) {
    this.listeners--;
    super.off(...given);
  }
}

test("who listens is let go when it is shown no more, at the event or when another one listens", async () => {
  const [emitter, heard] = [new Counted(), []];
  const [first, second] = [{ isConnected: false }, shown()];
  whileShown(first, emitter, "changed", () => heard.push("first"));
  whileShown(second, emitter, "changed", () => heard.push("second"));
  first.isConnected = true; // shown before the task is over
  await null;
  await null;
  assert.equal(emitter.listeners, 2);
  emitter._emit("changed");
  first.isConnected = false;
  whileShown(shown(), emitter, "changed", () => heard.push("third"));
  await null;
  assert.equal(emitter.listeners, 2);
  second.isConnected = false;
  emitter._emit("changed");
  assert.deepEqual([heard, emitter.listeners], [["first", "second", "third"], 1]);
});
