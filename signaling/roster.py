"""Who is in the group calls, and what their members are told of it. Pure."""

from collections.abc import Callable

from signaling.call import Call
from signaling.calls import Calls
from signaling.group import Group, pair
from signaling.messages import CallParticipants, HubMessage
from signaling.parts import Participant


class Roster:
    """All group calls by id; every change is told to all who are in it."""

    def __init__(self, calls: Calls, deliver: Callable[[str, HubMessage], None]) -> None:
        self.all: dict[str, Group] = {}
        self._calls = calls
        self._deliver = deliver

    def of(self, call_id: str) -> Group | None:
        """Return the group call that a call is part of."""
        return next((g for g in self.all.values() if any(m.call == call_id for m in g.members)), None)

    def put(self, group: Group, *over: Participant) -> None:
        """Replace a group, and tell its members who is in it, and who no longer is."""
        self.all[group.id] = group
        if not group.gathering:
            self.tell(group, group.id, *over)

    def dissolve(self, group: Group) -> None:
        """Tell the two who are left that they have a call of two."""
        del self.all[group.id]
        self.tell(group, None)

    def refuse(self, call: Call, group: Group | None, session: str, refused: Participant) -> None:
        """Tell one member alone that somebody could not be asked in."""
        among = group or pair(call, "", "")
        me = among.at(session)
        assert me is not None
        others = (m.seen(self._calls.all.get(m.call)) for m in among.members if m.id != me.id)
        group_id = group.id if group else None
        self._deliver(session, CallParticipants(call.id, group_id, me.id, (*others, refused)))

    def tell(self, group: Group, group_id: str | None, *over: Participant) -> None:
        """Tell the members of a group who else is in it; without an id, that it is a call of two."""
        everyone = {m.id: m.seen(self._calls.all.get(m.call)) for m in group.members}
        for member in group.here:
            others = (seen for participant_id, seen in everyone.items() if participant_id != member.id)
            told = CallParticipants(member.call, group_id, member.id, (*others, *over))
            self._deliver(member.session or "", told)
