/**
 * The client in a page, for tests: what it says is a sentence, what its speakers play is kept.
 *
 * Loaded before the client, so that every speaker it makes is known.
 */

const SpeakerElement = window.Audio;
const context = new AudioContext({ sampleRate: 48000 });
const mix = context.createGain();
const blocks = [];
const ready = context.audioWorklet
  .addModule(
    URL.createObjectURL(
      new Blob(
        [
          `registerProcessor("tap", class extends AudioWorkletProcessor {
            process([[samples]]) {
              if (samples) this.port.postMessage(samples.slice());
              return true;
            }
          });`,
        ],
        { type: "text/javascript" },
      ),
    ),
  )
  .then(() => {
    const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
    tap.port.onmessage = ({ data }) => blocks.push(data);
    mix.connect(tap).connect(context.destination);
    // Without any input there are no blocks.
    const silence = context.createConstantSource();
    silence.offset.value = 0;
    silence.connect(mix);
    silence.start();
  });

window.Audio = class extends SpeakerElement {
  constructor(...given) {
    super(...given);
    let source = null;
    const gain = context.createGain();
    gain.connect(mix);
    const follow = () => {
      if (this.srcObject && !source) source = context.createMediaStreamSource(this.srcObject);
      if (this.src && !source) source = context.createMediaElementSource(this);
      source?.connect(gain);
      gain.gain.value = this.muted || !(this.srcObject || this.src) ? 0 : 1;
    };
    for (const event of ["playing", "volumechange", "emptied"]) this.addEventListener(event, follow);
  }
};

/** Forget what was heard so far. */
function hearAnew() {
  blocks.length = 0;
}

/** Return what was heard: int16 at 48 kHz, as text. */
function heard() {
  const samples = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) for (const sample of block) samples[at++] = Math.max(-1, Math.min(1, sample)) * 32767;
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** Return a stream that says these samples over and over; int16 at 48 kHz, as text. */
function voice(text) {
  const samples = new Int16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const buffer = context.createBuffer(1, samples.length, 48000);
  buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.loop = true;
  const says = context.createMediaStreamDestination();
  source.connect(says);
  source.start();
  return says.stream;
}

/** Return when sound first comes, on the clock of performance.now(). */
async function firstSound() {
  hearAnew();
  for (;;) {
    const loud = blocks.some((block) => block.some((sample) => Math.abs(sample) > 0.01));
    if (loud) return performance.now();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

window.ear = { ready, heard, firstSound, hearAnew, voice, context };
