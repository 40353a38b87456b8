"""Two clocks, the sound card's and the event loop's: how much waits between them, held steady. Pure.

What waits is counted as if both sides came continuously: a block that is due but has not come yet counts for
the time since the one before. So the level does not move with the phase of the two sides, which slips.
"""

import numpy as np
import soxr
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, Frame

_MARGIN = 0.002  # seconds kept beyond what the longest pauses take
_LONGEST_PAUSE = 0.060  # seconds bridged; of what is longer, the rest is a hole
_STALL = 0.1  # seconds
_FIRST_DIP = 0.004  # seconds: until the real one is known
_DEEPEST_DIP = 0.020  # seconds
_SMOOTHING = 1.0  # seconds
_SETTLING = 10.0  # seconds in which an error goes
# The errors at which the resampler sets in: too much waits, as much as it holds back itself, or too little.
_TOO_LATE = 0.005 * SAMPLE_RATE
_TOO_EARLY = -0.002 * SAMPLE_RATE
_TOO_MUCH = 0.060 * SAMPLE_RATE  # after a stall: rather cut than let hear late for half a minute
_FASTEST = 0.002
_LARGEST_RATIO = 1.05
_SLEW_SAMPLES = 240
_MEMORY_SAMPLES = 480
_LATE_SAMPLES = 2  # the resampler's output is 1.6 samples behind its input


class High:
    """Follow the high values of something: up by 1/4 of what is above, down by 1/2000 of what is below."""

    def __init__(self, value: float) -> None:
        self.value = value

    def see(self, value: float) -> None:
        """Take the next value."""
        above = value - self.value
        self.value += above * (0.25 if above > 0 else 0.0005)


class Rhythm:
    """How one side comes: when it last did, and how long its longest pauses are, both in seconds."""

    def __init__(self, period: float) -> None:
        self._pause = High(period)
        self.last: float | None = None

    @property
    def pause(self) -> float:
        """Return how long its longest usual pauses are."""
        return self._pause.value

    def beat(self, now: float) -> None:
        """It comes."""
        if self.last is not None and now - self.last <= _STALL:
            self._pause.see(min(now - self.last, _LONGEST_PAUSE))
        self.last = now

    def since(self, now: float) -> float:
        """Return the time since it last came, at most the 0.1 s from which it is a stall."""
        return 0.0 if self.last is None else min(max(0.0, now - self.last), _STALL)


class Steering:
    """Find the ratio of two clocks from what waits between them, and hold that level.

    `ratio` is input samples per output sample: None while the clocks are close enough to leave the sound as
    it is, and from then on within 0.2 % of 1. A PI controller, critically damped.
    """

    def __init__(self) -> None:
        self.ratio: float | None = None
        self._dip = High(_FIRST_DIP * SAMPLE_RATE)
        self._excess = 0.0
        self._sum = 0.0
        self._last: float | None = None

    def wanted(self, writer: Rhythm, count: int) -> float:
        """Return the samples from which reads of `count` do not run dry: `count` and up to 82 ms."""
        return count + (writer.pause + _MARGIN) * SAMPLE_RATE + self._dip.value

    def observe(self, level: float, wanted: float, now: float) -> bool:
        """Take the level just before a read; return whether it is too high, and to be cut to `wanted`."""
        excess = level - wanted
        if excess > _TOO_MUCH:
            self._excess = 0.0
            return True
        passed = 0.0 if self._last is None else min(max(0.0, now - self._last), _SMOOTHING)
        self._last = now
        self._excess += (excess - self._excess) * passed / _SMOOTHING
        self._dip.see(min(self._excess - excess, _DEEPEST_DIP * SAMPLE_RATE))
        if self.ratio is not None or not _TOO_EARLY <= self._excess <= _TOO_LATE:
            wish = self._excess / (_SETTLING * SAMPLE_RATE)
            self._sum = _within(self._sum + wish * passed / (4 * _SETTLING))
            self.ratio = 1.0 + _within(wish + self._sum)
        return False


class Resampler:
    """Change the speed of a stream of int16 sound a little, without a click, from the moment it is needed."""

    def __init__(self) -> None:
        self._stream: soxr.ResampleStream | None = None
        self._memory: Frame = np.zeros(_MEMORY_SAMPLES, np.int16)
        self._ratio = 1.0

    def process(self, samples: Frame, ratio: float | None) -> Frame:
        """Return the samples at `ratio` input samples an output sample; as they are until it is not None."""
        if ratio is None and self._stream is None:
            self._memory = np.concatenate((self._memory, samples))[-_MEMORY_SAMPLES:]
            return samples
        if self._stream is None:
            return self._engaged(samples, ratio)
        if ratio is not None and ratio != self._ratio:
            self._ratio = ratio
            self._stream.set_io_ratio(ratio, 1.0, _SLEW_SAMPLES)
        return self._resampled(samples)

    def _engaged(self, samples: Frame, ratio: float | None) -> Frame:
        """Go over from the sound as it is: fed with what was heard, the resampler goes on where it ended.

        Where too little waits, it goes on 5 ms before that, as far behind as it is.
        """
        self._stream = soxr.ResampleStream(_LARGEST_RATIO, 1.0, 1, "float32", "HQ", vr=True)
        self._stream.set_io_ratio(1.0, 1.0)
        behind = _MEMORY_SAMPLES + _LATE_SAMPLES - len(self._resampled(self._memory))
        sound = self._resampled(samples)
        if ratio is None or ratio > 1.0:
            sound = sound[behind:]
        count = min(len(sound), _SLEW_SAMPLES)
        rise = np.arange(count, dtype=np.float32) / max(1, count)
        sound[:count] = np.rint(sound[:count] * rise + samples[:count] * (1.0 - rise))
        return sound

    def _resampled(self, samples: Frame) -> Frame:
        assert self._stream is not None
        sound: NDArray[np.float32] = self._stream.resample_chunk(samples.astype(np.float32))
        return np.asarray(np.clip(np.rint(sound), -32768, 32767)).astype(np.int16)


def _within(ratio: float) -> float:
    return max(-_FASTEST, min(_FASTEST, ratio))
