"""The hub's calls: who rings, who answered, which leg is over. Pure.

    placed ──► ringing ──answer──► answered ──both heard──► up
                 │ ▲                   │                     │
      no answer, │ │ routing           └──── deadline ───────┴──► legs end, each with one reason
      declined…  └─┘

A call is one frozen value; `Calls` holds them and is the only one to replace them. What a transfer
needs to know is told to its `Watcher`. Only `signaling.hub` calls in here.
"""

import math
from collections.abc import Callable
from typing import Literal, Protocol, assert_never

from msgspec import Struct
from msgspec.structs import replace

from signaling import routing
from signaling.discreet import Discreet
from signaling.limits import TokenBucket
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallConnected,
    CallEnded,
    CallIncoming,
    CallProgress,
    CustomContext,
    HubMessage,
    Outcome,
    OutcomeKind,
    Party,
    Progress,
)
from signaling.presence import Presence
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    BUSY,
    CANCELLED,
    DECLINED,
    DECLINED_ELSEWHERE,
    HUNG_UP,
    NO_ANSWER,
    NO_MEDIA,
    REPLACED,
    TIMED_OUT,
    Reason,
)
from signaling.routing import Deposit, Directory, Plan, Refuse, Ring, Step
from signaling.settings import User

MEDIA_SECONDS = 10.0
PICKUP_SECONDS = 10.0
MAX_EARLY_CANDIDATES = 30
MAX_RINGING = 16
RELAYED_AT_ONCE = 64.0
RELAYED_PER_SECOND = 1.0


class Leg(Struct, frozen=True):
    """One end of a call: the session that speaks there and who that is."""

    session: str
    party: Party


class Call(Discreet, frozen=True, kw_only=True):
    """One call between two legs, as the hub sees it."""

    id: str
    caller: Leg
    sdp: str
    callee: User
    placed_at: float
    plan: Plan = Plan()
    state: Literal["ringing", "answered", "up"] = "ringing"
    ringing: frozenset[str] = frozenset()
    alerted: bool = False
    kind: OutcomeKind = "participant"
    answerer: Leg | None = None
    heard: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    deadline: float | None = None
    expiry: Reason = TIMED_OUT
    answered_at: float | None = None
    transferor: Party | None = None
    custom_context: CustomContext | None = None
    replaces: str | None = None
    candidates: tuple[CallCandidate, ...] = ()

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Return the legs that are not over: the caller's, then the answerer's."""
        both = (self.caller, self.answerer)
        return tuple(leg for leg in both if leg is not None and leg.session not in self.gone)

    def leg(self, session: str) -> Leg | None:
        """Return the live leg of a session."""
        return next((leg for leg in self.legs if leg.session == session), None)

    def other(self, session: str) -> Leg | None:
        """Return the live leg opposite a session that has a leg."""
        others = (leg for leg in self.legs if leg.session != session)
        return next(others, None) if self.leg(session) else None

    @property
    def outcome(self) -> Outcome:
        """Return who or what takes this call, and over which forwards."""
        party = self.answerer.party if self.answerer and self.kind != "voicemail" else as_party(self.callee)
        return Outcome(self.kind, party, self.plan.path[:-1] if self.kind == "forwarded" else ())


class CallRecord(Struct, frozen=True):
    """One line of the call history; times are those of the core's clock, in seconds."""

    call_id: str
    caller: str
    callee: str
    transferor: str | None
    kind: OutcomeKind | None
    placed_at: float
    answered_at: float | None
    ended_at: float
    reason: Reason


class Watcher(Protocol):
    """Whoever must know how calls fare: the transfers."""

    def progressed(self, call: Call, progress: Progress) -> None:
        """Learn that a device rings or that the call was sent on."""

    def connected(self, call: Call, now: float) -> None:
        """Learn that both ends hear each other."""

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        """Learn that a call is over, and which session ended it."""


def as_party(user: User) -> Party:
    """Return a user as others see it."""
    return Party(user.raw_id, user.display_name, user.name)


class Calls:
    """All calls of the hub."""

    def __init__(
        self,
        presence: Presence,
        directory: Directory,
        deliver: Callable[[str, HubMessage], None],
        record: Callable[[CallRecord], None],
    ) -> None:
        self.all: dict[str, Call] = {}
        self._due: dict[str, float] = {}
        self._budgets: dict[str, dict[str, TokenBucket]] = {}
        self.watcher: Watcher
        self._presence = presence
        self._directory = directory
        self._deliver = deliver
        self._record = record

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min(self._due.values(), default=None)

    def of(self, session: str) -> list[Call]:
        """Return the calls in which a session has a leg or rings."""
        return [c for c in self.all.values() if c.leg(session) or session in c.ringing]

    def pending(self, raw_id: str) -> int:
        """Return how many calls a user has placed that are not up."""
        return sum(c.caller.party.raw_id == raw_id and c.state != "up" for c in self.all.values())

    def may_relay(self, call: Call, session: str, now: float) -> bool:
        """Take one message from what a session may still send to the other end of a call.

        While it rings this is not renewed: nobody has agreed yet to hear from that end.
        """
        budgets = self._budgets.setdefault(call.id, {})
        if session not in budgets:
            budgets[session] = TokenBucket(RELAYED_PER_SECOND, RELAYED_AT_ONCE, now)
        return budgets[session].take(call.placed_at if call.state == "ringing" else now)

    def place(self, call: Call, now: float) -> None:
        """Start a new call to its callee by the callee's settings."""
        self._keep(call)
        self._step(call, routing.start(call.callee, call.plan, self._directory, self._presence.online), now)

    def place_unanswered(self, call: Call, now: float) -> None:
        """Start a new call as if its callee had not answered."""
        self._keep(call)
        plan = replace(call.plan, path=(call.callee.raw_id,))
        step = routing.after(call.callee, NO_ANSWER, plan, self._directory, self._presence.online)
        self._step(call, step, now)

    def place_to_mailbox(self, call: Call, otherwise: Reason, now: float) -> None:
        """Start a new call to its callee's mailbox; nobody rings."""
        self._keep(call)
        self._step(call, Deposit(call.callee, otherwise, call.plan), now)

    def place_to_session(self, call: Call, session: str, now: float) -> None:
        """Start a new call to one device: it answers in the place of `call.replaces`, or rings if None."""
        self._keep(call)
        self._ring(call, {session}, PICKUP_SECONDS if call.replaces else routing.RING_SECONDS, now)

    def restore(self, call: Call) -> None:
        """Take on a call that is up already, and tell both ends."""
        self._keep(call)
        for leg in call.legs:
            self._deliver(leg.session, CallConnected(call.id))

    def rebind(self, call: Call, old: str, new: str) -> None:
        """Let a user's new session take the leg of the lost one."""

        def moved(leg: Leg) -> Leg:
            return replace(leg, session=new) if leg.session == old else leg

        answerer = moved(call.answerer) if call.answerer else None
        heard = frozenset(new if each == old else each for each in call.heard)
        self._keep(replace(call, caller=moved(call.caller), answerer=answerer, heard=heard))
        self._deliver(new, CallConnected(call.id))

    def alert(self, call: Call, session: str) -> None:
        """Take note that a device alerts its user."""
        if session in call.ringing and not call.alerted:
            self._keep(replace(call, alerted=True))
            self._progress(call, "ringing")

    def answer(self, call: Call, session: str, message: CallAnswer, now: float) -> None:
        """Give the call to the device that rings and answers first; the others stop with the reason."""
        party = self._presence.party(session)
        answered = replace(
            call,
            state="answered",
            ringing=frozenset(),
            answerer=Leg(session, party),
            answered_at=now,
            deadline=now + MEDIA_SECONDS,
            expiry=NO_MEDIA,
        )
        self._keep(answered)
        self._silence(call, call.ringing - {session}, ANSWERED_ELSEWHERE)
        self._deliver(call.caller.session, CallAnswered(call.id, message.sdp, answered.outcome))

    def hear(self, call: Call, session: str, now: float) -> None:
        """Take note that a leg decoded audio; once both have, the call is up."""
        heard = call.heard | {session}
        if call.state != "answered" or call.leg(session) is None:
            return
        if len(heard) < 2:
            self._keep(replace(call, heard=heard))
            return
        call = self._keep(replace(call, heard=heard, state="up", deadline=None))
        for leg in call.legs:
            self._deliver(leg.session, CallConnected(call.id))
        self.watcher.connected(call, now)

    def candidate(self, call: Call, session: str, message: CallCandidate) -> None:
        """Pass a candidate on; the caller's are kept for whoever rings later."""
        if session == call.caller.session and call.state == "ringing":
            message = replace(message, seq=0)
            kept = (*call.candidates, message)[:MAX_EARLY_CANDIDATES]
            self._keep(replace(call, candidates=kept))
            for device in sorted(call.ringing):
                self._deliver(device, message)
        elif other := call.other(session):
            self._deliver(other.session, replace(message, seq=0))

    def refuse(self, call: Call, session: str, reason: Reason, now: float) -> None:
        """Stop ringing a device: declined counts for all devices, busy or offline for this one."""
        if session not in call.ringing:
            return
        rest = call.ringing - {session}
        if reason == DECLINED:
            self._silence(call, rest, DECLINED_ELSEWHERE)
        elif rest:
            self._keep(replace(call, ringing=rest))
            return
        call = self._keep(replace(call, ringing=frozenset(), deadline=None))
        self._not_taken(call, reason, session, now)

    def leave(self, call: Call, session: str, deadline: float | None) -> None:
        """Take one leg out and let the other live, at most until `deadline`."""
        self._keep(replace(call, gone=call.gone | {session}, deadline=deadline, expiry=REPLACED))

    def end(self, call_id: str, reason: Reason, now: float, by: str | None = None) -> None:
        """End every live leg, those that ring included, except the one of the session that asked."""
        call = self.all.pop(call_id, None)
        if call is None:
            return
        self._due.pop(call_id, None)
        self._budgets.pop(call_id, None)
        for session in [*(leg.session for leg in call.legs), *sorted(call.ringing)]:
            if session != by:
                self._deliver(session, CallEnded(call.id, reason))
        self._record(
            CallRecord(
                call.id,
                call.caller.party.raw_id,
                call.callee.raw_id,
                call.transferor.raw_id if call.transferor else None,
                call.kind if call.answerer else None,
                call.placed_at,
                call.answered_at,
                now,
                reason,
            )
        )
        self.watcher.ended(call, reason, by, now)

    def hang_up(self, call: Call, session: str, now: float, reason: Reason = HUNG_UP) -> None:
        """End a call for a leg that wants out; before the answer that is a cancel."""
        ringing = call.state == "ringing" and reason == HUNG_UP
        self.end(call.id, CANCELLED if ringing else reason, now, by=session)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for call_id in [each for each, due in self._due.items() if due <= now]:
            if self._due.get(call_id, math.inf) > now:
                continue  # dealt with along with one of the others
            call = self.all[call_id]
            if call.state == "ringing" and call.kind != "call":
                self._silence(call, call.ringing, NO_ANSWER)
                call = self._keep(replace(call, ringing=frozenset(), deadline=None))
                self._not_taken(call, NO_ANSWER, None, now)
            else:
                self.end(call.id, call.expiry, now)

    def _not_taken(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        if call.kind in ("voicemail", "call"):
            self.end(call.id, reason, now, by)
            return
        step = routing.after(call.callee, reason, call.plan, self._directory, self._presence.online)
        self._step(call, step, now, by)

    def _step(self, call: Call, step: Step, now: float, by: str | None = None) -> None:
        match step:
            case Refuse(reason):
                self.end(call.id, reason, now, by)
            case Ring(user, seconds, plan):
                kind: OutcomeKind = "participant" if len(plan.path) == 1 else "forwarded"
                call = replace(call, callee=user, plan=plan, kind=kind)
                if self._ringing_at(user) >= MAX_RINGING:
                    self._not_taken(call, BUSY, by, now)
                    return
                if kind == "forwarded":
                    self._progress(call, "forwarded")
                self._ring(call, self._presence.devices(user.raw_id), seconds, now)
            case Deposit(owner, otherwise, plan):
                service = self._presence.voicemail(self._load, besides=call.caller.session)
                if service is None:
                    self.end(call.id, otherwise, now, by)
                    return
                call = replace(call, callee=owner, plan=plan, kind="voicemail")
                self._progress(call, "voicemail")
                self._ring(call, {service}, PICKUP_SECONDS, now)
            case _:
                assert_never(step)

    def _ring(self, call: Call, sessions: set[str], seconds: float, now: float) -> None:
        call = replace(
            call,
            ringing=frozenset(sessions),
            deadline=now + seconds,
            expiry=TIMED_OUT if call.replaces else NO_ANSWER,
            alerted=False,
        )
        self._keep(call)
        dialled = self._directory.users.get(call.plan.path[0]) if call.kind == "forwarded" else None
        message = CallIncoming(
            call_id=call.id,
            caller=call.caller.party,
            sdp=call.sdp,
            transferor=call.transferor,
            forwarded_from=as_party(dialled) if dialled else None,
            custom_context=call.custom_context,
            replaces=call.replaces,
            mailbox=as_party(call.callee) if call.kind == "voicemail" else None,
        )
        for session in sorted(sessions):
            self._deliver(session, message)
            for candidate in call.candidates:
                self._deliver(session, candidate)

    def _silence(self, call: Call, sessions: frozenset[str], reason: Reason) -> None:
        for session in sorted(sessions):
            self._deliver(session, CallEnded(call.id, reason))

    def _progress(self, call: Call, progress: Progress) -> None:
        self._deliver(call.caller.session, CallProgress(call.id, progress, as_party(call.callee)))
        self.watcher.progressed(call, progress)

    def _ringing_at(self, user: User) -> int:
        ringing = (c for c in self.all.values() if c.ringing and c.kind != "voicemail")
        return sum(c.callee.raw_id == user.raw_id for c in ringing)

    def _keep(self, call: Call) -> Call:
        self.all[call.id] = call
        self._due.pop(call.id, None)
        if call.deadline is not None:
            self._due[call.id] = call.deadline
        return call

    def _load(self, session: str) -> int:
        return len(self.of(session))
