"""What the endpoint asks of its media, and what media tells back. Pure.

Orders of one call are carried out in the order given. Every order that can fail ends in a happening.
"""

from msgspec import Struct


class MakeOffer(Struct, frozen=True):
    """Open a peer connection and offer; ends in OfferReady or Failed."""

    call_id: str


class MakeAnswer(Struct, frozen=True):
    """Open a peer connection on an offer and answer; ends in AnswerReady or Failed."""

    call_id: str
    sdp: str


class ApplyAnswer(Struct, frozen=True):
    """Give an offerer its answer: the first one, or that of a re-offer."""

    call_id: str
    sdp: str


class AnswerReoffer(Struct, frozen=True):
    """Answer a re-offer, on a second peer connection if it is one's; ends in ReofferAnswered or Failed."""

    call_id: str
    sdp: str


class Renew(Struct, frozen=True):
    """Offer a second peer connection for a call; ends in ReofferReady or Failed.

    It takes the place of the first one at GoOver, or once it is connected if that one is lost or the call is
    held. One that was offered before and has not done so is void. The other end answers by AnswerReoffer.
    """

    call_id: str


class GoOver(Struct, frozen=True):
    """Say and hear over the second peer connection as soon as it is connected, though the first is not lost.

    Until then both say the same. The first one is closed a second later.
    """

    call_id: str


class AddCandidate(Struct, frozen=True):
    """Add a trickled candidate of the other end; one that comes early waits for the description."""

    call_id: str
    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class SetHold(Struct, frozen=True):
    """Say who holds. The offerer of the call renegotiates the direction; ends in ReofferReady there.

    While one end alone holds, the other hears its hold audio, unless `quiet`; nobody hears anything else.
    """

    call_id: str
    local: bool
    remote: bool
    offerer: bool
    quiet: bool = False


class Mute(Struct, frozen=True):
    """Send silence in place of the source (`outgoing`), or keep the sink silent (`incoming`)."""

    call_id: str
    outgoing: bool
    incoming: bool


class SendDtmf(Struct, frozen=True):
    """Send keypad digits, after those before them (RFC 4733)."""

    call_id: str
    digits: str


class TakeOver(Struct, frozen=True):
    """Move source and sink of `old` to `call_id` at the frame boundary where `call_id` first has audio.

    Closing `call_id` while `old` is open gives them back.
    """

    call_id: str
    old: str


class Close(Struct, frozen=True):
    """Let a peer connection go; ends in Closed."""

    call_id: str


Order = (
    MakeOffer
    | MakeAnswer
    | ApplyAnswer
    | AnswerReoffer
    | Renew
    | GoOver
    | AddCandidate
    | SetHold
    | Mute
    | SendDtmf
    | TakeOver
    | Close
)


class OfferReady(Struct, frozen=True):
    """The offer of MakeOffer, all candidates in it."""

    call_id: str
    sdp: str


class AnswerReady(Struct, frozen=True):
    """The answer of MakeAnswer, all candidates in it."""

    call_id: str
    sdp: str


class ReofferReady(Struct, frozen=True):
    """A re-offer, with a new direction or on a new path."""

    call_id: str
    sdp: str


class ReofferAnswered(Struct, frozen=True):
    """The answer to a re-offer of the other end."""

    call_id: str
    sdp: str


class AudioUp(Struct, frozen=True):
    """The first frame of the other end was decoded; told once per call."""

    call_id: str


class PathReady(Struct, frozen=True):
    """The second peer connection has brought its first frame."""

    call_id: str


class DtmfReceived(Struct, frozen=True):
    """The other end has pressed a key for so many seconds; told at its end."""

    call_id: str
    digit: str
    duration: float


class RemoteSpeaking(Struct, frozen=True):
    """The other end has begun to talk, or has ceased to."""

    call_id: str
    on: bool


class SpeakingWhileMuted(Struct, frozen=True):
    """The user here has begun to talk although muted, or no longer does."""

    call_id: str
    on: bool


class PathLost(Struct, frozen=True):
    """No packet came for 3 s although none holds; told again every 3 s. Renew may help."""

    call_id: str


class PathBack(Struct, frozen=True):
    """Packets come again, or another peer connection has taken the place of the first one."""

    call_id: str


class MediaLost(Struct, frozen=True):
    """The peer connection closed under us, or no packet came for 10 s although none holds."""

    call_id: str


class Failed(Struct, frozen=True):
    """An order could not be carried out; `what` is for the log."""

    call_id: str
    what: str


class Closed(Struct, frozen=True):
    """Everything of the call is let go."""

    call_id: str


Happening = (
    OfferReady
    | AnswerReady
    | ReofferReady
    | ReofferAnswered
    | AudioUp
    | PathReady
    | DtmfReceived
    | RemoteSpeaking
    | SpeakingWhileMuted
    | PathLost
    | PathBack
    | MediaLost
    | Failed
    | Closed
)
