"""Who may ask whom into a group call, and who may join one. Pure."""

from collections.abc import Callable

from signaling.call import Call
from signaling.calls import MAX_CALLS, MAX_PENDING, TOO_MANY_CALLS, TOO_MANY_PENDING, Calls
from signaling.group import Group, pair
from signaling.group_messages import MAX_PARTICIPANTS
from signaling.presence import Presence
from signaling.reasons import (
    NO_MIXER,
    NOT_ESTABLISHED,
    NOT_PERMITTED,
    TRANSFER_CONFLICT,
    UNKNOWN_USER,
    WRONG_STATE,
    Reason,
    bad_argument,
)
from signaling.roster import Roster
from signaling.routing import Directory
from signaling.settings import User

FULL = bad_argument(f"A group call has at most {MAX_PARTICIPANTS} participants.")


class Admission:
    """The checks; `transferred` tells whether a call is being handed over, `mixer` which one there is."""

    def __init__(
        self,
        roster: Roster,
        calls: Calls,
        presence: Presence,
        directory: Directory,
        mixer: Callable[[], str | None],
        transferred: Callable[[str], bool],
    ) -> None:
        self._roster = roster
        self._calls = calls
        self._presence = presence
        self._directory = directory
        self._mixer = mixer
        self._transferred = transferred

    def add(self, session: str, call: Call, group: Group | None, target: str) -> User | Reason:
        """Return who is to be asked in, or why not."""
        if "voip" not in self._presence.sessions[session].rights:
            return NOT_PERMITTED
        if call.state != "up":
            return NOT_ESTABLISHED
        if self._transferred(call.id):
            return TRANSFER_CONFLICT
        among = group or pair(call, "", "")
        if call.kind == "voicemail" or (len(among.here) < 2 and group is None):
            return WRONG_STATE
        if call.held and (group is None or group.direct is not None):
            return bad_argument("Take the call off hold first.")
        if len(among.members) >= MAX_PARTICIPANTS:
            return FULL
        if self._calls.pending(self._presence.party(session).raw_id) >= MAX_PENDING:
            return TOO_MANY_PENDING
        user = self._directory.find(target)
        if user is None:
            return UNKNOWN_USER
        if any(member.party.raw_id == user.raw_id for member in among.members):
            return bad_argument("This person is in the call already, or asked into it.")
        return user

    def join(self, session: str, group_id: str) -> Group | Reason:
        """Return the group call of an id, a new one if there is none, or why not."""
        if not self._presence.sessions[session].rights & {"voip", "voip.join"}:
            return NOT_PERMITTED
        if self._calls.legs(session) >= MAX_CALLS:
            return TOO_MANY_CALLS
        group = self._roster.all.get(group_id)
        if group is None:
            mixer = self._mixer()
            return NO_MIXER if mixer is None else Group(id=group_id, mixer=mixer)
        if not self._presence.here(group.mixer):
            return NO_MIXER
        if group.at(session) is not None:
            return bad_argument("This device is in the group call already.")
        if len(group.members) >= MAX_PARTICIPANTS:
            return FULL
        return group
