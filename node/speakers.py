"""Who speaks most (ACS DominantSpeakers)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from node.feature import CallFeature
from signaling.identifiers import Identifier

if TYPE_CHECKING:
    from node.call import Call


class DominantSpeakersInfo(Struct, frozen=True):
    """The event `dominant_speakers_changed`: who of the others has spoken, the last first, since when."""

    speakers_list: tuple[Identifier, ...]
    timestamp: datetime


class DominantSpeakersFeature(CallFeature):
    """Follow who speaks; told by `dominant_speakers_changed` whenever somebody else begins to."""

    EVENTS = ("dominant_speakers_changed",)

    def __init__(self, call: "Call") -> None:
        super().__init__(call)
        self.dominant_speakers = DominantSpeakersInfo((), datetime.now(UTC))
        self._speaking: list[Identifier] = []
        for event in _EVENTS:
            call.on(event, self._look)
        self._look()

    def dispose(self) -> None:
        """Follow no more."""
        for event in _EVENTS:
            self._call.off(event, self._look)

    def _look(self, _: object = None) -> None:
        there = self._call.remote_participants
        now = [each.identifier.identifier for each in there if each.is_speaking]
        begun, self._speaking = [each for each in now if each not in self._speaking], now
        present = {each.identifier.identifier for each in there}
        before = self.dominant_speakers.speakers_list
        speakers = (*begun, *(each for each in before if each in present and each not in begun))
        if speakers != before:
            self.dominant_speakers = DominantSpeakersInfo(speakers, datetime.now(UTC))
            self._emit("dominant_speakers_changed", self.dominant_speakers)


_EVENTS = ("is_speaking_changed", "remote_participants_updated")
