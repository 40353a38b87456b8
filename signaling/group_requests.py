"""What is asked of group calls: somebody in, somebody out, to join, to end it for everyone. Pure."""

from collections.abc import Callable

from msgspec.structs import replace

from signaling.admission import Admission
from signaling.call import Call, Leg, as_party
from signaling.calls import Calls
from signaling.group import Group, Member, pair
from signaling.messages import (
    CallEnded,
    CallJoin,
    Error,
    HubMessage,
    MixerPlace,
    ParticipantAdd,
    ParticipantRemove,
)
from signaling.mixing import Mixing
from signaling.parts import Participant, Party
from signaling.presence import Presence
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    CANCELLED,
    ENDED_FOR_ALL,
    NO_MIXER,
    NOT_PRESENT,
    REMOVED,
    UNKNOWN_CALL,
    Reason,
    bad_argument,
)
from signaling.ringing import Ringing
from signaling.roster import Roster
from signaling.routing import Directory, Plan
from signaling.settings import User

PLACE_SECONDS = 8.0
NOT_TO_REMOVE = bad_argument("Hang up to leave a call, or to end a call of two.")


class GroupRequests:
    """The requests; `transferred` tells of a call whether it is handed over, `end` ends a member's part."""

    def __init__(
        self,
        roster: Roster,
        mixing: Mixing,
        calls: Calls,
        ringing: Ringing,
        presence: Presence,
        directory: Directory,
        transferred: Callable[[str], bool],
        end: Callable[[Group, Member, Reason, float], None],
        deliver: Callable[[str, HubMessage], None],
        new_id: Callable[[], str],
    ) -> None:
        self._roster = roster
        self._mixing = mixing
        self._admission = Admission(roster, calls, presence, directory, mixing.mixer, transferred)
        self._calls = calls
        self._ringing = ringing
        self._presence = presence
        self._directory = directory
        self._end = end
        self._deliver = deliver
        self._new_id = new_id

    def add(self, session: str, message: ParticipantAdd, now: float) -> None:
        """Ask somebody in, or tell the one who wants it why not."""
        call = self._calls.all.get(message.call_id)
        group = self._roster.of(message.call_id)
        if call is None or call.leg(session) is None or (group and group.at(session) is None):
            self._deliver(session, Error(UNKNOWN_CALL, f"participant.add {message.call_id}"))
            return
        if group is not None and group.member(message.participant_id) is not None:
            return
        me = self._presence.party(session)
        checked = self._admission.add(session, call, group, message.target)
        mixer = group.mixer if group else self._mixing.mixer()
        if isinstance(checked, Reason) or mixer is None:
            user = self._directory.find(message.target)
            party = as_party(user) if user else Party(message.target)
            refused = checked if isinstance(checked, Reason) else NO_MIXER
            over = Participant(message.participant_id, party, "Disconnected", reason=refused)
            self._roster.refuse(call, group, session, over)
            return
        group = group or pair(call, self._new_id(), mixer)
        member = Member(
            id=message.participant_id,
            party=as_party(checked),
            call=self._new_id(),
            by=me,
            deadline=now + PLACE_SECONDS,
            custom_context=message.custom_context,
        )
        self._roster.put(replace(group, members=(*group.members, member)))
        self._deliver(mixer, MixerPlace(member.call, group.id, member.party))

    def remove(self, session: str, message: ParticipantRemove, now: float) -> None:
        """Remove somebody else, or no longer ask them in."""
        group = self._roster.of(message.call_id)
        member = group.member(message.participant_id) if group and group.at(session) else None
        about = f"participant.remove {message.participant_id}"
        if group is None or member is None:
            self._deliver(session, Error(NOT_PRESENT, about))
        elif member.session == session or member.call == group.direct:
            self._deliver(session, Error(NOT_TO_REMOVE, about))
        else:
            self._end(group, member, REMOVED if member.session else CANCELLED, now)

    def join(self, session: str, message: CallJoin, now: float) -> None:
        """Let a device into the group call of an id, which is made if there is none."""
        refused = self._admission.join(session, message.group_id)
        if isinstance(refused, Reason):
            self._deliver(session, CallEnded(message.call_id, refused))
            return
        group, me = refused, self._presence.party(session)
        member = Member(id=self._new_id(), party=me, call=message.call_id, session=session)
        call = Call(
            id=message.call_id,
            caller=Leg(session, me),
            sdp=message.sdp,
            callee=User(group.id, "", "Group call"),
            placed_at=now,
            plan=Plan(path=(group.id,)),
            kind="group",
            group=group.id,
        )
        self._roster.put(replace(group, members=(*group.members, member)))
        self._ringing.place_to_session(call, group.mixer, now)
        for asked in group.asked:
            if asked.party.raw_id == me.raw_id:  # who joins rings no more
                self._end(self._roster.all[group.id], asked, ANSWERED_ELSEWHERE, now)

    def mute(self, session: str, call_id: str, on: bool) -> None:
        """Take note that an end is muted."""
        group = self._roster.of(call_id)
        member = group.at(session) if group else None
        if group and member and member.muted != on:
            self._roster.put(group.put(replace(member, muted=on)))

    def end(self, call: Call, session: str, now: float) -> None:
        """End a group call for everyone, at the wish of one of them."""
        group = self._roster.of(call.id)
        if group is None or group.at(session) is None:
            return
        self._roster.all[group.id] = replace(group, promoted=False)
        others = [m for m in group.members if m.session != session and m.call != group.direct]
        for member in others:
            self._end(self._roster.all[group.id], member, ENDED_FOR_ALL if member.session else CANCELLED, now)
