// As ear.js, for a Firefox without a sound card: its AudioContext stands still, its MediaRecorder does not.
const SpeakerElement = window.Audio;
const speakers = [];
window.Audio = class extends SpeakerElement {
  constructor() {
    super();
    speakers.push(this);
  }
};
/** Return what the speaker that is on plays for so many seconds, as a file. */
async function record(seconds) {
  const speaker = speakers.findLast((each) => each.srcObject && !each.muted);
  const recorder = new MediaRecorder(speaker.srcObject);
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  setTimeout(() => recorder.stop(), 1000 * seconds);
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
window.ear = { ready: null, context: { resume() {} }, voice: () => undefined, record };
