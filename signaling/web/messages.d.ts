// Generated from signaling/messages.py by `python -m signaling.schema`.

/** Take up a session again: its id, its secret, and the last hub message that was received. */
export interface Resume {
  session: string;
  secret: string;
  last_seq: number;
}

/** Open or resume a session; the first message on every connection, within 5 s. */
export interface Hello {
  type: "hello";
  token: string;
  display_name?: string;
  version?: number;
  resume?: Resume | null;
  seq?: number;
}

/** Replace the session's token by a fresh one of the same user. */
export interface TokenRefresh {
  type: "token.refresh";
  token: string;
  seq?: number;
}

/** Ask for a pong; acknowledges hub messages up to `ack`. */
export interface Ping {
  type: "ping";
  ack?: number;
  seq?: number;
}

/** End the session for good: its calls end, nothing waits for a resume. */
export interface Bye {
  type: "bye";
  seq?: number;
}

/** What an application sends along with a call or transfer (ACS CustomContext). */
export interface CustomContext {
  user_to_user?: string;
  voip_headers?: Record<string, string>;
}

/** Place a call under an id the caller mints; for a call.originate, under its ids. */
export interface CallPlace {
  type: "call.place";
  call_id: string;
  target: string;
  sdp: string;
  transfer_id?: string | null;
  custom_context?: CustomContext | null;
  seq?: number;
}

/** Tell that this device alerts its user. */
export interface CallRinging {
  type: "call.ringing";
  call_id: string;
  seq?: number;
}

/** Accept an incoming call; the first device wins. */
export interface CallAnswer {
  type: "call.answer";
  call_id: string;
  sdp: string;
  seq?: number;
}

/** Tell that the first audio of the other end was decoded; again for each new path that brings some. */
export interface CallUp {
  type: "call.up";
  call_id: string;
  seq?: number;
}

/** Cancel, decline or hang up, whichever the call's state makes of it. A group call goes on for the others, unless it is to end `for_everyone`. */
export interface CallEnd {
  type: "call.end";
  call_id: string;
  cause?: "busy" | "declined" | "failed" | "hangup" | "media_lost" | "no_media";
  for_everyone?: boolean;
  seq?: number;
}

/** Tell a hub that began anew of a call that is up; it goes on once the other end says so too. `server_call_id` is that of the last call.connected, `dialled` who was called where another one answered, `seconds` how long it has been up. Of a group call its mixer is the other end, which says of each of the calls whether `more` of that group follow; everybody else is in it by the `participant_id` they had. */
export interface CallAttach {
  type: "call.attach";
  call_id: string;
  remote: string;
  caller: boolean;
  mailbox?: string | null;
  dialled?: string | null;
  transferor?: string | null;
  seconds?: number;
  server_call_id?: string | null;
  group_id?: string | null;
  participant_id?: string | null;
  more?: boolean;
  seq?: number;
}

/** Join the group call of this id, under a call id this end mints; the first to join makes it. */
export interface CallJoin {
  type: "call.join";
  call_id: string;
  group_id: string;
  sdp: string;
  seq?: number;
}

/** Tell the others of a group call that this end is muted, or no longer is. */
export interface CallMute {
  type: "call.mute";
  call_id: string;
  on: boolean;
  seq?: number;
}

/** Ask somebody into a call that is up, under a participant id this end mints: their devices ring. A call of two becomes a group call. What becomes of it, a refusal too, `call.participants` tells. */
export interface ParticipantAdd {
  type: "participant.add";
  call_id: string;
  participant_id: string;
  target: string;
  custom_context?: CustomContext | null;
  seq?: number;
}

/** Remove somebody else from a group call, or call off that they are asked into it. */
export interface ParticipantRemove {
  type: "participant.remove";
  call_id: string;
  participant_id: string;
  seq?: number;
}

/** Tell, as the mixer, in which of its calls somebody talks, the dominant one first. */
export interface MixerSpeakers {
  type: "mixer.speakers";
  group_id: string;
  calls: string[];
  seq?: number;
}

/** One trickled ICE candidate (W3C RTCIceCandidateInit). */
export interface Candidate {
  candidate: string;
  sdp_mid?: string | null;
  sdp_mline_index?: number | null;
}

/** Trickle one ICE candidate to the other end; None ends the candidates. */
export interface CallCandidate {
  type: "call.candidate";
  call_id: string;
  candidate: Candidate | null;
  seq?: number;
}

/** Renegotiate media. Only the caller offers; the callee asks by `call.hold` or `call.renew` (no glare). An offer with another ICE user (`a=ice-ufrag`) is of a new peer connection, perhaps to another end. While the path before brings sound, both say the same; `call.connected` is the word to go over to the new one. If the path before is lost, or the call held, the new one takes its place once it is connected. */
export interface CallUpdate {
  type: "call.update";
  call_id: string;
  kind: "answer" | "offer";
  sdp: string;
  seq?: number;
}

/** Ask the caller, as the callee, for an offer of a new path. With `unanswered`, what the caller has offered before will not be answered: a page was loaded again. The hub may ask either end, with `anew`: an offer of a new path that is not answered yet is void, and from now on this end makes the offers. Whoever is sent an offer makes none any more. */
export interface CallRenew {
  type: "call.renew";
  call_id: string;
  anew?: boolean;
  unanswered?: boolean;
  seq?: number;
}

/** Tell the other end that this end holds, or no longer holds, the call. */
export interface CallHold {
  type: "call.hold";
  call_id: string;
  on: boolean;
  seq?: number;
}

/** Transfer to a person, who rings. */
export interface ParticipantTarget {
  kind: "participant";
  identifier: string;
}

/** Transfer to the far end of another call of the transferor. */
export interface CallTarget {
  kind: "call";
  call_id: string;
}

/** Transfer to a person's mailbox; the person does not ring. */
export interface VoicemailTarget {
  kind: "voicemail";
  identifier: string;
}

/** Ask to transfer the other end of a call (spec §4). */
export interface TransferRequest {
  type: "transfer.request";
  transfer_id: string;
  call_id: string;
  target: ParticipantTarget | CallTarget | VoicemailTarget;
  disable_forwarding_and_unanswered?: boolean;
  ring_target?: boolean;
  hang_up_when_transferred?: boolean;
  custom_context?: CustomContext | null;
  seq?: number;
}

/** Call off a transfer that is under way. */
export interface TransferCancel {
  type: "transfer.cancel";
  transfer_id: string;
  seq?: number;
}

/** Refuse, as the transferee, the call.originate of a transfer. */
export interface TransferDecline {
  type: "transfer.decline";
  transfer_id: string;
  call_id: string;
  seq?: number;
}

/** A person as others see them: raw id, display name, short name. */
export interface Party {
  raw_id: string;
  display_name?: string;
  name?: string;
}

/** A STUN or TURN server (W3C RTCIceServer); TURN credentials end after an hour. */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/** Answer a hello: who you are, what you may do, and whether the session was resumed. */
export interface Welcome {
  type: "welcome";
  session: string;
  secret: string;
  me: Party;
  rights: ("mixer" | "transfer" | "voicemail" | "voip" | "voip.join")[];
  resumed?: boolean;
  last_seq?: number;
  ice_servers?: IceServer[];
  seq?: number;
}

/** Answer a ping; acknowledges client messages up to `ack`. */
export interface Pong {
  type: "pong";
  ack?: number;
  seq?: number;
}

/** One reason: ACS code and sub code, a sentence for people, and how to count it. */
export interface Reason {
  code: number;
  sub_code: number;
  message?: string;
  category?: "ExpectedError" | "Success" | "UnexpectedClientError" | "UnexpectedServerError";
}

/** Refuse a message; the connection lives on. `about` names its type or call. */
export interface Error {
  type: "error";
  reason: Reason;
  about?: string;
  seq?: number;
}

/** Close the session for good: token invalid or user deleted. */
export interface SessionEnd {
  type: "session.end";
  reason: Reason;
  seq?: number;
}

/** Ring. With `replaces`, answer at once in the place of that call; with `mailbox`, record for it. With `group_id` it is a group call that `caller` asks this end into. */
export interface CallIncoming {
  type: "call.incoming";
  call_id: string;
  caller: Party;
  sdp: string;
  transferor?: Party | null;
  forwarded_from?: Party | null;
  custom_context?: CustomContext | null;
  replaces?: string | null;
  mailbox?: Party | null;
  diverted_for?: "deflection" | "do-not-disturb" | "no-answer" | "unavailable" | "unconditional" | "user-busy" | null;
  group_id?: string | null;
  seq?: number;
}

/** Tell the caller that a device rings, or where the call was sent on to. */
export interface CallProgress {
  type: "call.progress";
  call_id: string;
  progress: "forwarded" | "ringing" | "trying" | "voicemail";
  party: Party;
  seq?: number;
}

/** Who or what answered, and over which forwards; for a group call the party is the group. */
export interface Outcome {
  kind: "call" | "forwarded" | "group" | "participant" | "voicemail";
  party: Party;
  via?: string[];
}

/** Give the caller the answer and who answered. */
export interface CallAnswered {
  type: "call.answered";
  call_id: string;
  sdp: string;
  outcome: Outcome;
  seq?: number;
}

/** Tell both ends that audio is heard at both; again when they are to go over to a new path. `server_call_id` is the id that the other end and the hub have for the call, where that is another one. */
export interface CallConnected {
  type: "call.connected";
  call_id: string;
  server_call_id?: string | null;
  seq?: number;
}

/** End a leg, or stop it ringing; sent once per leg. */
export interface CallEnded {
  type: "call.ended";
  call_id: string;
  reason: Reason;
  seq?: number;
}

/** Somebody else in a call; Disconnected is told once, with the reason, and is final. */
export interface Participant {
  id: string;
  party: Party;
  state: "Connected" | "Connecting" | "Disconnected" | "Hold" | "Ringing";
  muted?: boolean;
  reason?: Reason | null;
}

/** Tell everybody else who is in a call, whole and whenever it changes; without a group id it is of two. Whoever is Disconnected is in it once more, and then no longer. `me` is this end's participant id. */
export interface CallParticipants {
  type: "call.participants";
  call_id: string;
  group_id: string | null;
  me: string;
  participants: Participant[];
  seq?: number;
}

/** Tell who talks in a group call, by participant ids, the dominant one first; `me` may be among them. */
export interface CallSpeakers {
  type: "call.speakers";
  call_id: string;
  speakers: string[];
  seq?: number;
}

/** Order the mixer to place a call under this id to somebody of a group: by call.place, as if to them. */
export interface MixerPlace {
  type: "mixer.place";
  call_id: string;
  group_id: string;
  target: Party;
  seq?: number;
}

/** Order the transferee to place a call that takes over from `replaces` once it has audio. */
export interface CallOriginate {
  type: "call.originate";
  call_id: string;
  transfer_id: string;
  replaces: string;
  target: Party;
  kind: "call" | "forwarded" | "group" | "participant" | "voicemail";
  transferor: Party;
  custom_context?: CustomContext | null;
  seq?: number;
}

/** Tell the transferor how the transfer stands; Transferred and Failed are final. */
export interface TransferUpdate {
  type: "transfer.update";
  transfer_id: string;
  call_id: string;
  state: "Failed" | "Transferred" | "Transferring";
  progress?: "forwarded" | "ringing" | "trying" | "voicemail" | null;
  error?: Reason | null;
  outcome?: Outcome | null;
  new_call_id?: string | null;
  seq?: number;
}

/** Tell the owner's agents how many messages wait (RFC 3842 counts). */
export interface MailboxChanged {
  type: "mailbox.changed";
  new: number;
  saved: number;
  seq?: number;
}

/** Replace the ICE servers of the welcome: from now on, new paths are sought with these. */
export interface IceServers {
  type: "ice.servers";
  servers: IceServer[];
  seq?: number;
}

export type ClientMessage =
  | Hello
  | TokenRefresh
  | Ping
  | Bye
  | CallPlace
  | CallRinging
  | CallAnswer
  | CallUp
  | CallEnd
  | CallAttach
  | CallJoin
  | CallMute
  | ParticipantAdd
  | ParticipantRemove
  | MixerSpeakers
  | CallCandidate
  | CallUpdate
  | CallRenew
  | CallHold
  | TransferRequest
  | TransferCancel
  | TransferDecline;

export type HubMessage =
  | Welcome
  | Pong
  | Error
  | SessionEnd
  | CallIncoming
  | CallProgress
  | CallAnswered
  | CallConnected
  | CallEnded
  | CallParticipants
  | CallSpeakers
  | MixerPlace
  | CallCandidate
  | CallUpdate
  | CallRenew
  | CallHold
  | CallOriginate
  | TransferUpdate
  | MailboxChanged
  | IceServers;
