"""Who rings next, by the called person's own settings (spec §5). Pure.

`start` says where a call goes first, `after` where it goes when those who rang did not take it. The rules
are always those of one user, the callee; members of a group and companions only ring along.
"""

from collections.abc import Callable, Collection, Iterable
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from signaling.identifiers import identifier_from_raw_id
from signaling.reasons import (
    BUSY,
    DECLINED,
    DO_NOT_DISTURB,
    NO_ANSWER,
    OFFLINE,
    TOO_MANY_HOPS,
    UNKNOWN_USER,
    Diversion,
    Reason,
)
from signaling.settings import Companion, Destination, Settings, ToGroup, ToPerson, ToVoicemail, User

MAX_HOPS = 10
RING_SECONDS = 60.0

_DIVERSIONS: dict[Reason, Diversion] = {
    NO_ANSWER: "no-answer",
    OFFLINE: "unavailable",
    DECLINED: "deflection",
    BUSY: "user-busy",
    DO_NOT_DISTURB: "do-not-disturb",
}


class Directory:
    """All users, found by raw id, number, orgid or short name."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self._names: dict[str, str] = {}

    def put(self, user: User) -> None:
        """Add a user, or replace the one with the same raw id."""
        self.remove(user.raw_id)
        self.users[user.raw_id] = user
        for name in (user.name, *user.aliases):
            if name:
                self._names[identifier_from_raw_id(name).raw_id.lower()] = user.raw_id

    def remove(self, raw_id: str) -> None:
        """Forget a user and every name of it."""
        if self.users.pop(raw_id, None) is not None:
            self._names = {name: owner for name, owner in self._names.items() if owner != raw_id}

    def find(self, text: str) -> User | None:
        """Return the user that a raw id, number, orgid or short name stands for."""
        key = identifier_from_raw_id(text.strip()).raw_id
        return self.users.get(key) or self.users.get(self._names.get(key.lower(), ""))


class Situation(Struct, frozen=True):
    """What routing must know of the moment: who there is, who is online, and who can take no more calls."""

    directory: Directory
    online: Collection[str]
    busy: Callable[[User], bool]


class Plan(Struct, frozen=True):
    """The way a call has gone so far: raw ids in order, the dialled one first.

    `direct` ignores the forwards of those it reaches; `never` are raw ids that must not ring, `rung` those
    that have and do not again. `groups` are the owners of the groups that have rung, `queue` those of the
    last one whose turn has not come, each for `turn` seconds. `diverted_for` is why it was last sent on.
    """

    path: tuple[str, ...] = ()
    direct: bool = False
    never: frozenset[str] = frozenset()
    rung: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    turn: float = 0.0
    diverted_for: Diversion | None = None


class Ring(Struct, frozen=True):
    """Ring all devices of these users for so many seconds; the callee's rules decide what follows."""

    callee: User
    users: tuple[User, ...]
    seconds: float
    plan: Plan


class Deposit(Struct, frozen=True):
    """Let voicemail answer for `owner`; without a voicemail service the call ends with `otherwise`."""

    owner: User
    otherwise: Reason
    plan: Plan


class Refuse(Struct, frozen=True):
    """End the call."""

    reason: Reason


Step = Ring | Deposit | Refuse


def start(user: User, plan: Plan, now: Situation) -> Step:
    """Return the first step of a call to `user`."""
    if user.raw_id in plan.path or user.raw_id in plan.never or len(plan.path) > MAX_HOPS:
        return Refuse(TOO_MANY_HOPS)
    plan = replace(plan, path=(*plan.path, user.raw_id))
    rules = user.settings
    if rules.forwarding is not None and not plan.direct:
        return _divert(user, rules.forwarding, OFFLINE, replace(plan, diverted_for="unconditional"), now)
    if rules.do_not_disturb:
        return after(user, DO_NOT_DISTURB, plan, now)
    if user.raw_id in plan.rung:
        return after(user, NO_ANSWER, plan, now)
    beside = () if plan.direct else _companions(user, rules.simultaneous, plan, now.directory)
    ringing = _free((user, *beside), now)
    if not ringing:
        return after(user, BUSY if user.raw_id in now.online else OFFLINE, plan, now)
    timed = plan.direct or rules.unanswered is not None
    return _ring(user, ringing, float(rules.unanswered_delay) if timed else RING_SECONDS, plan)


def after(user: User, reason: Reason, plan: Plan, now: Situation) -> Step:
    """Return the step that follows when nobody who rang for `user` took the call, the last for `reason`."""
    if plan.queue:
        return _next_in_order(user, reason, plan, now)
    rule = _rule(user.settings, reason)
    if rule is None or plan.direct:
        return Refuse(reason)
    return _divert(user, rule, reason, replace(plan, diverted_for=_DIVERSIONS[reason]), now)


def _rule(rules: Settings, reason: Reason) -> Destination | None:
    if reason == DO_NOT_DISTURB and rules.do_not_disturb_to != "unanswered":
        return rules.do_not_disturb_to
    return rules.declined if reason == DECLINED else rules.busy if reason == BUSY else rules.unanswered


def _divert(user: User, to: Destination, reason: Reason, plan: Plan, now: Situation) -> Step:
    match to:
        case ToVoicemail():
            return Deposit(user, reason, plan)
        case ToPerson(identifier):
            person = now.directory.find(identifier)
            return Refuse(UNKNOWN_USER) if person is None else start(person, plan, now)
        case ToGroup():
            return _ring_group(user, to, reason, plan, now)
        case _:
            assert_never(to)


def _ring_group(user: User, to: ToGroup, reason: Reason, plan: Plan, now: Situation) -> Step:
    """Ring a group; one that has rung before is not there to ring again."""
    owner = _owner(user, to, now.directory)
    group = owner.settings.group if owner is not None else None
    if owner is None or group is None or owner.raw_id in plan.groups:
        return Refuse(UNKNOWN_USER if group is None else reason)
    plan = replace(plan, groups=(*plan.groups, owner.raw_id), turn=float(group.delay))
    members = _others(user, group.members, plan, now.directory)
    taken = BUSY if any(member.raw_id in now.online for member in members) else OFFLINE
    if group.order == "in_order":
        queue = tuple(member.raw_id for member in members)
        return _next_in_order(user, taken, replace(plan, queue=queue), now)
    ringing = _free(members, now)
    return _ring(user, ringing, plan.turn, plan) if ringing else after(user, taken, plan, now)


def _next_in_order(user: User, reason: Reason, plan: Plan, now: Situation) -> Step:
    queue = [now.directory.users[raw_id] for raw_id in plan.queue if raw_id in now.directory.users]
    while queue:
        ringing = _free((queue.pop(0),), now)
        if ringing:
            rest = tuple(member.raw_id for member in queue)
            return _ring(user, ringing, plan.turn, replace(plan, queue=rest))
    return after(user, reason, replace(plan, queue=()), now)


def _ring(callee: User, users: tuple[User, ...], seconds: float, plan: Plan) -> Ring:
    rung = plan.rung.union(user.raw_id for user in users)
    return Ring(callee, users, seconds, replace(plan, rung=rung))


def _companions(user: User, to: Companion | None, plan: Plan, directory: Directory) -> tuple[User, ...]:
    """Return those who ring along with a user, a group always together."""
    if to is None:
        return ()
    if isinstance(to, ToPerson):
        return _others(user, (to.identifier,), plan, directory)
    owner = _owner(user, to, directory)
    group = owner.settings.group if owner is not None else None
    return _others(user, group.members, plan, directory) if group is not None else ()


def _owner(user: User, to: ToGroup, directory: Directory) -> User | None:
    return user if to.identifier is None else directory.find(to.identifier)


def _others(user: User, names: Iterable[str], plan: Plan, directory: Directory) -> tuple[User, ...]:
    """Return the users of these names that may ring besides `user`, each once."""
    found = {person.raw_id: person for name in names if (person := directory.find(name)) is not None}
    barred = {user.raw_id, *plan.path, *plan.never, *plan.rung}
    return tuple(person for raw_id, person in found.items() if raw_id not in barred)


def _free(users: Iterable[User], now: Situation) -> tuple[User, ...]:
    """Return those of the users at whom a call can ring."""
    return tuple(
        user
        for user in users
        if user.raw_id in now.online and not user.settings.do_not_disturb and not now.busy(user)
    )
