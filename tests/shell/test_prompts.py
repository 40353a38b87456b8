"""What voicemail says: every prompt is there, and can be replaced."""

from pathlib import Path

import numpy as np
import pytest

from media.audio import SAMPLE_RATE
from media.measure import level_dbfs
from media.sink import FileSink
from media.speech import LANGUAGES, Language, Prompts, prompt, speech, texts

pytestmark = pytest.mark.shell


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_spoken(language: Language) -> None:
    for name, text in texts(language).items():
        sound = prompt(language, name)
        assert 0.01 < len(sound) / SAMPLE_RATE / len(text) < 0.35, name
        assert -28 < level_dbfs(sound) < -16, name
    folder = Path(__file__).parents[2] / "media/speech/prompts" / language
    assert {path.stem for path in folder.iterdir()} == set(texts(language))


def test_own_prompts_stand_before_those_built_in(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    sink = FileSink(tmp_path / "de" / "sent.wav")
    for start in range(0, 48_000, 960):
        sink.write(speech("bob")[start : start + 960])
    sink.close()
    prompts = Prompts(tmp_path)
    assert np.array_equal(prompts.sound("de", ["sent"]), speech("bob")[:48_000])
    both = prompts.sound("en", ["sent", "goodbye"])
    assert np.array_equal(both, np.concatenate((prompt("en", "sent"), prompt("en", "goodbye"))))
    with pytest.raises(KeyError, match="no prompt named 'oclock' in en"):
        prompts.sound("en", ["oclock"])


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no folder"):
        Prompts(tmp_path / "none")
    (tmp_path / "en").mkdir()
    wrong = tmp_path / "en" / "sent.wav"
    wrong.write_bytes(b"no sound")
    with pytest.raises(OSError, match=r"sent\.wav"):
        Prompts(tmp_path)
    wrong.rename(tmp_path / "en" / "send.wav")
    with pytest.raises(OSError, match="no prompt named 'send'"):
        Prompts(tmp_path)
