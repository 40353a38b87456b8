"""Joins between sounds: no step, no thump, as good as if the sound before had really gone on."""

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame
from media.fades import FADE_SAMPLES, Joined, continued, faded, met
from media.speech import speech

pytestmark = pytest.mark.unit


def sine(hertz: float, start: int, amplitude: int = 8000, count: int = FRAME_SAMPLES) -> Frame:
    time = (start + np.arange(count)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def thump(sound: Frame) -> float:
    """Return the power below 100 Hz, in dB of any scale."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    return float(10 * np.log10(spectrum[(hertz > 20) & (hertz < 100)].sum() + 1e-9))


@pytest.mark.parametrize("hertz", [200.0, 440.0, 1234.5, 3000.0])
@pytest.mark.parametrize("at", [0, 17, 40, 77])
def test_a_tone_ends_as_softly_as_if_it_were_faded_itself(hertz: float, at: int) -> None:
    joined = Joined()
    frames = [joined.join("tone", sine(hertz, at + FRAME_SAMPLES * n)) for n in range(4)]
    silence = np.zeros(FRAME_SAMPLES, np.int16)
    frames += [joined.join(None, silence) for _ in range(4)]
    heard = np.concatenate(frames)
    whole = sine(hertz, at, count=len(heard)).astype(np.float64)
    fade = np.clip((4 * FRAME_SAMPLES + FADE_SAMPLES - np.arange(len(heard))) / FADE_SAMPLES, 0, 1)
    whole[:FADE_SAMPLES] *= np.arange(FADE_SAMPLES) / FADE_SAMPLES
    assert thump(heard) < thump((whole * fade).astype(np.int16)) + 3
    assert not heard[4 * FRAME_SAMPLES + FADE_SAMPLES :].any()


def test_only_the_first_frame_of_an_origin_is_faded_in() -> None:
    joined, origin = Joined(), object()
    frame = sine(440, 100)
    first, second = joined.join(origin, frame), joined.join(origin, frame)
    assert first[0] == 0 and np.array_equal(first[FADE_SAMPLES:], frame[FADE_SAMPLES:])
    assert second is frame


def test_the_level_is_that_of_100_ms() -> None:
    joined = Joined()
    assert joined.level == -96.0
    loud = sine(1000, 0, amplitude=round(32768 * 2**0.5 / 10))
    for _ in range(6):
        joined.join("loud", loud)
    assert joined.level == pytest.approx(-20, abs=0.1)
    joined.join("loud", np.zeros(FRAME_SAMPLES, np.int16))
    assert joined.level == pytest.approx(-21, abs=0.1)


def test_a_sound_goes_on_as_it_was() -> None:
    frame = sine(500, 0)
    assert np.abs(continued(frame) - sine(500, FRAME_SAMPLES, count=FADE_SAMPLES)).max() <= 2
    assert not continued(np.zeros(FRAME_SAMPLES, np.int16)).any()


def test_speech_is_cut_off_anywhere_without_a_step() -> None:
    voice, silence = speech("alice"), np.zeros(FRAME_SAMPLES, np.int16)
    for at in range(0, len(voice) - FRAME_SAMPLES, 397):
        frame = voice[at : at + FRAME_SAMPLES]
        heard = np.concatenate((frame, faded(silence, continued(frame)))).astype(np.int32)
        steps = np.abs(np.diff(heard))
        assert steps[FRAME_SAMPLES - 1 :].max() <= 1.1 * steps[: FRAME_SAMPLES - 1].max() + 50


def test_a_sound_meets_what_was_before_it_and_is_itself_after_a_millisecond() -> None:
    flat = np.full(FRAME_SAMPLES, 30_000, np.int16)
    raised = met(flat, 1_000)
    assert raised[0] == 31_000 and np.all(np.diff(raised) <= 0) and np.array_equal(raised[48:], flat[48:])
    assert met(flat, 5_000)[0] == 32_767
    assert flat[0] == 30_000


def test_loud_sounds_are_crossed_without_overflow() -> None:
    low, high = np.full(FRAME_SAMPLES, -32768, np.int16), np.full(FRAME_SAMPLES, 32767, np.int16)
    crossed = faded(high, low)
    assert crossed[0] == -32768 and crossed[FADE_SAMPLES] == 32767
    assert np.all(np.diff(crossed.astype(np.int32)) >= 0)
    assert high[0] == 32767
