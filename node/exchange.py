"""What goes into a phone and what comes out of it. Pure."""

from msgspec import Struct

from media.orders import Happening, Order
from node.session import Session
from signaling.messages import (
    CallOriginate,
    ClientMessage,
    Error,
    HubMessage,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import CustomContext
from signaling.reasons import NETWORK, Reason


class Dial(Struct, frozen=True):
    """Call someone under a fresh call id."""

    call_id: str
    target: str
    custom_context: CustomContext | None = None
    muted: bool = False


class Join(Struct, frozen=True):
    """Join a group call under a fresh call id."""

    call_id: str
    group_id: str
    muted: bool = False


class AddParticipant(Struct, frozen=True):
    """Ask somebody into a call, under a fresh participant id."""

    call_id: str
    participant_id: str
    target: str
    custom_context: CustomContext | None = None


class RemoveParticipant(Struct, frozen=True):
    """Remove somebody from a group call."""

    call_id: str
    participant_id: str


class Speakers(Struct, frozen=True):
    """Tell, as the mixer of a group, in which of its calls somebody talks, the dominant one first."""

    group_id: str
    calls: tuple[str, ...]


class Accept(Struct, frozen=True):
    """Answer a ringing call; with `hold_others` those that this end talks in are held (call waiting)."""

    call_id: str
    muted: bool = False
    hold_others: bool = False


class Reject(Struct, frozen=True):
    """Decline a ringing call on all devices."""

    call_id: str


class HangUp(Struct, frozen=True):
    """Leave a call, or give up calling; or end a group call for everyone in it."""

    call_id: str
    for_everyone: bool = False


class Hold(Struct, frozen=True):
    """Hold a call, or resume it."""

    call_id: str
    on: bool


class Mute(Struct, frozen=True):
    """Mute what is sent and what is heard; None leaves as it is."""

    call_id: str
    outgoing: bool | None = None
    incoming: bool | None = None


class Dtmf(Struct, frozen=True):
    """Send keypad digits."""

    call_id: str
    digits: str


class Transfer(Struct, frozen=True):
    """Ask the hub for a transfer."""

    request: TransferRequest


class CancelTransfer(Struct, frozen=True):
    """Call a transfer off."""

    transfer_id: str


class Consent(Struct, frozen=True):
    """Answer a transfer that this end was asked about."""

    transfer_id: str
    accept: bool


class FromHub(Struct, frozen=True):
    """A message of the hub."""

    message: HubMessage


class FromMedia(Struct, frozen=True):
    """A happening of the media."""

    happening: Happening


class Linked(Struct, frozen=True):
    """The connection to the hub is there, or away and coming back."""

    on: bool


class Cut(Struct, frozen=True):
    """The session with the hub is gone for good: no call of it can go on."""

    reason: Reason = NETWORK


class Anew(Struct, frozen=True):
    """The hub knows nothing of the session before: calls that are up are attached again, the rest is over."""


class Tick(Struct, frozen=True):
    """Time has passed."""


Input = (
    Dial
    | Join
    | AddParticipant
    | RemoveParticipant
    | Speakers
    | Accept
    | Reject
    | HangUp
    | Hold
    | Mute
    | Dtmf
    | Transfer
    | CancelTransfer
    | Consent
    | Linked
    | FromHub
    | FromMedia
    | Cut
    | Anew
    | Tick
)


class Send(Struct, frozen=True):
    """Send a message to the hub."""

    message: ClientMessage


class Do(Struct, frozen=True):
    """Give the media an order."""

    order: Order


class CallNews(Struct, frozen=True):
    """A call is new, has changed, or is over (state Disconnected)."""

    call: Session


class RingNews(Struct, frozen=True):
    """A call rings here."""

    call: Session


class RingOver(Struct, frozen=True):
    """A call no longer rings here although nobody took it here."""

    call_id: str
    reason: Reason


class DtmfNews(Struct, frozen=True):
    """The other end of a call has pressed a key for so many seconds."""

    call_id: str
    digit: str
    duration: float


class TransferNews(Struct, frozen=True):
    """A transfer that was asked for here has moved on."""

    update: TransferUpdate


class TransferAsked(Struct, frozen=True):
    """A transfer of this end was asked for; the application may refuse it (transfer consent)."""

    offer: CallOriginate


class TransferTaken(Struct, frozen=True):
    """A transfer of this end is under way: `new` takes the place of `old` once it has audio."""

    old: str
    new: str


class MailboxNews(Struct, frozen=True):
    """So many messages wait in the user's mailbox."""

    new: int
    saved: int


class Refused(Struct, frozen=True):
    """The hub refused a message; nothing else has changed."""

    error: Error


News = (
    CallNews
    | RingNews
    | RingOver
    | DtmfNews
    | TransferNews
    | TransferAsked
    | TransferTaken
    | MailboxNews
    | Refused
)
Output = Send | Do | News
