"""Transfers (spec §4): A hands B over to C; B's old call lives until the new one has audio. Pure.

    request ─► offered ──B places the new call──► placed ──both ends heard──► Transferred
                  │                                  │
                  └──────── declined, cancelled, refused, unanswered, deadline, a party gone
                                                     │
                               A still there ────────┴─► Failed; A and B are as they were
                               A gone ─► recall of A ─► C's unanswered rule ─► clear end

Every stage is the same thing: B is ordered to place a call that replaces the old one. C cannot ring
before B placed it. `Transfers` only decides; calls are changed through `signaling.calls`.
"""

from collections.abc import Callable

from msgspec.structs import replace

from signaling.call import Call, as_party
from signaling.calls import Calls
from signaling.messages import (
    CallEnded,
    CallHold,
    CallOriginate,
    CallPlace,
    HubMessage,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import (
    Outcome,
    OutcomeKind,
    Progress,
    TransferStateName,
    VoicemailTarget,
)
from signaling.presence import Presence
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    HUNG_UP,
    NO_VOICEMAIL,
    OFFLINE,
    REPLACED,
    TARGET_CALL_GONE,
    TIMED_OUT,
    Reason,
)
from signaling.ringing import Ringing
from signaling.routing import Directory, Plan
from signaling.settings import Settings
from signaling.transfer_request import THIRD_PERSON, Stage, Transfer, TransferRequests

OFFER_SECONDS = 30.0
AFTER_SECONDS = 10.0


class Transfers:
    """All transfers under way, by the id of the call that is handed over."""

    def __init__(
        self,
        calls: Calls,
        ringing: Ringing,
        directory: Directory,
        presence: Presence,
        grouped: Callable[[str], bool],
        deliver: Callable[[str, HubMessage], None],
        new_id: Callable[[], str],
    ) -> None:
        self.all: dict[str, Transfer] = {}
        self._calls = calls
        self._ringing = ringing
        self._directory = directory
        self._requests = TransferRequests(calls, presence, directory, grouped, self.concerned)
        self._deliver = deliver
        self._new_id = new_id

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min((t.deadline for t in self.all.values() if t.deadline is not None), default=None)

    def request(self, session: str, message: TransferRequest, now: float) -> None:
        """Start a transfer, join the pending one to the same target, or refuse at once."""
        pending = self.all.get(message.call_id)
        if pending and _asks_again(pending, session, message):
            if message.transfer_id not in pending.asked:
                self.all[message.call_id] = replace(pending, asked=(*pending.asked, message.transfer_id))
                update = TransferUpdate(message.transfer_id, message.call_id, "Transferring", "trying")
                self._deliver(session, update)
            return
        checked = self._requests.check(session, message)
        if isinstance(checked, Reason):
            update = TransferUpdate(message.transfer_id, message.call_id, "Failed", error=checked)
            self._deliver(session, update)
            return
        self._update(checked, "Transferring", progress="trying")
        self._originate(checked, now)

    def cancel(self, session: str, transfer_id: str, now: float) -> None:
        """Call a transfer off for its transferor; one that has failed is not stopped on its way on."""
        for transfer in list(self.all.values()):
            mine = transfer.stage == "target" and transfer.transferor.session == session
            if mine and transfer_id in transfer.asked:
                self._fail(transfer, CANCELLED, now)

    def decline(self, session: str, call_id: str, now: float) -> None:
        """Fail a transfer whose transferee refuses to place the ordered call."""
        transfer = self._placing(call_id, session)
        if transfer is not None:
            self._fail(transfer, DECLINED, now)

    def expects(self, session: str, message: CallPlace) -> bool:
        """Tell whether a call is the one that a transferee was ordered to place."""
        return self._placing(message.call_id, session) is not None

    def ordered(self, call_id: str) -> bool:
        """Tell whether a transferee was ordered to place the call of this id."""
        return self._by_new_call(call_id) is not None

    def place(self, session: str, message: CallPlace, now: float) -> None:
        """Place the ordered call; its target is the transfer's, whatever the message says."""
        transfer = self._placing(message.call_id, session)
        assert transfer is not None
        self.all[transfer.request.call_id] = replace(transfer, deadline=None)
        request = transfer.request
        target = transfer.stage == "target"
        call = Call(
            id=message.call_id,
            caller=transfer.transferee,
            sdp=message.sdp,
            callee=transfer.user,
            placed_at=now,
            plan=Plan(
                direct=transfer.stage == "recall" or (target and request.disable_forwarding_and_unanswered),
                never=frozenset({transfer.transferee.party.raw_id}),
            ),
            transferor=transfer.transferor.party if transfer.stage != "recall" else None,
            custom_context=request.custom_context,
        )
        if transfer.stage == "recall":
            a = self._directory.users.get(transfer.transferor.party.raw_id)
            if a is None:
                self._fail(transfer, OFFLINE, now)
                return
            # Whoever just left the call is called back, even where nobody is to disturb or call again.
            anyhow = Settings(unanswered=None, unanswered_delay=a.settings.unanswered_delay)
            self._ringing.place(replace(call, callee=replace(a, settings=anyhow)), now)
        elif transfer.stage == "unanswered":
            self._ringing.place_unanswered(call, now)
        elif transfer.target_call is not None:
            self._place_to_call(call, self._calls.all[transfer.target_call], transfer, now)
        elif isinstance(request.target, VoicemailTarget):
            self._ringing.place_to_mailbox(call, NO_VOICEMAIL, now)
        else:
            self._ringing.place(call, now)

    def _place_to_call(self, call: Call, target: Call, transfer: Transfer, now: float) -> None:
        """Place the ordered call to who is at the other end of a call of A, or where that one rings."""
        if target.kind == "voicemail":
            self._ringing.place_to_mailbox(replace(call, callee=target.callee), NO_VOICEMAIL, now)
        elif target.state == "ringing":
            # C's devices ring for B in the place of A.
            self.all[transfer.request.call_id] = replace(transfer, target_call=None, deadline=None)
            self._calls.end(target.id, REPLACED, now)
            self._ringing.place(call, now)
        else:
            c = next(leg for leg in target.legs if leg.session != transfer.transferor.session)
            if c.party.raw_id == transfer.transferee.party.raw_id:
                self._fail(transfer, THIRD_PERSON, now)  # B has answered it at another device
                return
            replaces = None if transfer.request.ring_target else target.id
            self._ringing.place_to_session(replace(call, kind="call", replaces=replaces), c.session, now)

    def leaves(self, call: Call, session: str) -> bool:
        """Let a transferor go while its transfer is pending; tell whether it was one."""
        for transfer in self.all.values():
            if transfer.transferor.session == session and call.id in (
                transfer.request.call_id,
                transfer.target_call,
            ):
                if call.state == "ringing":
                    # What rings at C ends with A; C is called anew by B.
                    self.all[transfer.request.call_id] = replace(transfer, target_call=None)
                    return False
                self._calls.leave(call, session, HUNG_UP, None)
                for left in self._calls.all[call.id].legs:
                    self._deliver(left.session, CallHold(call.id, True))
                return True
        return False

    def progressed(self, call: Call, progress: Progress) -> None:
        """Pass the progress of the new call on to the transferor."""
        transfer = self._by_new_call(call.id)
        if transfer is not None and transfer.stage == "target":
            self._update(transfer, "Transferring", progress=progress)

    def answered(self, call: Call, now: float) -> None:
        """Wait until it is heard too."""

    def connected(self, call: Call, now: float) -> None:
        """Finish: the new call has audio at both ends, so the old legs end."""
        transfer = self._by_new_call(call.id)
        if transfer is None:
            return
        old = self._calls.all[transfer.request.call_id]
        del self.all[old.id]
        if transfer.stage == "target":
            self._update(transfer, "Transferred", outcome=call.outcome, new_call=call.id)
        if transfer.target_call is not None:
            self._calls.end(transfer.target_call, REPLACED, now)
        stays = transfer.target_call is None and not transfer.request.hang_up_when_transferred
        if stays and old.leg(transfer.transferor.session):
            self._deliver(transfer.transferee.session, CallEnded(old.id, REPLACED))
            self._calls.leave(old, transfer.transferee.session, REPLACED, now + AFTER_SECONDS)
        else:
            self._calls.end(old.id, REPLACED, now)

    def moved(self, call: Call, old: str, new: str) -> None:
        """Go on with the new session of a party; what was ordered of the lost one times out."""
        for transfer in [t for t in self.all.values() if call.id in (t.request.call_id, t.target_call)]:
            a, b = transfer.transferor, transfer.transferee
            self.all[transfer.request.call_id] = replace(
                transfer,
                transferor=replace(a, session=new) if a.session == old else a,
                transferee=replace(b, session=new) if b.session == old else b,
            )

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        """React to the end of any of the three calls of a transfer."""
        for transfer in list(self.all.values()):
            if call.id == transfer.new_call:
                given_up = by == transfer.transferee.session
                over = CANCELLED if given_up else DECLINED
                self._fail(transfer, over if reason == HUNG_UP else reason, now)
            elif call.id == transfer.request.call_id:
                self._fail(transfer, CANCELLED if reason == HUNG_UP else reason, now)
            elif call.id == transfer.target_call:
                self._fail(transfer, TARGET_CALL_GONE if call.answerer else reason, now)

    def tick(self, now: float) -> None:
        """Fail what was offered to a transferee that did not act."""
        for transfer in list(self.all.values()):
            if transfer.deadline is not None and transfer.deadline <= now:
                self._fail(transfer, TIMED_OUT, now)

    def _originate(self, transfer: Transfer, now: float) -> None:
        transfer = replace(transfer, new_call=self._new_id(), deadline=now + OFFER_SECONDS)
        self.all[transfer.request.call_id] = transfer
        kinds: dict[Stage, OutcomeKind] = {"recall": "participant", "unanswered": "forwarded"}
        target = self._calls.all.get(transfer.target_call or "")
        of_target: OutcomeKind = "participant"
        if isinstance(transfer.request.target, VoicemailTarget) or (target and target.kind == "voicemail"):
            of_target = "voicemail"
        elif target is not None and target.state != "ringing":
            of_target = "call"
        recall = transfer.stage == "recall"
        self._deliver(
            transfer.transferee.session,
            CallOriginate(
                call_id=transfer.new_call,
                transfer_id=transfer.request.transfer_id,
                replaces=transfer.request.call_id,
                target=transfer.transferor.party if recall else as_party(transfer.user),
                kind=kinds.get(transfer.stage, of_target),
                transferor=transfer.transferor.party,
                custom_context=transfer.request.custom_context,
            ),
        )

    def _fail(self, transfer: Transfer, reason: Reason, now: float) -> None:
        """Leave A and B as they were; where A is gone, try the next stage for B."""
        del self.all[transfer.request.call_id]
        if transfer.new_call in self._calls.all:
            self._calls.end(transfer.new_call, reason, now)
        elif transfer.deadline is not None:
            self._deliver(transfer.transferee.session, CallEnded(transfer.new_call, reason))
        if transfer.stage == "target":
            self._update(transfer, "Failed", error=reason)
        self._drop_target(transfer, reason, now)
        old = self._calls.all.get(transfer.request.call_id)
        if old is None or old.leg(transfer.transferee.session) is None or len(old.legs) > 1:
            return
        if transfer.stage == "unanswered":
            self._calls.end(old.id, reason, now)
            return
        following: Stage = "recall" if transfer.stage == "target" else "unanswered"
        self._originate(replace(transfer, stage=following, target_call=None, new_call=""), now)

    def _drop_target(self, transfer: Transfer, reason: Reason, now: float) -> None:
        target = self._calls.all.get(transfer.target_call or "")
        if target is not None and target.leg(transfer.transferor.session) is None:
            self._calls.end(target.id, reason, now)

    def _placing(self, call_id: str, session: str) -> Transfer | None:
        transfer = self._by_new_call(call_id)
        offered = transfer is not None and transfer.deadline is not None
        return transfer if offered and transfer and transfer.transferee.session == session else None

    def concerned(self, call_id: str) -> bool:
        """Tell whether a call is being handed over, or is what one is handed over to."""
        return call_id in self.all or any(call_id in (t.target_call, t.new_call) for t in self.all.values())

    def _by_new_call(self, call_id: str) -> Transfer | None:
        return next((t for t in self.all.values() if t.new_call == call_id), None)

    def _update(
        self,
        transfer: Transfer,
        state: TransferStateName,
        *,
        progress: Progress | None = None,
        error: Reason | None = None,
        outcome: Outcome | None = None,
        new_call: str | None = None,
    ) -> None:
        for transfer_id in transfer.asked:
            update = TransferUpdate(
                transfer_id, transfer.request.call_id, state, progress, error, outcome, new_call
            )
            self._deliver(transfer.transferor.session, update)


def _asks_again(pending: Transfer, session: str, message: TransferRequest) -> bool:
    same = pending.transferor.session == session and pending.request.target == message.target
    return same and pending.stage == "target"
