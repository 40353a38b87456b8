"""Transfers at an endpoint: those asked for here (A), and the orders to follow one (B). Pure.

The hub decides. B obeys `call.originate`, after its application has agreed where that wants to be asked.
"""

from msgspec.structs import replace

from media import orders
from node.calls import Calls
from node.exchange import TransferAsked, TransferNews, TransferTaken
from node.session import following
from signaling import messages as wire
from signaling.parts import CallTarget
from signaling.reasons import TIMED_OUT, UNKNOWN_CALL, Reason

# The hub has the shorter deadlines; a call that is forwarded on and on may ring for ten minutes.
SETUP_SECONDS = 900.0
TRANSFER_SECONDS = 600.0


class Handovers:
    """What is under way; with `consent` the application decides whether this end may be transferred."""

    def __init__(self, calls: Calls, *, consent: bool) -> None:
        self.offers: dict[str, wire.CallOriginate] = {}
        self.asked: dict[str, tuple[wire.TransferRequest, float]] = {}
        self._calls = calls
        self.consent = consent

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min((deadline for _, deadline in self.asked.values()), default=None)

    def ordered(self, offer: wire.CallOriginate, now: float) -> None:
        """Follow the hub's order to place a call in the place of another, or ask the application first."""
        if offer.call_id in self._calls.all or offer.transfer_id in self.offers:
            return
        recall = offer.target.raw_id == offer.transferor.raw_id
        if self.consent and not recall and self._calls.live(offer.replaces):
            self.offers[offer.transfer_id] = offer
            self._calls.tell(TransferAsked(offer))
        else:
            self._follow(offer, now)

    def decide(self, transfer_id: str, accept: bool, now: float) -> None:
        """Take the application's answer to what it was asked."""
        if offer := self.offers.pop(transfer_id, None):
            self._follow(offer, now) if accept else self._decline(offer)

    def withdraw(self, call_id: str) -> None:
        """Forget the offer of a call that is not to be placed any more."""
        for transfer_id in [each for each, offer in self.offers.items() if offer.call_id == call_id]:
            del self.offers[transfer_id]

    def request(self, request: wire.TransferRequest, now: float) -> None:
        """Ask the hub for a transfer of a call that is up."""
        if self._calls.talking(request.call_id) is None:
            self._fail(request, UNKNOWN_CALL)
            return
        self.asked[request.transfer_id] = (request, now + TRANSFER_SECONDS)
        self._calls.send(request)

    def cancel(self, transfer_id: str) -> None:
        """Call a transfer off that is under way."""
        if transfer_id in self.asked:
            self._calls.send(wire.TransferCancel(transfer_id))

    def updated(self, update: wire.TransferUpdate) -> None:
        """Pass on how a transfer stands; a failure takes its call off hold, unless another one talks."""
        if update.transfer_id not in self.asked:
            return
        request, _ = self.asked[update.transfer_id]
        call = self._calls.all.get(update.call_id)
        if update.state != "Transferring":
            del self.asked[update.transfer_id]
        if call and update.state == "Transferred":
            self._calls.put(replace(call, transferred=True, deadline=None), quiet=True)
        if (
            call
            and call.live
            and update.state == "Failed"
            and call.local_hold
            and not (isinstance(request.target, CallTarget) and self._calls.live(request.target.call_id))
            and not any(pending.call_id == call.id for pending, _ in self.asked.values())
            and not any(c.up and c.live and not c.local_hold for c in self._calls.all.values())
        ):
            self._calls.hold(call, on=False)
        self._calls.tell(TransferNews(update))

    def cut(self, reason: Reason) -> None:
        """Give everything up: the hub knows nothing of it any more."""
        self.offers.clear()
        for request, _ in self.asked.values():
            self._fail(request, reason)
        self.asked.clear()

    def tick(self, now: float) -> None:
        """Give up what the hub has not said a last word on in time."""
        for transfer_id, (request, deadline) in list(self.asked.items()):
            if deadline <= now:
                del self.asked[transfer_id]
                self._fail(request, TIMED_OUT)

    def _follow(self, offer: wire.CallOriginate, now: float) -> None:
        old = self._calls.live(offer.replaces)
        if old is None:
            self._decline(offer)
            return
        self._calls.add(replace(following(offer, old), deadline=now + SETUP_SECONDS))
        self._calls.do(orders.TakeOver(offer.call_id, old.id))
        self._calls.do(orders.MakeOffer(offer.call_id))
        self._calls.tell(TransferTaken(old.id, offer.call_id))

    def _decline(self, offer: wire.CallOriginate) -> None:
        self._calls.send(wire.TransferDecline(offer.transfer_id, offer.call_id))

    def _fail(self, request: wire.TransferRequest, reason: Reason) -> None:
        failed = wire.TransferUpdate(request.transfer_id, request.call_id, "Failed", error=reason)
        self._calls.tell(TransferNews(failed))
