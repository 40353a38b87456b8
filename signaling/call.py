"""One call as the hub sees it: a frozen value, replaced with every step. Pure."""

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from signaling.discreet import Discreet
from signaling.messages import CallCandidate
from signaling.parts import CustomContext, Outcome, OutcomeKind, Party
from signaling.reasons import TIMED_OUT, Reason
from signaling.routing import Plan
from signaling.settings import User


class Leg(Struct, frozen=True):
    """One end of a call: the session that speaks there and who that is."""

    session: str
    party: Party


class LegEnd(Struct, frozen=True):
    """Why a user's part in a call ended; None if the call only passed by and never rang there."""

    user: str
    reason: Reason | None


class Call(Discreet, frozen=True, kw_only=True):
    """One call between two legs; before the answer, all devices in `ringing` are its other end.

    `callee` is the user whose rules decide who rings. `ends` are the parts in it that are over. `path` is the
    ICE user of the offers, `owed` how many of them are not answered yet. `group` is the group call that it is
    somebody's part of; one that is not `filed` leaves no record.
    """

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
    ends: tuple[LegEnd, ...] = ()
    deadline: float | None = None
    expiry: Reason = TIMED_OUT
    answered_at: float | None = None
    transferor: Party | None = None
    custom_context: CustomContext | None = None
    replaces: str | None = None
    candidates: tuple[CallCandidate, ...] = ()
    held: frozenset[str] = frozenset()
    path: str = ""
    owed: int = 0
    group: str | None = None
    filed: bool = True

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

    def moved(self, old: str, new: str) -> "Call":
        """Return the call with the leg of a lost session at a new one."""

        def at(session: str) -> str:
            return new if session == old else session

        caller, answerer = self.caller, self.answerer
        return replace(
            self,
            caller=replace(caller, session=at(caller.session)),
            answerer=replace(answerer, session=at(answerer.session)) if answerer else None,
            heard=frozenset(map(at, self.heard)),
            held=frozenset(map(at, self.held)),
        )

    @property
    def dialled(self) -> str:
        """Return the raw id of who was called first, before any forward."""
        return self.plan.path[0] if self.plan.path else self.callee.raw_id

    @property
    def outcome(self) -> Outcome:
        """Return who or what takes this call, and over which forwards."""
        path = self.plan.path
        if self.kind == "voicemail":
            return Outcome("voicemail", as_party(self.callee), path[:-1])
        party = self.answerer.party if self.answerer else as_party(self.callee)
        if self.kind == "call":
            return Outcome("call", party)
        if self.kind == "group":
            return Outcome("group", as_party(self.callee))
        via = path[:-1] if party.raw_id == self.callee.raw_id else path
        return Outcome("forwarded" if via else "participant", party, via)


class CallRecord(Struct, frozen=True):
    """One line of the call history; times are those of the core's clock, in seconds.

    `callee` is who was dialled, `via` the forwards to who answered; parties by raw id.
    """

    call_id: str
    caller: str
    callee: str
    transferor: str | None
    kind: OutcomeKind | None
    placed_at: float
    answered_at: float | None
    ended_at: float
    reason: Reason
    answered_by: str | None = None
    via: tuple[str, ...] = ()
    legs: tuple[LegEnd, ...] = ()


def ice_user(sdp: str) -> str:
    """Return what tells the offers of one path from those of another (RFC 8839 §5.4)."""
    found = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE)
    return found[1] if found else ""


def as_party(user: User) -> Party:
    """Return a user as others see it."""
    return Party(user.raw_id, user.display_name, user.name)


def record_of(call: Call, reason: Reason, now: float) -> CallRecord:
    """Return the record of a call that ends now for this reason, with one end for each user."""
    caller = call.caller.party.raw_id
    passed = (LegEnd(user, None) for user in (caller, *call.plan.path, call.callee.raw_id))
    last = (LegEnd(leg.party.raw_id, reason) for leg in call.legs)
    ends = {end.user: end for end in (*passed, *call.ends, *last)}
    outcome = call.outcome if call.answerer else None
    return CallRecord(
        call.id,
        caller,
        call.dialled,
        call.transferor.raw_id if call.transferor else None,
        outcome.kind if outcome else None,
        call.placed_at,
        call.answered_at,
        now,
        reason,
        outcome.party.raw_id if outcome else None,
        outcome.via if outcome else (),
        tuple(ends.values()),
    )
