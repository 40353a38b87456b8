"""All calls of one agent: commands, messages and happenings in; messages, orders and news out. Pure.

`handle(input, now)` returns the outputs in order; `deadline` is when it wants a Tick at the latest.
The hub decides transfers; a phone obeys `call.originate`, and answers a call that replaces one of its own.
"""

from collections.abc import Collection
from typing import assert_never

from msgspec.structs import replace

from media import orders
from media.orders import Happening, Order
from node.exchange import (
    Accept,
    Anew,
    CallNews,
    CancelTransfer,
    Consent,
    Cut,
    Dial,
    Do,
    Dtmf,
    DtmfNews,
    FromHub,
    FromMedia,
    HangUp,
    Hold,
    Input,
    Linked,
    MailboxNews,
    Mute,
    Output,
    Refused,
    Reject,
    RingNews,
    RingOver,
    Send,
    Tick,
    Transfer,
    TransferAsked,
    TransferNews,
    TransferTaken,
)
from node.session import CallState, Session, following, ringing
from signaling import messages as wire
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    HUNG_UP,
    MEDIA_LOST,
    NETWORK,
    NO_MEDIA,
    TIMED_OUT,
    UNKNOWN_CALL,
    Reason,
)

# The hub has the shorter deadlines; a call that is forwarded on and on may ring for ten minutes.
SETUP_SECONDS = 900.0
PICKUP_SECONDS = 30.0
TRANSFER_SECONDS = 600.0
ATTACH_SECONDS = 40.0

_CAUSES: dict[Reason, wire.EndCause] = {NO_MEDIA: "no_media", MEDIA_LOST: "media_lost", TIMED_OUT: "failed"}


class Phone:
    """The calls of one agent; with `consent` the application decides whether it may be transferred."""

    def __init__(self, *, consent: bool = False) -> None:
        self.calls: dict[str, Session] = {}
        self.ringing: dict[str, Session] = {}
        self.offers: dict[str, wire.CallOriginate] = {}
        self.transfers: dict[str, tuple[wire.TransferRequest, float]] = {}
        self._consent = consent
        self._linked = True
        self._out: list[Output] = []

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        calls = (c.deadline for c in self.calls.values() if c.deadline is not None)
        return min((*calls, *(deadline for _, deadline in self.transfers.values())), default=None)

    def handle(self, what: Input, now: float) -> list[Output]:
        """Take one input and return what it makes necessary, in order."""
        self._out.clear()
        match what:
            case FromHub(message):
                self._from_hub(message, now)
            case FromMedia(happening):
                self._from_media(happening, now)
            case Dial(call_id, target, custom_context, muted):
                self._new(
                    Session(
                        id=call_id,
                        direction="Outgoing",
                        remote=wire.Party(target),
                        custom_context=custom_context,
                        muted=muted,
                        deadline=now + SETUP_SECONDS,
                    )
                )
                self._do(orders.MakeOffer(call_id))
            case Accept(call_id, muted):
                if rings := self.ringing.pop(call_id, None):
                    self._pick_up(replace(rings, muted=muted), now)
            case Reject(call_id):
                if self.ringing.pop(call_id, None):
                    self._send(wire.CallEnd(call_id, "declined"))
                    self._silence(call_id, DECLINED)
            case HangUp(call_id):
                if (call := self.calls.get(call_id)) and call.live:
                    self._leave(call, HUNG_UP if call.up or call.direction == "Incoming" else CANCELLED)
            case Hold(call_id, on):
                if (call := self.calls.get(call_id)) and call.up and call.live and call.local_hold != on:
                    self._send(wire.CallHold(call_id, on))
                    self._rehold(replace(call, local_hold=on))
            case Mute(call_id, outgoing, incoming):
                # What takes the place of a call is muted with it.
                for call in [c for c in self.calls.values() if c.live and call_id in (c.id, c.replaces)]:
                    muted = call.muted if outgoing is None else outgoing
                    incoming_muted = call.incoming_muted if incoming is None else incoming
                    self._put(replace(call, muted=muted, incoming_muted=incoming_muted))
                    self._do(orders.Mute(call.id, muted, incoming_muted))
            case Dtmf(call_id, digits):
                if (call := self.calls.get(call_id)) and call.up and call.live:
                    self._do(orders.SendDtmf(call_id, digits))
            case Transfer(request):
                self._transfer(request, now)
            case CancelTransfer(transfer_id):
                if transfer_id in self.transfers:
                    self._send(wire.TransferCancel(transfer_id))
            case Consent(transfer_id, accept):
                if offer := self.offers.pop(transfer_id, None):
                    self._follow(offer, now) if accept else self._decline(offer)
            case Linked(on):
                self._linked = on
            case Cut(reason):
                self._cut(reason)
            case Anew():
                self._attach(now)
            case Tick():
                self._tick(now)
            case _:
                assert_never(what)
        self._await_reasons(now)
        return list(self._out)

    def _from_hub(self, message: wire.HubMessage, now: float) -> None:
        match message:
            case wire.CallIncoming():
                self._incoming(message, now)
            case wire.CallProgress(call_id, progress, party):
                if (call := self.calls.get(call_id)) and call.live:
                    state = CallState.RINGING if progress == "ringing" else call.state
                    self._put(replace(call, state=state, remote=party))
            case wire.CallAnswered(call_id, sdp, outcome):
                if (call := self.calls.get(call_id)) and call.live:
                    self._do(orders.ApplyAnswer(call_id, sdp))
                    answered = replace(call, outcome=outcome, remote=outcome.party)
                    self._put(replace(answered, state=CallState.CONNECTING))
            case wire.CallConnected(call_id):
                if (call := self.calls.get(call_id)) and call.live:
                    attached = replace(call, up=True, attaching=False, deadline=None)
                    self._put(replace(attached, state=attached.talking))
                    if call.attaching:
                        self._repeat(call)
            case wire.CallEnded(call_id, reason):
                self._ended(call_id, reason)
            case wire.CallCandidate(call_id, candidate):
                known = self.calls.get(call_id) or self.ringing.get(call_id)
                if known and candidate is not None:
                    init = (candidate.candidate, candidate.sdp_mid, candidate.sdp_mline_index)
                    self._do(orders.AddCandidate(call_id, *init))
            case wire.CallUpdate(call_id, kind, sdp):
                self._update(call_id, kind == "offer", sdp)
            case wire.CallHold(call_id, on):
                if (call := self.calls.get(call_id)) and call.live and call.remote_hold != on:
                    self._rehold(replace(call, remote_hold=on))
            case wire.CallOriginate():
                self._originate(message, now)
            case wire.TransferUpdate():
                self._transfer_update(message)
            case wire.MailboxChanged(new, saved):
                self._out.append(MailboxNews(new, saved))
            case wire.Error():
                self._out.append(Refused(message))
            case wire.Welcome() | wire.Pong() | wire.SessionEnd():
                pass
            case _:
                assert_never(message)

    def _from_media(self, happening: Happening, now: float) -> None:
        call = self.calls.get(happening.call_id)
        if call is None:
            return
        if isinstance(happening, orders.Closed):
            if call.state is CallState.DISCONNECTING:
                self._over(call)
            return
        if not call.live:
            return
        match happening:
            case orders.OfferReady(call_id, sdp):
                self._put(replace(call, placed=True), quiet=True)
                target, transfer = call.remote.raw_id, call.transfer_id
                self._send(wire.CallPlace(call_id, target, sdp, transfer, call.custom_context))
            case orders.AnswerReady(call_id, sdp):
                self._send(wire.CallAnswer(call_id, sdp))
            case orders.ReofferReady(call_id, sdp):
                self._put(replace(call, reoffer=sdp), quiet=True)
                self._send(wire.CallUpdate(call_id, "offer", sdp))
            case orders.ReofferAnswered(call_id, sdp):
                self._send(wire.CallUpdate(call_id, "answer", sdp))
            case orders.AudioUp(call_id):
                self._put(replace(call, heard=True), quiet=True)
                self._send(wire.CallUp(call_id))
            case orders.DtmfReceived(call_id, digit, duration):
                self._out.append(DtmfNews(call_id, digit, duration))
            case orders.RemoteSpeaking(_, on):
                self._put(replace(call, remote_speaking=on))
            case orders.SpeakingWhileMuted(_, on):
                self._put(replace(call, speaking_while_muted=on))
            case orders.MediaLost():
                self._put(replace(call, lost=True, deadline=None), quiet=True)
            case orders.Failed(call_id):
                self._leave(call, NO_MEDIA)
            case _:
                assert_never(happening)

    def _incoming(self, message: wire.CallIncoming, now: float) -> None:
        if message.call_id in self.calls or message.call_id in self.ringing:
            return
        call = ringing(message)
        if message.replaces is None:
            self.ringing[call.id] = call
            self._send(wire.CallRinging(call.id))
            self._out.append(RingNews(call))
        elif (old := self.calls.get(message.replaces)) and old.live:
            muted = (old.muted, old.incoming_muted)
            self._pick_up(replace(call, replaces=old.id, muted=muted[0], incoming_muted=muted[1]), now)
        else:
            self._send(wire.CallEnd(call.id, "failed"))

    def _pick_up(self, call: Session, now: float) -> None:
        self._new(replace(call, state=CallState.CONNECTING, offer="", deadline=now + PICKUP_SECONDS))
        if call.replaces is not None:
            self._do(orders.TakeOver(call.id, call.replaces))
        self._do(orders.MakeAnswer(call.id, call.offer))

    def _originate(self, offer: wire.CallOriginate, now: float) -> None:
        if offer.call_id in self.calls or offer.transfer_id in self.offers:
            return
        old = self.calls.get(offer.replaces)
        if old is None or not old.live:
            self._decline(offer)
        elif self._consent and offer.target.raw_id != offer.transferor.raw_id:
            self.offers[offer.transfer_id] = offer
            self._out.append(TransferAsked(offer))
        else:
            self._follow(offer, now)

    def _follow(self, offer: wire.CallOriginate, now: float) -> None:
        old = self.calls.get(offer.replaces)
        if old is None or not old.live:
            self._decline(offer)
            return
        self._new(replace(following(offer, old), deadline=now + SETUP_SECONDS))
        self._do(orders.TakeOver(offer.call_id, old.id))
        self._do(orders.MakeOffer(offer.call_id))
        self._out.append(TransferTaken(old.id, offer.call_id))

    def _decline(self, offer: wire.CallOriginate) -> None:
        self._send(wire.TransferDecline(offer.transfer_id, offer.call_id))

    def _transfer(self, request: wire.TransferRequest, now: float) -> None:
        call = self.calls.get(request.call_id)
        if call is None or not call.up or not call.live:
            failed = wire.TransferUpdate(request.transfer_id, request.call_id, "Failed", error=UNKNOWN_CALL)
            self._out.append(TransferNews(failed))
            return
        self.transfers[request.transfer_id] = (request, now + TRANSFER_SECONDS)
        self._send(request)

    def _transfer_update(self, update: wire.TransferUpdate) -> None:
        if update.transfer_id not in self.transfers:
            return
        request, _ = self.transfers[update.transfer_id]
        call = self.calls.get(update.call_id)
        if update.state != "Transferring":
            del self.transfers[update.transfer_id]
        if call and update.state == "Transferred":
            self._put(replace(call, transferred=True, deadline=None), quiet=True)
        if (
            call
            and call.live
            and update.state == "Failed"
            and call.local_hold
            and not isinstance(request.target, wire.CallTarget)
            and not any(pending.call_id == call.id for pending, _ in self.transfers.values())
            and not any(c.up and c.live and not c.local_hold for c in self.calls.values())
        ):
            self._send(wire.CallHold(call.id, False))
            self._rehold(replace(call, local_hold=False))
        self._out.append(TransferNews(update))

    def _update(self, call_id: str, is_offer: bool, sdp: str) -> None:
        call = self.calls.get(call_id)
        if call is None or not call.live:
            return
        if is_offer:
            self._do(orders.AnswerReoffer(call_id, sdp))
            return
        self._do(orders.ApplyAnswer(call_id, sdp))
        call = replace(call, renegotiating=False, reoffer="", deadline=None)
        if call.hold_changed:
            self._rehold(replace(call, hold_changed=False))
        else:
            self._put(call, quiet=True)

    def _rehold(self, call: Session) -> None:
        """Carry out a change of hold; an offerer makes one re-offer at a time."""
        call = replace(call, state=call.talking if call.up else call.state)
        if call.offerer and call.renegotiating:
            self._put(replace(call, hold_changed=True))
            return
        self._put(replace(call, renegotiating=call.offerer))
        self._do(orders.SetHold(call.id, call.local_hold, call.remote_hold, call.offerer))

    def _ended(self, call_id: str, reason: Reason) -> None:
        if self.ringing.pop(call_id, None):
            self._silence(call_id, reason)
        for transfer_id, offer in list(self.offers.items()):
            if offer.call_id == call_id:
                del self.offers[transfer_id]
        if (call := self.calls.get(call_id)) and call.live:
            self._close(call, reason)

    def _silence(self, call_id: str, reason: Reason) -> None:
        """Stop ringing; candidates that came early go with the media."""
        self._do(orders.Close(call_id))
        self._out.append(RingOver(call_id, reason))

    def _leave(self, call: Session, reason: Reason) -> None:
        if call.placed or call.direction == "Incoming":
            self._send(wire.CallEnd(call.id, _CAUSES.get(reason, "hangup")))
        elif call.transfer_id is not None:
            self._send(wire.TransferDecline(call.transfer_id, call.id))
        self._close(call, reason)

    def _close(self, call: Session, reason: Reason) -> None:
        self._put(replace(call, state=CallState.DISCONNECTING, end_reason=reason, deadline=None))
        self._do(orders.Close(call.id))

    def _over(self, call: Session) -> None:
        del self.calls[call.id]
        self._out.append(CallNews(replace(call, state=CallState.DISCONNECTED)))

    def _await_reasons(self, now: float) -> None:
        """Give the hub a moment to say why sound is lost, and more where it may not know it yet."""
        waiting = {c.replaces for c in self.calls.values() if c.live}
        waiting |= {o.replaces for o in self.offers.values()}
        for call in list(self.calls.values()):
            replaced = call.transferred or call.id in waiting
            excused = replaced or call.remote_hold or not self._linked
            if (awaiting := call.awaiting(now, excused=excused)) is not call:
                self._put(awaiting, quiet=True)

    def _attach(self, now: float) -> None:
        """Tell a hub that began anew of the calls that are heard; all else cannot go on."""
        heard = {c.id: c for c in self.calls.values() if c.heard and c.live and not c.transferred}
        replaced = {c.replaces for c in heard.values()}
        heard = {call_id: call for call_id, call in heard.items() if call_id not in replaced}
        self._cut(NETWORK, heard)
        for call in heard.values():
            self._put(replace(call, attaching=True, deadline=now + ATTACH_SECONDS), quiet=True)
            mailbox = call.mailbox.raw_id if call.mailbox else None
            self._send(wire.CallAttach(call.id, call.remote.raw_id, call.offerer, mailbox))

    def _repeat(self, call: Session) -> None:
        """Say once more what may have been lost with the hub that was: who holds, and what is offered."""
        self._send(wire.CallHold(call.id, call.local_hold))
        if call.reoffer:
            self._send(wire.CallUpdate(call.id, "offer", call.reoffer))

    def _cut(self, reason: Reason, kept: Collection[str] = ()) -> None:
        for call_id in list(self.ringing):
            del self.ringing[call_id]
            self._silence(call_id, reason)
        self.offers.clear()
        for transfer_id in list(self.transfers):
            self._give_up(transfer_id, reason)
        for call in list(self.calls.values()):
            if call.live and call.id not in kept:
                self._close(call, reason)

    def _tick(self, now: float) -> None:
        for call in list(self.calls.values()):
            if call.deadline is not None and call.deadline <= now:
                self._leave(call, NETWORK if call.attaching else MEDIA_LOST if call.up else TIMED_OUT)
        for transfer_id, (_, deadline) in list(self.transfers.items()):
            if deadline <= now:
                self._give_up(transfer_id, TIMED_OUT)

    def _give_up(self, transfer_id: str, reason: Reason) -> None:
        request, _ = self.transfers.pop(transfer_id)
        failed = wire.TransferUpdate(transfer_id, request.call_id, "Failed", error=reason)
        self._out.append(TransferNews(failed))

    def _new(self, call: Session) -> None:
        self._put(call)
        if call.muted or call.incoming_muted:
            self._do(orders.Mute(call.id, call.muted, call.incoming_muted))

    def _put(self, call: Session, *, quiet: bool = False) -> None:
        self.calls[call.id] = call
        if not quiet:
            self._out.append(CallNews(call))

    def _send(self, message: wire.ClientMessage) -> None:
        self._out.append(Send(message))

    def _do(self, order: Order) -> None:
        self._out.append(Do(order))
