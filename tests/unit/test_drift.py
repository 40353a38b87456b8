import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.drift import High, Resampler, Rhythm, Steering

pytestmark = pytest.mark.unit

WANTED = 2000.0


def tone(seconds: float, hertz: float = 1000.0) -> NDArray[np.int16]:
    phase = 2 * np.pi * hertz * np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    sound: NDArray[np.int16] = np.rint(8000 * np.sin(phase)).astype(np.int16)
    return sound


def steered(steering: Steering, excess: float, seconds: float, start: float = 0.0) -> float:
    """Show the same excess for some time; return the end of it."""
    for at in range(round(seconds * 50)):
        assert not steering.observe(WANTED + excess, WANTED, start + at * 0.02)
    return start + seconds


def test_what_is_high_is_believed_quickly_and_forgotten_slowly() -> None:
    high = High(20.0)
    for _ in range(20):
        high.see(40.0)
    assert high.value == pytest.approx(40.0, abs=0.1)
    for _ in range(20):
        high.see(20.0)
    assert high.value == pytest.approx(39.8, abs=0.1)
    for _ in range(20_000):
        high.see(20.0)
    assert high.value == pytest.approx(20.0, abs=0.1)


def test_the_longest_usual_pause_is_known_and_a_stall_is_none() -> None:
    rhythm = Rhythm(0.020)
    assert rhythm.since(5.0) == 0.0
    for at in (5.0, 5.020, 5.060, 5.080, 5.120, 9.0):
        rhythm.beat(at)
    assert 0.020 < rhythm.pause < 0.040
    assert rhythm.since(9.010) == pytest.approx(0.010)
    assert rhythm.since(8.990) == 0.0
    assert rhythm.since(20.0) == 0.1


def test_a_read_never_runs_dry_when_the_wanted_level_waits() -> None:
    wanted = Steering().wanted(Rhythm(0.020), FRAME_SAMPLES)
    assert wanted == pytest.approx(FRAME_SAMPLES + 0.026 * SAMPLE_RATE)


def test_what_is_wanted_stays_bounded_however_rough_it_gets() -> None:
    steering, rhythm = Steering(), Rhythm(0.020)
    for at in range(500):
        rhythm.beat(at * 0.09)
        steering.observe(WANTED - 4000 * (at % 2), WANTED, at * 0.09)
    assert steering.wanted(rhythm, FRAME_SAMPLES) == pytest.approx(
        FRAME_SAMPLES + 0.082 * SAMPLE_RATE, rel=0.01
    )


def test_clocks_that_agree_leave_the_sound_as_it_is() -> None:
    steering, resampler, sound = Steering(), Resampler(), tone(1)
    steered(steering, 100, 20)
    steered(steering, -60, 20, 20)
    assert steering.ratio is None
    assert resampler.process(sound, steering.ratio) is sound


@pytest.mark.parametrize("excess", [600.0, -300.0])
def test_a_level_that_is_off_is_mended_by_up_to_two_parts_in_a_thousand(excess: float) -> None:
    steering = Steering()
    steered(steering, excess, 5)
    assert steering.ratio is not None
    assert (steering.ratio > 1.0) == (excess > 0)
    steered(steering, 4 * excess, 60, 5)
    assert abs(steering.ratio - 1.0) == pytest.approx(0.002)


def test_a_level_far_too_high_is_cut() -> None:
    steering = Steering()
    end = steered(steering, 0, 1)
    assert steering.observe(WANTED + 0.07 * SAMPLE_RATE, WANTED, end)
    assert not steering.observe(WANTED, WANTED, end + 0.02)
    assert steering.ratio is None


@pytest.mark.parametrize("ratio", [1.0003, 0.9997])
def test_the_speed_changes_without_a_step(ratio: float) -> None:
    sound, resampler = tone(60), Resampler()
    frames = list(sound.reshape(-1, FRAME_SAMPLES))
    parts = [resampler.process(frame, None if at < 50 else ratio) for at, frame in enumerate(frames)]
    assert all(part is frame for part, frame in zip(parts[:50], frames[:50], strict=True))
    changed = np.concatenate(parts)
    steps = np.abs(np.diff(changed.astype(np.int32))).max()
    assert steps <= 1.02 * np.abs(np.diff(sound.astype(np.int32))).max()
    held_back = 240 if ratio > 1.0 else 0
    assert len(sound) - len(changed) == pytest.approx((59 * SAMPLE_RATE) * (1 - 1 / ratio) + held_back, abs=8)
    hertz = np.argmax(np.abs(np.fft.rfft(changed[-48_000:] * np.hanning(48_000), 480_000))) / 10
    assert hertz == pytest.approx(1000 * ratio, abs=0.11)


def test_a_speed_already_set_stays_while_nothing_is_known() -> None:
    resampler = Resampler()
    resampler.process(tone(0.02), 1.0003)
    resampler.process(tone(0.02), 1.0003)
    assert len(resampler.process(tone(1), None)) == pytest.approx(SAMPLE_RATE / 1.0003, abs=2)
