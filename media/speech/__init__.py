"""Recorded human speech for the demo and the tests, and what voicemail says; NOTICE says whose it is."""

import csv
from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.source import load

NAMES = ("alice", "bob", "carol")

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = ("en", "de")

Sound = NDArray[np.int16]

_BEEP_HZ = 1000.0
_BEEP_SECONDS = 0.4
_BEEP_DBFS = -16.0


@cache
def speech(name: str) -> Sound:
    """Return recorded speech, int16, mono, 48 kHz, read-only; raises ValueError for an unknown name.

    `alice`, `bob` and `carol` are sentences of three people without pauses, fit to be said in a loop.
    """
    if name not in NAMES:
        raise ValueError(f"there is no speech named {name!r}; there are {', '.join(NAMES)}")
    return _read_only(f"{name}.flac")


class Prompts:
    """What voicemail says, by language and name: from `folder` where it has a file for it, else built in.

    The files are `en/NAME` and `de/NAME` with any suffix, in any format; NAME is one of the first column of
    texts.tsv, which says what each is. All are read here, so call it from a worker thread. Raises OSError for
    a folder that is not there, a file that is no sound, or one whose name is not known.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own: dict[tuple[str, str], Sound] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise OSError(f"there is no folder {folder} with prompts")
        for path in sorted(path for language in LANGUAGES for path in folder.glob(f"{language}/[!.]*")):
            language, name = path.parent.name, path.stem
            if name not in texts(language):
                raise OSError(f"there is no prompt named {name!r}, so {path} cannot replace it")
            self._own[language, name] = load(path)

    def sound(self, language: Language, names: Sequence[str]) -> Sound:
        """Return prompts one after the other; raises KeyError for a name that the language does not have."""
        return np.concatenate([self._one(language, name) for name in names])

    def _one(self, language: Language, name: str) -> Sound:
        own = self._own.get((language, name))
        return prompt(language, name) if own is None else own


@cache
def texts(language: str) -> dict[str, str]:
    """Return what the prompts of a language say, by name."""
    with (files(__name__) / "prompts" / "texts.tsv").open(encoding="utf-8") as table:
        rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["name"]: row[language] for row in rows if row[language]}


@cache
def prompt(language: Language, name: str) -> Sound:
    """Return a built-in prompt, read-only; raises KeyError if there is none."""
    if name not in texts(language):
        raise KeyError(f"there is no prompt named {name!r} in {language}")
    human = (language, name) == ("en", "greeting")
    return _read_only(f"prompts/{language}/{name}.{'flac' if human else 'ogg'}")


def beep() -> Sound:
    """Return the tone after a greeting: 1 kHz, 0.4 s, -16 dBFS, faded in and out over 10 ms."""
    time = np.arange(int(_BEEP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.clip(np.minimum(time, _BEEP_SECONDS - time) / 0.01, 0, 1)
    amplitude = 32768 * 2**0.5 * 10 ** (_BEEP_DBFS / 20)
    return np.rint(amplitude * fade * np.sin(2 * np.pi * _BEEP_HZ * time)).astype(np.int16)


def _read_only(name: str) -> Sound:
    with as_file(files(__name__) / name) as path:
        samples = load(path)
    samples.flags.writeable = False
    return samples
