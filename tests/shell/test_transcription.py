"""Recordings as engines understand them, each in a process of its own; and text spoken by a machine."""

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from media import transcription
from media.measure import level_dbfs
from media.speaking import speak
from media.speech import Language, prompt, speech
from media.transcription import EngineError, Samples, check, transcribe
from tests.files import written

pytestmark = pytest.mark.shell


class Words:
    """An engine of one's own."""

    def transcribe(self, samples: Samples, language: Language) -> str | None:
        print("chatter on stdout")
        return f"{len(samples)} {samples.dtype}\n in {language}"


def failing() -> Words:
    raise RuntimeError("no model")


def crashing() -> Words:
    import ctypes

    ctypes.string_at(0)
    raise AssertionError


async def test_a_sentence_is_understood(tmp_path: Path) -> None:
    recorded = written(
        tmp_path / "m.ogg", np.concatenate([speech("alice"), np.zeros(48_000, np.int16)])
    ).read_bytes()
    said = await transcribe("pocketsphinx", recorded, "en")
    words = {"representatives", "household", "currently", "assisting", "telemarketers", "hold", "order"}
    assert said is not None and len(words & set(said.split())) >= 5, said
    assert await transcribe("pocketsphinx", recorded, "de") is None


async def test_an_engine_of_ones_own(tmp_path: Path) -> None:
    recorded = written(tmp_path / "m.wav", np.zeros(48_000, np.int16)).read_bytes()
    check(f"{__name__}:Words")
    assert await transcribe(f"{__name__}:Words", recorded, "de") == "16000 int16 in de"


@pytest.mark.parametrize("engine", ["failing", "crashing"])
async def test_an_engine_that_fails_costs_its_text_alone(
    engine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = written(tmp_path / "m.wav", np.zeros(48_000, np.int16)).read_bytes()
    assert await transcribe(f"{__name__}:{engine}", recorded, "en") is None
    assert "has not understood a message" in caplog.text
    assert await transcribe("pocketsphinx", b"no sound", "en") is None


async def test_an_engine_that_takes_too_long_is_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "_SECONDS", 0.1)
    recorded = written(tmp_path / "m.wav", np.zeros(48_000, np.int16)).read_bytes()
    begun = time.monotonic()
    assert await transcribe(f"{__name__}:time", recorded, "en") is None
    assert "takes too long over a message" in caplog.text and time.monotonic() - begun < 30.0


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("parrot", "no engine"),
        ("whisper:", "no engine"),
        ("no_such_module:Engine", "not installed"),
    ],
)
def test_an_engine_that_cannot_be_had_is_told(engine: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        check(engine)
    check("pocketsphinx")


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no wheel of the voice")
@pytest.mark.parametrize("language", ["en", "de"])
def test_text_is_spoken(language: Language) -> None:
    text = {"en": "Please leave a <message> after the tone.", "de": "Bitte sprechen Sie nach dem Ton."}
    sound = speak(text[language], language)
    assert 1.5 < len(sound) / 48_000 < 5.0
    assert abs(level_dbfs(sound) - level_dbfs(prompt("en", "greeting"))) < 6.0
    assert np.abs(sound).max() < 32_000


def test_without_a_voice_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OSError, match=r"callnode\[speech\]"):
        speak("hello", "en")
