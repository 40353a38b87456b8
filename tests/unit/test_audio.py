"""A frame is 20 ms of mono int16 at 48 kHz; levels are RMS in dBFS."""

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame, Sink, Source, level_dbfs

pytestmark = pytest.mark.unit


class Voice:
    def read(self) -> Frame:
        return SILENCE

    def close(self) -> None:
        pass


class Ear:
    def write(self, frame: Frame) -> None:
        pass

    def close(self) -> None:
        pass


def tone(amplitude: float) -> Frame:
    wave = np.sin(2 * np.pi * 1000 * np.arange(FRAME_SAMPLES) / SAMPLE_RATE)
    return np.round(amplitude * 32767 * wave).astype(np.int16)


def test_a_frame_is_20_ms() -> None:
    assert (SAMPLE_RATE, FRAME_SAMPLES, FRAME_SECONDS) == (48_000, 960, 0.02)
    assert SILENCE.shape == (960,) and SILENCE.dtype == np.dtype(np.int16)
    assert not SILENCE.any()


def test_silence_is_shared_and_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SILENCE[0] = 1


def test_who_can_speak_and_who_can_listen() -> None:
    assert isinstance(Voice(), Source) and not isinstance(Voice(), Sink)
    assert isinstance(Ear(), Sink) and not isinstance(Ear(), Source)


@pytest.mark.parametrize(("amplitude", "level"), [(1.0, -3.01), (0.5, -9.03), (0.1, -23.01), (0.01, -43.01)])
def test_the_level_of_a_tone_is_its_rms(amplitude: float, level: float) -> None:
    assert level_dbfs(tone(amplitude)) == pytest.approx(level, abs=0.05)


def test_the_range_of_levels() -> None:
    assert level_dbfs(SILENCE) == -96.0
    assert level_dbfs(np.full(FRAME_SAMPLES, -32768, np.int16)) == pytest.approx(0.0, abs=1e-3)
    assert -96.0 <= level_dbfs(np.eye(1, FRAME_SAMPLES, dtype=np.int16)[0]) < -90.0
