"""The incoming sound of a peer connection: packets, in any order, to a frame every 20 ms."""

import asyncio
import math
from collections.abc import Callable

from media.audio import FRAME_SECONDS, Frame
from media.playout import HEAD_START, Counters, Playout

GRID = 0.005  # seconds; the receivers of a process wake up at the same moments
MAX_CATCH_UP = 25  # frames made up for after a stall of the loop, so that recordings keep their length
CATCH_UP_SECONDS = 0.002


class Receiver:
    """Play what is received: one frame to `write` every 20 ms from the first decoded packet until closed.

    The frames move by up to 10 ms against an even 20 ms, so that the delay fits the network.
    `first_audio` is called once, before the first frame.
    """

    def __init__(self, write: Callable[[Frame], None], first_audio: Callable[[], None]) -> None:
        self.bytes_received = 0
        self.frames_late = 0
        self.last_packet: float | None = None  # loop time
        self._write = write
        self._first_audio = first_audio
        self._playout = Playout()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.heard = False
        self._playing = False
        self._closed = False

    @property
    def counters(self) -> Counters:
        """Return what was done so far."""
        return self._playout.counters

    def receive(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take one Opus packet from the network, and 32, 16 and 32 bits of its header."""
        if self._closed or not payload:
            return
        now = self._loop.time()
        self.last_packet = now
        self.bytes_received += len(payload)
        if self._timer is None:
            self._due = on_grid(now + HEAD_START)
            self._timer = self._loop.call_at(self._due, self._tick)
        # What a stalled loop reads now has come before, about when the frames that are late were due.
        self._playout.put(ssrc, sequence, timestamp, payload, min(now, self._due))

    def pass_over(self, ssrc: int, sequence: int) -> None:
        """Take note of a packet of the stream that is no sound, as keypad digits are."""
        self._playout.pass_over(ssrc, sequence)

    def finish(self) -> None:
        """Play at once what is held, and then no more; nothing when called from within playing."""
        if self._closed:
            return
        self._stop()
        if self._playing or not self.heard:
            return
        for frame in self._playout.drain(self._loop.time()):
            self._write(frame)

    def close(self) -> None:
        """Stop playing; may be called more than once."""
        self._stop()
        self._playout.close()

    def _stop(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        late = int((now - self._due) / FRAME_SECONDS)
        if late > 0:
            skipped = max(0, late - MAX_CATCH_UP)
            self.frames_late += 1 + skipped
            self._due += skipped * FRAME_SECONDS
        due, self._due = self._due, self._due + FRAME_SECONDS
        try:
            self._play(due if late > 0 else now)
        finally:  # one bad frame must not end the sound of the call
            if not self._closed:
                # After a stall of the loop its sockets get a word in between two frames.
                self._timer = self._loop.call_at(max(self._due, now + CATCH_UP_SECONDS), self._tick)

    def _play(self, now: float) -> None:
        self._playing = True
        try:
            frame = self._playout.frame(now)
            self._due += self._playout.shift()
            if self._playout.decoded and not self.heard:
                self.heard = True
                self._first_audio()
            if self.heard and not self._closed:
                self._write(frame)
        finally:
            self._playing = False


def on_grid(due: float) -> float:
    """Return the next moment of the grid."""
    return math.ceil(due / GRID - 1e-6) * GRID
