"""One group call at its mixer: everybody hears all the others, and who talks is told."""

import asyncio
from collections.abc import Callable

from media.mixer import Mixer, Party
from node.call import Call, DtmfReceived
from node.session import CallState

TELL_SECONDS = 0.3
"""Between two tellings of who talks."""


class Conference:
    """The calls of one group; `tell` is given the ids of those that somebody talks in, the dominant first."""

    def __init__(self, tell: Callable[[tuple[str, ...]], None]) -> None:
        self.calls: dict[str, Call] = {}
        self._parties: dict[str, Party] = {}
        self._mixer = Mixer(self._changed)
        self._tell = tell
        self._told: tuple[str, ...] = ()
        self._timer: asyncio.TimerHandle | None = None

    def party(self, call_id: str) -> Party:
        """Return what a call is to say into the group and hear of it, from now on."""
        party = self._parties[call_id] = self._mixer.join()
        return party

    def enter(self, call: Call) -> None:
        """Take in a call whose party is there; its keys reach all the others."""
        self.calls[call.id] = call
        call.on("dtmf_received", lambda event: self._press(call, event))

    def leave(self, call_id: str) -> None:
        """Take a call out, and all that is left if it was the last."""
        self.calls.pop(call_id, None)
        party = self._parties.pop(call_id, None)
        if party is not None:
            party.leave()
        if not self._parties and self._timer is not None:
            self._timer.cancel()

    @property
    def empty(self) -> bool:
        """Tell whether nobody is there."""
        return not self._parties

    async def _press(self, by: Call, event: DtmfReceived) -> None:
        for call in list(self.calls.values()):
            if call is not by and call.state is CallState.CONNECTED:
                await call.send_dtmf(event.digit)

    def _changed(self) -> None:
        if self._timer is None:
            self._look()

    def _look(self) -> None:
        """Tell who talks, and no more than that for a while."""
        self._timer = None
        named = {party: call_id for call_id, party in self._parties.items()}
        talking = tuple(named[party] for party in self._mixer.speakers if party in named)
        if talking != self._told:
            self._told = talking
            self._tell(talking)
            self._timer = asyncio.get_running_loop().call_later(TELL_SECONDS, self._look)
