"""Sound through virtual sound cards: into the microphone, out of the speaker."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SECONDS, SAMPLE_RATE, Sink, Source
from media.devices import AudioDevice, Devices
from media.sink import NumpySink, TeeSink
from media.source import NumpySource
from media.speech import speech
from tests.devices.talk import who
from tests.files import written

pytestmark = [pytest.mark.devices, pytest.mark.usefixtures("sound_server")]

ATTEMPTS = 5  # a busy machine tears holes


def pump(sources: list[Source], sinks: list[Sink], until: Callable[[], bool], seconds: float = 20.0) -> None:
    """Move a frame from each source to its sink every 20 ms until there is enough, or fail."""
    start = time.monotonic()
    pace = threading.Event()
    for count in range(1, round(seconds / FRAME_SECONDS)):
        for source, sink in zip(sources, sinks, strict=True):
            sink.write(source.read())
        if until():
            return
        pace.wait(max(0.0, start + count * FRAME_SECONDS - time.monotonic()))
    pytest.fail(f"not enough was heard within {seconds} s")


def holds(sink: NumpySink, seconds: float) -> bool:
    """Return whether so much has come, counted from the first sound."""
    if len(sink.frames) * FRAME_SECONDS < seconds:
        return False
    first = measure.first_sound(sink.samples)
    return first is not None and len(sink.samples) / SAMPLE_RATE - first > seconds


def test_devices_are_found_with_their_default() -> None:
    devices = Devices()
    microphones, speakers = devices.microphones(), devices.speakers()
    assert AudioDevice("microphone", "Virtual_Microphone", "Microphone", True) in microphones
    assert AudioDevice("speaker", "Virtual_Speaker", "Speaker", True) in speakers
    assert AudioDevice("micfeed", "Mic_Feed", "Speaker", False) in speakers
    with pytest.raises(ValueError, match="'Virtual_Speaker'"):
        devices.speaker("Jabra")
    devices.close()


def test_a_microphone_is_heard_by_all_its_calls(tmp_path: Path) -> None:
    wav = tmp_path / "bob.wav"
    written(wav, np.resize(speech("bob"), 30 * SAMPLE_RATE))
    devices = Devices()
    first, second = devices.microphone(), devices.microphone("virtual_mic")
    one, two = NumpySink(), NumpySink()
    with subprocess.Popen([shutil.which("paplay") or "paplay", "-d", "micfeed", str(wav)]) as player:
        pump([first, second], [one, two], partial(holds, two, 3))
        player.terminate()
    assert not first.null and not devices.null
    first.close()
    second.close()
    devices.close()
    for sink in (one, two):
        assert who(sink.samples) == "bob"
        assert measure.level_dbfs(sink.samples[-SAMPLE_RATE:]) == pytest.approx(-20, abs=3)


def test_a_speaker_plays_all_its_calls_mixed() -> None:
    devices = Devices()
    monitor = devices.microphone("Monitor of Virtual_Speaker")
    by_id = devices.speaker(devices.speakers()[0])
    by_default = devices.speaker()
    loud = NumpySource(speech("alice"), loop=True)
    soft = NumpySource(speech("carol") // 8, loop=True)
    for _ in range(ATTEMPTS):
        heard = NumpySink()
        pump([loud, soft, monitor], [by_id, by_default, TeeSink(heard)], partial(holds, heard, 3))
        if who(heard.samples) == "alice":
            break
    devices.close()
    assert who(heard.samples) == "alice"
    first = measure.first_sound(heard.samples)
    assert first is not None
    both = heard.samples[round((first + 0.5) * SAMPLE_RATE) :]
    assert measure.correlation(both, speech("carol")) < 0.4
    assert measure.level_dbfs(both) == pytest.approx(-20, abs=3)


def enough(sink: NumpySink) -> bool:
    return len(sink.frames) > 10


def test_a_closed_device_can_be_opened_again() -> None:
    devices = Devices()
    for _ in range(3):
        microphone, heard = devices.microphone(), NumpySink()
        pump([microphone], [heard], partial(enough, heard))
        assert not microphone.null
        microphone.close()
        microphone.close()
    devices.close()
