/** One peer connection: negotiate, watch, close (media/peer.py). */

import { listen } from "./keys.js";

const CONNECT_MILLISECONDS = 10_000; // from both descriptions to ICE and DTLS up
const WATCH_MILLISECONDS = 200;
const SILENT_MILLISECONDS = 3_000; // without any packet, although none holds
const FIRST_AUDIO_MILLISECONDS = 10;
const SPEAKING_LEVEL = 0.02; // RTCRtpSynchronizationSource.audioLevel, 0 to 1
const SPEAKING_HANG = 3; // looks without speech until somebody has ceased to talk
const DTMF_MILLISECONDS = 100;
const DTMF_GAP_MILLISECONDS = 70;

/**
 * @typedef {object} PeerOwner
 * @property {(candidate: RTCIceCandidate) => void} candidate
 * @property {(track: MediaStreamTrack) => void} track is the other end's sound
 * @property {() => void} connected whenever the path is up
 * @property {() => void} audioUp at the first sound of the other end, even if it is silence; once
 * @property {(on: boolean) => void} silent with true every 3 s without any packet, although none holds; with false
 *   when that is over
 * @property {() => void} lost once, if the path does not come up within 10 s, closes, or brings no packet for 10 s
 * @property {(on: boolean) => void} speaking
 * @property {(digit: string) => void} pressed
 */

/** A call's media path. */
export class Peer {
  #owner;
  #pc;
  #track;
  /** @type {RTCRtpTransceiver | null} */
  #transceiver = null;
  /** @type {RTCIceCandidateInit[]} */
  #early = [];
  #reofferDue = false;
  #held = false;
  #up = false;
  #closed = false;
  #describedAt = Infinity;
  #heardAt = 0;
  #silentAt = 0;
  #speechless = SPEAKING_HANG;
  #look = 0;
  /** @type {(sdp: string) => void} */
  #keys = () => {};
  #relayed = false;
  /** Whether there are TURN servers, and none could be reached. */
  relaysLost = false;

  /**
   * @param {RTCConfiguration} configuration
   * @param {MediaStreamTrack} track is what this end says
   * @param {PeerOwner} owner
   */
  constructor(configuration, track, owner) {
    this.#owner = owner;
    this.#track = track;
    this.#pc = new RTCPeerConnection(configuration);
    const relays = configuration.iceServers?.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
    this.#pc.onicecandidate = ({ candidate }) => {
      this.#relayed ||= candidate?.type === "relay";
      if (candidate?.candidate) this.#owner.candidate(candidate);
      else if (relays) this.relaysLost = !this.#relayed;
    };
    this.#pc.onconnectionstatechange = () => this.#stateChanged();
  }

  /** Whether the path is up. */
  get connected() {
    return this.#pc.connectionState === "connected";
  }

  /** Whether the other end has been heard. */
  get up() {
    return this.#up;
  }

  /** Whether no packet has come for 3 s although none holds. */
  get silent() {
    return this.#silentAt > 0;
  }

  /** Whether the path is gone for good. */
  get closed() {
    return this.#closed;
  }

  /**
   * Return whether a description of the other end is of this path: a new one has another ICE user (RFC 8839 §5.4).
   * @param {string} sdp
   */
  describes(sdp) {
    const known = this.#pc.remoteDescription?.sdp;
    return known !== undefined && iceUser(known) === iceUser(sdp);
  }

  /** Return an offer, or a re-offer of the current direction; candidates follow it. */
  async offer() {
    if (!this.#transceiver) this.#use(this.#pc.addTransceiver(this.#track));
    this.#reofferDue = false;
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return this.#sdp();
  }

  /**
   * Return the answer to an offer or re-offer.
   * @param {string} sdp
   */
  async answer(sdp) {
    await this.#pc.setRemoteDescription({ type: "offer", sdp });
    if (!this.#transceiver) {
      // The line of the offer, whatever its direction: one that is held is not joined to a track (RFC 8829 §5.10).
      const [transceiver] = this.#pc.getTransceivers();
      transceiver.direction = "sendrecv";
      this.#use(transceiver);
      await transceiver.sender.replaceTrack(this.#track);
    }
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    await this.#described();
    return this.#sdp();
  }

  /**
   * Take the answer to our offer; return the re-offer that had to wait for it, if there is one.
   *
   * An offer that was made twice, in case it was lost, may be answered twice: the second changes nothing.
   * @param {string} sdp
   */
  async applyAnswer(sdp) {
    if (this.#pc.signalingState === "stable") return null;
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
    await this.#described();
    return this.#reofferDue ? this.offer() : null;
  }

  /**
   * Return a re-offer of another direction, or nothing while an answer is awaited: it follows that.
   * @param {RTCRtpTransceiverDirection} direction
   */
  async redirect(direction) {
    if (this.#transceiver) this.#transceiver.direction = direction;
    else this.#use(this.#pc.addTransceiver(this.#track, { direction }));
    if (this.#pc.signalingState === "stable") return this.offer();
    this.#reofferDue = true;
    return null;
  }

  /**
   * Add a candidate of the other end; one that comes early waits for the description.
   * @param {RTCIceCandidateInit} candidate
   */
  async addCandidate(candidate) {
    if (this.#pc.remoteDescription) await this.#pc.addIceCandidate(candidate).catch(() => {});
    else this.#early.push(candidate);
  }

  /**
   * Say another track.
   * @param {MediaStreamTrack} track
   */
  async replaceTrack(track) {
    this.#track = track;
    if (!this.#closed) await this.#transceiver?.sender.replaceTrack(track);
  }

  /**
   * Take note whether either end holds: then there may be no packets.
   * @param {boolean} on
   */
  set held(on) {
    this.#held = on;
    this.#heardAt = performance.now();
  }

  /**
   * Send keypad digits, after those before them (RFC 4733).
   * @param {string} digits
   */
  press(digits) {
    const dtmf = this.#transceiver?.sender.dtmf;
    if (!dtmf?.canInsertDTMF) throw new Error("the other end takes no keypad digits");
    dtmf.insertDTMF(dtmf.toneBuffer + digits, DTMF_MILLISECONDS, DTMF_GAP_MILLISECONDS);
  }

  /** Return the figures so far (W3C webrtc-stats). */
  stats() {
    return this.#pc.getStats();
  }

  /** Let everything go; the tracks stay. */
  close() {
    this.#closed = true;
    clearTimeout(this.#look);
    this.#pc.onicecandidate = this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }

  /** @param {RTCRtpTransceiver} transceiver */
  #use(transceiver) {
    this.#transceiver = transceiver;
    this.#keys = listen(transceiver.receiver, (digit) => this.#owner.pressed(digit));
  }

  #sdp() {
    return this.#pc.localDescription?.sdp ?? "";
  }

  async #described() {
    this.#keys(this.#sdp());
    for (const candidate of this.#early.splice(0)) await this.#pc.addIceCandidate(candidate).catch(() => {});
    if (this.#describedAt < Infinity || this.#closed || !this.#transceiver) return;
    const { receiver, sender } = this.#transceiver;
    this.#describedAt = this.#heardAt = performance.now();
    this.#owner.track(receiver.track);
    const dtls = sender.transport;
    // Chromium takes 16 s to see that the other end has closed; its DTLS sees it at once.
    dtls?.addEventListener("statechange", () => dtls.state === "closed" && this.#lost());
    receiver.track.addEventListener("unmute", () => this.#watch());
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#look);
    if (this.#closed) return;
    const now = performance.now();
    const [source] = this.#transceiver?.receiver.getSynchronizationSources() ?? [];
    if (source && !this.#up) {
      this.#up = true;
      this.#owner.audioUp();
    }
    // What was heard in the last 10 s is listed (W3C webrtc-pc, getSynchronizationSources).
    if (source || this.#held) this.#heardAt = now;
    const silentFor = source && !this.#held ? performance.timeOrigin + now - source.timestamp : 0;
    if (silentFor > SILENT_MILLISECONDS && now - this.#silentAt > SILENT_MILLISECONDS) {
      this.#silentAt = now;
      this.#owner.silent(true);
    } else if (this.#silentAt && (source || this.#held) && silentFor < SILENT_MILLISECONDS) {
      this.#silentAt = 0;
      this.#owner.silent(false);
    }
    if (this.#up) this.#listen(source);
    if (!source && !this.#held && now - this.#heardAt > CONNECT_MILLISECONDS) return this.#lost();
    this.#look = setTimeout(() => this.#watch(), this.#up ? WATCH_MILLISECONDS : FIRST_AUDIO_MILLISECONDS);
  }

  /** @param {RTCRtpSynchronizationSource | undefined} source */
  #listen(source) {
    const before = this.#speechless < SPEAKING_HANG;
    const fresh = source && performance.timeOrigin + performance.now() - source.timestamp < 1_000;
    const speaks = !this.#held && fresh && (source.audioLevel ?? 0) > SPEAKING_LEVEL;
    this.#speechless = speaks ? 0 : Math.min(SPEAKING_HANG, this.#speechless + 1);
    const after = this.#speechless < SPEAKING_HANG;
    if (after !== before) this.#owner.speaking(after);
  }

  #stateChanged() {
    if (this.#pc.connectionState === "connected") this.#owner.connected();
    if (this.#pc.connectionState === "failed" || this.#pc.connectionState === "closed") this.#lost();
  }

  #lost() {
    if (this.#closed) return;
    clearTimeout(this.#look);
    this.#closed = true;
    this.#owner.lost();
  }
}

/** @param {string} sdp */
const iceUser = (sdp) => /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
