"""Who talks in a call, as events of a softphone."""

from collections.abc import Callable
from typing import Literal

from node.call import Call
from node.commands.event import Event, about, name_of
from node.participant import RemoteParticipant
from node.session import CallState


class Talkers:
    """Tell when one of a group begins to speak and stops, and when this end of any call speaks unheard."""

    def __init__(self, call: Call, tell: Callable[[Event], None]) -> None:
        self._call = call
        self._tell = tell
        self._speaking: list[RemoteParticipant] = []
        for event in ("is_speaking_changed", "remote_participants_updated", "state_changed"):
            call.on(event, self._look)
        call.on("speaking_while_muted_changed", self._muted)

    def _look(self, _: object) -> None:
        if self._call.info.group_id is None or self._call.state is CallState.DISCONNECTED:
            return  # of two, it is the other; that a call is over says enough
        there = self._call.remote_participants
        before, self._speaking = self._speaking, [each for each in there if each.is_speaking]
        for each in self._speaking:
            if each not in before:
                self._say("speaking", each)
        for each in before:
            if each not in self._speaking:
                self._say("stopped-speaking", each)

    def _say(self, event: Literal["speaking", "stopped-speaking"], who: RemoteParticipant) -> None:
        self._tell(Event(event, name_of(who.identifier), who.display_name, self._call.id))

    def _muted(self, _: object) -> None:
        if self._call.is_speaking_while_muted:
            self._tell(about("speaking-while-muted", self._call, message="you are muted, nobody hears you"))
