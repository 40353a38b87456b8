import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE
from media.recorder import OggRecorder, Profile, export, profile, repair
from media.sink import FileSink
from media.source import ToneSource, decode, load
from media.speech import beep, speech
from tests.shell.recording import Feed, encoded, record

pytestmark = pytest.mark.shell

# Records into a file that may not grow beyond 40 kB.
FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from media.recorder import OggRecorder
from media.speech import speech
from tests.shell.recording import Feed, encoded
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
feed = Feed(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
for packet in encoded(speech("alice")):
    feed.give(packet)
feed.recorder.finish(Path(sys.argv[2]))
print(type(feed.recorder.error).__name__, feed.recorder.duration)
"""


def test_a_message_is_whole_to_its_last_sample(tmp_path: Path) -> None:
    part, final = tmp_path / "m.part", tmp_path / "m.ogg"
    said = np.concatenate((speech("bob")[:240_000], beep()))  # the end is loud, so that its loss would show
    recorder = record(part, said)
    recorder.finish(final)
    assert recorder.error is None
    assert [path.name for path in tmp_path.iterdir()] == ["m.ogg"]
    heard = load(final)
    assert recorder.duration == len(heard) / SAMPLE_RATE == len(said) / SAMPLE_RATE + FRAME_SECONDS
    heard = heard[: len(said)]
    assert measure.correlation(heard, said) > 0.9
    assert measure.level_dbfs(heard[-4800:]) == pytest.approx(measure.level_dbfs(said[-4800:]), abs=1.0)
    assert {"title": "message", "artist": "alice"}.items() <= decode(final).tags.items()
    found = profile(final)
    assert (found.duration, found.heard_speech) == (recorder.duration, True)
    direct = Profile()
    for frame in np.append(said, SILENCE).reshape(-1, FRAME_SAMPLES):
        direct.add(frame)
    assert np.max(np.abs(np.subtract(found.peaks(50), direct.peaks(50)))) < 40


def test_only_sound_counts_as_a_message(tmp_path: Path) -> None:
    quiet = ToneSource(200.0, -55.0)
    room = np.concatenate([quiet.read() for _ in range(100)])
    click = np.zeros(48_000, np.int16)
    click[1000:1100] = 20_000
    for name, samples, expected in (
        ("silence", np.zeros(48_000, np.int16), False),
        ("room", room, False),
        ("click", click, False),
        ("word", np.concatenate((room, speech("alice")[:24_000])), True),
    ):
        recorder = record(tmp_path / f"{name}.part", samples)
        recorder.close()
        assert profile(recorder.path).heard_speech is expected, name


@pytest.mark.parametrize("level_db", [-20.0, 0.0, 8.0])
def test_the_gain_brings_recordings_to_one_level(level_db: float) -> None:
    found = Profile()
    said = speech("bob")[: FRAME_SAMPLES * 400].astype(np.float64) * 10 ** (level_db / 20)
    pause = np.zeros(FRAME_SAMPLES, np.int16)
    for frame in np.clip(said, -32768, 32767).astype(np.int16).reshape(-1, FRAME_SAMPLES):
        found.add(frame)
        found.add(pause)
    spoken = said[
        np.repeat([measure.level_dbfs(f.astype(np.int16)) > -45 for f in said.reshape(-1, 960)], 960)
    ]
    heard = measure.level_dbfs(np.clip(spoken, -32768, 32767).astype(np.int16)) + found.gain_db
    assert heard == pytest.approx(-20.0, abs=1.0)


def test_a_gain_has_its_bounds() -> None:
    assert Profile().gain_db == 0.0
    whisper, shout = Profile(), Profile()
    for frame in (np.full(FRAME_SAMPLES, value, np.int16) for value in (200, -200)):
        whisper.add(frame)
    for frame in (np.full(FRAME_SAMPLES, value, np.int16) for value in (32767, 800, 800, 800)):
        shout.add(frame)
    assert 0 < whisper.gain_db <= 30.0
    assert shout.gain_db <= 0.0


def test_peaks_follow_the_sound() -> None:
    found = Profile()
    assert found.peaks(3) == [0, 0, 0]
    for value in (0, 0, 16384, -16384, 32767, -32768):
        found.add(np.full(FRAME_SAMPLES, value, np.int16))
    assert found.peaks(3) == [0, 127, 255]
    assert found.peaks(12) == [0, 0, 0, 0, 127, 127, 127, 127, 254, 254, 255, 255]
    assert found.peaks(1) == [255]


def test_nothing_recorded_is_nothing(tmp_path: Path) -> None:
    recorder = OggRecorder(tmp_path / "m.part")
    recorder.close()
    assert recorder.duration == 0.0
    assert repair(tmp_path / "m.part", tmp_path / "m.ogg") is None
    assert [path.name for path in tmp_path.iterdir()] == ["m.part.bad"]


def test_less_than_a_second_is_not_in_the_file_yet(tmp_path: Path) -> None:
    chance = random.Random(3)
    feed, packets = Feed(tmp_path / "m.part"), encoded(np.resize(speech("carol"), 30 * SAMPLE_RATE))
    moments = set(chance.sample(range(len(packets)), 20))
    for number, packet in enumerate(packets):
        if chance.random() < 0.05:
            feed.skip()
        else:
            feed.give(packet)
        if number in moments:
            deadline = time.monotonic() + 30
            while (written := feed.recorder.duration) <= feed.now - 1.0:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            part = tmp_path / "copy"
            part.write_bytes(feed.recorder.path.read_bytes())  # as if killed now
            if written:
                assert profile(part).duration >= written - 0.01  # the encoder looks ahead 6.5 ms
    feed.recorder.close()


def test_a_part_cut_anywhere_is_repaired_or_put_aside(tmp_path: Path) -> None:
    recorder = record(tmp_path / "whole", speech("carol"))
    recorder.close()
    whole = (tmp_path / "whole").read_bytes()
    lengths = []
    for size in (0, 1, 60, 400, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        part = tmp_path / f"{size}.part"
        part.write_bytes(whole[:size])
        duration = repair(part, tmp_path / f"{size}.ogg")
        assert not part.exists()
        assert (tmp_path / f"{size}.part.bad").exists() is (duration is None)
        lengths.append(duration or 0.0)
    assert lengths[:3] == [0.0, 0.0, 0.0]
    assert lengths == sorted(lengths)
    assert lengths[-1] > recorder.duration - 0.5
    assert not list(tmp_path.glob("*.repair"))


def test_a_part_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        repair(tmp_path / "m.part", tmp_path / "m.ogg")


def test_a_part_with_sound_of_another_kind_stays(tmp_path: Path) -> None:
    with closing(FileSink(tmp_path / "other.wav")) as sink:
        sink.write(ToneSource(440.0).read())
    part = (tmp_path / "other.wav").rename(tmp_path / "m.part")
    with pytest.raises(OSError, match=r"cannot repair .*m\.part"):
        repair(part, tmp_path / "m.ogg")
    assert [path.name for path in tmp_path.iterdir()] == ["m.part"]


def test_a_repair_that_cannot_be_written_leaves_the_part(tmp_path: Path) -> None:
    record(tmp_path / "m.part", speech("carol")).close()
    with pytest.raises(OSError, match=r"m\.ogg"):
        repair(tmp_path / "m.part", tmp_path / "no-such-folder" / "m.ogg")
    assert repair(tmp_path / "m.part", tmp_path / "m.ogg") == pytest.approx(6.7, abs=0.05)


def test_a_full_disk_is_told_and_what_was_recorded_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "m.part"), str(tmp_path / "m.ogg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    name, duration = done.stdout.split()
    assert name == "OSError"
    heard = load(tmp_path / "m.ogg")
    assert 3.0 < len(heard) / SAMPLE_RATE <= float(duration) < 19.0
    assert float(duration) - len(heard) / SAMPLE_RATE < 1.0
    assert measure.correlation(heard, speech("alice")) > 0.9


def test_a_disk_that_is_full_at_once_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        OggRecorder(tmp_path / "m.part")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_a_message_can_be_exported(tmp_path: Path, suffix: str) -> None:
    recorder = record(tmp_path / "m.part", speech("alice"))
    recorder.finish(tmp_path / "m.ogg")
    export(tmp_path / "m.ogg", tmp_path / f"out{suffix}")
    heard = load(tmp_path / f"out{suffix}")
    assert len(heard) / SAMPLE_RATE == pytest.approx(recorder.duration, abs=0.001)
    assert measure.correlation(heard, speech("alice")) > 0.9
    assert decode(tmp_path / f"out{suffix}").tags["title"] == "message"


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    record(tmp_path / "m.part", speech("alice")).finish(tmp_path / "m.ogg")
    with pytest.raises(ValueError, match="must end in"):
        export(tmp_path / "m.ogg", tmp_path / "out.doc")
    with pytest.raises(OSError, match="missing"):
        export(tmp_path / "missing.ogg", tmp_path / "out.wav")
    (tmp_path / "full.wav").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        export(tmp_path / "m.ogg", tmp_path / "full.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["m.ogg"]
