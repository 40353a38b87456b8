/** Carry out media orders: the sound of each call, said and heard over its peer connection (media/engine.py). */

/** @import { Happening, Order } from "./exchange.js" */
/** @import { LocalAudioStream } from "./streams.js" */

import { prepare } from "./keys.js";
import { Leg } from "./leg.js";
import { Peer } from "./peer.js";

const LINGER_MILLISECONDS = 1_000; // that a path goes on after another one has taken its place
const REMEMBERED_CALLS = 256; // closed ones, whose late orders are ignored

/** @type {Record<string, RTCRtpTransceiverDirection>} by who holds: this end, the other end */
const DIRECTIONS = {
  "false,false": "sendrecv", "true,false": "sendonly", "false,true": "recvonly", "true,true": "inactive",
};

/** Own the media of all calls of an agent. */
export class Media {
  #happened;
  #configuration;
  /** @type {Map<string, Leg>} */
  #legs = new Map();
  /** @type {string[]} */
  #closed = [];

  /**
   * @param {(happening: Happening) => void} happened
   * @param {RTCConfiguration} configuration
   */
  constructor(happened, configuration) {
    this.#happened = happened;
    this.#configuration = configuration;
    prepare();
  }

  /**
   * Seek the paths of new peer connections with these servers.
   * @param {RTCIceServer[]} iceServers
   */
  setIceServers(iceServers) {
    this.#configuration = { ...this.#configuration, iceServers };
  }

  /**
   * Accept an order; those of one call are carried out one after the other.
   * @param {Order} order
   */
  carryOut(order) {
    const leg = this.#leg(order.callId);
    if (!leg) return;
    switch (order.do) {
      case "mute":
        leg.muted = order.outgoing;
        leg.incomingMuted = order.incoming;
        return leg.refresh();
      case "takeOver":
        return this.#prepare(leg, order.old);
      case "close":
        return this.#close(leg);
      default:
        leg.work = leg.work.then(async () => {
          if (leg.closed) return;
          try {
            await this.#carryOut(leg, order);
          } catch (error) {
            const what = `${order.do}: ${error}`;
            console.warn(`an order failed, call ${leg.callId}: ${what}`);
            if (order.do !== "addCandidate" && order.do !== "sendDtmf" && !leg.closed) {
              this.#tell({ has: "failed", callId: leg.callId, what });
            }
          }
        });
    }
  }

  /**
   * Say a stream into a call, from now or from its beginning; the one before is let go.
   * @param {string} callId
   * @param {LocalAudioStream} source
   */
  async setSource(callId, source) {
    const leg = this.#leg(callId);
    if (!leg || leg.source === source) return;
    leg.source?._detach(leg);
    leg.source = source;
    source._attach(leg, () => void this.#say(leg));
    if (leg.peer) await this.#say(leg);
  }

  /**
   * Let all calls be heard on a device, by its MediaDeviceInfo.deviceId.
   * @param {string} sinkId
   */
  setSink(sinkId) {
    this.#sinkId = sinkId;
    for (const leg of this.#legs.values()) leg.route(sinkId);
  }

  #sinkId = "";

  /**
   * Return the figures of a call, or null when it has no peer connection.
   * @param {string} callId
   */
  async stats(callId) {
    return (await this.#legs.get(callId)?.peer?.stats()) ?? null;
  }

  /**
   * Tell whether there are TURN servers for a call, and none could be reached.
   * @param {string} callId
   */
  relaysLost(callId) {
    return this.#legs.get(callId)?.newest?.relaysLost ?? false;
  }

  /**
   * Return what the other end says, null before and after there is any.
   * @param {string} callId
   */
  heard(callId) {
    return this.#legs.get(callId)?.heard ?? null;
  }

  /** Close every call. */
  close() {
    for (const leg of [...this.#legs.values()]) this.#close(leg);
  }

  /** @param {string} callId @returns {Leg | null} */
  #leg(callId) {
    if (this.#closed.includes(callId)) return null;
    const leg = this.#legs.get(callId) ?? new Leg(callId);
    this.#legs.set(callId, leg);
    return leg;
  }

  /** @param {Leg} leg @param {Order} order */
  async #carryOut(leg, order) {
    const { callId } = leg;
    switch (order.do) {
      case "makeOffer": {
        const peer = await this.#open(leg);
        return this.#tellSdp("offerReady", leg, await peer.offer());
      }
      case "makeAnswer": {
        const peer = await this.#open(leg);
        return this.#tellSdp("answerReady", leg, await peer.answer(order.sdp));
      }
      case "applyAnswer": {
        const reoffer = await leg.newest?.applyAnswer(order.sdp);
        return reoffer ? this.#tellSdp("reofferReady", leg, reoffer) : undefined;
      }
      case "answerReoffer": {
        const known = [leg.next, leg.peer].find((peer) => peer?.describes(order.sdp));
        const peer = known ?? (await this.#open(leg));
        return this.#tellSdp("reofferAnswered", leg, await peer.answer(order.sdp));
      }
      case "renew": {
        const peer = await this.#open(leg);
        const offer = await peer.redirect(DIRECTIONS[`${leg.localHold},${leg.remoteHold}`]);
        return offer ? this.#tellSdp("reofferReady", leg, offer) : undefined;
      }
      case "goOver":
        leg.mayGoOver = leg.next !== null;
        this.#goOver(leg);
        return;
      case "addCandidate":
        if (leg.newest) await leg.newest.addCandidate(order.candidate);
        else leg.early.push(order.candidate);
        return;
      case "setHold": {
        leg.localHold = order.local;
        leg.remoteHold = order.remote;
        leg.refresh();
        this.#goOver(leg);
        if (!order.offerer) return;
        const reoffer = await leg.newest?.redirect(DIRECTIONS[`${order.local},${order.remote}`]);
        return reoffer ? this.#tellSdp("reofferReady", leg, reoffer) : undefined;
      }
      case "sendDtmf":
        leg.peer?.press(order.digits);
        return;
      default:
        throw new Error(`${order.do} of ${callId} is not for here`);
    }
  }

  /**
   * Open a call's peer connection, or another one that is to take the place of the one that is.
   * @param {Leg} leg
   * @returns {Promise<Peer>}
   */
  async #open(leg) {
    const track = leg.said ?? (await this.#track(leg));
    if (leg.closed) throw new Error("the call is over");
    const { callId } = leg;
    /** @type {Peer} */
    const peer = new Peer(this.#configuration, track, {
      candidate: (candidate) => this.#tell({ has: "candidate", callId, candidate }),
      track: (heard) => this.#hear(leg, peer, heard),
      audioUp: () => this.#audioUp(leg, peer),
      connected: () => void this.#goOver(leg),
      silent: (on) => {
        if (peer === leg.peer && !this.#goOver(leg)) this.#tell({ has: on ? "pathLost" : "pathBack", callId });
      },
      lost: () => this.#lost(leg, peer),
      pressed: (digit) => peer === leg.peer && this.#tell({ has: "dtmfReceived", callId, digit }),
      speaking: (on) => peer === leg.peer && this.#tell({ has: "remoteSpeaking", callId, on }),
    });
    leg.add(peer);
    for (const candidate of leg.early.splice(0)) await peer.addCandidate(candidate);
    leg.refresh();
    return peer;
  }

  /** @param {Leg} leg @param {Peer} peer */
  #audioUp(leg, peer) {
    if (peer !== leg.peer || leg.audioUp) {
      if (peer === leg.next || peer === leg.peer) this.#tell({ has: "pathReady", callId: leg.callId });
      return;
    }
    leg.audioUp = true;
    if (leg.takesOver && !leg.tookOver) this.#takeOver(leg);
    this.#tell({ has: "audioUp", callId: leg.callId });
  }

  /** @param {Leg} leg @param {Peer} peer */
  #lost(leg, peer) {
    if (peer === leg.next) leg.dropNext();
    else if (peer === leg.peer && !this.#goOver(leg)) this.#tell({ has: "mediaLost", callId: leg.callId });
  }

  /**
   * Let the new path take the place of the one before if it can and may; tell whether it did.
   * @param {Leg} leg
   */
  #goOver(leg) {
    const { next, peer } = leg;
    if (!next?.connected || !peer) return false;
    // A first one that never was heard, such as one whose offer is void by now, has no place to keep.
    const lost = peer.closed || peer.silent || leg.localHold || leg.remoteHold || !leg.audioUp;
    if (!lost && !leg.mayGoOver) return false;
    // The one before still says what this end says: the other one may not have gone over yet.
    leg.goOver(lost ? 0 : LINGER_MILLISECONDS);
    // It tells its first sound once, and may have done so while it was the next one.
    if (!leg.audioUp && next.up) this.#audioUp(leg, next);
    this.#tell({ has: "pathBack", callId: leg.callId });
    return true;
  }

  /** @param {Leg} leg @returns {Promise<MediaStreamTrack>} */
  async #track(leg) {
    const { source } = leg;
    const stream = await source?.getMediaStream();
    // Opening a microphone takes a while, in which another may have been chosen.
    if (leg.source !== source) return this.#track(leg);
    const [track] = stream?.getAudioTracks() ?? [];
    if (!track) throw new Error("there is nothing to say: the stream has no audio track");
    leg.said?.stop();
    leg.said = track.clone();
    leg.refresh();
    return leg.said;
  }

  /** @param {Leg} leg */
  async #say(leg) {
    if (leg.closed || !leg.peer) return;
    try {
      const track = await this.#track(leg);
      for (const peer of leg.paths) await peer.replaceTrack(track);
    } catch (error) {
      console.warn(`another microphone cannot be used, call ${leg.callId}: ${error}`);
    }
  }

  /** @param {Leg} leg @param {Peer} peer @param {MediaStreamTrack} heard */
  #hear(leg, peer, heard) {
    leg.hear(peer, heard);
    leg.route(this.#sinkId);
  }

  /** @param {Leg} leg @param {string} old */
  #prepare(leg, old) {
    leg.takesOver = old;
    leg.waiting = true;
    leg.refresh();
    const source = this.#legs.get(old)?.source;
    if (source) void this.setSource(leg.callId, source);
  }

  /** @param {Leg} leg */
  #takeOver(leg) {
    const old = this.#legs.get(leg.takesOver ?? "");
    leg.tookOver = true;
    leg.waiting = false;
    if (old) {
      old.replaced = true;
      old.refresh();
    }
    leg.refresh();
  }

  /** @param {Leg} leg */
  #close(leg) {
    leg.closed = true;
    this.#legs.delete(leg.callId);
    this.#closed.push(leg.callId);
    if (this.#closed.length > REMEMBERED_CALLS) this.#closed.shift();
    const old = this.#legs.get(leg.takesOver ?? "");
    if (old?.replaced) {
      old.replaced = false;
      old.refresh();
    }
    leg.close();
    leg.source?._detach(leg);
    queueMicrotask(() => this.#tell({ has: "closed", callId: leg.callId }));
  }

  /**
   * @param {"offerReady" | "answerReady" | "reofferReady" | "reofferAnswered"} has
   * @param {Leg} leg
   * @param {string} sdp
   */
  #tellSdp(has, leg, sdp) {
    if (!leg.closed) this.#tell({ has, callId: leg.callId, sdp });
  }

  /** @param {Happening} happening */
  #tell(happening) {
    this.#happened(happening);
  }
}
