"""Ends of calls on their way to another path: asked to offer, offered, answered, heard. Pure.

An end that talks already is kept: it goes on under its call id, by call.renew and call.update, and stays on
the path it has until it is told to go over. An end of a mixer is fresh: it places a call, or is called.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from signaling.call import ice_user
from signaling.calls import Calls
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallCandidate,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallPlace,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    HubMessage,
    MixerPlace,
)
from signaling.parts import Outcome, Party
from signaling.reasons import Reason

PASSAGE_SECONDS = 8.0


class End(Struct, frozen=True):
    """One end: its session, who that is, and the call it is in, or is to be in if it is fresh."""

    session: str
    party: Party
    call: str
    fresh: bool = False


class Passage(Struct, frozen=True):
    """Two ends that are to be one call.

    `before` is how many answers the answering end owes to offers of the call that it is in, `void` how many
    to offers that another one has taken the place of.
    """

    group: str
    offerer: End
    answerer: End
    deadline: float
    stage: Literal["asked", "offered", "answered"] = "asked"
    path: str = ""
    before: int = 0
    void: int = 0
    up: frozenset[str] = frozenset()
    failed: bool = False

    @property
    def ends(self) -> tuple[End, End]:
        """Return both ends."""
        return self.offerer, self.answerer

    @property
    def kept(self) -> tuple[End, ...]:
        """Return the ends that talk already."""
        return tuple(end for end in self.ends if not end.fresh)

    @property
    def fresh(self) -> End | None:
        """Return the end of the mixer, None between two people."""
        return next((end for end in self.ends if end.fresh), None)

    @property
    def arrived(self) -> bool:
        """Tell whether the mixer hears the other end, or both people each other."""
        wanted = {self.fresh.session} if self.fresh else {end.session for end in self.ends}
        return wanted <= self.up


class Passages:
    """All that are under way."""

    def __init__(self, calls: Calls, deliver: Callable[[str, HubMessage], None]) -> None:
        self.all: list[Passage] = []
        self._calls = calls
        self._deliver = deliver

    @property
    def deadline(self) -> float | None:
        """Return when the first of them is due."""
        return min((passage.deadline for passage in self.all), default=None)

    def of(self, group: str) -> list[Passage]:
        """Return the passages of a group call."""
        return [passage for passage in self.all if passage.group == group]

    def concern(self, call_id: str) -> bool:
        """Tell whether an end is on its way elsewhere from a call."""
        return any(end.call == call_id for passage in self.all for end in passage.ends)

    def begin(self, group: str, offerer: End, answerer: End, now: float) -> None:
        """Ask the offering end for its offer."""
        self.all.append(Passage(group, offerer, answerer, now + PASSAGE_SECONDS))
        if offerer.fresh:
            self._deliver(offerer.session, MixerPlace(offerer.call, group, answerer.party))
        else:
            self._deliver(offerer.session, CallRenew(offerer.call, anew=True))

    def finish(self, passage: Passage) -> None:
        """Forget a passage that has arrived."""
        self.all.remove(passage)

    def abort(self, passage: Passage, reason: Reason) -> None:
        """Give a passage up: the mixer lets go, and who waits for an answer offers anew, elsewhere."""
        self.all.remove(passage)
        if fresh := passage.fresh:
            self._deliver(fresh.session, CallEnded(fresh.call, reason))
        if (
            not passage.offerer.fresh
            and passage.stage == "offered"
            and passage.offerer.call in self._calls.all
        ):
            self._deliver(passage.offerer.session, CallRenew(passage.offerer.call, anew=True))

    def handle(self, session: str, message: ClientMessage) -> str | None:
        """Take a message that belongs to a passage, and return of which group; None for any other."""
        call_id = getattr(message, "call_id", None)
        for passage in self.all:
            for end, other in (passage.ends, passage.ends[::-1]):
                if (end.session, end.call) == (session, call_id):
                    after = self._handle(passage, end, other, message)
                    if after is None:
                        return None
                    self.all[self.all.index(passage)] = after
                    return None if after.before < passage.before else passage.group
        return None

    def _handle(self, passage: Passage, end: End, other: End, message: ClientMessage) -> Passage | None:
        """Return what a message makes of a passage, None if it is not of it."""
        asked = passage.stage == "asked"
        match message:
            case CallPlace(sdp=sdp) if end.fresh:
                return self._offered(passage, sdp)
            case CallUpdate(kind="offer", sdp=sdp) if end is passage.offerer and not end.fresh:
                is_new = self._calls.is_new(self._calls.all[end.call], sdp)
                return self._offered(passage, sdp) if is_new else None
            case CallAnswer(sdp=sdp) if end.fresh:
                return self._answered(passage, sdp)
            case CallUpdate(kind="answer", sdp=sdp) if end is passage.answerer and not asked:
                if passage.before:
                    return replace(passage, before=passage.before - 1)
                return self._answered(passage, sdp) if passage.stage == "offered" else None
            case CallUp() if not asked:
                return replace(passage, up=passage.up | {end.session})
            case CallCandidate() if not asked:
                self._deliver(other.session, replace(message, call_id=other.call, seq=0))
                return passage
            case CallRenew():
                return passage  # another path is on its way
            case CallEnd() if end.fresh:
                return replace(passage, failed=True)
            case CallRinging() | CallHold() if end.fresh:
                return passage
            case _:
                return None

    def _offered(self, passage: Passage, sdp: str) -> Passage:
        one, two = passage.ends
        again = passage.stage == "offered"
        owed = 0 if two.fresh else self._calls.all[two.call].owed
        if two.fresh and passage.stage == "asked":
            self._deliver(two.session, CallIncoming(two.call, one.party, sdp, group_id=passage.group))
        else:
            self._deliver(two.session, CallUpdate(two.call, "offer", sdp))
        before, void = (passage.before, passage.void + 1) if again else (owed, 0)
        path = ice_user(sdp)
        up: frozenset[str] = passage.up if path == passage.path else frozenset()
        return replace(passage, stage="offered", path=path, before=before, void=void, up=up)

    def _answered(self, passage: Passage, sdp: str) -> Passage:
        one, two = passage.ends
        if passage.void:
            return replace(passage, void=passage.void - 1)
        if one.fresh:
            self._deliver(one.session, CallAnswered(one.call, sdp, Outcome("participant", two.party)))
        else:
            self._deliver(one.session, CallUpdate(one.call, "answer", sdp))
        return replace(passage, stage="answered")
