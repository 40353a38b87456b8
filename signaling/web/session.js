/**
 * One call at its endpoint: a frozen value, replaced with every step (node/session.py). Pure.
 *
 *     outgoing  Connecting ──rings──► Ringing ──answered──► Connecting ─┐
 *     incoming  (rings) ──accept──► Connecting ─────────────────────────┴─► Connected ◄─► LocalHold, RemoteHold
 *     any ──hang up──► Disconnecting ──closed──► Disconnected ◄── ended by the hub, media lost
 */

/** @import { CallAttach, CallIncoming, CallOriginate, CustomContext, Outcome, Participant, Party,
 *    Reason } from "./messages.js" */

/**
 * @typedef {"None" | "Connecting" | "Ringing" | "EarlyMedia" | "Connected" | "LocalHold" | "RemoteHold"
 *   | "InLobby" | "Disconnecting" | "Disconnected"} CallState
 *
 * @typedef {object} SessionFields
 * @property {string} id
 * @property {"Incoming" | "Outgoing"} direction
 * @property {CallState} state
 * @property {Party} remote
 * @property {Party | null} caller
 * @property {Party | null} transferor
 * @property {Party | null} forwardedFrom
 * @property {CustomContext | null} customContext
 * @property {Party | null} mailbox
 * @property {Outcome | null} outcome
 * @property {Reason | null} endReason
 * @property {boolean} muted
 * @property {boolean} incomingMuted
 * @property {boolean} remoteSpeaking
 * @property {boolean} localHold
 * @property {boolean} remoteHold
 * @property {string} offer
 * @property {boolean} placed
 * @property {boolean} heard
 * @property {boolean} up
 * @property {number} upAt since when it is up
 * @property {string | null} transferId
 * @property {string | null} replaces
 * @property {boolean} lost
 * @property {boolean} pathLost whether no packet comes although none holds
 * @property {boolean} transferred
 * @property {boolean} attaching
 * @property {boolean} renegotiating
 * @property {string} reoffer
 * @property {boolean} holdChanged
 * @property {boolean} renewDue whether a new path is to be offered once this re-offer is answered
 * @property {boolean} renewing whether an offer of a new path is not answered yet
 * @property {boolean} turned whether the hub has had the callee make the offers
 * @property {boolean} restoring whether the page was loaded again, and the call is not back yet
 * @property {number} owed how many re-offers of the other end are not answered yet
 * @property {number} stale how many of the next answers are to offers of the page before
 * @property {string | null} serverCallId the id that the hub and the other end know the call by, if another
 * @property {string | null} groupId
 * @property {string} me this end's participant id, "" before there was a third
 * @property {readonly Participant[]} participants everybody else, once there was a third
 * @property {readonly string[]} speakers who talks in the group, by participant id, the dominant one first
 * @property {number | null} deadline
 *
 * @typedef {Readonly<SessionFields>} Session
 */

const LOST_SECONDS = 3;
const REOFFER_SECONDS = 10;
/** Who speaks in a call of two, as far as a mixer would say it. @type {readonly string[]} */
export const NO_SPEAKERS = Object.freeze([]);
const MAX_SECONDS = 30 * 24 * 3600; // of a call.attach

/**
 * @param {Pick<SessionFields, "id" | "direction" | "remote"> & Partial<SessionFields>} given
 * @returns {Session}
 */
export function session(given) {
  return Object.freeze({
    state: /** @type {CallState} */ ("Connecting"),
    caller: null, transferor: null, forwardedFrom: null, customContext: null, mailbox: null,
    outcome: null, endReason: null,
    muted: false, incomingMuted: false, remoteSpeaking: false,
    localHold: false, remoteHold: false,
    offer: "", placed: false, heard: false, up: false, upAt: 0,
    transferId: null, replaces: null,
    lost: false, pathLost: false, transferred: false, attaching: false,
    renegotiating: false, reoffer: "", holdChanged: false, renewDue: false, renewing: false, turned: false,
    restoring: false, owed: 0, stale: 0, serverCallId: null,
    groupId: null, me: "", participants: [], speakers: NO_SPEAKERS,
    deadline: null,
    ...given,
  });
}

/**
 * Tell whether this end makes the offers: the caller does, unless the hub has turned it round.
 * @param {Session} call
 */
export const isOfferer = (call) => (call.direction === "Outgoing") !== call.turned;

/**
 * Tell whether a call is neither over nor about to be.
 * @param {Session} call
 */
export const isLive = (call) => call.state !== "Disconnecting" && call.state !== "Disconnected";

/**
 * Tell whether a call goes on without the hub: the other end is heard, in a group by both.
 * @param {Session} call
 */
export const isLasting = (call) => (call.groupId === null ? call.heard : call.up) && isLive(call) && !call.transferred;

/**
 * Return the state of a call that is up, by who holds it.
 * @param {Session} call
 * @returns {CallState}
 */
export const talking = (call) => (call.localHold ? "LocalHold" : call.remoteHold ? "RemoteHold" : "Connected");

/**
 * Return what this end says of a call to a hub that began anew.
 * @param {Session} call
 * @param {number} now
 * @returns {CallAttach}
 */
export function claim(call, now) {
  const [forwarded = call.forwardedFrom?.raw_id ?? null] = call.outcome?.via ?? [];
  return {
    type: "call.attach",
    call_id: call.id,
    remote: call.remote.raw_id,
    caller: isOfferer(call),
    mailbox: call.mailbox?.raw_id ?? null,
    dialled: forwarded,
    transferor: call.transferor?.raw_id ?? null,
    seconds: call.up ? Math.min(Math.max(0, now - call.upAt), MAX_SECONDS) : 0,
    server_call_id: call.serverCallId,
    group_id: call.groupId,
    participant_id: call.me || null,
    more: false,
  };
}

/**
 * Return the call with the deadline that lost sound or an unanswered re-offer puts on it.
 *
 * None while excused: what may be about to come, or is going on, has a deadline of its own.
 * @param {Session} call
 * @param {number} now
 * @param {boolean} excused
 * @returns {Session}
 */
export function awaiting(call, now, excused) {
  const waits = isLive(call) && (call.lost || (call.up && call.renegotiating));
  if (!waits || excused !== (call.deadline !== null)) return call;
  const seconds = call.lost ? LOST_SECONDS : REOFFER_SECONDS;
  return session({ ...call, deadline: excused ? null : now + seconds });
}

/**
 * Return a call that rings here.
 * @param {CallIncoming} message
 */
export function ringing(message) {
  return session({
    id: message.call_id,
    direction: "Incoming",
    state: "Ringing",
    remote: message.caller,
    caller: message.caller,
    transferor: message.transferor ?? null,
    forwardedFrom: message.forwarded_from ?? null,
    customContext: message.custom_context ?? null,
    mailbox: message.mailbox ?? null,
    offer: message.sdp,
    groupId: message.group_id ?? null,
  });
}

/**
 * Return the call that the hub orders to take the place of an old one, muted and held as that is.
 * @param {CallOriginate} order
 * @param {Session} old
 */
export function following(order, old) {
  return session({
    id: order.call_id,
    direction: "Outgoing",
    remote: order.target,
    transferor: order.transferor,
    customContext: order.custom_context ?? null,
    transferId: order.transfer_id,
    replaces: old.id,
    muted: old.muted,
    incomingMuted: old.incomingMuted,
    localHold: old.localHold,
  });
}
