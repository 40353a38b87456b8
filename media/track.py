"""The one permanent outgoing track of a peer connection: reads, encodes, keeps the time.

It hands aiortc ready Opus packets, which spares aiortc's own encoder, resampler, level meter and threads.
"""

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.packet import Packet

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame
from media.opus import Encoder

_TIME_BASE = Fraction(1, SAMPLE_RATE)


class OutgoingTrack(MediaStreamTrack):
    """Ask for a frame every 20 ms on the loop's clock; what is late is skipped, never sent in a burst."""

    kind = "audio"

    def __init__(self, read: Callable[[], Frame]) -> None:
        super().__init__()
        self.frames_late = 0
        self._read = read
        self._encoder = Encoder()
        self._due: float | None = None
        self._timestamp = 0
        self._wake = asyncio.Event()
        self._finishing = False

    async def recv(self) -> "Packet[Any]":
        """Return the next packet when it is due. Raises MediaStreamError once finished or stopped."""
        await self._wait()
        if self.readyState != "live":
            raise MediaStreamError
        if self._finishing:
            super().stop()
        packet: Packet[Any] = Packet(self._encoder.encode(self._read()))
        packet.pts = self._timestamp
        packet.time_base = _TIME_BASE
        self._timestamp += FRAME_SAMPLES
        return packet

    def finish(self) -> None:
        """Return one packet more at once, the last: it brings the 6.5 ms that the encoder looks ahead."""
        self._finishing = True
        self._wake.set()

    def stop(self) -> None:
        """End the track and free its encoder."""
        super().stop()
        self._encoder.close()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._due is None:
            self._due = now
            return
        self._due += FRAME_SECONDS
        if self._due > now and not self._finishing:
            self._wake.clear()
            timer = loop.call_at(self._due, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        missed = int((now - self._due) / FRAME_SECONDS)
        if missed > 0:
            self.frames_late += missed
            self._due += missed * FRAME_SECONDS
            self._timestamp += missed * FRAME_SAMPLES
