"""What the network does to a call, as its recording is heard: by FFmpeg's own decoder and by libopus."""

import os
import random
import subprocess
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE
from media.recorder import OggRecorder, repair
from media.source import load
from media.speech import speech
from tests.shell.recording import Feed, encoded

pytestmark = pytest.mark.shell

Sound = NDArray[np.int16]
SAID = speech("alice")[: 6 * SAMPLE_RATE]


def heard(feed: Feed, seconds: float) -> list[Sound]:
    """Return the recording as each decoder hears it, after asserting that both find it whole."""
    final = feed.recorder.path.with_suffix(".ogg")
    feed.recorder.finish(final)
    assert feed.recorder.error is None
    assert abs(feed.recorder.duration - seconds) < 0.021
    probe = ("ffprobe", "-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", str(final))
    probed = subprocess.run(probe, capture_output=True, text=True, check=True, timeout=30)
    assert probed.stderr == "" and abs(float(probed.stdout) - feed.recorder.duration) < 0.01
    raw = ("-i", str(final), "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
    sounds = [load(final)]
    for decoder in ("opus", "libopus"):
        ffmpeg = ("ffmpeg", "-v", "warning", "-c:a", decoder, *raw)
        done = subprocess.run(ffmpeg, capture_output=True, check=True, timeout=30)
        assert done.stderr == b"", decoder
        sounds.append(np.frombuffer(done.stdout, np.int16))
    for sound in sounds:
        assert len(sound) == round(feed.recorder.duration * SAMPLE_RATE)
    return sounds


def assert_said(sound: Sound, at: float, said: Sound, within: float = 1.0) -> None:
    """Assert that something is heard just when it was said, and as loud to so many dB."""
    begin = round(at * SAMPLE_RATE)
    part = sound[begin : begin + len(said)]
    assert measure.correlation(part, said) > 0.85
    assert abs(measure.delay_seconds(part, said)) < 0.003
    assert abs(measure.level_dbfs(part) - measure.level_dbfs(said)) < within


def test_a_clean_call(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "m")
    feed.give(*encoded(SAID))
    for sound in heard(feed, 6.02):
        assert_said(sound, 0.0, SAID)


def test_loss_reordering_and_duplicates(tmp_path: Path) -> None:
    chance = random.Random(5)
    feed, packets = Feed(tmp_path / "m"), encoded(SAID)
    arrivals = []
    for number, packet in enumerate(packets):
        if 0 < number < len(packets) - 1 and chance.random() < 0.05:
            continue
        late = chance.choice((0.0, 0.0, 0.03, 0.1, 0.6)) if number else 0.0
        arrivals += [((number + 1) * 0.02 + late, number, packet)] * chance.choice((1, 1, 2))
    for at, number, packet in sorted(arrivals):
        feed.now = at
        feed.recorder.packet(1, (65_500 + number) & 0xFFFF, number * FRAME_SAMPLES, packet)
    feed.now = 6.02
    for sound in heard(feed, 6.02):
        assert_said(sound, 0.0, SAID, within=1.5)


def test_a_pause_a_hold_and_another_stream(tmp_path: Path) -> None:
    feed, packets = Feed(tmp_path / "m"), encoded(SAID)
    feed.give(*packets[:100])
    sequence = feed.sequence
    feed.skip(3 * SAMPLE_RATE)  # DTX: time passes, nothing is sent
    feed.sequence = sequence
    feed.give(*packets[100:200])
    feed.now += 4.0  # a hold in which the sender's clock stood
    feed.give(*packets[200:])
    feed.ssrc, feed.sequence, feed.timestamp = 2, 1, 1
    feed.now += 1.0
    feed.give(*packets[:100])
    feed.now += 2.0
    for sound in heard(feed, 18.02):
        for at, begin, end in ((0.0, 0, 2), (5.0, 2, 4), (11.0, 4, 6), (14.02, 0, 2)):
            assert_said(sound, at, SAID[begin * SAMPLE_RATE : end * SAMPLE_RATE])
        for start, stop in ((2.1, 4.98), (7.1, 10.98), (13.12, 14.0), (16.12, 18.0)):
            assert measure.level_dbfs(sound[round(start * SAMPLE_RATE) : round(stop * SAMPLE_RATE)]) < -70


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_packets_as_others_make_them(tmp_path: Path, layout: str, milliseconds: int) -> None:
    feed = Feed(tmp_path / "m")
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, layout, "s16", 48_000
    encoder.options = {"frame_duration": str(milliseconds), "application": "voip"}
    both = np.repeat(SAID, 2).reshape(1, -1) if layout == "stereo" else SAID.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(both, format="s16", layout=layout)
    frame.sample_rate = 48_000
    packets = [bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None))]
    samples = milliseconds * 48
    for number, packet in enumerate(packets):
        if number % 40 == 39:
            feed.skip(samples)
        else:
            feed.give(packet, samples=samples)
    for sound in heard(feed, len(packets) * milliseconds / 1000):
        assert_said(sound, 0.0, SAID)


def test_packets_that_are_not_opus_spoil_nothing(tmp_path: Path) -> None:
    chance = random.Random(9)
    feed, packets = Feed(tmp_path / "m"), encoded(SAID)
    for number, packet in enumerate(packets):
        if number % 25 == 24:
            packet = chance.randbytes(chance.choice((0, 1, 2, 5, 60, 1400)))
        feed.give(packet)
    final = tmp_path / "m.ogg"
    feed.recorder.finish(final)
    assert abs(feed.recorder.duration - 6.02) < 0.1
    for decoder in ("opus", "libopus"):
        raw = ("-i", str(final), "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
        done = subprocess.run(
            ("ffmpeg", "-v", "quiet", "-c:a", decoder, *raw), capture_output=True, check=True, timeout=30
        )
        sound = np.frombuffer(done.stdout, np.int16)
        assert abs(len(sound) - 6.02 * SAMPLE_RATE) < 0.1 * SAMPLE_RATE
        assert measure.correlation(sound, SAID) > 0.8


def test_a_part_with_gaps_is_repaired_as_it_is(tmp_path: Path) -> None:
    feed, packets = Feed(tmp_path / "m"), encoded(SAID)
    for number, packet in enumerate(packets):
        if number % 30 < 25:
            feed.give(packet)
        else:
            feed.skip()
    whole = heard(feed, 6.02)[0]
    part = tmp_path / "cut.part"
    written = (tmp_path / "m.ogg").read_bytes()
    part.write_bytes(written[: len(written) * 2 // 3])
    duration = repair(part, tmp_path / "cut.ogg")
    assert duration is not None and duration > 3.0
    cut = load(tmp_path / "cut.ogg")
    assert len(cut) == round(duration * SAMPLE_RATE)
    assert np.array_equal(cut, whole[: len(cut)])


def test_a_disk_that_takes_nothing_is_told_and_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "m.part"
    os.mkfifo(pipe)
    reading = threading.Event()
    done = threading.Event()

    def read() -> None:
        with pipe.open("rb") as file:
            reading.set()
            done.wait(60)
            while file.read(65_536):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    feed = Feed(pipe)
    assert reading.wait(60)
    packet = encoded(SILENCE)[0] + bytes(200)
    for _ in range(90 * 50):
        feed.give(packet)
    assert feed.recorder.error is not None and "takes none for a minute" in str(feed.recorder.error)
    done.set()
    feed.recorder.close()
    reader.join()


def test_a_recorder_is_a_sink_of_packets_alone(tmp_path: Path) -> None:
    recorder = OggRecorder(tmp_path / "m")
    for _ in range(50):
        recorder.write(SILENCE)
    recorder.stop()
    recorder.packet(1, 1, 1, encoded(SILENCE)[0])
    recorder.close()
    recorder.close()
    assert recorder.duration < 1.0
