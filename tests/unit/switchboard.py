"""Calls and their ringing on one board, for their unit tests: ann calls from device a."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from signaling.call import Call, CallRecord, Leg, as_party
from signaling.calls import Calls
from signaling.messages import CallAnswer, CallCandidate, CallIncoming, HubMessage
from signaling.parts import Candidate, Party, Progress
from signaling.presence import Presence, Session
from signaling.reasons import REPLACED, Reason
from signaling.ringing import Ringing
from signaling.routing import Directory, Plan
from signaling.settings import Settings, User

Told = list[tuple[str, HubMessage]]


@dataclass
class Switchboard:
    """Calls and their ringing with their presence, their directory, and everything they tell."""

    presence: Presence = field(default_factory=Presence)
    directory: Directory = field(default_factory=Directory)
    told: Told = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)
    watched: list[tuple[str, str]] = field(default_factory=list)
    attaching: set[str] = field(default_factory=set)
    ends: dict[str, str] = field(default_factory=dict)  # the end of a call makes the watcher end another

    def __post_init__(self) -> None:
        self.calls = Calls(self.presence, self.tell, self.records.append)
        self.calls.watchers = (self,)
        engaged = self.attaching.__contains__
        self.ringing = Ringing(self.calls, self.presence, self.directory, self.tell, engaged)
        self.user("ann", "a")

    def tell(self, session: str, message: HubMessage) -> None:
        self.told.append((session, message))

    def progressed(self, call: Call, progress: Progress) -> None:
        self.watched.append((call.id, progress))

    def answered(self, call: Call, now: float) -> None:
        self.watched.append((call.id, "answered"))

    def connected(self, call: Call, now: float) -> None:
        self.watched.append((call.id, "connected"))

    def moved(self, call: Call, old: str, new: str) -> None:
        self.watched.append((call.id, f"moved {old} to {new}"))

    def ended(self, call: Call, reason: Reason, by: str | None, now: float) -> None:
        self.watched.append((call.id, f"ended {reason.code}/{reason.sub_code} by {by}"))
        if call.id in self.ends:
            self.calls.end(self.ends[call.id], REPLACED, now)

    def user(self, name: str, *devices: str, **rules: Any) -> User:
        """Add a user with these devices online."""
        settings = Settings(**{"unanswered": None, **rules})
        user = User(f"8:acs:{name}", name, name.title(), (), settings)
        self.directory.put(user)
        for device in devices:
            self.presence.put(device, Session(as_party(user), frozenset({"voip"})))
        return user

    def voicemail(self, session: str) -> None:
        party = Party(f"8:acs:{session}", name=session)
        self.presence.put(session, Session(party, frozenset({"voip", "voicemail"})))

    def call(self, callee: User, call_id: str = "c1", **fields: Any) -> Call:
        ann = self.directory.users["8:acs:ann"]
        caller = Leg("a", as_party(ann))
        values = {"plan": Plan(never=frozenset({"8:acs:ann"})), **fields}
        return Call(id=call_id, caller=caller, sdp="offer", callee=callee, placed_at=0.0, **values)

    def now(self, call_id: str = "c1") -> Call:
        """Return the call as it is now."""
        return self.calls.all[call_id]

    def place(self, callee: User, call_id: str = "c1") -> Told:
        return self.hear(lambda: self.ringing.place(self.call(callee, call_id), 0.0))

    def answer(self, session: str, at: float = 1.0, call_id: str = "c1") -> Told:
        return self.hear(
            lambda: self.ringing.answer(self.now(call_id), session, CallAnswer(call_id, "sdp"), at)
        )

    def hear(self, act: Callable[[], object]) -> Told:
        """Return what an action makes the calls tell."""
        before = len(self.told)
        act()
        return self.told[before:]

    def tick(self, now: float) -> Told:
        def tick() -> None:
            self.ringing.tick(now)
            self.calls.tick(now)

        return self.hear(tick)

    def heard(self, session: str) -> Told:
        return self.hear(lambda: self.calls.hear(self.now(), session, 1.0))

    def trickle(self, session: str, number: int) -> Told:
        message = CallCandidate("c1", Candidate(f"candidate:{number}"), seq=number)
        return self.hear(lambda: self.calls.candidate(self.now(), session, message))

    def refuse(self, session: str, reason: Reason) -> Told:
        return self.hear(lambda: self.ringing.refuse(self.now(), session, reason, 1.0))


def rings(told: Told) -> list[str]:
    """Return the sessions that were told to ring, in order."""
    return [session for session, message in told if isinstance(message, CallIncoming)]
