"""A recording as its owner hears it: at every speed the same pitch, nothing lost, at one level."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.playback import Playback, open_playback
from media.sink import AudioWriter
from media.source import ToneSource
from media.speech import speech

pytestmark = pytest.mark.shell


def heard(playback: Playback, most: int = 2000) -> NDArray[np.int16]:
    frames: list[NDArray[np.int16]] = []
    while not playback.finished and len(frames) < most:
        frames.append(playback.read())
    return np.concatenate(frames)


@pytest.mark.parametrize("speed", [1.0, 1.1, 1.25, 1.5, 2.0])
def test_faster_is_shorter_at_the_same_pitch(speed: float) -> None:
    tone = ToneSource(200.0)
    playback = Playback(np.concatenate([tone.read() for _ in range(200)]))
    playback.set_speed(speed)
    said = heard(playback)
    assert len(said) / SAMPLE_RATE == pytest.approx(4.0 / speed, abs=0.1)
    spectrum = np.abs(np.fft.rfft(said[4800:] * np.hanning(len(said) - 4800)))
    peak = np.argmax(spectrum) * SAMPLE_RATE / (len(said) - 4800)
    assert peak == pytest.approx(200.0, abs=2.0)
    assert measure.level_dbfs(said[4800:-4800]) == pytest.approx(-12.0, abs=1.0)
    # A click would be a step that no sine of this height makes.
    steps = np.abs(np.diff(said[2000:-2000].astype(np.int32)))
    assert steps.max() < 1.5 * 2 * np.pi * 200 / SAMPLE_RATE * 32768 * 2**0.5 * 10 ** (-12 / 20)


def test_as_it_is_it_is_sample_for_sample() -> None:
    said = speech("bob")[:100_001]
    finished: list[bool] = []
    playback = Playback(said)
    playback.on_finished = lambda: finished.append(True)
    whole = heard(playback)
    assert np.array_equal(whole[: len(said)], said) and not whole[len(said) :].any()
    assert finished == [True] and playback.position == playback.duration == len(said) / SAMPLE_RATE
    assert not playback.read().any() and finished == [True]


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_seek_pause_and_position(speed: float) -> None:
    ramp = np.repeat(np.arange(100, dtype=np.int16) * 100, FRAME_SAMPLES)
    playback = Playback(ramp)
    playback.set_speed(speed)
    for _ in range(20):
        playback.read()
    assert playback.position == pytest.approx(0.4 * speed, abs=0.03)
    playback.paused = True
    assert not playback.read().any()
    assert playback.position == pytest.approx(0.4 * speed, abs=0.03)
    playback.paused = False
    playback.seek(1.0)
    assert playback.position == 1.0
    first = playback.read()
    assert np.median(first) == pytest.approx(5000, abs=600)
    playback.seek(-5.0)
    assert playback.position == 0.0
    playback.seek(99.0)
    assert playback.position == playback.duration and not playback.finished
    heard(playback)
    assert playback.finished
    playback.seek(1.9)
    assert len(heard(playback)) / SAMPLE_RATE == pytest.approx(0.1 / speed, abs=0.06)


def test_a_change_of_speed_goes_on_where_it_was() -> None:
    playback = Playback(np.zeros(10 * SAMPLE_RATE, np.int16))
    at = 0.0
    for speed in (1.0, 1.5, 2.0, 1.0):
        playback.set_speed(speed)
        assert playback.position == pytest.approx(at, abs=0.03)
        for _ in range(50):
            playback.read()
        at += speed
    assert playback.position == pytest.approx(at, abs=0.05)
    for speed in (0.5, 2.1, float("nan")):
        with pytest.raises(ValueError, match="from 1 to 2"):
            playback.set_speed(speed)
    assert playback.speed == 1.0


def test_gain() -> None:
    tone = ToneSource(440.0, -30.0)
    samples = np.concatenate([tone.read() for _ in range(50)])
    assert measure.level_dbfs(heard(Playback(samples, 10.0))) == pytest.approx(-20.0, abs=0.1)
    loud = heard(Playback(samples, 40.0))
    assert loud.max() == 32767 and loud.min() == -32768


def test_closed_it_says_nothing() -> None:
    playback = Playback(speech("bob")[:48_000])
    playback.on_finished = lambda: pytest.fail("finished")
    playback.close()
    assert not playback.read().any()


def test_several_files_one_after_the_other(tmp_path: Path) -> None:
    for number, name in enumerate(("a.wav", "b.wav")):
        writer = AudioWriter(tmp_path / name)
        writer.write(np.full(48_000, 1000 * (number + 1), np.int16))
        writer.close()
    playback = open_playback([tmp_path / "a.wav", tmp_path / "b.wav"])
    assert playback.duration == 2.0
    said = heard(playback)
    assert (said[24_000], said[72_000]) == (1000, 2000)
    with pytest.raises(OSError, match="missing"):
        open_playback([tmp_path / "missing.ogg"])
