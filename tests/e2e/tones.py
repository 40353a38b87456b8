"""People who say a tone instead of a sentence, so that several are told apart at once."""

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES
from media.source import ToneSource
from tests.e2e.media_pair import tone_dbfs

TONES = {"alice": 440.0, "bob": 700.0, "carol": 1100.0, "dave": 1700.0}
LOUD, QUIET = -30.0, -50.0


def tone(name: str) -> NDArray[np.int16]:
    """Return a second of whole waves, so that it loops without a click."""
    source = ToneSource(TONES[name])
    return np.concatenate([source.read() for _ in range(50)])


def who_sings(sound: NDArray[np.int16]) -> set[str] | None:
    """Return whose tones are in a sound; None where it is too short, or one is neither loud nor gone."""
    whole = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    if not len(whole):
        return None
    levels = {name: tone_dbfs(whole, hertz) for name, hertz in TONES.items()}
    if any(QUIET < level < LOUD for level in levels.values()):
        return None
    return {name for name, level in levels.items() if level >= LOUD}
