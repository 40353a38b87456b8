"""Text spoken by an offline synthesizer: SVOX Pico (extra `speech`), or else the program espeak-ng."""

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.source import load
from media.speech import Language

MOST_CHARACTERS = 2000

_PICO_RATE = 16_000
_PICO_VOLUME = 0.35  # some -20 dBFS RMS, as loud as the prompts
_VOICES: dict[Language, str] = {"en": "en-US", "de": "de-DE"}
_SECONDS = 60.0


def speak(text: str, language: Language) -> NDArray[np.int16]:
    """Return a text as it is spoken (int16, mono, 48 kHz). Takes its time: call it from a worker thread.

    Raises OSError where there is no synthesizer, or it fails.
    """
    if importlib.util.find_spec("py_nanotts") is not None:
        return _pico(text, language)
    if (program := shutil.which("espeak-ng")) is not None:
        return _espeak(program, text, language)
    raise OSError(
        "there is no synthesizer here: pip install 'callnode[speech]', or install espeak-ng"
        " (Debian: apt install espeak-ng; macOS: brew install espeak-ng)"
    )


def _pico(text: str, language: Language) -> NDArray[np.int16]:
    import py_nanotts

    # It reads markup, so what would begin a tag is left out; at full volume it clips.
    said = py_nanotts.NanoTTS().speak(text.replace("<", " "), _VOICES[language], volume=_PICO_VOLUME)
    spoken = np.frombuffer(said, np.int16)
    sound: NDArray[np.int16] = soxr.resample(spoken, _PICO_RATE, SAMPLE_RATE)
    return sound


def _espeak(program: str, text: str, language: Language) -> NDArray[np.int16]:
    with tempfile.TemporaryDirectory(prefix="callnode-") as folder:
        path = Path(folder) / "spoken.wav"
        try:
            command = [program, "-v", _VOICES[language].lower(), "-w", str(path), "--stdin"]
            subprocess.run(command, input=text.encode(), check=True, capture_output=True, timeout=_SECONDS)
        except subprocess.SubprocessError as error:
            raise OSError(f"espeak-ng fails: {error}") from error
        return load(path)
