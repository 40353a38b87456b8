"""What is said in the benches: half a minute of recorded speech, nobody heard twice."""

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.source import ToneSource
from media.speech import speech

LEAD_SECONDS = 0.5  # of silence before the speech
_PAUSE_SECONDS = 0.6
_FADE_SECONDS = 0.01


def sentences(seconds: float) -> NDArray[np.int16]:
    """Return so much speech of several people at its recorded level; past 30 s it begins again."""
    fade = np.arange(round(_FADE_SECONDS * SAMPLE_RATE)) / (_FADE_SECONDS * SAMPLE_RATE)
    pause = np.zeros(round(_PAUSE_SECONDS * SAMPLE_RATE), np.int16)
    pieces: list[NDArray[np.int16]] = []
    for name in ("alice", "bob", "carol"):
        said = speech(name).astype(np.float64)
        said[: len(fade)] *= fade
        said[-len(fade) :] *= fade[::-1]
        pieces += [said.astype(np.int16), pause]
    return np.resize(np.concatenate(pieces), round(seconds * SAMPLE_RATE))


def material(seconds: float) -> NDArray[np.int16]:
    """Return so much speech after a short silence, in whole frames."""
    samples = np.concatenate((np.zeros(round(LEAD_SECONDS * SAMPLE_RATE), np.int16), sentences(seconds)))
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]


def tone() -> NDArray[np.int16]:
    """Return a second of a soft tone; it may go round."""
    source = ToneSource(440.0, level_dbfs=-30.0)
    return np.concatenate([source.read() for _ in range(50)])
