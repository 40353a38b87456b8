"""Frames of sound and the two things every piece of media speaks: Source and Sink. Pure.

A frame is 20 ms of mono sound: int16, 960 samples, 48 kHz.
"""

import math
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 960
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE

Frame: TypeAlias = NDArray[np.int16]

SILENCE: Frame = np.zeros(FRAME_SAMPLES, np.int16)
SILENCE.flags.writeable = False


@runtime_checkable
class Source(Protocol):
    """Anything that can be said into a call."""

    def read(self) -> Frame:
        """Return the next frame at once; called every 20 ms on the event loop."""
        ...

    def close(self) -> None:
        """Let go of what is held; may be called more than once."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Anything that can listen to a call."""

    def write(self, frame: Frame) -> None:
        """Take one frame at once; called every 20 ms on the event loop."""
        ...

    def close(self) -> None:
        """Finish and let go of what is held; may be called more than once."""
        ...


@runtime_checkable
class PacketSink(Protocol):
    """A Sink that also takes the packets the sound came in, undecoded."""

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take one Opus packet as it arrived, at once; called on the event loop."""
        ...


def level_dbfs(frame: Frame) -> float:
    """Return the RMS level in dBFS, -96.0 for silence."""
    sound = frame.astype(np.float32)
    power = float(np.dot(sound, sound)) / len(sound)
    return max(-96.0, 10.0 * math.log10(power / 32768.0**2 + 1e-12))
