/** What is heard besides the other end: ringing, ringback, keys, an end. */

/** @type {Record<string, [number, number]>} in Hz (ITU-T Q.23) */
const KEYS = {};
for (const [row, low] of [697, 770, 852, 941].entries()) {
  for (const [column, high] of [1209, 1336, 1477, 1633].entries()) {
    KEYS["123A456B789C*0#D"[4 * row + column]] = [low, high];
  }
}

/** @type {[hertz: number, seconds: number][]} */
const RING = [[660, 0.4], [880, 0.4], [660, 0.4], [880, 0.4]];

/** One loudspeaker, on which one tone repeats, and another one is played once. */
export class Tones {
  #sinkId = "";
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {HTMLAudioElement | null} */
  #element = null;
  /** What repeats, and what is played once beside it. @type {{ again: OscillatorNode[], once: OscillatorNode[] }} */
  #playing = { again: [], once: [] };
  #again = 0;

  /** @param {string} deviceId of the speaker, "" for the default */
  set sink(deviceId) {
    this.#sinkId = deviceId;
    if (this.#element && "setSinkId" in this.#element) this.#element.setSinkId(deviceId).catch(() => {});
  }

  /** Ring until stopped. */
  ring() {
    this.#repeat(RING, 3);
  }

  /** Let the user hear how it rings. */
  testRing() {
    this.#once(RING);
  }

  /** Let the caller hear that it rings there, until stopped. */
  ringback() {
    this.#repeat([[425, 1]], 5);
  }

  /** Somebody waits while another call goes on. */
  waiting() {
    this.#repeat([[425, 0.2], [0, 0.2], [425, 0.2]], 5);
  }

  /** Let a key be heard. @param {string} digit */
  key(digit) {
    const hertz = KEYS[digit];
    if (!hertz) return;
    this.#cut("once");
    this.#playing.once = hertz.map((each) => this.#sound(each, 0, 0.12, 0.05));
  }

  /** Let it be heard that a call is over. */
  end() {
    this.#once([[480, 0.15], [0, 0.1], [480, 0.15]]);
  }

  /** Let the user hear the speaker. */
  test() {
    this.#once([[440, 0.3], [554, 0.3], [659, 0.5]]);
  }

  /** Stop what repeats. */
  stop() {
    clearInterval(this.#again);
    this.#cut("again");
  }

  /** @param {[hertz: number, seconds: number][]} tones @param {number} seconds */
  #repeat(tones, seconds) {
    this.stop();
    this.#cut("once");
    const play = () => {
      this.#playing.again = this.#sequence(tones);
    };
    play();
    this.#again = setInterval(play, seconds * 1000);
  }

  /** @param {[hertz: number, seconds: number][]} tones */
  #once(tones) {
    this.#cut("once");
    this.#playing.once = this.#sequence(tones);
  }

  /** @param {"again" | "once"} which */
  #cut(which) {
    for (const oscillator of this.#playing[which].splice(0)) oscillator.disconnect();
  }

  /** @param {[hertz: number, seconds: number][]} tones */
  #sequence(tones) {
    let at = 0;
    return tones.flatMap(([hertz, seconds]) => {
      const start = at;
      at += seconds;
      return hertz ? [this.#sound(hertz, start, seconds, 0.08)] : [];
    });
  }

  /** @param {number} hertz @param {number} after @param {number} seconds @param {number} volume */
  #sound(hertz, after, seconds, volume) {
    const { context, output } = this.#open();
    const start = context.currentTime + after;
    const oscillator = new OscillatorNode(context, { frequency: hertz });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(volume, start + 0.01);
    gain.gain.setValueAtTime(volume, start + seconds - 0.02);
    gain.gain.linearRampToValueAtTime(0, start + seconds);
    oscillator.connect(gain).connect(output);
    oscillator.start(start);
    oscillator.stop(start + seconds);
    return oscillator;
  }

  #open() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.output = this.#context.createMediaStreamDestination();
      // An element, because its speaker can be chosen in every browser that lets a page choose.
      this.#element = document.createElement("audio");
      this.#element.srcObject = this.output.stream;
      this.sink = this.#sinkId;
      void this.#element.play().catch(() => {});
    }
    void this.#context.resume();
    return { context: this.#context, output: /** @type {AudioNode} */ (this.output) };
  }
}
