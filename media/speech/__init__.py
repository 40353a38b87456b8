"""Recorded human speech for prompts, the demo and the tests; NOTICE says whose it is."""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.source import load

NAMES = ("alice", "bob", "carol", "greeting")

_BEEP_HZ = 1000.0
_BEEP_SECONDS = 0.4
_BEEP_DBFS = -16.0


@cache
def speech(name: str) -> NDArray[np.int16]:
    """Return recorded speech, int16, mono, 48 kHz, read-only; raises ValueError for an unknown name.

    `alice`, `bob` and `carol` are sentences of three people without pauses, fit to be said in a loop;
    `greeting` asks the caller to leave a message.
    """
    if name not in NAMES:
        raise ValueError(f"there is no speech named {name!r}; there are {', '.join(NAMES)}")
    with as_file(files(__name__) / f"{name}.flac") as path:
        samples = load(path)
    samples.flags.writeable = False
    return samples


def beep() -> NDArray[np.int16]:
    """Return the tone after a greeting: 1 kHz, 0.4 s, -16 dBFS, faded in and out over 10 ms."""
    time = np.arange(int(_BEEP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.clip(np.minimum(time, _BEEP_SECONDS - time) / 0.01, 0, 1)
    amplitude = 32768 * 2**0.5 * 10 ** (_BEEP_DBFS / 20)
    return np.rint(amplitude * fade * np.sin(2 * np.pi * _BEEP_HZ * time)).astype(np.int16)
