"""One phone of the world: what its user has seen, and what it is connected to."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from node.exchange import CallNews, Input, News, RingNews, TransferNews
from node.phone import Phone
from node.session import CallState, Session
from signaling.messages import TransferUpdate
from signaling.parts import Right
from signaling.reasons import Reason

FULL: frozenset[Right] = frozenset({"voip", "voip.join", "transfer"})


Place: TypeAlias = tuple[str, str, int]  # agent, call, path


@dataclass
class Peer:
    """One end of a modelled path."""

    serial: int
    remote: Place | None = None
    heard: bool = False
    may: bool = False  # take the place of the one before
    silent: bool = False  # lost
    held: bool = False
    closed: bool = False


@dataclass
class Ends:
    """Where the mouth and ears of a call are, as `media.ends` has it."""

    held: tuple[bool, bool] = (False, False)  # here, there
    muted: tuple[bool, bool] = (False, False)  # what is said, what is heard
    voice: bool = True  # the user is at this call
    heard: bool = False
    takes_over: str | None = None
    took_over: str | None = None


@dataclass
class Agent:
    """A phone, its modelled media, and what its application has seen."""

    name: str
    user: str
    session: str
    phone: Phone
    rights: frozenset[Right] = FULL
    alive: bool = True
    linked: bool = True
    peers: dict[str, Peer] = field(default_factory=dict)
    nexts: dict[str, Peer] = field(default_factory=dict)
    lingering: list[Peer] = field(default_factory=list)
    ends: dict[str, Ends] = field(default_factory=dict)
    due: float | None = None  # when the phone wants to be woken
    did: list[Input] = field(default_factory=list)
    anew: list[int] = field(default_factory=list)  # where in the news a new session began
    news: list[News] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)
    on_ring: Callable[[Session], None] | None = None

    def reasons(self) -> dict[str, Reason | None]:
        """Return the end reason of every call that is over."""
        return {
            n.call.id: n.call.end_reason
            for n in self.news
            if isinstance(n, CallNews) and n.call.state is CallState.DISCONNECTED
        }

    def transfer(self, transfer_id: str) -> TransferUpdate:
        """Return the last update of a transfer."""
        return [
            n.update for n in self.news if isinstance(n, TransferNews) and n.update.transfer_id == transfer_id
        ][-1]

    def states(self, call_id: str) -> list[CallState]:
        """Return the states of a call in order, without repeats."""
        seen = [n.call.state for n in self.news if isinstance(n, CallNews) and n.call.id == call_id]
        return [state for state, _ in itertools.groupby(seen)]

    def rings(self) -> list[Session]:
        """Return every call that has rung here."""
        return [n.call for n in self.news if isinstance(n, RingNews)]

    def connected(self) -> list[str]:
        """Return the calls that are up."""
        return sorted(c.id for c in self.phone.calls.values() if c.up and c.live)
