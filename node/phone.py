"""All calls of one agent: commands, messages and happenings in; messages, orders and news out. Pure.

`handle(input, now)` returns the outputs in order; `deadline` is when it wants a Tick at the latest.
A phone answers by itself a call that replaces one of its own.
"""

from collections import Counter
from collections.abc import Collection
from typing import assert_never

from msgspec.structs import replace

from media import orders
from media.orders import Happening
from node.calls import Calls
from node.exchange import (
    Accept,
    AddParticipant,
    Anew,
    CancelTransfer,
    Consent,
    Cut,
    Dial,
    Dtmf,
    DtmfNews,
    FromHub,
    FromMedia,
    HangUp,
    Hold,
    Input,
    Join,
    Linked,
    MailboxNews,
    Mute,
    Output,
    Refused,
    Reject,
    RemoveParticipant,
    RingNews,
    RingOver,
    Speakers,
    Tick,
    Transfer,
)
from node.groups import GROUP, Groups
from node.handovers import SETUP_SECONDS, Handovers
from node.session import CallState, Session, ringing
from signaling import messages as wire
from signaling.parts import Party
from signaling.reasons import CANCELLED, DECLINED, HUNG_UP, MEDIA_LOST, NETWORK, NO_MEDIA, TIMED_OUT, Reason

PICKUP_SECONDS = 30.0
ATTACH_SECONDS = 40.0


class Phone:
    """The calls of one agent; with `consent` the application decides whether it may be transferred."""

    def __init__(self, *, consent: bool = False) -> None:
        self._calls = Calls()
        self.handovers = Handovers(self._calls, consent=consent)
        self.groups = Groups(self._calls)
        self._linked = True
        self.calls = self._calls.all
        self.ringing: dict[str, Session] = {}
        self.offers = self.handovers.offers
        self.transfers = self.handovers.asked

    @property
    def deadline(self) -> float | None:
        """Return when a Tick is wanted at the latest."""
        due = (self.handovers.deadline, *(call.deadline for call in self.calls.values()))
        return min((each for each in due if each is not None), default=None)

    def handle(self, what: Input, now: float) -> list[Output]:
        """Take one input and return what it makes necessary, in order."""
        calls = self._calls
        calls.out.clear()
        match what:
            case FromHub(message):
                self._from_hub(message, now)
            case FromMedia(happening):
                self._from_media(happening)
            case Dial(call_id, target, custom_context, muted):
                calls.add(
                    Session(
                        id=call_id,
                        direction="Outgoing",
                        remote=Party(target),
                        custom_context=custom_context,
                        muted=muted,
                        deadline=now + SETUP_SECONDS,
                    )
                )
                calls.do(orders.MakeOffer(call_id))
            case Join(call_id, group_id, muted):
                self.groups.join(call_id, Party(group_id, GROUP), group_id, now, muted=muted)
            case AddParticipant() | RemoveParticipant() | Speakers():
                self.groups.ask(what)
            case Accept(call_id, muted, hold_others):
                if rings := self.ringing.pop(call_id, None):
                    if hold_others:
                        calls.hold_all()
                    self._pick_up(replace(rings, muted=muted), now)
            case Reject(call_id):
                if call_id in self.ringing:
                    calls.send(wire.CallEnd(call_id, "declined"))
                    self._silence(call_id, DECLINED)
            case HangUp(call_id, for_everyone):
                if call := calls.live(call_id):
                    reason = HUNG_UP if call.up or call.direction == "Incoming" else CANCELLED
                    calls.leave(call, reason, for_everyone=for_everyone)
            case Hold(call_id, on):
                if (call := calls.talking(call_id)) and call.local_hold != on:
                    calls.hold(call, on)
            case Mute(call_id, outgoing, incoming):
                calls.mute(call_id, outgoing, incoming)
            case Dtmf(call_id, digits):
                if calls.talking(call_id):
                    calls.do(orders.SendDtmf(call_id, digits))
            case Transfer(request):
                self.handovers.request(request, now)
            case CancelTransfer(transfer_id):
                self.handovers.cancel(transfer_id)
            case Consent(transfer_id, accept):
                self.handovers.decide(transfer_id, accept, now)
            case Linked(on):
                self._linked = on
                for call in self.calls.values():
                    if on and call.path_lost:
                        calls.renew(call.id)
            case Cut(reason):
                self._cut(reason)
            case Anew():
                self._attach(now)
            case Tick():
                self._tick(now)
            case _:
                assert_never(what)
        offered = {offer.replaces for offer in self.offers.values()}
        calls.await_reasons(now, linked=self._linked, replaced=offered)
        return list(calls.out)

    def _from_hub(self, message: wire.HubMessage, now: float) -> None:
        calls = self._calls
        match message:
            case wire.CallIncoming():
                self._incoming(message, now)
            case wire.CallProgress(call_id, progress, party):
                if call := calls.live(call_id):
                    state = CallState.RINGING if progress == "ringing" else call.state
                    calls.put(replace(call, state=state, remote=party))
            case wire.CallAnswered(call_id, sdp, outcome):
                if call := calls.live(call_id):
                    calls.do(orders.ApplyAnswer(call_id, sdp))
                    answered = replace(call, outcome=outcome, remote=outcome.party)
                    calls.put(replace(answered, state=CallState.CONNECTING))
            case wire.CallConnected(call_id, server_call_id):
                if call := calls.live(call_id):
                    since = call.up_at if call.up else now
                    attached = replace(call, up=True, up_at=since, attaching=False, deadline=None)
                    attached = replace(attached, server_call_id=server_call_id)
                    calls.put(replace(attached, state=attached.talking))
                    if call.attaching:
                        self._repeat(call)
                    elif call.up:
                        # Its path goes over, or the other end came back anew, and may not know what was said.
                        calls.do(orders.GoOver(call_id))
                        self._repeat(call)
                    elif call.local_hold:
                        calls.hold(attached, on=True)
            case wire.CallEnded(call_id, reason):
                self._silence(call_id, reason)
                self.handovers.withdraw(call_id)
                if call := calls.live(call_id):
                    calls.close(call, reason)
            case wire.CallCandidate(call_id, candidate):
                known = call_id in calls.all or call_id in self.ringing
                if known and candidate is not None:
                    init = (candidate.candidate, candidate.sdp_mid, candidate.sdp_mline_index)
                    calls.do(orders.AddCandidate(call_id, *init))
            case wire.CallUpdate(call_id, kind, sdp):
                if call := calls.live(call_id):
                    if kind == "offer":
                        calls.put(replace(call, turned=call.turned != call.offerer), quiet=True)
                        calls.do(orders.AnswerReoffer(call_id, sdp))
                    else:
                        calls.do(orders.ApplyAnswer(call_id, sdp))
                        calls.renegotiated(call)
            case wire.CallRenew(call_id, anew, unanswered):
                calls.renew(call_id, anew=anew, unanswered=unanswered)
            case wire.CallHold(call_id, on):
                if (call := calls.live(call_id)) and call.remote_hold != on:
                    calls.rehold(replace(call, remote_hold=on))
            case wire.CallParticipants() | wire.CallSpeakers():
                self.groups.told(message)
            case wire.MixerPlace(call_id, group_id, party):
                if call_id not in calls.all:
                    self.groups.join(call_id, party, group_id, now)
            case wire.CallOriginate():
                self.handovers.ordered(message, now)
            case wire.TransferUpdate():
                self.handovers.updated(message)
            case wire.MailboxChanged(new, saved):
                calls.tell(MailboxNews(new, saved))
            case wire.Error():
                calls.tell(Refused(message))
            case wire.Welcome() | wire.Pong() | wire.SessionEnd() | wire.IceServers():
                pass
            case _:
                assert_never(message)

    def _from_media(self, happening: Happening) -> None:
        calls = self._calls
        call = calls.all.get(happening.call_id)
        if call is None:
            return
        if isinstance(happening, orders.Closed):
            if call.state is CallState.DISCONNECTING:
                calls.over(call)
            return
        if not call.live:
            return
        match happening:
            case orders.OfferReady(call_id, sdp):
                calls.put(replace(call, placed=True), quiet=True)
                target, transfer = call.remote.raw_id, call.transfer_id
                if target == call.group_id:
                    calls.send(wire.CallJoin(call_id, target, sdp))
                else:
                    calls.send(wire.CallPlace(call_id, target, sdp, transfer, call.custom_context))
            case orders.AnswerReady(call_id, sdp):
                calls.send(wire.CallAnswer(call_id, sdp))
            case orders.ReofferReady(call_id, sdp):
                calls.put(replace(call, reoffer=sdp), quiet=True)
                calls.send(wire.CallUpdate(call_id, "offer", sdp))
            case orders.ReofferAnswered(call_id, sdp):
                calls.send(wire.CallUpdate(call_id, "answer", sdp))
            case orders.AudioUp(call_id):
                calls.put(replace(call, heard=True), quiet=True)
                calls.send(wire.CallUp(call_id))
            case orders.PathReady(call_id):
                calls.send(wire.CallUp(call_id))
            case orders.DtmfReceived(call_id, digit, duration):
                calls.tell(DtmfNews(call_id, digit, duration))
            case orders.RemoteSpeaking(_, on):
                calls.put(replace(call, remote_speaking=on))
            case orders.SpeakingWhileMuted(_, on):
                calls.put(replace(call, speaking_while_muted=on))
            case orders.PathLost():
                calls.put(replace(call, path_lost=True))
                if self._linked and not call.renegotiating:
                    calls.renew(call.id)
            case orders.PathBack():
                deadline = None if call.lost else call.deadline
                calls.put(replace(call, path_lost=False, renew_due=False, lost=False, deadline=deadline))
            case orders.MediaLost():
                calls.put(replace(call, lost=True, deadline=None), quiet=True)
            case orders.Failed():
                calls.leave(call, NO_MEDIA)
            case _:
                assert_never(happening)

    def _incoming(self, message: wire.CallIncoming, now: float) -> None:
        # What rings already may come again, to be answered in the place of a call to the same person.
        rings = message.call_id in self.ringing
        if message.call_id in self.calls or (rings and message.replaces is None):
            return
        if message.call_id in self._calls.past:
            self._calls.send(wire.CallEnd(message.call_id))
            return
        call = ringing(message)
        if message.replaces is None:
            self.ringing[call.id] = call
            self._calls.send(wire.CallRinging(call.id))
            self._calls.tell(RingNews(call))
        elif old := self._calls.live(message.replaces):
            self.ringing.pop(call.id, None)
            taken = replace(call, replaces=old.id, muted=old.muted, incoming_muted=old.incoming_muted)
            self._pick_up(replace(taken, local_hold=old.local_hold), now)
        elif not rings:
            self._calls.send(wire.CallEnd(call.id, "failed"))

    def _pick_up(self, call: Session, now: float) -> None:
        self._calls.add(replace(call, state=CallState.CONNECTING, offer="", deadline=now + PICKUP_SECONDS))
        if call.replaces is not None:
            self._calls.do(orders.TakeOver(call.id, call.replaces))
        self._calls.do(orders.MakeAnswer(call.id, call.offer))

    def _silence(self, call_id: str, reason: Reason) -> None:
        """Stop ringing; candidates that came early go with the media."""
        if self.ringing.pop(call_id, None):
            self._calls.past.append(call_id)
            self._calls.do(orders.Close(call_id))
            self._calls.tell(RingOver(call_id, reason))

    def _attach(self, now: float) -> None:
        """Tell a hub that began anew of the calls that go on without it; all else cannot."""
        lasting = {c.id: c for c in self.calls.values() if c.lasting}
        replaced = {c.replaces for c in lasting.values()}
        lasting = {call_id: call for call_id, call in lasting.items() if call_id not in replaced}
        self._cut(NETWORK, lasting)
        follow = Counter(call.group_id for call in lasting.values())
        for call in lasting.values():
            self._calls.put(replace(call, attaching=True, deadline=now + ATTACH_SECONDS), quiet=True)
            follow[call.group_id] -= 1
            self._calls.send(call.claim(now, more=call.group_id is not None and follow[call.group_id] > 0))

    def _repeat(self, call: Session) -> None:
        """Say once more what may be lost with a hub or session that was: hold, mute, and what is offered."""
        self._calls.send(wire.CallHold(call.id, call.local_hold))
        if call.group_id is not None:
            self._calls.send(wire.CallMute(call.id, call.muted))
        if call.reoffer:
            self._calls.send(wire.CallUpdate(call.id, "offer", call.reoffer))

    def _cut(self, reason: Reason, kept: Collection[str] = ()) -> None:
        for call_id in list(self.ringing):
            self._silence(call_id, reason)
        self.handovers.cut(reason)
        for call in list(self.calls.values()):
            if call.live and call.id not in kept:
                self._calls.close(call, reason)

    def _tick(self, now: float) -> None:
        for call in list(self.calls.values()):
            if call.deadline is not None and call.deadline <= now:
                self._calls.leave(call, NETWORK if call.attaching else MEDIA_LOST if call.up else TIMED_OUT)
        self.handovers.tick(now)
