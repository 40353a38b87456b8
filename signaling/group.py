"""One group call as the hub sees it: a frozen value, replaced with every step. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from signaling.call import Call
from signaling.parts import CustomContext, Participant, ParticipantState, Party


class Member(Struct, frozen=True, kw_only=True):
    """Somebody in a group call, on one device once they have answered, or who is asked into it `by` another.

    `call` is the one that they are in: with the mixer, or with each other while two talk directly. `deadline`
    is when the mixer must have placed it.
    """

    id: str
    party: Party
    call: str
    session: str | None = None
    by: Party | None = None
    up: bool = False
    alerted: bool = False
    muted: bool = False
    deadline: float | None = None
    custom_context: CustomContext | None = None

    def seen(self, call: Call | None) -> Participant:
        """Return the member as the others see it."""
        held = call is not None and self.session in call.held
        state: ParticipantState = "Connected" if self.up else "Ringing" if self.alerted else "Connecting"
        return Participant(self.id, self.party, "Hold" if held else state, self.muted)


class Group(Struct, frozen=True, kw_only=True):
    """Those in a group call and those asked into it.

    `mixer` is the session that mixes, or is to. `direct` is the call of the two who need no mixer yet. A
    `promoted` group was a call of two, and may be one again; `origin` is that call while it is mixed. While
    it is `gathering`, ends of it have yet to be attached to a hub that began anew, and nobody is told.
    """

    id: str
    mixer: str
    members: tuple[Member, ...] = ()
    direct: str | None = None
    promoted: bool = False
    origin: Call | None = None
    gathering: bool = False

    @property
    def here(self) -> tuple[Member, ...]:
        """Return those who have answered."""
        return tuple(member for member in self.members if member.session is not None)

    @property
    def asked(self) -> tuple[Member, ...]:
        """Return those who have not answered yet."""
        return tuple(member for member in self.members if member.session is None)

    def member(self, participant_id: str) -> Member | None:
        """Return who has this participant id."""
        return next((member for member in self.members if member.id == participant_id), None)

    def at(self, session: str) -> Member | None:
        """Return who speaks in a session."""
        return next((member for member in self.members if member.session == session), None)

    def put(self, changed: Member) -> "Group":
        """Return the group with a member as it has become."""
        return replace(self, members=tuple(changed if m.id == changed.id else m for m in self.members))


def pair(call: Call, group_id: str, mixer: str) -> Group:
    """Return the group that a call of two becomes."""
    ends = (("caller", call.caller, call.caller.party), ("callee", call.answerer, call.outcome.party))
    members = tuple(
        Member(id=end, party=party, call=call.id, session=leg.session, up=True)
        for end, leg, party in ends
        if leg is not None and leg in call.legs
    )
    return Group(id=group_id, mixer=mixer, members=members, direct=call.id, promoted=True)
