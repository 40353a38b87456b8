"""Sounds of the telephone itself on a device: samples to a sink, in real time, on the event loop."""

import asyncio
import logging
from collections.abc import Callable

from media.audio import FRAME_SECONDS, SILENCE, Sink
from media.fades import Joined
from media.source import NumpySource
from media.tones import Samples

_log = logging.getLogger("callnode.media")

_LINGER_FRAMES = 5  # of silence before the sink is closed: what was written before is heard to its end
_MOST_AT_ONCE = 5  # frames after a stall of the loop; what is later is skipped


class Player:
    """Play one sound at a time; the sink is opened for the first, and closed 0.1 s after the last.

    A sink that cannot be opened or written is logged, and the sound is not heard. `close` leaves nothing.
    """

    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._source: NumpySource | None = None
        self._joined = Joined()
        self._linger = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._played = asyncio.Event()
        self._played.set()

    def play(self, samples: Samples, *, loop: bool = True) -> None:
        """Play int16 mono samples at 48 kHz from now on, over and over or once, instead of what plays."""
        self._source = NumpySource(samples, loop=loop)
        if loop:
            self._played.set()
        else:
            self._played.clear()
        self._linger = _LINGER_FRAMES
        if self._sink is not None:
            return
        try:
            self._sink = self._open_sink()
        except Exception:
            _log.exception("a tone cannot be played")
            self.close()
            return
        self._due = asyncio.get_running_loop().time()
        self._tick()

    def stop(self) -> None:
        """Fade out what plays, within 5 ms."""
        self._source = None

    async def played(self) -> None:
        """Return once what is played once has been heard; at once if nothing or something endless plays."""
        await self._played.wait()

    def close(self) -> None:
        """Let timer and sink go at once; may be called more than once."""
        if self._timer is not None:
            self._timer.cancel()
        sink, self._sink, self._timer, self._source = self._sink, None, None, None
        self._played.set()
        try:
            if sink is not None:
                sink.close()
        except Exception:
            _log.exception("the sink of a tone failed to close")

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._due = max(self._due, now - _MOST_AT_ONCE * FRAME_SECONDS)
        while self._sink is not None and self._due <= now:
            self._due += FRAME_SECONDS
            self._write(self._sink)
        if self._sink is not None:
            self._timer = loop.call_at(self._due, self._tick)

    def _write(self, sink: Sink) -> None:
        source = self._source
        try:
            sink.write(self._joined.join(source, source.read() if source is not None else SILENCE))
        except Exception:
            _log.exception("the sink of a tone failed")
            self.close()
            return
        if source is not None and not source.finished:
            self._linger = _LINGER_FRAMES
            return
        self._source = None
        self._linger -= 1
        if self._linger < 0:
            self.close()
