"""Who rings next, by the called person's own settings (spec §5). Pure.

`start` says where a call goes first, `after` where it goes when that did not take it.
"""

from collections.abc import Collection
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from signaling.identifiers import identifier_from_raw_id
from signaling.reasons import BUSY, DECLINED, OFFLINE, TOO_MANY_HOPS, UNKNOWN_USER, Reason
from signaling.settings import Destination, ToPerson, ToVoicemail, User

MAX_HOPS = 10
RING_SECONDS = 60.0


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


class Plan(Struct, frozen=True):
    """The way a call has gone so far: raw ids in order, the dialled one first.

    `direct` ignores the settings of those it reaches; `never` are raw ids that must not ring.
    """

    path: tuple[str, ...] = ()
    direct: bool = False
    never: frozenset[str] = frozenset()


class Ring(Struct, frozen=True):
    """Ring all devices of a user for so many seconds."""

    user: User
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


def start(user: User, plan: Plan, directory: Directory, online: Collection[str]) -> Step:
    """Return the first step of a call to `user`."""
    if user.raw_id in plan.path or user.raw_id in plan.never or len(plan.path) > MAX_HOPS:
        return Refuse(TOO_MANY_HOPS)
    plan = replace(plan, path=(*plan.path, user.raw_id))
    settings = user.settings
    if settings.forwarding is not None and not plan.direct:
        return _divert(user, settings.forwarding, OFFLINE, plan, directory, online)
    if user.raw_id not in online:
        return after(user, OFFLINE, plan, directory, online)
    timed = plan.direct or settings.unanswered is not None
    return Ring(user, float(settings.unanswered_delay) if timed else RING_SECONDS, plan)


def after(user: User, reason: Reason, plan: Plan, directory: Directory, online: Collection[str]) -> Step:
    """Return the step that follows when `user` did not take the call for `reason`."""
    rules = user.settings
    rule = rules.declined if reason == DECLINED else rules.busy if reason == BUSY else rules.unanswered
    if rule is None or plan.direct:
        return Refuse(reason)
    return _divert(user, rule, reason, plan, directory, online)


def _divert(
    user: User,
    to: Destination,
    reason: Reason,
    plan: Plan,
    directory: Directory,
    online: Collection[str],
) -> Step:
    match to:
        case ToVoicemail():
            return Deposit(user, reason, plan)
        case ToPerson(identifier):
            person = directory.find(identifier)
            return Refuse(UNKNOWN_USER) if person is None else start(person, plan, directory, online)
        case _:
            assert_never(to)
