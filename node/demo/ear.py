"""What someone heard, as one timeline: when sound came, whose it was, and where nothing was heard."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES
from media.measure import correlation, level_dbfs, longest_silence, timeline
from media.speech import NAMES, speech

SOUND_DBFS = -50.0


class Ear:
    """Frames with the times they came; holes between them are silence, as they were to the listener."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self.times: NDArray[np.float64] = stored["times"]
            self.frames: NDArray[np.int16] = stored["samples"].reshape(-1, FRAME_SAMPLES)

    def stretch(self, start: float, end: float) -> NDArray[np.int16]:
        """Return what was heard between two moments, with silence where nothing came."""
        return timeline(self.times, self.frames, start, end)

    def first_sound(self, after: float) -> float | None:
        """Return when the first frame with sound came after a moment, in seconds of the clock."""
        for at, frame in zip(self.times, self.frames, strict=True):
            if at >= after and level_dbfs(frame) > SOUND_DBFS:
                return float(at)
        return None

    def silence(self, start: float, end: float) -> float:
        """Return the longest stretch in which nothing was heard, in seconds."""
        return longest_silence(self.stretch(start, end), SOUND_DBFS)

    def hears(self, whom: str, start: float, end: float) -> dict[str, float]:
        """Return correlation with the sentence that should be heard, with the best other one, and level."""
        heard = self.stretch(start, end)
        others = [correlation(heard, speech(name)) for name in NAMES if name != whom]
        return {
            "correlation": round(correlation(heard, speech(whom)), 3),
            "other": round(max(others), 3),
            "level_dbfs": round(level_dbfs(heard), 1),
        }
