"""Longer or shorter by a pitch period, without a click and at the same pitch (WSOLA). Pure.

Sound is int16, mono, 48 kHz.
Where two places of it, one period apart, look alike, one is faded into the other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.int16]

SHORTEST = 120  # samples, 2.5 ms: the period of 400 Hz
LONGEST = 720  # samples, 15 ms: the period of 67 Hz
FADE = 240  # samples over which the two places are compared and faded
_HOP = 120  # samples between the places tried
_QUIET = 30.0  # RMS below which nobody hears a join, about -60 dBFS

_RISE = np.arange(FADE, dtype=np.float32) / FADE
_FALL = 1 - _RISE


class Join(NamedTuple):
    """Two places that look alike: `at`, and a period later; `likeness` is their correlation, at most 1."""

    at: int
    period: int
    likeness: float


def best_join(sound: Sound, most: int) -> Join | None:
    """Return the best join of a period of 2.5 ms to `most` samples (15 ms at the most); none if too short."""
    longest = min(most, LONGEST, len(sound) - FADE)
    if longest < SHORTEST:
        return None
    wave = sound.astype(np.float32)
    squares = np.concatenate((np.zeros(1), np.cumsum(wave * wave, dtype=np.float64)))
    powers = squares[FADE:] - squares[:-FADE] + 1.0
    if squares[-1] < _QUIET**2 * len(wave):
        return Join(0, longest, 1.0)
    best = Join(0, longest, -1.0)
    for at in range(0, len(sound) - FADE - longest + 1, _HOP):
        first = at + SHORTEST
        last = min(at + longest, len(sound) - FADE)
        products = np.correlate(wave[first : last + FADE], wave[at : at + FADE])
        likeness = products / np.sqrt(powers[first : last + 1] * powers[at])
        found = int(np.argmax(likeness))
        if likeness[found] > best.likeness:
            best = Join(at, SHORTEST + found, float(likeness[found]))
    return best


def shorten(sound: Sound, join: Join) -> Sound:
    """Return a sound without one period of it."""
    return _faded(sound, join.at, join.at + join.period)


def lengthen(sound: Sound, join: Join) -> Sound:
    """Return a sound with one period of it twice."""
    return _faded(sound, join.at + join.period, join.at)


def _faded(sound: Sound, leave: int, enter: int) -> Sound:
    old, new = sound[leave : leave + FADE], sound[enter : enter + FADE]
    join = np.rint(old * _FALL + new * _RISE).astype(np.int16)
    return np.concatenate((sound[:leave], join, sound[enter + FADE :]))
