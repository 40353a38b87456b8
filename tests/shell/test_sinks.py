import time
from pathlib import Path

import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame, Sink
from media.devices import Devices
from media.mixer import mix
from media.ring import Ring
from media.sink import FileSink, MeterSink, NullSink, NumpySink, TeeSink
from media.source import ToneSource, decode, load
from media.speech import speech

pytestmark = pytest.mark.shell


def frames(samples: np.ndarray) -> list[Frame]:
    return list(samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES))


def test_null_takes_anything() -> None:
    sink = NullSink()
    assert isinstance(sink, Sink)
    sink.write(np.ones(FRAME_SAMPLES, np.int16))
    sink.close()


def test_numpy_collects_copies_and_when_they_came() -> None:
    sink = NumpySink()
    assert len(sink.samples) == 0
    frame = np.full(FRAME_SAMPLES, 7, np.int16)
    before = time.monotonic()
    sink.write(frame)
    frame[:] = 8
    sink.write(frame)
    sink.close()
    assert np.array_equal(sink.samples, np.repeat(np.array([7, 8], np.int16), FRAME_SAMPLES))
    (first, _), (second, _) = sink.frames
    assert before <= first <= second <= time.monotonic()


def test_numpy_keeps_the_newest() -> None:
    sink = NumpySink(max_seconds=0.06)
    for value in range(10):
        sink.write(np.full(FRAME_SAMPLES, value, np.int16))
    assert [int(frame[0]) for _, frame in sink.frames] == [7, 8, 9]


def test_the_meter_tells_the_level_of_each_period() -> None:
    levels: list[float] = []
    sink = MeterSink(levels.append, period=0.1)
    tone = ToneSource(500.0, -30.0)
    for _ in range(10):
        sink.write(tone.read())
    for _ in range(9):
        sink.write(np.zeros(FRAME_SAMPLES, np.int16))
    sink.close()
    assert levels == [pytest.approx(-30, abs=0.1), pytest.approx(-30, abs=0.1), -96.0]


def test_the_tee_gives_all_to_each_and_closes_all() -> None:
    class Closing(NumpySink):
        closed = False

        def close(self) -> None:
            self.closed = True
            raise OSError("cannot")

    one, two = Closing(), Closing()
    tee = TeeSink(one, two)
    tee.write(np.ones(FRAME_SAMPLES, np.int16))
    with pytest.raises(OSError, match="cannot"):
        tee.close()
    assert np.array_equal(one.samples, two.samples) and len(one.samples)
    assert one.closed and two.closed


def test_the_tee_counts_what_its_speakers_missed() -> None:
    class Late(NullSink):
        underruns = 2

    assert TeeSink(NumpySink(), Late(), TeeSink(Late())).underruns == 4


@pytest.mark.parametrize(
    ("suffix", "least"), [(".wav", 0.999), (".flac", 0.999), (".mp3", 0.95), (".ogg", 0.9)]
)
def test_a_file_holds_all_that_was_heard(tmp_path: Path, suffix: str, least: float) -> None:
    path = tmp_path / f"call{suffix}"
    sink = FileSink(path, tags={"title": "a call"})
    heard = frames(speech("carol"))[:333]  # no multiple of the batch
    for frame in heard:
        sink.write(frame)
    assert sink.duration == pytest.approx(6.66)
    sink.close()
    sink.close()
    sink.write(heard[0])
    assert sink.error is None
    found = load(path)
    assert len(found) == 333 * FRAME_SAMPLES
    assert abs(measure.delay_seconds(found, speech("carol"))) < 0.001
    assert measure.correlation(found, speech("carol")) > least
    assert measure.correlation(found[-SAMPLE_RATE:], speech("carol")) > least - 0.05
    tags = decode(path).tags
    assert tags["title"] == "a call"


def test_a_file_of_nothing_can_be_closed(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "nothing.wav")
    sink.close()
    assert len(load(tmp_path / "nothing.wav")) == 0


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-folder"):
        FileSink(tmp_path / "no-such-folder" / "call.wav")
    with pytest.raises(ValueError, match=r"must end in \.wav"):
        FileSink(tmp_path / "call.txt")


def test_without_any_device_sound_is_paced_by_a_null_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("media.scanner.cards", list)
    devices = Devices()
    assert devices.microphones() == devices.speakers() == []
    with pytest.raises(ValueError, match="none at all"):
        devices.speaker("Jabra")
    microphone, speaker = devices.microphone(), devices.speaker()
    assert microphone.wait_open() and speaker.wait_open()
    assert microphone.null and speaker.null and devices.null
    assert "there is no microphone" in caplog.text and "there is no speaker" in caplog.text
    for _ in range(5):
        assert not microphone.read().any()
        speaker.write(np.ones(FRAME_SAMPLES, np.int16))
    microphone.close()
    speaker.close()
    speaker.close()
    assert not devices.null
    devices.close()


def test_what_is_mixed_adds_up_and_bends_when_loud() -> None:
    quiet = np.array([100, -200], np.int16)
    assert mix([], 2).tolist() == [0, 0]
    assert mix([quiet], 2).tolist() == [100, -200]
    assert mix([quiet, quiet, quiet], 2).tolist() == [300, -600]
    loud = mix([np.array([20000, -32768, 32767], np.int16)] * 4, 3).tolist()
    assert 25000 < loud[0] <= 32767 and -32768 <= loud[1] < -30000 and 30000 < loud[2] <= 32767


def test_a_ring_serves_a_card_of_another_block_size() -> None:
    ring = Ring(8 * FRAME_SAMPLES)
    heard = []
    for frame in frames(speech("alice")):
        ring.write(frame)
        while len(ring) > 2 * FRAME_SAMPLES:
            heard.append(ring.read(441))
    assert ring.underruns == ring.dropped == 0
    assert np.array_equal(np.concatenate(heard), speech("alice")[: 441 * len(heard)])
