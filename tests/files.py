"""Sound files that tests play, send or leave."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.sink import AudioWriter


def written(path: Path, samples: NDArray[np.int16]) -> Path:
    """Write samples at 48 kHz into a file of the kind that its name says, and return it."""
    writer = AudioWriter(path)
    writer.write(samples)
    writer.close()
    return path
