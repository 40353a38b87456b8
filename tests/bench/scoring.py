"""How well and how late speech was heard: PESQ-wb (ITU-T P.862.2), STOI, and the delay, by windows."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from pesq import NoUtterancesError, pesq
from pystoi import stoi
from scipy.signal import butter, correlate, resample_poly, sosfiltfilt

from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.measure import places, timeline
from tests.bench.material import LEAD_SECONDS
from tests.bench.processes import Heard

_RATE = 16_000  # of PESQ-wb
_WINDOW_SECONDS = 8.0
_DELAY_WINDOW_SECONDS = 1.0
_DELAY_HOP_SECONDS = 0.25
_LONGEST_DELAY = 1.5
_SAME = 0.5  # a lower correlation finds no delay
_SILENT = 10 ** (-45 / 20) * 32768
_WORST_PESQ = 1.0
_BAND = butter(4, (300, 3000), "bandpass", fs=_RATE, output="sos")

_Signal = NDArray[np.float64]


class Score(Struct, frozen=True):
    """The quality of what was heard; `delays` are (seconds into the speech, delay in ms)."""

    pesq: float
    stoi: float
    delay_ms: float
    delays: list[tuple[float, float]]


class Listening:
    """Said and heard on one clock, as a player of 20 ms frames hears it: what comes late is silence.

    A delay is the time from a sound handed over to it coming out of the receiver, codec included.
    """

    def __init__(self, said: NDArray[np.int16], heard: Heard) -> None:
        self._said_times = heard.said_times
        self._start = float(heard.said_times[0])
        frames = heard.samples[: len(heard.times) * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        end = self._start + len(said) / SAMPLE_RATE + _LONGEST_DELAY
        played = timeline(heard.times, frames, self._start, end)
        came = heard.times[(heard.times >= self._start) & (heard.times < end)]
        self._places = np.array(places(list(came), self._start))
        self._waits = came - self._places  # until a frame came that this player would have had by then
        self._said, self._heard = _resampled(said), _resampled(played)
        self._said_band, self._heard_band = (sosfiltfilt(_BAND, one) for one in (self._said, self._heard))

    def score(self) -> Score:
        """Return PESQ and STOI, means over windows of 8 s, and the median delay over windows of 1 s."""
        speech = len(self._said) / _RATE - LEAD_SECONDS
        size = min(_WINDOW_SECONDS, speech)
        starts = np.linspace(LEAD_SECONDS, LEAD_SECONDS + speech - size, max(1, int(np.ceil(speech / size))))
        found = [self._quality(float(start), size) for start in starts]
        delays = self.delays()
        return Score(
            pesq=float(np.mean([one[0] for one in found])),
            stoi=float(np.mean([one[1] for one in found])),
            delay_ms=float(np.median([delay for _, delay in delays])) if delays else float("nan"),
            delays=delays,
        )

    def delays(self) -> list[tuple[float, float]]:
        """Return (seconds, delay in ms) where speech was recognised: handed over to heard."""
        starts = np.arange(LEAD_SECONDS, len(self._said) / _RATE - _DELAY_WINDOW_SECONDS, _DELAY_HOP_SECONDS)
        found = []
        for start in starts:
            at, same = self._find(float(start), _DELAY_WINDOW_SECONDS)
            if same >= _SAME:
                middle = float(start) + _DELAY_WINDOW_SECONDS / 2
                late = at + self._wait(at) - self._handed_over(float(start))
                found.append((middle, late * 1000))
        return found

    def _wait(self, at: float) -> float:
        """Return how much later than they were placed the frames of a window came, their median."""
        first, last = np.searchsorted(self._places, self._start + np.array((at, at + _DELAY_WINDOW_SECONDS)))
        return float(np.median(self._waits[first:last])) if last > first else 0.0

    def _quality(self, start: float, size: float) -> tuple[float, float]:
        at, _ = self._find(start, size)
        first, count = round(start * _RATE), round(size * _RATE)
        said = self._said[first : first + count]
        heard = self._heard[round(at * _RATE) :][:count]
        heard = np.pad(heard, (0, count - len(heard)))
        try:
            quality = float(pesq(_RATE, said, heard, "wb"))
        except NoUtterancesError:
            quality = _WORST_PESQ
        return quality, float(stoi(said, heard, _RATE))

    def _find(self, start: float, size: float) -> tuple[float, float]:
        """Return where what was said from `start` on is heard best, and the correlation there."""
        first, count = round(start * _RATE), round(size * _RATE)
        said = self._said_band[first : first + count]
        earliest = round(self._handed_over(start) * _RATE)
        around = self._heard_band[earliest : earliest + count + round(_LONGEST_DELAY * _RATE)]
        around = np.pad(around, (0, max(0, count - len(around))))
        energy = np.sqrt(np.mean(said**2))
        if energy < _SILENT / 4:
            return start, 0.0
        product = correlate(around, said, "valid", "fft")
        squares = np.concatenate(([0.0], np.cumsum(around**2)))
        norms = np.sqrt(np.maximum(squares[count:] - squares[:-count], 1.0)) * np.linalg.norm(said)
        same = product / norms
        # Loudness decides too: a faint echo of a sound must not count as the sound.
        best = int(np.argmax(product))
        return (earliest + best) / _RATE, float(same[best])

    def _handed_over(self, seconds: float) -> float:
        """Return when a moment of what was said was handed to the sender, in seconds from the first frame."""
        at = round(seconds * SAMPLE_RATE)
        frame = min(at // FRAME_SAMPLES, len(self._said_times) - 1)
        return float(self._said_times[frame]) - self._start + (at % FRAME_SAMPLES) / SAMPLE_RATE


def _resampled(samples: NDArray[np.int16]) -> _Signal:
    return np.asarray(resample_poly(samples.astype(np.float64), 1, SAMPLE_RATE // _RATE))
