/** What the microphone hears, as a file. */

/** @import { Softphone } from "./softphone.js" */

import { LocalAudioStream } from "../callnode.js";
import { button, duration, levelMeter, rename } from "./dom.js";
import { attempt, sentence } from "./said.js";

const MOST_SECONDS = 120;

/**
 * A button that starts and stops a recording, and a meter of it.
 * @param {Softphone} phone
 * @param {{ start: string, stop: string, icon: string, began: () => void, done: (sound: Blob) => unknown }} how
 */
export function recordControl(phone, { start, stop, icon, began, done }) {
  const meter = levelMeter("Microphone level");
  /** @type {Recording | null} */
  let recording = null;
  let timer = 0;
  // Opening and closing the microphone take a moment, in which the button does nothing.
  let busy = false;
  const finish = async () => {
    clearInterval(timer);
    const going = recording;
    recording = null;
    rename(element, start, icon);
    const sound = await going?.stop();
    meter.show(0);
    if (sound && element.isConnected) void attempt(() => done(sound));
  };
  const begin = async () => {
    recording = await Recording.start(phone, meter.show);
    const since = Date.now();
    const tick = () => {
      const seconds = (Date.now() - since) / 1000;
      rename(element, `${stop} ${duration(Math.floor(seconds))}`, "stop");
      if (seconds >= MOST_SECONDS || !element.isConnected) void press(finish);
    };
    timer = setInterval(tick, 500);
    tick();
    began();
  };
  const press = async (/** @type {() => Promise<void>} */ act) => {
    if (busy) return;
    busy = true;
    await attempt(act);
    busy = false;
  };
  const element = button(start, () => press(recording ? finish : begin), { icon });
  return { button: element, meter };
}

/** Records from the chosen microphone until stopped. */
class Recording {
  /** @type {LocalAudioStream} */
  #stream;
  /** @type {MediaRecorder} */
  #recorder;
  /** @type {Blob[]} */
  #parts = [];
  #stopped;

  /** @param {LocalAudioStream} stream @param {MediaStream} media */
  constructor(stream, media) {
    this.#stream = stream;
    this.#recorder = new MediaRecorder(media);
    this.#recorder.ondataavailable = ({ data }) => this.#parts.push(data);
    this.#stopped = new Promise((resolve) => (this.#recorder.onstop = resolve));
    this.#recorder.start();
  }

  /**
   * Rejects with a sentence if the microphone cannot be used.
   * @param {Softphone} phone
   * @param {(level: number) => void} heard 0 to 100
   */
  static async start({ devices }, heard) {
    const stream = new LocalAudioStream(devices.selectedMicrophone, { constraints: devices.audioConstraints });
    try {
      const media = await stream.getMediaStream();
      (await stream.getVolume()).on("levelChanged", ({ level }) => heard(level));
      return new Recording(stream, media);
    } catch (error) {
      stream.dispose();
      throw microphoneError(error);
    }
  }

  /** Return what was said. @returns {Promise<Blob>} */
  async stop() {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    await this.#stopped;
    this.#stream.dispose();
    return new Blob(this.#parts, { type: this.#recorder.mimeType });
  }
}

/** Say what is wrong with a microphone. @param {unknown} error */
function microphoneError(error) {
  const name = error instanceof DOMException ? error.name : "";
  /** @type {Record<string, string>} */
  const sentences = {
    NotAllowedError: "The browser does not give this page the microphone. Allow it in the browser's settings of this page.",
    NotFoundError: "There is no microphone. Plug one in and try again.",
    NotReadableError: "The microphone is used by another program. Close that and try again.",
    SecurityError: "Browsers give the microphone only to pages over https.",
  };
  return new Error(sentences[name] ?? sentence(error));
}
