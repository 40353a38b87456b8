"""Ends of group calls on their way to a mixer, to another one, or to each other. Pure.

Two who talk directly go to the mixer at the same moment; from one mixer to another each goes for itself.
"""

from collections.abc import Callable, Iterable
from itertools import chain

from msgspec.structs import replace

from signaling.call import Call, Leg
from signaling.calls import Calls
from signaling.group import Group, Member
from signaling.messages import CallEnded, HubMessage
from signaling.names import Names
from signaling.passages import PASSAGE_SECONDS, End, Passage, Passages
from signaling.presence import Presence
from signaling.reasons import HUNG_UP, NETWORK, NO_MEDIA, Reason


class Mixing:
    """The moves of all group calls, which it replaces in `groups` as they arrive."""

    def __init__(
        self,
        groups: dict[str, Group],
        calls: Calls,
        presence: Presence,
        names: Names,
        deliver: Callable[[str, HubMessage], None],
        new_id: Callable[[], str],
    ) -> None:
        self.passages = Passages(calls, deliver)
        self._groups = groups
        self._calls = calls
        self._presence = presence
        self._names = names
        self._deliver = deliver
        self._new_id = new_id

    def mixer(self, besides: str = "") -> str | None:
        """Return the mixer with the least to do, None if there is none besides that one."""
        return self._presence.mixer(self._load, besides)

    def astray(self, group: Group) -> list[Member]:
        """Return those who are with another mixer than the others."""
        mixed = (member for member in group.here if member.up and member.call != group.direct)
        return [member for member in mixed if self._calls.all[member.call].leg(group.mixer) is None]

    def rise(self, group: Group, members: Iterable[Member], now: float) -> None:
        """Let members go over to the group's mixer; while it is lost they wait for one that comes."""
        if not self._presence.here(group.mixer):
            return
        party = self._presence.party(group.mixer)
        for member in members:
            kept = _kept(member)
            fresh = End(group.mixer, party, self._new_id(), fresh=True)
            ends = (kept, fresh) if self._offers(kept) else (fresh, kept)
            self.passages.begin(group.id, *ends, now)

    def fall(self, group: Group, now: float) -> None:
        """Let the two who are left go over to each other; one that makes offers already goes on doing so."""
        one, two = group.here
        ends = (_kept(one), _kept(two))
        if self._offers(ends[1]) and not self._offers(ends[0]):
            ends = (ends[1], ends[0])
        self.passages.begin(group.id, *ends, now)

    def advance(self, group_id: str, now: float) -> None:
        """Take those over who are ready, and give up what has failed."""
        passages = self.passages.of(group_id)
        if any(passage.failed for passage in passages):
            self.fail(group_id, now)
            return
        ready = [passage for passage in passages if passage.arrived]
        direct = self._groups[group_id].direct
        if direct is not None and len(ready) < len(passages):
            return
        for passage in ready:
            self.passages.finish(passage)
            if passage.fresh is None:
                self._join(passage, now)
            else:
                self._mix(passage, passage.fresh)
        if direct is not None:
            group = self._groups[group_id]
            self._groups[group_id] = replace(group, direct=None, origin=self._calls.drop(direct))

    def abort(self, group_id: str, reason: Reason) -> None:
        """Give up every move of a group; all stay where they are."""
        for passage in self.passages.of(group_id):
            self.passages.abort(passage, reason)

    def fail(self, group_id: str, now: float) -> None:
        """Give up every move of a group that did not get there, and what cannot go on without it."""
        group = self._groups[group_id]
        stranded = [kept.call for p in self.passages.of(group_id) if p.fresh for kept in p.kept]
        between_two = any(passage.fresh is None for passage in self.passages.of(group_id))
        self.abort(group_id, NO_MEDIA)
        if between_two:
            self._groups[group_id] = replace(group, promoted=False)  # they stay with the mixer
        elif group.direct is not None:
            stranded = [member.call for member in group.here if member.call != group.direct]
        for call_id in stranded:
            self._calls.end(call_id, NO_MEDIA, now)

    def release(self, group_id: str, call_id: str) -> None:
        """Give up the moves of whoever was in a call that is over."""
        for passage in self.passages.of(group_id):
            if any(end.call == call_id for end in passage.kept):
                self.passages.abort(passage, HUNG_UP)

    def leaves(self, call: Call, session: str, now: float) -> bool:
        """Let a mixer go while those it mixed are on their way elsewhere; tell whether it was one."""
        if "mixer" not in self._presence.sessions[session].rights:
            return False
        kept = chain.from_iterable(passage.kept for passage in self.passages.all)
        if not any(end.call == call.id and end.session != session for end in kept):
            return False
        self._calls.leave(call, session, NETWORK, now + PASSAGE_SECONDS + 1.0, NETWORK)
        return True

    def _mix(self, passage: Passage, fresh: End) -> None:
        """Let an end go over to the mixer."""
        (kept,) = passage.kept
        group = self._groups[passage.group]
        direct = kept.call == group.direct
        old = self._calls.all[kept.call] if direct else self._calls.drop(kept.call)
        call = replace(
            _gone_over(old, fresh.call, passage),
            held=old.held & {kept.session},
            group=group.id,
            filed=old.filed and not direct,
        )
        self._go_over(group.id, kept, call)
        self._calls.restore(call)
        if not direct:
            self._let_go(old, frozenset({kept.session}))

    def _join(self, passage: Passage, now: float) -> None:
        """Let two ends go over to each other."""
        sessions = frozenset(end.session for end in passage.ends)
        group = self._groups[passage.group]
        before = [self._calls.drop(end.call) for end in passage.ends]
        over = [each for each in (group.origin, *before) if each is not None and each.filed]
        again = group.origin is not None and {leg.session for leg in group.origin.legs} == sessions
        origin = over.pop(0 if again else -1)
        call = replace(
            _gone_over(origin, origin.id, passage),
            kind="participant",
            held=frozenset(),
            group=None,
            filed=True,
        )
        self._groups[group.id] = replace(group, direct=call.id, promoted=True, origin=None)
        for end in passage.ends:
            self._go_over(group.id, end, call)
        self._calls.restore(call)
        for old in before:
            self._let_go(old, sessions)
        for old in over:
            self._calls.file(old, HUNG_UP, now)

    def _go_over(self, group_id: str, end: End, call: Call) -> None:
        """Let an end have a call under the name that it had the one before."""
        self._names.give(end.session, call.id, self._names.of(end.session, end.call))
        group = self._groups[group_id]
        member = group.at(end.session)
        if member is not None:
            self._groups[group_id] = group.put(replace(member, call=call.id))

    def _let_go(self, old: Call, kept: frozenset[str]) -> None:
        """Tell the mixer that was that nobody is there any more."""
        for leg in old.legs:
            if leg.session not in kept:
                self._deliver(leg.session, CallEnded(old.id, HUNG_UP))

    def _offers(self, end: End) -> bool:
        return self._calls.all[end.call].caller.session == end.session

    def _load(self, session: str) -> int:
        ends = chain.from_iterable(passage.ends for passage in self.passages.all)
        return len(self._calls.of(session)) + sum(end.session == session for end in ends)


def _gone_over(call: Call, call_id: str, passage: Passage) -> Call:
    """Return a call as it is on the path of a passage."""
    return replace(
        call,
        id=call_id,
        caller=Leg(passage.offerer.session, passage.offerer.party),
        answerer=Leg(passage.answerer.session, passage.answerer.party),
        heard=frozenset(end.session for end in passage.ends),
        gone=frozenset(),
        deadline=None,
        sdp="",
        path=passage.path,
        owed=0,
    )


def _kept(member: Member) -> End:
    return End(member.session or "", member.party, member.call)
