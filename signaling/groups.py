"""Group calls (spec §3): who is in them, and when their ends move to a mixer and back. Pure.

    call of two ──somebody is asked in──► direct ──that one answers──► rising ──► mixed ◄── joined by id
         ▲                                 │  ▲                                    │
         └───────── nobody came ───────────┘  └── both hear ── falling ◄───────────┘ two are left

While two talk directly they are not disturbed by whom they ask in. An end moves by a `Passage`: its new path
has sound before it is told to go over, so nobody hears a hole. What began as a call of two is one again when
two are left; a group joined by its id goes on until it is empty. If the mixer is lost, another one takes its
place, or the last two talk directly; if there is neither, the patience with lost sessions ends the call.
"""

from collections.abc import Callable

from msgspec.structs import replace

from signaling.call import Call, Leg, LegEnd
from signaling.calls import Calls
from signaling.group import Group, Member
from signaling.group_requests import GroupRequests
from signaling.messages import (
    CallEnded,
    CallPlace,
    CallSpeakers,
    ClientMessage,
    HubMessage,
    MixerSpeakers,
)
from signaling.mixing import Mixing
from signaling.names import Names
from signaling.parts import Progress
from signaling.presence import Presence
from signaling.reasons import (
    CANCELLED,
    HUNG_UP,
    NETWORK,
    TIMED_OUT,
    UNKNOWN_USER,
    Reason,
)
from signaling.ringing import Ringing
from signaling.roster import Roster
from signaling.routing import Directory, Plan


class Groups:
    """All group calls of the hub; `transferred` tells whether a call is being handed over."""

    def __init__(
        self,
        calls: Calls,
        ringing: Ringing,
        presence: Presence,
        directory: Directory,
        names: Names,
        transferred: Callable[[str], bool],
        deliver: Callable[[str, HubMessage], None],
        new_id: Callable[[], str],
    ) -> None:
        self.roster = Roster(calls, deliver)
        self.all = self.roster.all
        self.mixing = Mixing(self.all, calls, presence, names, deliver, new_id)
        known = (self.roster, self.mixing, calls, ringing, presence, directory)
        self.requests = GroupRequests(*known, transferred, self._end, deliver, new_id)
        self._calls = calls
        self._ringing = ringing
        self._presence = presence
        self._directory = directory
        self._names = names
        self._deliver = deliver

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        placing = (m.deadline for group in self.all.values() for m in group.asked)
        due = (self.mixing.passages.deadline, *placing)
        return min((each for each in due if each is not None), default=None)

    def grouped(self, call_id: str) -> bool:
        """Tell whether a call is part of a group call, or may become one."""
        return self.roster.of(call_id) is not None

    # --- what mixers say

    def handle(self, session: str, message: ClientMessage, now: float) -> bool:
        """Take a message that is part of a move; tell whether it was one."""
        group_id = self.mixing.passages.handle(session, message)
        if group_id is None:
            return False
        self.mixing.advance(group_id, now)
        self.settle(group_id, now)
        return True

    def place(self, session: str, message: CallPlace, now: float) -> bool:
        """Place the call that a mixer was ordered to; tell whether it was one."""
        group = self.roster.of(message.call_id)
        member = next((m for m in group.asked if m.call == message.call_id), None) if group else None
        if group is None or member is None or member.by is None or group.mixer != session:
            return False
        self.all[group.id] = group.put(replace(member, deadline=None))
        user = self._directory.users.get(member.party.raw_id)
        if user is None:
            self._end(group, member, UNKNOWN_USER, now)
            return True
        present = frozenset(m.party.raw_id for m in group.members if m.id != member.id)
        call = Call(
            id=message.call_id,
            caller=Leg(session, member.by),
            sdp=message.sdp,
            callee=user,
            placed_at=now,
            plan=Plan(direct=True, never=present),
            custom_context=member.custom_context,
            group=group.id,
        )
        self._ringing.place(call, now)
        return True

    def speakers(self, session: str, message: MixerSpeakers) -> None:
        """Tell all members who talks."""
        group = self.all.get(message.group_id)
        if group is None or group.mixer != session:
            return
        members = {member.call: member.id for member in group.here}
        talking = tuple(members[call_id] for call_id in message.calls if call_id in members)
        for member in group.here:
            if member.call != group.direct:
                self._deliver(member.session or "", CallSpeakers(member.call, talking))

    def lost(self, session: str, now: float, *, for_good: bool = False) -> None:
        """Go on without a mixer: with another one, or directly; for good, end what can do neither."""
        for group in [each for each in self.all.values() if each.mixer == session]:
            for member in group.asked:
                self._end(self.all[group.id], member, NETWORK, now)
            if group.id in self.all:
                self._go_on(self.all[group.id], now)
            if for_good and group.id in self.all and not self.mixing.passages.of(group.id):
                self._close(group.id, NETWORK, now)

    def came(self, session: str, now: float) -> None:
        """Let a mixer take the groups whose own one is lost, and those who did not get to it."""
        if "mixer" not in self._presence.sessions[session].rights:
            return
        for group in list(self.all.values()):
            if self._presence.here(group.mixer):
                self.settle(group.id, now)
            else:
                self._go_on(group, now)

    def leaves(self, call: Call, session: str, now: float) -> bool:
        """Let a mixer go without those it mixed; tell whether it was one."""
        return self.mixing.leaves(call, session, now)

    def deserts(self, call: Call, session: str, now: float) -> bool:
        """Let a mixer that hangs up, as one that stops does, go without those it mixed; tell if they can."""
        group = self.roster.of(call.id)
        if group is not None and group.mixer == session:
            self.lost(session, now)
        return self.leaves(call, session, now)

    # --- how calls fare

    def progressed(self, call: Call, progress: Progress) -> None:
        """Tell that somebody who is asked in is rung."""
        self._change(call, lambda member: replace(member, alerted=member.alerted or progress == "ringing"))

    def answered(self, call: Call, now: float) -> None:
        """Take in somebody who was asked; two who talk directly come to the mixer."""
        leg = call.answerer or call.caller  # a device may go by a name of its own
        self._change(call, lambda m: m if m.session else replace(m, session=leg.session, party=leg.party))
        if call.group is not None:
            self.settle(call.group, now)

    def connected(self, call: Call, now: float) -> None:
        """Tell that somebody is heard."""
        self._change(call, lambda member: replace(member, up=True))
        if call.group is not None:
            self.settle(call.group, now)

    def held(self, call: Call, now: float) -> None:
        """Tell that a member holds, or no longer does."""
        if group := self.roster.of(call.id):
            self.roster.put(group)
            self.settle(group.id, now)

    def moved(self, call: Call, old: str, new: str) -> None:
        """Go on with the new session of a member."""
        self._names.move(call.id, old, new)
        group = self.roster.of(call.id)
        if group and (member := group.at(old)):
            origin = group.origin and group.origin.moved(old, new)
            self.all[group.id] = replace(group.put(replace(member, session=new)), origin=origin)

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        """Take those out whose call is over."""
        self._names.forget(call.id)
        group = self.roster.of(call.id)
        if group is None:
            return
        self.mixing.release(group.id, call.id)
        self._without(group, [m for m in group.members if m.call == call.id], reason, now)

    def tick(self, now: float) -> None:
        """Give up what did not get there in time."""
        for group in list(self.all.values()):
            for member in group.asked:
                if group.id in self.all and member.deadline is not None and member.deadline <= now:
                    self._end(self.all[group.id], member, TIMED_OUT, now)
            if any(passage.deadline <= now for passage in self.mixing.passages.of(group.id)):
                self.mixing.fail(group.id, now)
                self.settle(group.id, now)

    def settle(self, group_id: str, now: float) -> None:
        """Do what follows from who is there, unless somebody is on the way."""
        group = self.all.get(group_id)
        if group is None or group.gathering or self.mixing.passages.of(group_id):
            return
        here = group.here
        if group.direct is not None:
            pair = [member for member in here if member.call == group.direct]
            if len(pair) < len(here):
                self.mixing.rise(group, pair, now)
            elif not group.asked:
                self.roster.dissolve(group)
        elif not here or (group.promoted and len(here) == 1 and not group.asked):
            self._close(group_id, HUNG_UP, now)
        elif group.promoted and len(group.members) == len(here) == 2 and all(map(self._talks, here)):
            self.mixing.fall(group, now)
        elif astray := self.mixing.astray(group):
            self.mixing.rise(group, astray, now)

    # --- inside

    def _go_on(self, group: Group, now: float) -> None:
        """Find another way for a group whose mixer is lost."""
        between_two = any(passage.fresh is None for passage in self.mixing.passages.of(group.id))
        if between_two:
            return
        self.mixing.abort(group.id, NETWORK)
        unheard = [m for m in group.here if not m.up and m.call != group.direct]
        group = self._part(self.all[group.id], unheard, now)
        mixer = self.mixing.mixer(besides=group.mixer)
        elsewhere = [member for member in group.here if member.call != group.direct]
        if mixer is not None and elsewhere:
            group = self.all[group.id] = replace(group, mixer=mixer)
            self.mixing.rise(group, group.here, now)
        elif group.direct is None and len(group.here) == 2:
            self.mixing.fall(group, now)
        elif group.direct is not None or unheard:
            self._part(group, elsewhere if group.direct else [], now)
            self.settle(group.id, now)

    def _part(self, group: Group, members: list[Member], now: float) -> Group:
        """Let members go who cannot come along; what follows from it is not decided yet."""
        group = self._take_out(group, members, NETWORK)
        for member in members:
            self._end_call(group, member, NETWORK, now)
        return group

    def _close(self, group_id: str, reason: Reason, now: float) -> None:
        """End a group call, and whatever is left of it."""
        group = self.all.pop(group_id)
        self.mixing.abort(group_id, reason)
        for member in group.members:
            self._end_call(group, member, reason if member.session else CANCELLED, now)
        if group.origin is not None:
            self._calls.file(group.origin, reason, now)

    def _end(self, group: Group, member: Member, reason: Reason, now: float) -> None:
        """End the part of one member."""
        if not self._end_call(group, member, reason, now):
            self._without(group, [member], reason, now)

    def _end_call(self, group: Group, member: Member, reason: Reason, now: float) -> bool:
        """End the call of a member, if it has been placed; the mixer is told either way."""
        if member.call in self._calls.all:
            self._calls.end(member.call, reason, now)
            return True
        self._deliver(group.mixer, CallEnded(member.call, reason))
        return False

    def _without(self, group: Group, gone: list[Member], reason: Reason, now: float) -> None:
        """Go on without members."""
        self._take_out(group, gone, reason)
        self.settle(group.id, now)

    def _take_out(self, group: Group, gone: list[Member], reason: Reason) -> Group:
        """Take members out, and tell the others once more of them."""
        origin = group.origin
        if origin is not None:
            parted = [m for m in gone if m.session and any(leg.session == m.session for leg in origin.legs)]
            ends = tuple(LegEnd(m.party.raw_id, reason) for m in parted)
            left = origin.gone.union(m.session for m in parted if m.session)
            origin = replace(origin, ends=(*origin.ends, *ends), gone=left)
        rest = tuple(m for m in group.members if m not in gone)
        direct = None if any(m.call == group.direct for m in gone) else group.direct
        over = (replace(m.seen(None), state="Disconnected", reason=reason) for m in gone)
        self.roster.put(replace(group, members=rest, direct=direct, origin=origin), *over)
        return self.all[group.id]

    def _change(self, call: Call, change: Callable[[Member], Member]) -> None:
        """Replace the member whose part a call is, and tell the others."""
        group = self.roster.of(call.id)
        member = next((m for m in group.members if m.call == call.id), None) if group else None
        if group is None or member is None or call.id == group.direct:
            return
        if (changed := change(member)) != member:
            self.roster.put(group.put(changed))

    def _talks(self, member: Member) -> bool:
        return member.up and not self._calls.all[member.call].held
