/** One call as media sees it: its paths, what is said over them, and who hears them (media/leg.py). */

/** @import { Peer } from "./peer.js" */
/** @import { LocalAudioStream } from "./streams.js" */

/** A path's own speaker, silent until the path is the one that is heard. */
class Speaker {
  #element = new Audio();
  #sinkId = "";

  /** @param {MediaStreamTrack} track */
  constructor(track) {
    this.track = track;
    this.#element.autoplay = true;
    this.#element.muted = true;
    // One stream for good: browsers make a new one each time the direction changes.
    this.#element.srcObject = new MediaStream([track]);
    this.#element.play().catch((error) => console.warn(`the browser does not let us play: ${error}`));
  }

  /** @param {boolean} on */
  set muted(on) {
    this.#element.muted = on;
  }

  /** @param {string} sinkId */
  async route(sinkId) {
    if (!("setSinkId" in this.#element) || this.#sinkId === sinkId) return;
    this.#sinkId = sinkId;
    await this.#element.setSinkId(sinkId).catch((error) => console.warn(`the speaker cannot be used: ${error}`));
  }

  close() {
    this.#element.srcObject = null;
  }
}

/** A call. */
export class Leg {
  /** @type {Peer | null} the path that is heard */
  peer = null;
  /** @type {Peer | null} the path that is to take its place */
  next = null;
  /** Whether it may, although `peer` is not lost. */
  mayGoOver = false;
  /** @type {Peer | null} the path that had its place, and lingers */
  before = null;
  #linger = 0;
  /** @type {Map<Peer, Speaker>} */
  #speakers = new Map();
  /** @type {Promise<void>} */
  work = Promise.resolve();
  /** @type {RTCIceCandidateInit[]} */
  early = [];
  /** @type {LocalAudioStream | null} */
  source = null;
  /** @type {MediaStreamTrack | null} what is sent: a copy of the source's, so that mute is this call's alone */
  said = null;
  muted = false;
  incomingMuted = false;
  localHold = false;
  remoteHold = false;
  /** Until it takes another call's place it says nothing and nobody hears it. */
  waiting = false;
  /** Another call has taken its place. */
  replaced = false;
  audioUp = false;
  /** @type {string | null} the call whose place it is to take, then has taken */
  takesOver = null;
  tookOver = false;
  closed = false;

  /** @param {string} callId */
  constructor(callId) {
    this.callId = callId;
  }

  /** The path that was made last. */
  get newest() {
    return this.next ?? this.peer;
  }

  /** Every path that there is. @returns {Peer[]} */
  get paths() {
    return [this.before, this.peer, this.next].filter((peer) => peer !== null);
  }

  /** What the other end says, null before there is any. */
  get heard() {
    return (this.peer && this.#speakers.get(this.peer)?.track) ?? null;
  }

  /**
   * Take on the first path, or the next one; a next one before it is void.
   * @param {Peer} peer
   */
  add(peer) {
    this.dropNext();
    this.mayGoOver = false;
    if (this.peer) this.next = peer;
    else this.peer = peer;
  }

  /** Let the next path go. */
  dropNext() {
    this.#drop(this.next);
    this.next = null;
  }

  /**
   * Hear the next path from now on.
   * @param {number} milliseconds until the one before is let go
   */
  goOver(milliseconds) {
    this.#letGo();
    this.before = this.peer;
    this.peer = this.next;
    this.next = null;
    this.mayGoOver = false;
    this.refresh();
    if (milliseconds) this.#linger = setTimeout(() => this.#letGo(), milliseconds);
    else this.#letGo();
  }

  /**
   * Have a path's sound played, once it is the one that is heard.
   * @param {Peer} peer
   * @param {MediaStreamTrack} track
   */
  hear(peer, track) {
    this.#speakers.get(peer)?.close();
    this.#speakers.set(peer, new Speaker(track));
    this.refresh();
  }

  /** @param {string} sinkId MediaDeviceInfo.deviceId of the speaker */
  route(sinkId) {
    for (const speaker of this.#speakers.values()) void speaker.route(sinkId);
  }

  /** Let sound through, or not. */
  refresh() {
    const parted = this.waiting || this.replaced;
    if (this.said) this.said.enabled = !(parted || this.muted || this.localHold || this.remoteHold);
    for (const [peer, speaker] of this.#speakers) {
      speaker.muted = peer !== this.peer || parted || this.incomingMuted || this.localHold;
    }
    for (const peer of this.paths) peer.held = this.localHold || this.remoteHold;
  }

  /** Let everything go but the source. */
  close() {
    this.closed = true;
    clearTimeout(this.#linger);
    for (const peer of this.paths) this.#drop(peer);
    this.peer = this.next = this.before = null;
    this.said?.stop();
  }

  #letGo() {
    clearTimeout(this.#linger);
    this.#drop(this.before);
    this.before = null;
  }

  /** @param {Peer | null} peer */
  #drop(peer) {
    if (!peer) return;
    peer.close();
    this.#speakers.get(peer)?.close();
    this.#speakers.delete(peer);
  }
}
