"""Calls that outlive the hub: both ends say that one is up, and a hub that began anew takes it on. Pure.

Media is peer to peer, so a call needs no hub to go on. Neither end is believed alone: the claims must name
each other, one as the caller. An end whose lost session cannot be resumed moves its leg to its new one.
"""

from collections.abc import Callable
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from signaling.call import Call, Leg, as_party
from signaling.calls import Calls
from signaling.messages import CallAttach, CallEnded, HubMessage
from signaling.parts import Party
from signaling.presence import Presence
from signaling.reasons import HUNG_UP, NETWORK, UNKNOWN_CALL, Reason
from signaling.routing import Directory, Plan
from signaling.settings import User

ATTACH_SECONDS = 30.0
MAX_CLAIMS = 32
MAX_SERVICE_CLAIMS = 1000


class Claim(Struct, frozen=True):
    """What one end says of a call that is up `since` then; `over` once it has hung up meanwhile."""

    session: str
    party: Party
    says: CallAttach
    since: float
    due: float
    over: bool = False

    @property
    def raw_id(self) -> str:
        """Return whom the other end talks to: voicemail speaks for the owner of the mailbox."""
        return self.says.mailbox or self.party.raw_id

    def matches(self, other: "Claim") -> bool:
        """Tell whether both are the two ends of one call."""
        named = (self.says.remote, other.says.remote) == (other.raw_id, self.raw_id)
        return named and self.says.caller != other.says.caller


class Reattachments:
    """Claims that wait for the other end's."""

    def __init__(
        self,
        calls: Calls,
        presence: Presence,
        directory: Directory,
        deliver: Callable[[str, HubMessage], None],
    ) -> None:
        self._calls = calls
        self._presence = presence
        self._directory = directory
        self._deliver = deliver
        self._claims: dict[str, list[Claim]] = {}

    @property
    def deadline(self) -> float | None:
        """Return when `tick` must be called next."""
        return min((claim.due for claim in chain(*self._claims.values())), default=None)

    def engaged(self, raw_id: str) -> bool:
        """Tell whether a user waits for the other end of a call."""
        return any(c.party.raw_id == raw_id and not c.over for c in chain(*self._claims.values()))

    def claim(self, session: str, says: CallAttach, now: float) -> None:
        """Take what one end says; the call is up again once the other end has said the same."""
        party = self._presence.party(session)
        speaks_for_others = "voicemail" in self._presence.sessions[session].rights
        most = MAX_SERVICE_CLAIMS if speaks_for_others else MAX_CLAIMS
        mine = Claim(session, party, says, now - says.seconds, now + ATTACH_SECONDS)
        call = self._calls.all.get(says.call_id)
        if call is not None:
            self._move(call, mine)
        elif (says.mailbox and not speaks_for_others) or self._count(session) >= most:
            self._end(mine, UNKNOWN_CALL)
        elif other := next((c for c in self._claims.get(says.call_id, ()) if c.matches(mine)), None):
            self._drop(other)
            if other.over:
                self._end(mine, HUNG_UP)
            else:
                self._restore(*((mine, other) if says.caller else (other, mine)))
        else:
            self._claims.setdefault(says.call_id, []).append(mine)

    def withdraw(self, session: str, call_id: str) -> bool:
        """Take note that an end has hung up while it waited; tell whether it did wait."""
        claim = next((c for c in self._claims.get(call_id, ()) if c.session == session and not c.over), None)
        if claim is None:
            return False
        self._drop(claim)
        self._claims.setdefault(call_id, []).append(replace(claim, over=True))
        self._end(claim, HUNG_UP)
        return True

    def forget(self, session: str) -> None:
        """Drop the claims of a session that is over."""
        for claim in [c for c in chain(*self._claims.values()) if c.session == session]:
            self._drop(claim)

    def tick(self, now: float) -> None:
        """End the calls whose other end has not come back."""
        for claim in [c for c in chain(*self._claims.values()) if c.due <= now]:
            self._drop(claim)
            if not claim.over:
                self._end(claim, NETWORK)

    def _move(self, call: Call, mine: Claim) -> None:
        lost = next((leg.session for leg in call.legs if leg.party.raw_id == mine.party.raw_id), None)
        if lost is None or call.state != "up" or lost not in self._presence.graces:
            self._end(mine, UNKNOWN_CALL)
            return
        self._calls.rebind(call, lost, mine.session)

    def _restore(self, caller: Claim, answerer: Claim) -> None:
        callee = self._directory.users.get(answerer.raw_id) or User(answerer.raw_id)
        dialled = self._agreed(caller.says.dialled, answerer.says.dialled)
        transferor = self._agreed(caller.says.transferor, answerer.says.transferor)
        path = (dialled.raw_id, callee.raw_id) if dialled else (callee.raw_id,)
        began = max(caller.since, answerer.since)
        self._calls.restore(
            Call(
                id=caller.says.call_id,
                caller=Leg(caller.session, caller.party),
                sdp="",
                callee=callee,
                placed_at=began,
                plan=Plan(path=path, never=frozenset({caller.party.raw_id})),
                state="up",
                kind="voicemail" if answerer.says.mailbox else "participant",
                answerer=Leg(answerer.session, answerer.party),
                heard=frozenset({caller.session, answerer.session}),
                answered_at=began,
                transferor=as_party(transferor) if transferor else None,
            )
        )

    def _agreed(self, one: str | None, other: str | None) -> User | None:
        return self._directory.users.get(one) if one is not None and one == other else None

    def _count(self, session: str) -> int:
        return sum(claim.session == session for claim in chain(*self._claims.values()))

    def _drop(self, claim: Claim) -> None:
        rest = [other for other in self._claims.pop(claim.says.call_id) if other is not claim]
        if rest:
            self._claims[claim.says.call_id] = rest

    def _end(self, claim: Claim, reason: Reason) -> None:
        self._deliver(claim.session, CallEnded(claim.says.call_id, reason))
