"""Group calls that outlive the hub: put together again, end by end, as what is said of them matches. Pure.

Whoever joined a group by its id says so; one in which nobody of those is left is as one that was a call of
two. The two whom that call was between name each other.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from signaling.call import Call, Leg
from signaling.calls import Calls
from signaling.group import Group, Member, pair
from signaling.groups import Groups
from signaling.messages import CallAttach
from signaling.names import Names
from signaling.parts import Party
from signaling.routing import Plan
from signaling.settings import User


class Regrouping:
    """What becomes of the ends of calls that are restored, with what they said of them, by session."""

    def __init__(self, groups: Groups, calls: Calls, names: Names, new_id: Callable[[], str]) -> None:
        self._groups = groups
        self._calls = calls
        self._names = names
        self._new_id = new_id

    def enter(self, call: Call, said: Mapping[str, CallAttach], now: float) -> None:
        """Take in the end of a call that a mixer has the other one of; two are told that they are two."""
        if call.group is not None:
            [(session, says)] = said.items()
            self._enter(call, call.group, session, says, now)
        elif any(says.group_id for says in said.values()):
            group = pair(call, "", "")
            ids = ((each, said[each.session or ""].participant_id) for each in group.members)
            members = tuple(replace(each, id=participant_id or each.id) for each, participant_id in ids)
            self._groups.roster.tell(replace(group, members=members), None)

    def gathered(self, group_id: str, now: float) -> None:
        """Go on with a group: who is not there by now does not come back."""
        group = self._groups.all.get(group_id)
        if group is not None and group.gathering:
            self._groups.roster.put(replace(group, gathering=False))
            self._groups.settle(group_id, now)

    def _enter(self, call: Call, group_id: str, session: str, says: CallAttach, now: float) -> None:
        me, mixer = call.leg(session), call.other(session)
        assert me is not None and mixer is not None
        group = self._groups.all.get(group_id)
        if group is None:
            group = Group(id=group_id, mixer=mixer.session, promoted=True, gathering=True)
        free = says.participant_id is not None and group.member(says.participant_id) is None
        member = Member(
            id=says.participant_id if free and says.participant_id else self._new_id(),
            party=me.party,
            call=call.id,
            session=session,
            by=Party(says.remote),
            up=True,
        )
        group = replace(
            group,
            members=(*group.members, member),
            promoted=group.promoted and says.remote != group_id,
            origin=group.origin or self._origin(group, member),
        )
        self._groups.roster.put(group)
        self._groups.settle(group_id, now)

    def _origin(self, group: Group, member: Member) -> Call | None:
        """Return the call that the group began as, once the second of its two is there; it alone is filed."""
        other = next((each for each in group.here if _named(each, member) and _named(member, each)), None)
        if other is None:
            return None
        ends = [(one, self._calls.all[one.call]) for one in (other, member)]
        for _, call in ends:
            self._calls.keep(replace(call, filed=False))
        ends.sort(key=lambda end: end[1].caller.session != end[0].session)  # who called still makes offers
        (caller, call), (answerer, _) = ends
        return replace(
            call,
            id=self._names.of(caller.session or "", call.id),
            caller=_leg(caller),
            answerer=_leg(answerer),
            callee=User(answerer.party.raw_id),
            plan=Plan(path=(answerer.party.raw_id,)),
            kind="participant",
            group=None,
        )


def _named(one: Member, other: Member) -> bool:
    return one.by is not None and one.by.raw_id == other.party.raw_id


def _leg(member: Member) -> Leg:
    return Leg(member.session or "", member.party)
