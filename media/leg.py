"""One call in the engine: its ends, its paths, and what is to be done with it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from media.ends import Ends
from media.orders import AddCandidate, Order
from media.peer import Peer
from media.shared import Shared
from media.stats import Stats

_log = logging.getLogger("callnode.media")

_MAX_EARLY_CANDIDATES = 64


class Leg:
    """A call as the engine sees it."""

    def __init__(self, call_id: str, ends: Ends) -> None:
        self.call_id = call_id
        self.ends = ends
        self.said = Shared(ends.read)
        self.peer: Peer | None = None
        self.next: Peer | None = None  # is to take the place of `peer`
        self.may_go_over = False  # although `peer` is not lost
        self.former = Stats()  # of the paths that had the place of `peer`
        self.before: Peer | None = None  # had the place of `peer`, and lingers
        self.linger: asyncio.TimerHandle | None = None
        self.settling: asyncio.TimerHandle | None = None
        self.orders: deque[Order] = deque()
        self.working = False
        self.audio_up = False
        self.takes_over: str | None = None  # the call whose ends it is to get
        self.took_over: str | None = None  # the call whose ends it got
        self.early: list[AddCandidate] = []

    def settle(self, seconds: float, go_over: Callable[["Leg"], object]) -> None:
        """Let the newest path take the place of the one before, after a while."""

        def may(path: Peer) -> None:
            if self.next is path:
                self.may_go_over = True
                go_over(self)

        if self.settling is not None:
            self.settling.cancel()
        if self.next is not None:
            self.settling = asyncio.get_running_loop().call_later(seconds, may, self.next)

    def stop_timers(self) -> None:
        """Let nothing happen any more."""
        for timer in (self.linger, self.settling):
            if timer is not None:
                timer.cancel()

    @property
    def opened(self) -> Peer:
        """Return the path that is heard; raises ValueError if there is none."""
        if self.peer is None:
            raise ValueError("the call has no peer connection")
        return self.peer

    @property
    def newest(self) -> Peer:
        """Return the path that was made last."""
        return self.next or self.opened

    async def add_candidate(self, order: AddCandidate) -> None:
        """Add a candidate to the newest path, or keep it until that is described."""
        peer = self.next or self.peer
        if peer is not None and peer.described:
            await peer.add_candidate(order.candidate, order.sdp_mid, order.sdp_mline_index)
        elif len(self.early) < _MAX_EARLY_CANDIDATES:
            self.early.append(order)

    async def add_early_candidates(self) -> None:
        """Add those that were kept."""
        early, self.early = self.early, []
        for order in early:
            try:
                await self.add_candidate(order)
            except Exception as error:
                _log.warning("an unusable candidate is ignored, call %s: %s", self.call_id, error)
