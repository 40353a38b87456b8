"""The hub's calls: what its ends tell each other, which leg is over, and when. Pure.

    placed ──► ringing ──answer──► answered ──both heard──► up
                 │ ▲                   │                     │
      no answer, │ │ routing           └──── deadline ───────┴──► legs end, each with one reason
      declined…  └─┘

`Calls` holds the calls and is the only one to replace them; `signaling.ringing` decides up to the answer.
What transfers and group calls need to know is told to the `Watcher`s.
"""

import math
from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from msgspec.structs import replace

from signaling.call import Call, CallRecord, LegEnd, ice_user, record_of
from signaling.limits import TokenBucket
from signaling.messages import (
    CallCandidate,
    CallConnected,
    CallEnded,
    CallHold,
    CallUpdate,
    Error,
    HubMessage,
)
from signaling.parts import Progress
from signaling.presence import Presence
from signaling.reasons import CANCELLED, HUNG_UP, REPLACED, Reason, bad_argument

MAX_EARLY_CANDIDATES = 30
MAX_CALLS = 32
MAX_PENDING = 8
TOO_MANY_CALLS = bad_argument(f"An agent can have {MAX_CALLS} calls; end one first.")
TOO_MANY_PENDING = bad_argument(f"{MAX_PENDING} calls of yours are still ringing; wait or end one first.")
RELAYED_AT_ONCE = 64.0
RELAYED_PER_SECOND = 1.0


class Watcher(Protocol):
    """Whoever must know how calls fare: transfers and group calls."""

    def progressed(self, call: Call, progress: Progress) -> None:
        """Learn that a device rings or that the call was sent on."""

    def answered(self, call: Call, now: float) -> None:
        """Learn that a device has answered."""

    def connected(self, call: Call, now: float) -> None:
        """Learn that both ends hear each other."""

    def moved(self, call: Call, old: str, new: str) -> None:
        """Learn that a leg went over from a lost session to a new one."""

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        """Learn that a call is over, and which session ended it."""


class Calls:
    """All calls of the hub."""

    def __init__(
        self,
        presence: Presence,
        deliver: Callable[[str, HubMessage], None],
        record: Callable[[CallRecord], None],
    ) -> None:
        self.all: dict[str, Call] = {}
        self._due: dict[str, float] = {}
        self._budgets: dict[str, dict[str, TokenBucket]] = {}
        self.watchers: tuple[Watcher, ...] = ()
        self._presence = presence
        self._deliver = deliver
        self._record = record

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min(self._due.values(), default=None)

    def of(self, session: str) -> list[Call]:
        """Return the calls in which a session has a leg or rings."""
        return [c for c in self.all.values() if c.leg(session) or session in c.ringing]

    def legs(self, session: str) -> int:
        """Return in how many calls a session has a leg."""
        return sum(call.leg(session) is not None for call in self.all.values())

    def pending(self, raw_id: str) -> int:
        """Return how many calls a user has placed that are not up."""
        return sum(c.caller.party.raw_id == raw_id and c.state != "up" for c in self.all.values())

    def due(self, now: float) -> Iterator[Call]:
        """Return the calls whose deadline has come, one by one, as they are then."""
        for call_id in [each for each, due in self._due.items() if due <= now]:
            if self._due.get(call_id, math.inf) <= now:
                yield self.all[call_id]

    def may_relay(self, call: Call, session: str, now: float) -> bool:
        """Take one message from what a session may still send to the other end of a call.

        While it rings this is not renewed: nobody has agreed yet to hear from that end.
        """
        budgets = self._budgets.setdefault(call.id, {})
        if session not in budgets:
            budgets[session] = TokenBucket(RELAYED_PER_SECOND, RELAYED_AT_ONCE, now)
        return budgets[session].take(call.placed_at if call.state == "ringing" else now)

    def keep(self, call: Call) -> Call:
        """Add a call, or replace it by what it has become."""
        self.all[call.id] = call
        self._due.pop(call.id, None)
        if call.deadline is not None:
            self._due[call.id] = call.deadline
        return call

    def without(self, call: Call, sessions: Collection[str], reason: Reason) -> Call:
        """Return the call with devices that ring no more, for this reason."""
        users = dict.fromkeys(self._presence.party(each).raw_id for each in sorted(sessions))
        ends = (*call.ends, *(LegEnd(user, reason) for user in users))
        return replace(call, ringing=call.ringing.difference(sessions), ends=ends)

    def silence(self, call: Call, sessions: Collection[str], reason: Reason) -> Call:
        """Tell devices to stop ringing, and return the call without them."""
        for session in sorted(sessions):
            self._deliver(session, CallEnded(call.id, reason))
        return self.without(call, sessions, reason)

    def restore(self, call: Call) -> None:
        """Take on a call that is up already, and tell both ends."""
        self.keep(call)
        for leg in call.legs:
            self._deliver(leg.session, CallConnected(call.id))

    def rebind(self, call: Call, old: str, new: str) -> None:
        """Let a user's new session take the leg of the lost one; both ends repeat what may be lost."""
        call = self.keep(call.moved(old, new))
        for watcher in self.watchers:
            watcher.moved(call, old, new)
        for leg in call.legs:
            self._deliver(leg.session, CallConnected(call.id))

    def hear(self, call: Call, session: str, now: float) -> None:
        """Take note that a leg decoded audio; once both have, the call is up, or goes over to a new path."""
        heard = call.heard | {session}
        if call.state == "ringing" or call.leg(session) is None or len(call.heard) > 1:
            return
        if len(heard) < 2:
            self.keep(replace(call, heard=heard))
            return
        was_up = call.state == "up"
        call = self.keep(replace(call, heard=heard, state="up", deadline=call.deadline if was_up else None))
        for leg in call.legs:
            self._deliver(leg.session, CallConnected(call.id))
        if not was_up:
            for watcher in self.watchers:
                watcher.connected(call, now)

    def update(self, call: Call, session: str, message: CallUpdate) -> None:
        """Pass a description on; the offer of a new path has yet to be heard at both ends."""
        other = call.other(session)
        if other is None:
            return
        offers = message.kind == "offer"
        if offers != (session == call.caller.session):
            refusal = bad_argument("Only the caller offers and only the callee answers.")
            self._deliver(session, Error(refusal, "call.update"))
            return
        if offers and call.state == "up" and self.is_new(call, message.sdp):
            call = replace(call, path=ice_user(message.sdp), heard=frozenset())
        self.keep(replace(call, owed=call.owed + 1 if offers else max(0, call.owed - 1)))
        self._deliver(other.session, replace(message, seq=0))

    def is_new(self, call: Call, offer: str) -> bool:
        """Tell whether an offer is of another path than the one a call has."""
        return ice_user(offer) != (call.path or ice_user(call.sdp))

    def hold(self, call: Call, session: str, message: CallHold) -> None:
        """Pass on that an end holds, or no longer does."""
        if other := call.other(session):
            self.keep(replace(call, held=call.held | {session} if message.on else call.held - {session}))
            self._deliver(other.session, replace(message, seq=0))

    def candidate(self, call: Call, session: str, message: CallCandidate) -> None:
        """Pass a candidate on; the caller's are kept for whoever rings later."""
        if session == call.caller.session and call.state == "ringing":
            message = replace(message, seq=0)
            kept = (*call.candidates, message)[:MAX_EARLY_CANDIDATES]
            self.keep(replace(call, candidates=kept))
            for device in sorted(call.ringing):
                self._deliver(device, message)
        elif other := call.other(session):
            self._deliver(other.session, replace(message, seq=0))

    def leave(
        self, call: Call, session: str, reason: Reason, deadline: float | None, expiry: Reason = REPLACED
    ) -> None:
        """Take one leg out and let the other live, at most until `deadline`."""
        end = LegEnd(self._presence.party(session).raw_id, reason)
        gone = call.gone | {session}
        self.keep(replace(call, gone=gone, ends=(*call.ends, end), deadline=deadline, expiry=expiry))

    def drop(self, call_id: str) -> Call:
        """Forget a call whose ends go on in another one; nobody is told."""
        self._due.pop(call_id, None)
        self._budgets.pop(call_id, None)
        return self.all.pop(call_id)

    def end(self, call_id: str, reason: Reason, now: float, by: str | None = None) -> None:
        """End every live leg, those that ring included, except the one of the session that asked."""
        if call_id not in self.all:
            return
        call = self.drop(call_id)
        for leg in call.legs:
            if leg.session != by:
                self._deliver(leg.session, CallEnded(call.id, reason))
        call = self.silence(call, call.ringing, reason)
        if call.filed:
            self.file(call, reason, now)
        for watcher in self.watchers:
            watcher.ended(call, reason, by, now)

    def file(self, call: Call, reason: Reason, now: float) -> None:
        """Leave a record of a call that is over."""
        self._record(record_of(call, reason, now))

    def hang_up(self, call: Call, session: str, now: float, reason: Reason = HUNG_UP) -> None:
        """End a call for a leg that wants out; before the answer that is a cancel."""
        ringing = call.state == "ringing" and reason == HUNG_UP
        self.end(call.id, CANCELLED if ringing else reason, now, by=session)

    def tick(self, now: float) -> None:
        """End what is due."""
        for call in self.due(now):
            self.end(call.id, call.expiry, now)
