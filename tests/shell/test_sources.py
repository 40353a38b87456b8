from pathlib import Path

import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Source
from media.source import FileSource, NumpySource, SilenceSource, ToneSource, load
from media.speech import NAMES, beep, speech
from tests.files import written

pytestmark = pytest.mark.shell


def read(source: Source, frames: int) -> np.ndarray:
    return np.concatenate([source.read() for _ in range(frames)])


def said(source: NumpySource | FileSource) -> tuple[np.ndarray, int]:
    """Return all that a source says, and how often it told its end."""
    ends: list[bool] = []
    source.on_finished = lambda: ends.append(True)
    frames = []
    while not source.finished:
        frames.append(source.read())
        assert len(frames[-1]) == FRAME_SAMPLES
        assert len(frames) < 10_000
    assert not read(source, 3).any()
    return np.concatenate(frames), len(ends)


def test_silence() -> None:
    source = SilenceSource()
    assert isinstance(source, Source)
    assert not read(source, 2).any()
    source.close()


def test_a_tone_has_its_pitch_and_level_and_no_break_between_frames() -> None:
    source = ToneSource(441.0, level_dbfs=-20.0)
    sound = read(source, 50).astype(np.float64)
    expected = 32768 * 2**0.5 / 10 * np.sin(2 * np.pi * 441.0 * np.arange(len(sound)) / SAMPLE_RATE)
    assert np.max(np.abs(sound - expected)) <= 1
    assert measure.level_dbfs(sound.astype(np.int16)) == pytest.approx(-20, abs=0.05)
    source.close()


def test_a_tone_too_loud_for_int16_stays_within_it() -> None:
    assert read(ToneSource(300.0, level_dbfs=0.0), 5).max() == 32767


@pytest.mark.parametrize("count", [1, 959, 960, 961, 1920, 5000])
def test_samples_of_any_length_are_said_once_to_the_last(count: int) -> None:
    samples = np.arange(1, count + 1, dtype=np.int16)
    sound, ends = said(NumpySource(samples))
    assert np.array_equal(sound[:count], samples)
    assert not sound[count:].any()
    assert len(sound) == -(-count // FRAME_SAMPLES) * FRAME_SAMPLES
    assert ends == 1


def test_no_samples_at_all_end_at_once() -> None:
    for loop in (False, True):
        assert said(NumpySource(np.zeros(0, np.int16), loop=loop))[1] == 1


def test_a_loop_joins_its_end_to_its_start() -> None:
    samples = np.arange(1, 701, dtype=np.int16)
    source = NumpySource(samples, loop=True)
    assert np.array_equal(read(source, 10), np.resize(samples, 9600))
    assert not source.finished
    source.close()
    assert not source.read().any()


def test_a_closed_source_does_not_tell_an_end() -> None:
    source = NumpySource(np.ones(5000, np.int16))
    source.on_finished = lambda: pytest.fail("it was closed, it did not end")
    source.read()
    source.close()
    assert not source.read().any()


@pytest.mark.parametrize("samples", [np.zeros((2, 9), np.int16), np.zeros(9, np.float32)])
def test_other_arrays_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="1-D int16"):
        NumpySource(samples)


def test_a_file_is_said_whole_and_resampled(tmp_path: Path) -> None:
    wav = tmp_path / "bob.wav"
    written(wav, speech("bob"))
    source = FileSource(wav)
    sound, ends = said(source)
    source.close()
    assert np.array_equal(sound[: len(speech("bob"))], speech("bob"))
    assert not sound[len(speech("bob")) :].any()
    assert ends == 1
    assert np.array_equal(load(wav), speech("bob"))


def test_a_file_can_be_looped(tmp_path: Path) -> None:
    wav = tmp_path / "short.wav"
    written(wav, np.arange(1, 1001, dtype=np.int16))
    source = FileSource(wav, loop=True)
    assert np.array_equal(read(source, 10), np.resize(np.arange(1, 1001), 9600))
    assert not source.finished
    source.close()
    source.close()
    assert not source.read().any()


def test_a_file_that_breaks_off_is_said_as_far_as_it_goes(tmp_path: Path) -> None:
    ogg = tmp_path / "whole.ogg"
    written(ogg, speech("alice"))
    cut = tmp_path / "cut.ogg"
    cut.write_bytes(ogg.read_bytes()[: ogg.stat().st_size // 2])
    sound, ends = said(FileSource(cut))
    assert ends == 1
    assert len(sound) > 0.3 * len(speech("alice"))
    assert measure.correlation(sound, speech("alice")) > 0.9


def test_what_is_no_sound_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound at all, only words, and more words. " * 50)
    (tmp_path / "empty.wav").touch()
    for name in ("missing.wav", "text.wav", "empty.wav"):
        for attempt in (FileSource, load):
            with pytest.raises(OSError, match=name):
                attempt(tmp_path / name)


def test_the_recorded_sentences_are_fit_for_measuring() -> None:
    for name in ("alice", "bob", "carol"):
        sentence = speech(name)
        assert 5 < len(sentence) / SAMPLE_RATE < 9
        assert measure.level_dbfs(sentence) == pytest.approx(-20, abs=0.5)
        assert np.abs(sentence.astype(int)).max() < 32000
        assert measure.longest_silence(np.tile(sentence, 2), -45.0) <= 0.045
    assert set(NAMES) == {"alice", "bob", "carol"}
    with pytest.raises(ValueError, match="alice, bob, carol"):
        speech("mallory")


def test_the_beep_is_one_kilohertz_and_begins_and_ends_softly() -> None:
    tone = beep()
    spectrum = np.abs(np.fft.rfft(tone))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(tone) == pytest.approx(1000, abs=3)
    assert measure.level_dbfs(tone) == pytest.approx(-16, abs=0.5)
    assert np.abs(tone[:5]).max() < 100 and np.abs(tone[-5:]).max() < 100
