"""A room with a loudspeaker and a microphone in it, for tests and benches of the echo canceller."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame

Sound = NDArray[np.float64]

_REVERBERATION_SECONDS = 0.25


def loud(samples: Frame | Sound, dbfs: float) -> Sound:
    """Return the samples at that RMS level."""
    sound = np.asarray(samples, np.float64)
    return sound * (32768 * 10 ** (dbfs / 20) / float(np.sqrt(np.mean(sound**2))))


def noise(seconds: float, dbfs: float, seed: int) -> Sound:
    """Return white noise."""
    return loud(np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE)), dbfs)


def pcm(sound: Sound) -> Frame:
    """Return what a card makes of it."""
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def paused(samples: Frame, seconds: float, dbfs: float = -20.0, pause: float = 0.5) -> Sound:
    """Return the sentence again and again, after a pause each time, as long as wished.

    Without any pause an echo canceller takes some of the voice for the room's own noise, which it keeps.
    """
    once = np.concatenate((np.zeros(round(pause * SAMPLE_RATE)), loud(samples, dbfs)))
    return np.resize(once, round(seconds * SAMPLE_RATE))


@dataclass(frozen=True)
class Room:
    """An echo path: a loudspeaker that bends what is loud, the way there, walls that answer for 0.25 s.

    `ppm` is how much faster the microphone's clock runs than the loudspeaker's.
    """

    delay_seconds: float = 0.08
    echo_db: float = -9.0
    seed: int = 1
    ppm: float = 0.0

    def echo(self, far: Frame | Sound) -> Sound:
        """Return what the microphone hears of it, as long as it is."""
        played = np.asarray(far, np.float64) / 32768
        played = np.tanh(1.5 * played) / 1.5
        time = np.arange(int(_REVERBERATION_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
        walls = np.random.default_rng(self.seed).standard_normal(len(time))
        walls *= 0.02 * 10 ** (-3 * time / _REVERBERATION_SECONDS)
        walls[: SAMPLE_RATE // 500] = 0
        walls[0] = 1.0
        walls *= 10 ** (self.echo_db / 20) / np.sqrt(np.sum(walls**2))
        size = 1 << (len(played) + len(walls)).bit_length()
        heard = np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(walls, size), size)
        at = np.arange(len(played)) / (1 + self.ppm / 1e6) - self.delay_seconds * SAMPLE_RATE
        return np.asarray(np.interp(at, np.arange(size), heard, left=0.0) * 32768)


class Processing(Protocol):
    """What is tried in a room (media.processing.Processor)."""

    def far(self, block: Frame) -> None: ...

    def near(self, block: Frame) -> Frame: ...


def process(processor: Processing, far: Frame, near: Frame, ppm: float = 0.0) -> Frame:
    """Return what a processor makes of all that the microphone heard, block by block.

    `far` comes at its own pace: slower than `near` by so many parts in a million.
    """
    heard, played = [], 0
    for start in range(0, len(near) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        while played < min((start + FRAME_SAMPLES) / (1 + ppm / 1e6), len(far)):
            processor.far(far[played : played + FRAME_SAMPLES])
            played += FRAME_SAMPLES
        heard.append(processor.near(near[start : start + FRAME_SAMPLES]))
    return np.concatenate(heard)
