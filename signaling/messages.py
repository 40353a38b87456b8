"""The wire between hub and agents: one JSON text frame per message, one union per direction.

Pure. Limits stand in the annotations, so decoding is validation. `seq` numbers the messages of a
session per direction from 1; 0 marks one outside the numbering (hello, welcome, ping, pong, error).
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from signaling.discreet import Discreet
from signaling.group_messages import CallJoin as CallJoin
from signaling.group_messages import CallMute as CallMute
from signaling.group_messages import CallParticipants as CallParticipants
from signaling.group_messages import CallSpeakers as CallSpeakers
from signaling.group_messages import MixerPlace as MixerPlace
from signaling.group_messages import MixerSpeakers as MixerSpeakers
from signaling.group_messages import ParticipantAdd as ParticipantAdd
from signaling.group_messages import ParticipantRemove as ParticipantRemove
from signaling.parts import (
    Candidate,
    CustomContext,
    EndCause,
    IceServer,
    Id,
    Name,
    Outcome,
    Party,
    Progress,
    RawId,
    Right,
    Sdp,
    Seq,
    Token,
)
from signaling.reasons import Diversion, Reason
from signaling.transfer_messages import CallOriginate as CallOriginate
from signaling.transfer_messages import TransferCancel as TransferCancel
from signaling.transfer_messages import TransferDecline as TransferDecline
from signaling.transfer_messages import TransferRequest as TransferRequest
from signaling.transfer_messages import TransferUpdate as TransferUpdate

PROTOCOL = 1
MAX_FRAME = 64 * 1024
MAX_SECONDS = 30 * 24 * 3600.0


# --- client to hub ---------------------------------------------------------------------------------


class Resume(Discreet, frozen=True):
    """Take up a session again: its id, its secret, and the last hub message that was received."""

    session: Id
    secret: Token
    last_seq: Seq


class Hello(Discreet, frozen=True, omit_defaults=True, tag="hello"):
    """Open or resume a session; the first message on every connection, within 5 s."""

    token: Token
    display_name: Name = ""
    version: int = PROTOCOL
    resume: Resume | None = None
    seq: Seq = 0


class TokenRefresh(Discreet, frozen=True, omit_defaults=True, tag="token.refresh"):
    """Replace the session's token by a fresh one of the same user."""

    token: Token
    seq: Seq = 0


class Ping(Struct, frozen=True, omit_defaults=True, tag="ping"):
    """Ask for a pong; acknowledges hub messages up to `ack`."""

    ack: Seq = 0
    seq: Seq = 0


class Bye(Struct, frozen=True, omit_defaults=True, tag="bye"):
    """End the session for good: its calls end, nothing waits for a resume."""

    seq: Seq = 0


class CallPlace(Discreet, frozen=True, omit_defaults=True, tag="call.place"):
    """Place a call under an id the caller mints; for a call.originate, under its ids."""

    call_id: Id
    target: RawId
    sdp: Sdp
    transfer_id: Id | None = None
    custom_context: CustomContext | None = None
    seq: Seq = 0


class CallRinging(Struct, frozen=True, omit_defaults=True, tag="call.ringing"):
    """Tell that this device alerts its user."""

    call_id: Id
    seq: Seq = 0


class CallAnswer(Discreet, frozen=True, omit_defaults=True, tag="call.answer"):
    """Accept an incoming call; the first device wins."""

    call_id: Id
    sdp: Sdp
    seq: Seq = 0


class CallUp(Struct, frozen=True, omit_defaults=True, tag="call.up"):
    """Tell that the first audio of the other end was decoded; again for each new path that brings some."""

    call_id: Id
    seq: Seq = 0


class CallEnd(Struct, frozen=True, omit_defaults=True, tag="call.end"):
    """Cancel, decline or hang up, whichever the call's state makes of it.

    A group call goes on for the others, unless it is to end `for_everyone`.
    """

    call_id: Id
    cause: EndCause = "hangup"
    for_everyone: bool = False
    seq: Seq = 0


class CallAttach(Struct, frozen=True, omit_defaults=True, tag="call.attach"):
    """Tell a hub that began anew of a call that is up; it goes on once the other end says so too.

    `server_call_id` is that of the last call.connected, `dialled` who was called where another one answered,
    `seconds` how long it has been up. Of a group call its mixer is the other end, which says of each of the
    calls whether `more` of that group follow; everybody else is in it by the `participant_id` they had.
    """

    call_id: Id
    remote: RawId
    caller: bool
    mailbox: RawId | None = None
    dialled: RawId | None = None
    transferor: RawId | None = None
    seconds: Annotated[float, Meta(ge=0, le=MAX_SECONDS)] = 0.0
    server_call_id: Id | None = None
    group_id: Id | None = None
    participant_id: Id | None = None
    more: bool = False
    seq: Seq = 0


# --- both directions -------------------------------------------------------------------------------


class CallCandidate(Struct, frozen=True, omit_defaults=True, tag="call.candidate"):
    """Trickle one ICE candidate to the other end; None ends the candidates."""

    call_id: Id
    candidate: Candidate | None
    seq: Seq = 0


class CallUpdate(Discreet, frozen=True, omit_defaults=True, tag="call.update"):
    """Renegotiate media. Only the caller offers; the callee asks by `call.hold` or `call.renew` (no glare).

    An offer with another ICE user (`a=ice-ufrag`) is of a new peer connection, perhaps to another end. While
    the path before brings sound, both say the same; `call.connected` is the word to go over to the new one.
    If the path before is lost, or the call held, the new one takes its place once it is connected.
    """

    call_id: Id
    kind: Literal["offer", "answer"]
    sdp: Sdp
    seq: Seq = 0


class CallRenew(Struct, frozen=True, omit_defaults=True, tag="call.renew"):
    """Ask the caller, as the callee, for an offer of a new path.

    With `unanswered`, what the caller has offered before will not be answered: a page was loaded again.

    The hub may ask either end, with `anew`: an offer of a new path that is not answered yet is void, and from
    now on this end makes the offers. Whoever is sent an offer makes none any more.
    """

    call_id: Id
    anew: bool = False
    unanswered: bool = False
    seq: Seq = 0


class CallHold(Struct, frozen=True, omit_defaults=True, tag="call.hold"):
    """Tell the other end that this end holds, or no longer holds, the call."""

    call_id: Id
    on: bool
    seq: Seq = 0


# --- hub to client ---------------------------------------------------------------------------------


class Welcome(Discreet, frozen=True, omit_defaults=True, tag="welcome"):
    """Answer a hello: who you are, what you may do, and whether the session was resumed."""

    session: Id
    secret: Token
    me: Party
    rights: tuple[Right, ...]
    resumed: bool = False
    last_seq: Seq = 0
    ice_servers: tuple[IceServer, ...] = ()
    seq: Seq = 0


class Pong(Struct, frozen=True, omit_defaults=True, tag="pong"):
    """Answer a ping; acknowledges client messages up to `ack`."""

    ack: Seq = 0
    seq: Seq = 0


class Error(Struct, frozen=True, omit_defaults=True, tag="error"):
    """Refuse a message; the connection lives on. `about` names its type or call."""

    reason: Reason
    about: Name = ""
    seq: Seq = 0


class SessionEnd(Struct, frozen=True, omit_defaults=True, tag="session.end"):
    """Close the session for good: token invalid or user deleted."""

    reason: Reason
    seq: Seq = 0


class CallIncoming(Discreet, frozen=True, omit_defaults=True, tag="call.incoming"):
    """Ring. With `replaces`, answer at once in the place of that call; with `mailbox`, record for it.

    With `group_id` it is a group call that `caller` asks this end into.
    """

    call_id: Id
    caller: Party
    sdp: Sdp
    transferor: Party | None = None
    forwarded_from: Party | None = None
    custom_context: CustomContext | None = None
    replaces: Id | None = None
    mailbox: Party | None = None
    diverted_for: Diversion | None = None
    group_id: Id | None = None
    seq: Seq = 0


class CallProgress(Struct, frozen=True, omit_defaults=True, tag="call.progress"):
    """Tell the caller that a device rings, or where the call was sent on to."""

    call_id: Id
    progress: Progress
    party: Party
    seq: Seq = 0


class CallAnswered(Discreet, frozen=True, omit_defaults=True, tag="call.answered"):
    """Give the caller the answer and who answered."""

    call_id: Id
    sdp: Sdp
    outcome: Outcome
    seq: Seq = 0


class CallConnected(Struct, frozen=True, omit_defaults=True, tag="call.connected"):
    """Tell both ends that audio is heard at both; again when they are to go over to a new path.

    `server_call_id` is the id that the other end and the hub have for the call, where that is another one.
    """

    call_id: Id
    server_call_id: Id | None = None
    seq: Seq = 0


class CallEnded(Struct, frozen=True, omit_defaults=True, tag="call.ended"):
    """End a leg, or stop it ringing; sent once per leg."""

    call_id: Id
    reason: Reason
    seq: Seq = 0


class MailboxChanged(Struct, frozen=True, omit_defaults=True, tag="mailbox.changed"):
    """Tell the owner's agents how many messages wait (RFC 3842 counts)."""

    new: Annotated[int, Meta(ge=0)]
    saved: Annotated[int, Meta(ge=0)]
    seq: Seq = 0


class IceServers(Struct, frozen=True, omit_defaults=True, tag="ice.servers"):
    """Replace the ICE servers of the welcome: from now on, new paths are sought with these."""

    servers: tuple[IceServer, ...]
    seq: Seq = 0


PeerMessage = CallCandidate | CallUpdate | CallRenew | CallHold
ClientMessage = (
    Hello
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
    | PeerMessage
    | TransferRequest
    | TransferCancel
    | TransferDecline
)
HubMessage = (
    Welcome
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
    | PeerMessage
    | CallOriginate
    | TransferUpdate
    | MailboxChanged
    | IceServers
)

Message = TypeVar("Message")
_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_hub: msgspec.json.Decoder[HubMessage] = msgspec.json.Decoder(HubMessage)
_encoder = msgspec.json.Encoder()


def decode_client(frame: bytes | str) -> ClientMessage:
    """Return the message of a frame from a client; raises msgspec.DecodeError, which says what is wrong."""
    return _decode(_client, frame)


def decode_hub(frame: bytes | str) -> HubMessage:
    """Return the message of a frame from the hub; raises msgspec.DecodeError."""
    return _decode(_hub, frame)


def encode(message: ClientMessage | HubMessage) -> bytes:
    """Return the frame of a message."""
    return _encoder.encode(message)


def _decode(decoder: msgspec.json.Decoder[Message], frame: bytes | str) -> Message:
    try:
        return decoder.decode(frame)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("The frame is not UTF-8, or nested too deep") from None
