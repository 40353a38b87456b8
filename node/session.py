"""One call at its endpoint: a frozen value, replaced with every step. Pure.

    outgoing  Connecting ──rings──► Ringing ──answered──► Connecting ─┐
    incoming  (rings) ──accept──► Connecting ─────────────────────────┴─► Connected ◄─► LocalHold, RemoteHold
    any ──hang up──► Disconnecting ──closed──► Disconnected ◄── ended by the hub, media lost

Connected means that both ends hear each other: the hub says so, having heard it from both.
"""

from enum import StrEnum
from typing import Literal

from msgspec.structs import replace

from signaling.discreet import Discreet
from signaling.messages import MAX_SECONDS, CallAttach, CallIncoming, CallOriginate
from signaling.parts import CustomContext, Outcome, Participant, Party
from signaling.reasons import Diversion, Reason


class CallState(StrEnum):
    """The states of a call (ACS CallState).

    EarlyMedia and InLobby are never reached: nothing is heard before the answer, for voicemail answers, and
    nobody waits in a lobby.
    """

    NONE = "None"
    CONNECTING = "Connecting"
    RINGING = "Ringing"
    EARLY_MEDIA = "EarlyMedia"
    CONNECTED = "Connected"
    LOCAL_HOLD = "LocalHold"
    REMOTE_HOLD = "RemoteHold"
    IN_LOBBY = "InLobby"
    DISCONNECTING = "Disconnecting"
    DISCONNECTED = "Disconnected"


LOST_SECONDS = 3.0
REOFFER_SECONDS = 10.0

Direction = Literal["Incoming", "Outgoing"]


class Session(Discreet, frozen=True, kw_only=True):
    """What an endpoint knows of one call.

    While `renewing`, its offer of a new path is not answered. Once `turned`, the callee makes the offers. The
    `participants` are known once there was a third. By `server_call_id` the hub and the other end know the
    call, if that is not its `id`.
    """

    id: str
    server_call_id: str | None = None
    direction: Direction
    state: CallState = CallState.CONNECTING
    remote: Party
    caller: Party | None = None
    transferor: Party | None = None
    forwarded_from: Party | None = None
    diverted_for: Diversion | None = None
    custom_context: CustomContext | None = None
    mailbox: Party | None = None
    outcome: Outcome | None = None
    end_reason: Reason | None = None
    muted: bool = False
    incoming_muted: bool = False
    remote_speaking: bool = False
    speaking_while_muted: bool = False
    local_hold: bool = False
    remote_hold: bool = False
    offer: str = ""
    placed: bool = False
    heard: bool = False
    up: bool = False
    up_at: float = 0.0
    transfer_id: str | None = None
    replaces: str | None = None
    lost: bool = False
    path_lost: bool = False
    renew_due: bool = False
    transferred: bool = False
    attaching: bool = False
    renegotiating: bool = False
    reoffer: str = ""
    hold_changed: bool = False
    deadline: float | None = None
    turned: bool = False
    renewing: bool = False
    group_id: str | None = None
    me: str = ""
    participants: tuple[Participant, ...] = ()
    speakers: tuple[str, ...] = ()

    @property
    def offerer(self) -> bool:
        """Tell whether this end makes the offers: the caller does, unless the hub has turned it round."""
        return (self.direction == "Outgoing") != self.turned

    @property
    def live(self) -> bool:
        """Tell whether the call is neither over nor about to be."""
        return self.state not in (CallState.DISCONNECTING, CallState.DISCONNECTED)

    @property
    def lasting(self) -> bool:
        """Tell whether the call goes on without the hub: the other end is heard, in a group by both."""
        heard = self.heard if self.group_id is None else self.up
        return heard and self.live and not self.transferred

    @property
    def talking(self) -> CallState:
        """Return the state of a call that is up, by who holds it."""
        if self.local_hold:
            return CallState.LOCAL_HOLD
        return CallState.REMOTE_HOLD if self.remote_hold else CallState.CONNECTED

    def claim(self, now: float, *, more: bool = False) -> CallAttach:
        """Return what this end says of the call to a hub that began anew; `more` of its group may follow."""
        forwarded_from = self.forwarded_from.raw_id if self.forwarded_from else None
        via = self.outcome.via if self.outcome else ()
        return CallAttach(
            self.id,
            self.remote.raw_id,
            self.offerer,
            self.mailbox.raw_id if self.mailbox else None,
            via[0] if via else forwarded_from,
            self.transferor.raw_id if self.transferor else None,
            min(now - self.up_at, MAX_SECONDS) if self.up else 0.0,
            self.server_call_id,
            self.group_id,
            self.me or None,
            more,
        )

    def awaiting(self, now: float, *, excused: bool) -> "Session":
        """Return the call with the deadline that lost sound or an unanswered re-offer puts on it.

        None while excused: what may be about to come, or is going on, has a deadline of its own.
        """
        waits = self.live and (self.lost or (self.up and self.renegotiating))
        if not waits or excused != (self.deadline is not None):
            return self
        seconds = LOST_SECONDS if self.lost else REOFFER_SECONDS
        return replace(self, deadline=None if excused else now + seconds)


def ringing(message: CallIncoming) -> Session:
    """Return a call that rings here."""
    return Session(
        id=message.call_id,
        direction="Incoming",
        state=CallState.RINGING,
        remote=message.caller,
        caller=message.caller,
        transferor=message.transferor,
        forwarded_from=message.forwarded_from,
        diverted_for=message.diverted_for,
        custom_context=message.custom_context,
        mailbox=message.mailbox,
        offer=message.sdp,
        group_id=message.group_id,
    )


def following(order: CallOriginate, old: Session) -> Session:
    """Return the call that the hub orders to take the place of an old one, muted and held as that is."""
    return Session(
        id=order.call_id,
        direction="Outgoing",
        remote=order.target,
        transferor=order.transferor,
        custom_context=order.custom_context,
        transfer_id=order.transfer_id,
        replaces=old.id,
        muted=old.muted,
        incoming_muted=old.incoming_muted,
        local_hold=old.local_hold,
    )
