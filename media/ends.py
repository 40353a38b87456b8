"""The two ends of a call's sound: the Source it says and the Sink that hears it, swappable and faultless.

A Source or Sink that raises is logged once and let go. Where one sound takes over from another, in the middle
of a wave, they are cross-faded over 5 ms.
"""

import logging
from collections.abc import Callable

import numpy as np

from media.audio import FRAME_SAMPLES, SILENCE, Frame, Sink, Source
from media.fades import Joined
from media.mixer import Gain
from media.talking import Talking

_log = logging.getLogger("callnode.media")


class Ends:
    """What a call is attached to, before, during and between its peer connections.

    While this end alone holds, `hold_audio` is opened and said; while the other alone holds, what it says
    is heard, and nothing is said; while both hold, there is silence. `speaking` is told whether the other
    end talks, `speaking_while_muted` whether this end talks although muted.
    """

    def __init__(
        self,
        hold_audio: Callable[[], Source] | None = None,
        speaking: Callable[[bool], None] = lambda on: None,
        speaking_while_muted: Callable[[bool], None] = lambda on: None,
    ) -> None:
        self.source: Source | None = None
        self.sink: Sink | None = None
        self.local_hold = False
        self.remote_hold = False
        self.quiet = False  # while this end holds, rather than its hold audio
        self.muted = False
        self.incoming_muted = False
        self.waiting = False  # until it takes another call's place: says nothing, hears nothing
        self.outgoing = Gain()
        self.incoming = Gain()
        self._hold_audio = hold_audio
        self._held_hear: Source | None = None
        self._said = Joined()
        self._heard = Joined()
        self._here = Talking()
        self._there = Talking()
        self._speaking = speaking
        self._speaking_while_muted = speaking_while_muted
        self._told = False  # that somebody speaks while muted

    @property
    def held(self) -> bool:
        """Return whether either end holds."""
        return self.local_hold or self.remote_hold

    def read(self) -> Frame:
        """Return the next frame to say; what is muted or held is read on, so that it stays current."""
        if self.waiting:
            return self._said.join(None, SILENCE)
        source, frame = self._own()
        if self.local_hold and not self.remote_hold and not self.quiet:
            return self._said.join(*self._hold())
        self._end_hold()
        if self.muted or self.held:
            source, frame = None, SILENCE
        return self._said.join(source, frame)

    def write(self, frame: Frame, path: object) -> None:
        """Let the sink hear a frame of a path, or silence in its place while holding or muted."""
        if self.waiting:
            return
        if self._there.rest() if self.held else self._there.hear(frame):
            self._speaking(self._there.speaking)
        sink = self.sink
        if sink is None:
            return
        deaf = self.local_hold or self.incoming_muted
        heard = SILENCE if deaf else self.incoming.apply(frame)
        try:
            sink.write(self._heard.join(None if deaf else path, heard))
        except Exception:
            _log.exception("sink failed and is replaced by none: %s", type(sink).__name__)
            self.set_sink(None)

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Let the sink have an Opus packet as it arrived, if it takes packets, unless held or muted."""
        sink = self.sink
        take = getattr(sink, "packet", None)
        if take is None or self.waiting or self.held or self.incoming_muted:
            return
        try:
            take(ssrc, sequence, timestamp, payload)
        except Exception:
            _log.exception("sink failed and is replaced by none: %s", type(sink).__name__)
            self.set_sink(None)

    def set_source(self, source: Source | None) -> None:
        """Say another source from the next frame on; the one before is closed."""
        before, self.source = self.source, source
        if before is not source:
            _close(before)

    def set_sink(self, sink: Sink | None) -> None:
        """Let another sink hear from the next frame on; the one before is closed."""
        before, self.sink = self.sink, sink
        if before is not sink:
            _close(before)

    def move_to(self, other: "Ends") -> None:
        """Give source and sink, with their volumes, to another call, whose own are closed.

        What is not there is not moved.
        """
        if self.source is not None:
            other.set_source(self.source)
            self.source = None
            other.outgoing, self.outgoing = self.outgoing, Gain()
        if self.sink is not None:
            other.set_sink(self.sink)
            self.sink = None
            other.incoming, self.incoming = self.incoming, Gain()
            other._heard = self._heard  # the sink's last sound, out of which to fade
            self._heard = Joined()

    def close(self) -> None:
        """Close source and sink."""
        self.set_source(None)
        self.set_sink(None)
        self._end_hold()

    @property
    def level_out(self) -> float:
        """Return the level of what was said in the last 100 ms, in dBFS."""
        return self._said.level

    @property
    def level_in(self) -> float:
        """Return the level of what was heard in the last 100 ms, in dBFS."""
        return self._heard.level

    def _own(self) -> tuple[Source | None, Frame]:
        """Return what this end would say, were it neither muted nor held."""
        # A source that hangs up in the read of its last frame is gone by then, and still the origin of it.
        source, frame = self.source, SILENCE
        if source is not None:
            read = _read(source)
            if read is None:
                self.set_source(None)
                source = None
            else:
                frame = self.outgoing.apply(read)
        if self.muted:
            self._here.hear(frame)
        else:
            self._here.rest()
        talks = self.muted and not self.held and self._here.speaking
        if talks is not self._told:
            self._told = talks
            self._speaking_while_muted(talks)
        return source, frame

    def _hold(self) -> tuple[Source | None, Frame]:
        """Return what the other end is to hear while it is held."""
        try:
            if self._held_hear is None and self._hold_audio is not None:
                self._held_hear = self._hold_audio()
        except Exception:
            _log.exception("there is no hold audio")
            self._hold_audio = None
        frame = _read(self._held_hear) if self._held_hear is not None else SILENCE
        if frame is None:
            self._end_hold()
            self._hold_audio = None
        return self._held_hear, SILENCE if frame is None else frame

    def _end_hold(self) -> None:
        before, self._held_hear = self._held_hear, None
        _close(before)


def _read(source: Source) -> Frame | None:
    """Return the next frame of a source, None if it has none that can be said."""
    try:
        frame = source.read()
        if frame.shape == (FRAME_SAMPLES,) and frame.dtype == np.int16:
            return np.ascontiguousarray(frame)
        problem = f"returned {frame.dtype} of shape {frame.shape}, not int16 of ({FRAME_SAMPLES},)"
        _log.error("source is replaced by silence: %s %s", type(source).__name__, problem)
    except Exception:
        _log.exception("source failed and is replaced by silence: %s", type(source).__name__)
    return None


def _close(end: Source | Sink | None) -> None:
    try:
        if end is not None:
            end.close()
    except Exception:
        _log.exception("source or sink failed to close: %s", type(end).__name__)
