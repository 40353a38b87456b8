"""Who talks: speech is found, at once and for as long as it lasts; noise, clicks and silence are not."""

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame
from media.speech import speech
from media.talking import Talking

pytestmark = pytest.mark.unit

_CHANCE = np.random.default_rng(1)
SILENCE = np.zeros(SAMPLE_RATE, np.int16)


def noise(dbfs: float, seconds: float) -> Frame:
    return _CHANCE.normal(0, 32768 * 10 ** (dbfs / 20), round(seconds * SAMPLE_RATE)).astype(np.int16)


def changes(*sounds: Frame) -> list[tuple[float, bool]]:
    """Return when talking began and ended, in seconds."""
    talking = Talking()
    frames = np.concatenate(sounds)
    frames = frames[: len(frames) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [(at * FRAME_SECONDS, talking.speaking) for at, frame in enumerate(frames) if talking.hear(frame)]


@pytest.mark.parametrize("loudness", [1.0, 0.18])
@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_speech_is_found_at_once_and_until_its_end(name: str, loudness: float) -> None:
    said = (speech(name) * loudness).astype(np.int16)
    (begin, on), (end, off) = changes(SILENCE, said, said, SILENCE)
    assert on and not off
    assert 1.0 <= begin < 1.2
    over = 1.0 + 2 * len(said) / SAMPLE_RATE
    assert over - 0.2 < end < over + 0.6


def test_speech_is_found_in_noise() -> None:
    said = speech("bob") // 2
    street = noise(-50, 4 + len(said) / SAMPLE_RATE + 0.001)
    street[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + len(said)] += said
    (begin, on), (end, off) = changes(street)
    assert on and not off
    assert 2.0 <= begin < 2.2
    assert 0 < end - begin - len(said) / SAMPLE_RATE < 0.7


def test_noise_silence_and_clicks_are_no_talk() -> None:
    click = SILENCE.copy()
    click[24_000:24_500] = 20_000
    assert changes(SILENCE, click, SILENCE) == []
    for dbfs in (-70, -50, -35):
        assert changes(noise(dbfs, 5)) == []


def test_noise_that_begins_is_recognised_as_such() -> None:
    (begin, on), (end, off) = changes(noise(-70, 3), noise(-45, 12))
    assert on and not off
    assert end - begin < 10


def test_who_is_not_listened_to_does_not_talk() -> None:
    talking = Talking()
    said = speech("alice")[: 10 * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    assert not talking.rest()
    assert any([talking.hear(frame) for frame in said]) and talking.speaking
    assert talking.rest() and not talking.speaking
    assert not talking.rest()
