/** What goes into a phone and what comes out of it, and what it asks of its media (node/exchange.py, media/orders.py). */

/** @import { CallOriginate, ClientMessage, CustomContext, HubMessage, Reason, TransferRequest, TransferUpdate,
 *    Error as Refusal } from "./messages.js" */
/** @import { Session } from "./session.js" */

/**
 * An order of one call; those of a call are carried out one after the other.
 * @typedef {{ do: "makeOffer", callId: string }
 *   | { do: "makeAnswer", callId: string, sdp: string }
 *   | { do: "applyAnswer", callId: string, sdp: string }
 *   | { do: "answerReoffer", callId: string, sdp: string }
 *   | { do: "renew" | "goOver", callId: string }
 *   | { do: "addCandidate", callId: string, candidate: RTCIceCandidateInit }
 *   | { do: "setHold", callId: string, local: boolean, remote: boolean, offerer: boolean }
 *   | { do: "mute", callId: string, outgoing: boolean, incoming: boolean }
 *   | { do: "sendDtmf", callId: string, digits: string }
 *   | { do: "takeOver", callId: string, old: string }
 *   | { do: "close", callId: string }} Order
 */

/**
 * What media tells.
 * @typedef {{ has: "offerReady" | "answerReady" | "reofferReady" | "reofferAnswered", callId: string, sdp: string }
 *   | { has: "candidate", callId: string, candidate: RTCIceCandidate }
 *   | { has: "audioUp" | "pathReady" | "pathLost" | "pathBack" | "mediaLost" | "closed", callId: string }
 *   | { has: "dtmfReceived", callId: string, digit: string }
 *   | { has: "remoteSpeaking", callId: string, on: boolean }
 *   | { has: "failed", callId: string, what: string }} Happening
 */

/**
 * @typedef {{ is: "dial", callId: string, target: string, customContext: CustomContext | null, muted: boolean }
 *   | { is: "accept", callId: string, muted: boolean, holdOthers: boolean }
 *   | { is: "join", callId: string, groupId: string, muted: boolean }
 *   | { is: "addParticipant", callId: string, participantId: string, target: string,
 *       customContext: CustomContext | null }
 *   | { is: "removeParticipant", callId: string, participantId: string }
 *   | { is: "reject" | "pass", callId: string }
 *   | { is: "hangUp", callId: string, forEveryone?: boolean }
 *   | { is: "hold", callId: string, on: boolean }
 *   | { is: "mute", callId: string, outgoing?: boolean, incoming?: boolean }
 *   | { is: "dtmf", callId: string, digits: string }
 *   | { is: "transfer", request: TransferRequest }
 *   | { is: "cancelTransfer", transferId: string }
 *   | { is: "consent", transferId: string, accept: boolean }
 *   | { is: "fromHub", message: HubMessage }
 *   | { is: "fromMedia", happening: Happening }
 *   | { is: "linked", on: boolean }
 *   | { is: "cut", reason: Reason }
 *   | { is: "anew" }
 *   | { is: "parting" }
 *   | { is: "restore", calls: Session[], ringing: Session[] }
 *   | { is: "tick" }} Input
 */

/**
 * @typedef {{ news: "call", call: Session }
 *   | { news: "ring", call: Session }
 *   | { news: "ringOver", callId: string, reason: Reason }
 *   | { news: "dtmf", callId: string, digit: string }
 *   | { news: "transfer", update: TransferUpdate }
 *   | { news: "transferAsked", offer: CallOriginate }
 *   | { news: "transferTaken", old: string, new: string }
 *   | { news: "mailbox", new: number, saved: number }
 *   | { news: "refused", error: Refusal }} News
 *
 * @typedef {{ send: ClientMessage } | { order: Order } | News} Output
 */

export {};
