/** What is heard of the page beside calls: what repeats goes on whatever is played once. */

import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { Tones } from "../../signaling/web/page/tones.js";

/** Web Audio, as far as Node lacks it: what began and was not cut. */
let sounding;

class Sound {
  constructor(_, { frequency, gain } = {}) {
    Object.assign(this, { frequency, gain: gain === undefined ? undefined : this });
  }

  setValueAtTime() {}
  linearRampToValueAtTime() {}
  stop() {}
  connect = (next) => next;
  start = () => sounding.push(this.frequency);
  disconnect = () => sounding.splice(sounding.indexOf(this.frequency), 1);
}

beforeEach((context) => {
  sounding = [];
  context.mock.timers.enable({ apis: ["setInterval"] });
  Object.assign(globalThis, {
    OscillatorNode: Sound, GainNode: Sound,
    AudioContext: class { currentTime = 0; createMediaStreamDestination() { return new Sound(); } resume() {} },
    document: { createElement: () => ({ play: async () => {} }) },
  });
});

const RING = [660, 880, 660, 880];

test("a ring goes on while it is tested, and a test does not ring on", (context) => {
  const bell = new Tones();
  bell.ring();
  bell.testRing();
  assert.deepEqual(sounding, [...RING, ...RING]);
  context.mock.timers.tick(3000);
  assert.deepEqual(sounding, [...RING, ...RING, ...RING]);
  bell.stop();
  context.mock.timers.tick(6000);
  bell.testRing();
  const before = sounding.length;
  context.mock.timers.tick(6000);
  assert.equal(sounding.length, before);
});

test("a call that waits is heard on after keys, an end, and a test of the speaker", (context) => {
  const tones = new Tones();
  tones.waiting();
  for (const play of [() => tones.key("1"), () => tones.end(), () => tones.test()]) {
    play();
    sounding = [];
    context.mock.timers.tick(5000);
    assert.deepEqual(sounding, [425, 425]);
  }
});

test("one key cuts the tone of the one before, and no other key sounds", () => {
  const tones = new Tones();
  tones.key("1");
  tones.key("5");
  tones.key("x");
  assert.deepEqual(sounding, [770, 1336]);
});

test("an end is heard although what repeated is over", () => {
  const tones = new Tones();
  tones.waiting();
  tones.end();
  tones.stop();
  assert.deepEqual(sounding, [480, 480]);
});
