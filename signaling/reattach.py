"""Calls that outlive the hub: both ends say that one is up, and a hub that began anew takes it on. Pure.

Media is peer to peer, so a call needs no hub to go on. Neither end is believed alone: the claims must name
each other, one as the caller; of a group call the mixer names the end, and the end the group. An end whose
lost session cannot be resumed moves its leg to its new one.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from signaling.call import Call, Leg, as_party
from signaling.calls import Calls
from signaling.messages import CallAttach, CallEnded, HubMessage
from signaling.names import Names
from signaling.parts import Party
from signaling.presence import Presence
from signaling.reasons import HUNG_UP, NETWORK, UNKNOWN_CALL, Reason
from signaling.regroup import Regrouping
from signaling.routing import Directory, Plan
from signaling.settings import User

ATTACH_SECONDS = 30.0
MAX_CLAIMS = 32
MAX_SERVICE_CLAIMS = 1000


class Claim(Struct, frozen=True):
    """What one end says of a call that is up `since` then; `over` once it has hung up meanwhile.

    `mixes` is the group that it says it of as the mixer.
    """

    session: str
    party: Party
    says: CallAttach
    since: float
    due: float
    mixes: str | None = None
    over: bool = False

    @property
    def key(self) -> str:
        """Return the id by which both ends know the call."""
        return self.says.server_call_id or self.says.call_id

    @property
    def leg(self) -> Leg:
        """Return the end as a leg: a mixer speaks for its group."""
        return Leg(self.session, Party(self.mixes) if self.mixes else self.party)

    @property
    def raw_id(self) -> str:
        """Return whom the other end talks to: voicemail speaks for the owner of the mailbox."""
        return self.says.mailbox or self.leg.party.raw_id

    def matches(self, other: "Claim") -> bool:
        """Tell whether both are the two ends of one call."""
        if self.mixes or other.mixes:
            mixer, mixed = (self, other) if self.mixes else (other, self)
            wanted = (mixer.mixes, mixer.says.remote, None)
            named = wanted == (mixed.says.group_id, mixed.raw_id, mixed.mixes)
        else:
            named = (self.says.remote, other.says.remote) == (other.raw_id, self.raw_id)
        return named and self.says.caller != other.says.caller


class Reattachments:
    """Claims that wait for the other end's; `passing` tells whether a call is on its way to another mixer."""

    def __init__(
        self,
        calls: Calls,
        presence: Presence,
        directory: Directory,
        names: Names,
        regrouping: Regrouping,
        passing: Callable[[str], bool],
        deliver: Callable[[str, HubMessage], None],
    ) -> None:
        self._calls = calls
        self._presence = presence
        self._directory = directory
        self._names = names
        self._regrouping = regrouping
        self._passing = passing
        self._deliver = deliver
        self._claims: dict[str, list[Claim]] = {}
        self._more: set[tuple[str, str]] = set()  # groups of which a mixer has yet to tell more

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min((claim.due for claim in self._waiting()), default=None)

    def engaged(self, raw_id: str) -> bool:
        """Tell whether a user waits for the other end of a call."""
        return any(c.party.raw_id == raw_id and not c.over for c in self._waiting())

    def claim(self, session: str, says: CallAttach, now: float) -> None:
        """Take what one end says; the call is up again once the other end has said the same."""
        party, rights = self._presence.party(session), self._presence.sessions[session].rights
        mixes = says.group_id if "mixer" in rights else None
        mine = Claim(session, party, says, now - says.seconds, now + ATTACH_SECONDS, mixes)
        most = MAX_CLAIMS if rights.isdisjoint(("voicemail", "mixer")) else MAX_SERVICE_CLAIMS
        call = self._calls.all.get(mine.key)
        if call is not None:
            self._move(call, mine)
        elif (says.mailbox and "voicemail" not in rights) or self._count(session) >= most:
            self._end(mine, UNKNOWN_CALL)
        elif other := next((c for c in self._claims.get(mine.key, ()) if c.matches(mine)), None):
            self._drop(other)
            if other.over:
                self._end(mine, HUNG_UP)
            else:
                self._restore(*((mine, other) if says.caller else (other, mine)), now)
        else:
            self._claims.setdefault(mine.key, []).append(mine)
        if mixes:
            self._more.discard((mixes, session))
            if says.more:
                self._more.add((mixes, session))
        self._gather(says.group_id, now)

    def withdraw(self, session: str, call_id: str, now: float) -> bool:
        """Take note that an end has hung up while it waited; tell whether it did wait."""
        mine = (c for c in self._waiting() if (c.session, c.says.call_id) == (session, call_id))
        claim = next((c for c in mine if not c.over), None)
        if claim is None:
            return False
        self._drop(claim)
        self._claims.setdefault(claim.key, []).append(replace(claim, over=True))
        self._end(claim, HUNG_UP)
        self._gather(claim.says.group_id, now)
        return True

    def forget(self, session: str, now: float) -> None:
        """Drop the claims of a session that is over."""
        gone = [claim for claim in self._waiting() if claim.session == session]
        for claim in gone:
            self._drop(claim)
        untold = sorted(each for each in self._more if each[1] == session)
        self._more.difference_update(untold)
        groups = (*(group_id for group_id, _ in untold), *(claim.says.group_id for claim in gone))
        for group in dict.fromkeys(groups):
            self._gather(group, now)

    def tick(self, now: float) -> None:
        """End the calls whose other end has not come back."""
        for claim in [c for c in self._waiting() if c.due <= now]:
            self._drop(claim)
            if not claim.over:
                self._end(claim, NETWORK)
            self._gather(claim.says.group_id, now)

    def _move(self, call: Call, mine: Claim) -> None:
        legs = [leg.session for leg in call.legs if leg.session in self._presence.graces]
        lost = next((each for each in legs if self._presence.party(each).raw_id == mine.party.raw_id), None)
        if lost is None or call.state != "up" or mine.mixes or self._passing(call.id):
            self._end(mine, UNKNOWN_CALL)
            return
        self._calls.rebind(call, lost, mine.session)

    def _restore(self, caller: Claim, answerer: Claim, now: float) -> None:
        callee = self._directory.users.get(answerer.raw_id) or User(answerer.raw_id)
        dialled = self._agreed(caller.says.dialled, answerer.says.dialled)
        transferor = self._agreed(caller.says.transferor, answerer.says.transferor)
        path = (dialled.raw_id, callee.raw_id) if dialled else (callee.raw_id,)
        began = max(caller.since, answerer.since)
        call = Call(
            id=caller.key,
            caller=caller.leg,
            sdp="",
            callee=callee,
            placed_at=began,
            plan=Plan(path=path, never=frozenset({caller.leg.party.raw_id})),
            state="up",
            kind="voicemail" if answerer.says.mailbox else "group" if answerer.mixes else "participant",
            answerer=answerer.leg,
            heard=frozenset({caller.session, answerer.session}),
            answered_at=began,
            transferor=as_party(transferor) if transferor else None,
            group=caller.mixes or answerer.mixes,
        )
        for each in (caller, answerer):
            self._names.give(each.session, call.id, each.says.call_id)
        self._calls.restore(call)
        self._regrouping.enter(call, {c.session: c.says for c in (caller, answerer) if not c.mixes}, now)

    def _agreed(self, one: str | None, other: str | None) -> User | None:
        return self._directory.users.get(one) if one is not None and one == other else None

    def _gather(self, group_id: str | None, now: float) -> None:
        """Let a group go on of which no end is to be waited for any more."""
        if group_id is None or any(group_id == each for each, _ in self._more):
            return
        if not any(claim.mixes == group_id and not claim.over for claim in self._waiting()):
            self._regrouping.gathered(group_id, now)

    def _waiting(self) -> Iterator[Claim]:
        return chain(*self._claims.values())

    def _count(self, session: str) -> int:
        return sum(claim.session == session for claim in self._waiting())

    def _drop(self, claim: Claim) -> None:
        rest = [other for other in self._claims.pop(claim.key) if other is not claim]
        if rest:
            self._claims[claim.key] = rest

    def _end(self, claim: Claim, reason: Reason) -> None:
        self._deliver(claim.session, CallEnded(claim.says.call_id, reason))
