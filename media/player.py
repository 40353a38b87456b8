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
    """Repeat one sound, or play one once in its place; the sink is opened for the first, and closed 0.1 s
    after the last.

    A sink that cannot be opened or written is logged, and the sound is not heard. `close` leaves nothing.
    """

    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._repeated: NumpySource | None = None
        self._once: NumpySource | None = None
        self._joined = Joined()
        self._linger = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._played = asyncio.Event()
        self._played.set()

    def repeat(self, samples: Samples | None) -> None:
        """Play int16 mono samples at 48 kHz over and over, after what is played once; None fades them out."""
        self._repeated = None if samples is None else NumpySource(samples, loop=True)
        self._go_on()

    def play(self, samples: Samples | None) -> None:
        """Play int16 mono samples at 48 kHz once, then go on with what repeats; None fades them out."""
        self._once = None if samples is None else NumpySource(samples)
        if samples is not None:
            self._played.clear()
        self._go_on()

    async def played(self) -> None:
        """Return once what is played once has been heard; at once if nothing or only what repeats plays."""
        await self._played.wait()

    def close(self) -> None:
        """Let timer and sink go at once; may be called more than once."""
        if self._timer is not None:
            self._timer.cancel()
        sink, self._sink, self._timer = self._sink, None, None
        self._repeated = self._once = None
        self._played.set()
        try:
            if sink is not None:
                sink.close()
        except Exception:
            _log.exception("the sink of a tone failed to close")

    def _go_on(self) -> None:
        self._linger = _LINGER_FRAMES
        if self._sink is not None or (self._once or self._repeated) is None:
            return
        try:
            self._sink = self._open_sink()
        except Exception:
            _log.exception("a tone cannot be played")
            self.close()
            return
        self._due = asyncio.get_running_loop().time()
        self._tick()

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
        source = self._once or self._repeated
        try:
            sink.write(self._joined.join(source, source.read() if source is not None else SILENCE))
        except Exception:
            _log.exception("the sink of a tone failed")
            self.close()
            return
        if self._once is not None:
            self._linger = _LINGER_FRAMES
            self._once = None if self._once.finished else self._once
            return
        self._linger -= 1
        if self._linger < 0:
            self._played.set()
            if self._repeated is None:
                self.close()
