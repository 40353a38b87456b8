"""Longer and shorter sound: the length, the pitch, the join."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech import speech
from media.stretch import FADE, LONGEST, SHORTEST, Join, Sound, best_join, lengthen, shorten

pytestmark = pytest.mark.unit


def tone(hertz: float, samples: int = 1920) -> Sound:
    wave: Sound = (8000 * np.sin(2 * np.pi * hertz * np.arange(samples) / 48_000)).astype(np.int16)
    return wave


def roughest(sound: Sound) -> int:
    """Return the largest step between two samples."""
    return int(np.abs(np.diff(sound.astype(np.int32))).max())


@pytest.mark.parametrize("hertz", [100.0, 150.0, 220.0, 400.0, 1000.0])
def test_a_period_is_left_out_or_repeated_without_a_trace(hertz: float) -> None:
    sound = tone(hertz)
    join = best_join(sound, LONGEST)
    assert join is not None
    assert join.likeness > 0.99
    periods = join.period * hertz / 48_000
    assert periods == pytest.approx(round(periods), abs=0.03)
    for changed, by in ((shorten(sound, join), -1), (lengthen(sound, join), 1)):
        assert len(changed) == len(sound) + by * join.period
        assert roughest(changed) <= roughest(sound) + 60
        spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed)), 48_000))
        assert int(np.argmax(spectrum)) == pytest.approx(hertz, abs=8)


def test_no_more_than_wanted_is_taken() -> None:
    join = best_join(tone(100.0), 240)
    assert join is not None
    assert SHORTEST <= join.period <= 240


@pytest.mark.parametrize(("samples", "most"), [(FADE + SHORTEST - 1, LONGEST), (1920, SHORTEST - 1), (0, 0)])
def test_what_is_too_short_has_no_join(samples: int, most: int) -> None:
    assert best_join(tone(200.0, samples), most) is None


def test_silence_is_joined_anywhere() -> None:
    hiss = np.random.default_rng(1).integers(-9, 10, 1920).astype(np.int16)
    assert best_join(hiss, LONGEST) == Join(0, LONGEST, 1.0)


def test_noise_has_no_good_join_and_speech_has_many() -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 1920).astype(np.int16)
    join = best_join(noise, LONGEST)
    assert join is not None
    assert join.likeness < 0.7
    sound = speech("alice").astype(np.int16)
    likenesses = [
        join.likeness
        for at in range(0, len(sound) - 1920, 1920)
        if np.abs(sound[at : at + 1920]).mean() > 500 and (join := best_join(sound[at : at + 1920], LONGEST))
    ]
    assert np.mean(np.array(likenesses) > 0.7) > 0.6


@given(st.integers(0, 3000), st.integers(0, 1000), st.integers(1, 32_767), st.integers(0, 5))
def test_any_sound_may_come(samples: int, most: int, peak: int, seed: int) -> None:
    sound = np.random.default_rng(seed).integers(-peak, peak + 1, samples).astype(np.int16)
    join = best_join(sound, most)
    if join is None:
        return
    assert SHORTEST <= join.period <= min(most, LONGEST)
    assert join.likeness <= 1.001
    assert len(shorten(sound, join)) == samples - join.period
    assert len(lengthen(sound, join)) == samples + join.period
    assert np.array_equal(sound[: join.at], shorten(sound, join)[: join.at])
