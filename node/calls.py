"""The calls of one agent, and what is said and ordered for each of them. Pure.

`Calls` holds the calls and is the only one to replace them; what comes out is collected in `out`, in order.
"""

from collections import deque
from collections.abc import Collection

from msgspec.structs import replace

from media import orders
from media.orders import Order
from node.exchange import CallNews, Do, News, Output, Send
from node.session import CallState, Session
from signaling import messages as wire
from signaling.parts import EndCause
from signaling.reasons import MEDIA_LOST, NO_MEDIA, TIMED_OUT, Reason

REMEMBERED = 64  # calls that are over, which do not come again

_CAUSES: dict[Reason, EndCause] = {NO_MEDIA: "no_media", MEDIA_LOST: "media_lost", TIMED_OUT: "failed"}


class Calls:
    """All calls that were dialled or answered here and are not over, by id."""

    def __init__(self) -> None:
        self.all: dict[str, Session] = {}
        self.past: deque[str] = deque(maxlen=REMEMBERED)
        self.out: list[Output] = []

    def live(self, call_id: str) -> Session | None:
        """Return a call that is neither over nor about to be."""
        call = self.all.get(call_id)
        return call if call is not None and call.live else None

    def talking(self, call_id: str) -> Session | None:
        """Return a live call that is up."""
        call = self.live(call_id)
        return call if call is not None and call.up else None

    def add(self, call: Session) -> None:
        """Take on a call, muted and held as it says."""
        self.put(call)
        if call.local_hold:
            self.do(orders.SetHold(call.id, True, False, False))
        if call.muted or call.incoming_muted:
            self.do(orders.Mute(call.id, call.muted, call.incoming_muted))

    def put(self, call: Session, *, quiet: bool = False) -> None:
        """Replace a call by what it has become; quiet where the application does not see the difference."""
        self.all[call.id] = call
        if not quiet:
            self.tell(CallNews(call))

    def mute(self, call_id: str, outgoing: bool | None, incoming: bool | None) -> None:
        """Mute a call, and with it what takes its place; None leaves as it is."""
        for call in [c for c in self.all.values() if c.live and call_id in (c.id, c.replaces)]:
            muted = call.muted if outgoing is None else outgoing
            incoming_muted = call.incoming_muted if incoming is None else incoming
            self.put(replace(call, muted=muted, incoming_muted=incoming_muted))
            if call.group_id is not None and call.muted is not muted:
                self.send(wire.CallMute(call.id, muted))
            self.do(orders.Mute(call.id, muted, incoming_muted))

    def hold(self, call: Session, on: bool) -> None:
        """Hold a call here, or resume it, and with it what takes its place; tell the other end."""
        self.send(wire.CallHold(call.id, on))
        self.rehold(replace(call, local_hold=on))
        for following in [c for c in self.all.values() if c.live and c.replaces == call.id]:
            if following.up:
                self.hold(following, on)
            else:
                self.put(replace(following, local_hold=on), quiet=True)
                self.do(orders.SetHold(following.id, on, False, False))

    def hold_all(self) -> None:
        """Hold every call that is up."""
        for call in list(self.all.values()):
            if call.live and call.up and not call.local_hold:
                self.hold(call, on=True)

    def rehold(self, call: Session) -> None:
        """Carry out a change of hold; an offerer makes one re-offer at a time."""
        call = replace(call, state=call.talking if call.up else call.state)
        if call.offerer and call.renegotiating:
            self.put(replace(call, hold_changed=True))
            return
        self.put(replace(call, renegotiating=call.offerer))
        quiet = call.group_id is not None  # it is not for all the others to hear
        self.do(orders.SetHold(call.id, call.local_hold, call.remote_hold, call.offerer, quiet))

    def renegotiated(self, call: Session) -> None:
        """Take note that a re-offer was answered, and carry out what was waiting for it."""
        again = call.renew_due
        fresh = {"renegotiating": False, "renewing": False, "renew_due": False}
        call = replace(call, **fresh, reoffer="", deadline=None)
        if again:
            self.put(call, quiet=True)
            self.renew(call.id)
        elif call.hold_changed:
            self.rehold(replace(call, hold_changed=False))
        else:
            self.put(call, quiet=True)

    def renew(self, call_id: str, *, anew: bool = False, unanswered: bool = False) -> None:
        """Let the path of a call be made anew; the end that makes no offers asks the other one to.

        With `anew` it is the hub that wants it: this end offers, and an offer that is not answered is void.
        With `unanswered` it is the other end, which will not answer what was offered before.
        """
        call = self.talking(call_id)
        if call is None:
            return
        call = replace(call, turned=call.turned != (anew and not call.offerer))
        if not call.offerer:
            self.send(wire.CallRenew(call_id))
        elif anew and call.renewing and not call.reoffer:
            pass  # the offer is yet to come
        elif call.renegotiating and not unanswered and not (anew and call.renewing):
            self.put(replace(call, renew_due=True), quiet=True)
        else:
            fresh = {"renegotiating": True, "renewing": True, "renew_due": False}
            self.put(replace(call, **fresh, reoffer="", deadline=None), quiet=True)
            self.do(orders.Renew(call_id))

    def leave(self, call: Session, reason: Reason, *, for_everyone: bool = False) -> None:
        """End a call for a reason of this end, and tell the hub what it knows of."""
        if call.placed or call.direction == "Incoming":
            self.send(wire.CallEnd(call.id, _CAUSES.get(reason, "hangup"), for_everyone))
        elif call.transfer_id is not None:
            self.send(wire.TransferDecline(call.transfer_id, call.id))
        self.close(call, reason)

    def close(self, call: Session, reason: Reason) -> None:
        """Let the media of a call go; it is over when that has."""
        self.put(replace(call, state=CallState.DISCONNECTING, end_reason=reason, deadline=None))
        self.do(orders.Close(call.id))

    def over(self, call: Session) -> None:
        """Forget a call whose media is gone."""
        del self.all[call.id]
        self.past.append(call.id)
        self.tell(CallNews(replace(call, state=CallState.DISCONNECTED)))

    def await_reasons(self, now: float, *, linked: bool, replaced: Collection[str | None]) -> None:
        """Give the hub a moment to say why sound is lost, and more where it may not know it yet."""
        waiting = {*replaced, *(call.replaces for call in self.all.values() if call.live)}
        for call in list(self.all.values()):
            excused = call.transferred or call.id in waiting or call.remote_hold or not linked
            if (awaiting := call.awaiting(now, excused=excused)) is not call:
                self.put(awaiting, quiet=True)

    def send(self, message: wire.ClientMessage) -> None:
        """Send a message to the hub."""
        self.out.append(Send(message))

    def do(self, order: Order) -> None:
        """Give the media an order."""
        self.out.append(Do(order))

    def tell(self, news: News) -> None:
        """Tell the application."""
        self.out.append(news)
