"""A hub core with named sessions, for the tests of the hub's pure modules."""

import itertools
from typing import Any

from signaling.call import CallRecord
from signaling.hub import Deliver, Drop, Hub, Input, Joined, Left, Lost, Received, Record, Tick, UserChanged
from signaling.messages import (
    CallAnswer,
    CallEnded,
    CallPlace,
    CallUp,
    ClientMessage,
    HubMessage,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import Party, Right, Target
from signaling.settings import Settings, User

FULL: frozenset[Right] = frozenset({"voip", "voip.join", "transfer"})
NO_RULES = Settings(unanswered=None)

Told = list[tuple[str, HubMessage]]


def party(name: str) -> Party:
    return Party(f"8:acs:{name}", name.title(), name)


class Board:
    """One hub, one clock; every session has the name of its user, further devices get their own."""

    def __init__(self, *names: str, settings: Settings = NO_RULES) -> None:
        ids = itertools.count(1)
        self.hub = Hub(lambda: f"n{next(ids)}")
        self.now = 0.0
        self.told: Told = []
        self.records: list[CallRecord] = []
        self.dropped: list[str] = []
        for name in names:
            self.user(name, settings)
            self.join(name)

    def user(self, name: str, settings: Settings = NO_RULES, aliases: tuple[str, ...] = ()) -> None:
        self.feed(UserChanged(User(f"8:acs:{name}", name, name.title(), aliases, settings)))

    def join(self, name: str, session: str = "", rights: frozenset[Right] = FULL) -> None:
        self.feed(Joined(session or name, f"8:acs:{name}", "", rights))

    def voicemail(self, session: str = "vm") -> None:
        self.user(session)
        self.join(session, rights=FULL | {"voicemail"})

    def feed(self, what: Input) -> Told:
        """Give the hub an input and return what it told to whom."""
        told: Told = []
        for output in self.hub.handle(what, self.now):
            match output:
                case Deliver(session, message):
                    told.append((session, message))
                case Drop(session):
                    self.dropped.append(session)
                case Record(record):
                    self.records.append(record)
        self.told += told
        return told

    def say(self, session: str, message: ClientMessage) -> Told:
        return self.feed(Received(session, message))

    def wait(self, seconds: float) -> Told:
        """Let time pass; the hub is woken at each deadline, as a shell does."""
        told: Told = []
        end = self.now + seconds
        while self.hub.deadline is not None and self.hub.deadline <= end:
            self.now = max(self.now, self.hub.deadline)
            told += self.feed(Tick())
        self.now = end
        return told

    def lose(self, session: str) -> Told:
        return self.feed(Lost(session))

    def leave(self, session: str) -> Told:
        return self.feed(Left(session))

    def place(self, caller: str, callee: str, call_id: str = "c1") -> Told:
        return self.say(caller, CallPlace(call_id, callee, f"offer of {caller}"))

    def pick_up(self, session: str, call_id: str = "c1") -> Told:
        """Answer and let both ends hear each other."""
        told = self.say(session, CallAnswer(call_id, f"answer of {session}"))
        for leg in self.hub.calls.all[call_id].legs:
            told += self.say(leg.session, CallUp(call_id))
        return told

    def talk(self, caller: str, callee: str, call_id: str = "c1") -> None:
        """Call and be answered."""
        self.place(caller, callee, call_id)
        self.pick_up(callee, call_id)
        assert self.state(call_id) == "up"

    def state(self, call_id: str) -> str:
        call = self.hub.calls.all.get(call_id)
        return call.state if call else "gone"

    def sessions_in(self, call_id: str) -> set[str]:
        """Return the sessions that have a leg."""
        call = self.hub.calls.all.get(call_id)
        return {leg.session for leg in call.legs} if call else set()

    def ask(
        self, target: Target, transfer_id: str = "t1", call_id: str = "c1", who: str = "ann", **options: Any
    ) -> Told:
        return self.say(who, TransferRequest(transfer_id, call_id, target, **options))

    def updates(self, transfer_id: str = "t1") -> list[TransferUpdate]:
        return [m for _, m in self.told if isinstance(m, TransferUpdate) and m.transfer_id == transfer_id]

    def ends(self, session: str, call_id: str) -> list[CallEnded]:
        """Return every end of a call that a session was told."""
        return [m for s, m in self.told if s == session and isinstance(m, CallEnded) and m.call_id == call_id]

    def empty(self) -> bool:
        """Tell whether no call, transfer or timer is left."""
        return not self.hub.calls.all and not self.hub.transfers.all and self.hub.deadline is None
