"""The two ends of a call's sound: the Source it says and the Sink that hears it, swappable and faultless.

A Source or Sink that raises is logged once and let go. Where one sound takes over from another, in the middle
of a wave, a ramp of 5 ms keeps the join from clicking.
"""

import logging

import numpy as np

from media.audio import FRAME_SAMPLES, SILENCE, Frame, Sink, Source, level_dbfs

_log = logging.getLogger("callnode.media")

_RAMP_SAMPLES = 240
_RISE = np.arange(_RAMP_SAMPLES, dtype=np.float32) / _RAMP_SAMPLES


class Ends:
    """What a call is attached to, before, during and between its peer connections."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.sink: Sink | None = None
        self.local_hold = False
        self.remote_hold = False
        self.muted = False
        self.incoming_muted = False
        self.waiting = False  # until it takes another call's place: says nothing, hears nothing
        self._said = _Joined()
        self._heard = _Joined()

    @property
    def held(self) -> bool:
        """Return whether either end holds."""
        return self.local_hold or self.remote_hold

    def read(self) -> Frame:
        """Return the next frame to say; what is muted or held is read on, so that it stays current."""
        if self.waiting:
            return self._said.join(None, SILENCE)
        source = self.source
        frame = self._read(source) if source else SILENCE
        if self.muted or self.local_hold:
            source, frame = None, SILENCE
        return self._said.join(source, frame)

    def write(self, frame: Frame) -> None:
        """Let the sink hear a frame, or silence in its place while held or muted."""
        sink = self.sink
        if self.waiting or sink is None:
            return
        deaf = self.held or self.incoming_muted
        try:
            sink.write(self._heard.join(None if deaf else self, SILENCE if deaf else frame))
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
        """Give source and sink to another call, whose own are closed; what is not there is not moved."""
        if self.source is not None:
            other.set_source(self.source)
            self.source = None
        if self.sink is not None:
            other.set_sink(self.sink)
            self.sink = None
            other._heard = self._heard  # the sink's last sample, from which to ramp
            self._heard = _Joined()

    def close(self) -> None:
        """Close source and sink."""
        self.set_source(None)
        self.set_sink(None)

    @property
    def level_out(self) -> float:
        """Return the level of the last frame said, in dBFS."""
        return level_dbfs(self._said.frame)

    @property
    def level_in(self) -> float:
        """Return the level of the last frame heard, in dBFS."""
        return level_dbfs(self._heard.frame)

    def _read(self, source: Source) -> Frame:
        try:
            frame = source.read()
            if frame.shape == (FRAME_SAMPLES,) and frame.dtype == np.int16:
                return np.ascontiguousarray(frame)
            problem = f"returned {frame.dtype} of shape {frame.shape}, not int16 of ({FRAME_SAMPLES},)"
            _log.error("source is replaced by silence: %s %s", type(source).__name__, problem)
        except Exception:
            _log.exception("source failed and is replaced by silence: %s", type(source).__name__)
        self.set_source(None)
        return SILENCE


class _Joined:
    """A sound put together of several origins, without steps where they meet."""

    def __init__(self) -> None:
        self.frame: Frame = SILENCE
        self._origin: object = None

    def join(self, origin: object, frame: Frame) -> Frame:
        if origin is not self._origin:
            self._origin = origin
            frame = _ramped(self.frame[-1], frame)
        self.frame = frame
        return frame


def _ramped(last: np.int16, frame: Frame) -> Frame:
    """Return a frame that starts where the sound before it ended."""
    start = frame[:_RAMP_SAMPLES]
    ramped = frame.copy()
    ramped[:_RAMP_SAMPLES] = (start * _RISE + float(last) * (1.0 - _RISE)).astype(np.int16)
    return ramped


def _close(end: Source | Sink | None) -> None:
    try:
        if end is not None:
            end.close()
    except Exception:
        _log.exception("source or sink failed to close: %s", type(end).__name__)
