"""What was heard, measured from its samples: who speaks, how well, how late, and with what gaps.

Samples are int16, mono, 48 kHz; times are in seconds from the first sample.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from media import audio

SAME = 0.6
"""From here on it is the same sentence: Opus at 12 kbit/s leaves 0.9, two people have below 0.4."""

_SILENT = -50.0
# Below it the high-pass of a speech codec turns the phase, above it the codec is coarse.
_BAND_HZ = (500.0, 2200.0)
_BAND_RATE = 8000
_WINDOW_SECONDS = 0.5
_HOP_SECONDS = 0.25
_LEVEL_SECONDS = 0.020
_LEVEL_HOP_SECONDS = 0.0025


def level_dbfs(samples: NDArray[np.int16]) -> float:
    """Return the RMS level in dBFS, -96.0 for silence or no samples."""
    return audio.level_dbfs(samples) if len(samples) else -96.0


def correlation(heard: NDArray[np.int16], said: NDArray[np.int16]) -> float:
    """Return how much `heard` is `said`, 0 to 1; 0 if `heard` is silent or shorter than 0.1 s.

    Windows of 0.5 s are looked for anywhere in `said`, which may go round; the result is the median, over
    the windows that hold sound, of the best normalised cross-correlation of the band from 500 to 2200 Hz:
    one adaptation of a jitter buffer shifts what follows, and spoils only the windows it falls into.
    """
    reference = _band(said)
    sample = _band(heard)
    size = min(int(_WINDOW_SECONDS * _BAND_RATE), len(sample), len(reference))
    if size < 0.1 * _BAND_RATE:
        return 0.0
    around = np.concatenate((reference, reference[: size - 1]))
    length = 1 << (len(around) - 1).bit_length()
    spectrum = np.fft.rfft(around, length)
    squares = np.concatenate(([0.0], np.cumsum(around**2)))
    norms = np.sqrt(np.maximum(squares[size:] - squares[:-size], 1e-9))
    found = []
    for start in range(0, len(sample) - size + 1, int(_HOP_SECONDS * _BAND_RATE)):
        window = sample[start : start + size]
        norm = float(np.linalg.norm(window))
        at = _at(start / _BAND_RATE)
        if level_dbfs(heard[at : at + _at(size / _BAND_RATE)]) < _SILENT or norm < 1e-6:
            continue
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window, length)), length)
        found.append(_peak(product[: len(norms)] / norms) / norm)
    return max(0.0, float(np.median(found))) if found else 0.0


def who(heard: NDArray[np.int16], sentences: Mapping[str, NDArray[np.int16]]) -> str | None:
    """Return the name of the sentence that is heard, None for silence or for something else."""
    scores = {name: correlation(heard, said) for name, said in sentences.items()}
    best = max(scores, key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= SAME else None


def delay_seconds(heard: NDArray[np.int16], said: NDArray[np.int16]) -> float:
    """Return when `said` begins in `heard`: the lag that fits best, negative if its beginning was missed."""
    size = len(heard) + len(said)
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    lag = int(np.argmax(product))
    return (lag if lag < len(heard) else lag - size) / audio.SAMPLE_RATE


def places(times: Sequence[float], start: float) -> list[float]:
    """Return when a player that begins at `start` plays each of the frames that came at these times.

    A frame may come a little late without a hole being heard: the next one makes up for it.
    """
    found, due = [], start
    for at in times:
        if at - due > audio.FRAME_SECONDS:
            due = at
        found.append(due)
        due += audio.FRAME_SECONDS
    return found


def timeline(
    times: Iterable[float], frames: Iterable[NDArray[np.int16]], start: float, end: float
) -> NDArray[np.int16]:
    """Return what was heard from `start` to `end`, with silence where no frame came.

    `times` are the seconds, on any clock, at which each of the frames (20 ms each, in order) came.
    """
    kept = [(at, frame) for at, frame in zip(times, frames, strict=True) if start <= at < end]
    pieces: list[NDArray[np.int16]] = []
    due = start
    for (_, frame), place in zip(kept, places([at for at, _ in kept], start), strict=True):
        if place > due:
            pieces.append(np.zeros(_at(place - due), np.int16))
        pieces.append(frame)
        due = place + audio.FRAME_SECONDS
    if end - due > audio.FRAME_SECONDS:
        pieces.append(np.zeros(_at(end - due), np.int16))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def longest_silence(
    samples: NDArray[np.int16],
    threshold_dbfs: float = _SILENT,
    within: tuple[float, float] | None = None,
    window: float = _LEVEL_SECONDS,
) -> float:
    """Return the longest stretch, in seconds, in which every window (of 20 ms) is below the threshold.

    `within` limits the search to (start, end). The step is 2.5 ms; a silence below one window is not seen.
    """
    start, end = within if within is not None else (0.0, len(samples) / audio.SAMPLE_RATE)
    levels = _levels(samples[max(0, _at(start)) : max(0, _at(end))], _at(window))
    edges = np.flatnonzero(
        np.diff(np.concatenate(([False], levels < threshold_dbfs, [False])).astype(np.int8))
    )
    if len(edges) == 0:
        return 0.0
    windows = int(np.max(edges[1::2] - edges[::2]))
    return (windows - 1) * _LEVEL_HOP_SECONDS + window


def first_sound(samples: NDArray[np.int16], threshold_dbfs: float = _SILENT) -> float | None:
    """Return when sound first rises above the threshold (to 2.5 ms), None if it never does."""
    size = _at(_LEVEL_HOP_SECONDS)
    blocks = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size)
    loud = np.flatnonzero(_dbfs(np.mean(blocks**2, axis=1)) > threshold_dbfs)
    return float(loud[0] * _LEVEL_HOP_SECONDS) if len(loud) else None


def _peak(curve: NDArray[np.float64]) -> float:
    """Return the top of a curve, on the parabola through its highest point and that point's neighbours."""
    at = int(np.argmax(curve))
    before, top, after = curve[at - 1], curve[at], curve[(at + 1) % len(curve)]
    bend = before - 2 * top + after
    return float(top - (after - before) ** 2 / (8 * bend)) if bend < 0 else float(top)


def _levels(samples: NDArray[np.int16], size: int) -> NDArray[np.float64]:
    """Return the level of each window of so many samples, one every 2.5 ms."""
    sums = np.concatenate(([0.0], np.cumsum(samples.astype(np.float64) ** 2)))
    starts = np.arange(0, len(samples) - size + 1, _at(_LEVEL_HOP_SECONDS))
    return _dbfs((sums[starts + size] - sums[starts]) / size)


def _dbfs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, 0) / 32768.0**2 + 1e-12))


def _at(seconds: float) -> int:
    return round(seconds * audio.SAMPLE_RATE)


def _band(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the middle of the voice at 8 kHz, lifted 6 dB an octave: without it, pitch alone correlates."""
    count = len(samples) * _BAND_RATE // audio.SAMPLE_RATE
    if count == 0:
        return np.zeros(0)
    spectrum = np.fft.rfft(samples.astype(np.float64) / 32768)[: count // 2 + 1]
    hertz = np.arange(len(spectrum)) * audio.SAMPLE_RATE / len(samples)
    spectrum *= np.where((hertz >= _BAND_HZ[0]) & (hertz <= _BAND_HZ[1]), hertz / 1000, 0)
    return np.asarray(np.fft.irfft(spectrum, count))
