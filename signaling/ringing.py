"""A call up to the answer: who rings, who else when they do not take it, and who was first. Pure.

All that is known of a ringing call is in the frozen `Call`: the devices that ring, and in its plan the way
it went and those whose turn has not come.
"""

from collections.abc import Callable, Collection
from typing import assert_never

from msgspec.structs import replace

from signaling import routing
from signaling.call import Call, Leg, as_party
from signaling.calls import Calls
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallEnded,
    CallIncoming,
    CallProgress,
    HubMessage,
)
from signaling.parts import OutcomeKind, Progress
from signaling.presence import Presence
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    DECLINED,
    DECLINED_ELSEWHERE,
    GLARE,
    NO_ANSWER,
    NO_MEDIA,
    TIMED_OUT,
    Reason,
)
from signaling.routing import Deposit, Directory, Refuse, Ring, Situation, Step
from signaling.settings import User

MEDIA_SECONDS = 10.0
PICKUP_SECONDS = 10.0
MAX_RINGING = 16
ONE_DEVICE = ("voicemail", "call", "group")  # kinds of calls that ring at one device only


class Ringing:
    """Place the calls of the hub, and give each to one device.

    `engaged` tells whether a user has a call that the hub has yet to learn of.
    """

    def __init__(
        self,
        calls: Calls,
        presence: Presence,
        directory: Directory,
        deliver: Callable[[str, HubMessage], None],
        engaged: Callable[[str], bool],
    ) -> None:
        self._calls = calls
        self._presence = presence
        self._directory = directory
        self._deliver = deliver
        self._engaged = engaged

    @property
    def _situation(self) -> Situation:
        return Situation(self._directory, self._presence.online, self._busy)

    def place(self, call: Call, now: float) -> None:
        """Start a new call to its callee by the callee's settings."""
        self._calls.keep(call)
        self._step(call, routing.start(call.callee, call.plan, self._situation), now)

    def place_unanswered(self, call: Call, now: float) -> None:
        """Start a new call as if its callee had not answered."""
        self._calls.keep(call)
        plan = replace(call.plan, path=(call.callee.raw_id,))
        self._step(call, routing.after(call.callee, NO_ANSWER, plan, self._situation), now)

    def place_to_mailbox(self, call: Call, otherwise: Reason, now: float) -> None:
        """Start a new call to its callee's mailbox; nobody rings."""
        self._calls.keep(call)
        self._step(call, Deposit(call.callee, otherwise, call.plan), now)

    def place_to_session(self, call: Call, session: str, now: float) -> None:
        """Start a new call to one device: it answers in the place of `call.replaces`, or rings if None.

        For a group call that is the mixer.
        """
        self._calls.keep(call)
        at_once = call.replaces or call.kind == "group"
        self._ring(call, {session}, PICKUP_SECONDS if at_once else routing.RING_SECONDS, now)

    def crossing(self, session: str, target: User) -> Call | None:
        """Return the call from a user that rings at the one who now dials that user, or was just answered.

        Where it rings only at lost sessions, who dials may have left it already.
        """
        me = self._presence.devices(self._presence.party(session).raw_id)
        for call in self._calls.all.values():
            if call.caller.party.raw_id != target.raw_id or call.replaces is not None:
                continue
            answered = call.state == "answered" and call.leg(session) is not None
            if answered or not call.ringing.isdisjoint(me):
                return call
        return None

    def join(self, call: Call, session: str, dialled: str) -> None:
        """Let a device that dialled the caller answer this call instead: the first one placed goes on."""
        if call.state == "ringing":
            candidates = () if session in call.ringing else call.candidates
            call = self._calls.keep(replace(call, ringing=call.ringing | {session}))
            self._invite(call, session, dialled, candidates)
        self._deliver(session, CallEnded(dialled, GLARE))

    def alert(self, call: Call, session: str) -> None:
        """Take note that a device alerts its user."""
        if session in call.ringing and not call.alerted:
            self._calls.keep(replace(call, alerted=True))
            self._progress(call, "ringing")

    def answer(self, call: Call, session: str, message: CallAnswer, now: float) -> None:
        """Give the call to the device that rings and answers first; the others stop with the reason."""
        answered = replace(
            self._calls.silence(call, call.ringing - {session}, ANSWERED_ELSEWHERE),
            state="answered",
            ringing=frozenset(),
            answerer=Leg(session, self._presence.party(session)),
            answered_at=now,
            deadline=now + MEDIA_SECONDS,
            expiry=NO_MEDIA,
        )
        outcome = answered.outcome
        answered = self._calls.keep(replace(answered, kind=outcome.kind))
        self._deliver(call.caller.session, CallAnswered(call.id, message.sdp, outcome))
        for watcher in self._calls.watchers:
            watcher.answered(answered, now)

    def refuse(self, call: Call, session: str, reason: Reason, now: float) -> None:
        """Stop ringing a device; busy or offline counts for it alone, declined for all of its user.

        What the callee declines rings nowhere any more; what others decline, the callee has not answered.
        """
        if session not in call.ringing:
            return
        user = self._presence.party(session).raw_id
        others = call.kind not in ("voicemail", "group") and user != call.callee.raw_id
        if reason == DECLINED:
            stopped = {each for each in call.ringing if not others or self._is_of(each, user)} - {session}
            call = self._calls.silence(call, stopped, DECLINED_ELSEWHERE)
        call = self._calls.keep(self._calls.without(call, {session}, reason))
        if not call.ringing:
            self._not_taken(call, NO_ANSWER if others and reason == DECLINED else reason, session, now)

    def tick(self, now: float) -> None:
        """Go on where nobody answered in time; what rings at one device only is left to `Calls.tick`."""
        for call in self._calls.due(now):
            if call.state == "ringing" and call.kind not in ("call", "group"):
                call = self._calls.silence(call, call.ringing, NO_ANSWER)
                self._not_taken(call, NO_ANSWER, None, now)

    def _not_taken(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        call = self._calls.keep(replace(call, deadline=None))
        if call.kind in ONE_DEVICE:
            self._calls.end(call.id, reason, now, by)
        else:
            self._step(call, routing.after(call.callee, reason, call.plan, self._situation), now, by)

    def _step(self, call: Call, step: Step, now: float, by: str | None = None) -> None:
        match step:
            case Refuse(reason):
                self._calls.end(call.id, reason, now, by)
            case Ring(callee, users, seconds, plan):
                sent_on = len(plan.path) > 1 or callee not in users
                kind: OutcomeKind = "forwarded" if sent_on else "participant"
                next_turn = (plan.path, plan.groups) == (call.plan.path, call.plan.groups)
                call = replace(call, callee=callee, plan=plan, kind=kind)
                if sent_on and not next_turn:
                    self._progress(call, "forwarded")
                devices = {device for user in users for device in self._presence.devices(user.raw_id)}
                self._ring(call, devices, seconds, now)
            case Deposit(owner, otherwise, plan):
                service = self._presence.voicemail(self._load, besides=call.caller.session)
                if service is None:
                    self._calls.end(call.id, otherwise, now, by)
                    return
                call = replace(call, callee=owner, plan=plan, kind="voicemail")
                self._progress(call, "voicemail")
                self._ring(call, {service}, PICKUP_SECONDS, now)
            case _:
                assert_never(step)

    def _ring(self, call: Call, sessions: Collection[str], seconds: float, now: float) -> None:
        call = self._calls.keep(
            replace(
                call,
                ringing=frozenset(sessions),
                deadline=now + seconds,
                expiry=TIMED_OUT if call.replaces else NO_ANSWER,
                alerted=False,
            )
        )
        for session in sorted(sessions):
            self._invite(call, session, call.replaces, call.candidates)

    def _invite(
        self, call: Call, session: str, replaces: str | None, candidates: tuple[CallCandidate, ...]
    ) -> None:
        mailbox = as_party(call.callee) if call.kind == "voicemail" else None
        dialled = self._directory.users.get(call.plan.path[0]) if call.plan.path and not mailbox else None
        passed_on = dialled is not None and not self._is_of(session, dialled.raw_id)
        message = CallIncoming(
            call_id=call.id,
            caller=call.caller.party,
            sdp=call.sdp,
            transferor=call.transferor,
            forwarded_from=as_party(dialled) if dialled and passed_on else None,
            custom_context=call.custom_context,
            replaces=replaces,
            mailbox=mailbox,
            diverted_for=call.plan.diverted_for,
            group_id=call.group,
        )
        self._deliver(session, message)
        for candidate in candidates:
            self._deliver(session, candidate)

    def _progress(self, call: Call, progress: Progress) -> None:
        self._deliver(call.caller.session, CallProgress(call.id, progress, as_party(call.callee)))
        for watcher in self._calls.watchers:
            watcher.progressed(call, progress)

    def _busy(self, user: User) -> bool:
        """Tell whether no further call can ring at a user."""
        calls = self._calls.all.values()
        in_call = any(self._is_of(leg.session, user.raw_id) for call in calls for leg in call.legs)
        if not user.settings.call_waiting and (in_call or self._engaged(user.raw_id)):
            return True
        devices = self._presence.devices(user.raw_id)
        return sum(not call.ringing.isdisjoint(devices) for call in calls) >= MAX_RINGING

    def _is_of(self, session: str, raw_id: str) -> bool:
        return self._presence.party(session).raw_id == raw_id

    def _load(self, session: str) -> int:
        return len(self._calls.of(session))
