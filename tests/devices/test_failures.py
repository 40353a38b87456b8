"""Devices that are none, that die while they are listed, and a sound server that hangs."""

import ctypes
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from media.audio import FRAME_SECONDS
from media.device_ends import End, MicrophoneSource, SpeakerSink
from media.devices import AudioDevice, AudioDeviceSwitched, DeviceEvent, Devices
from media.source import ToneSource
from node.devices import DeviceManager
from tests.devices.servers import PATIENCE, SoundServer
from tests.program import result

pytestmark = pytest.mark.devices

SOON = 4.0
ATTEMPTS = 5  # a busy machine tears holes


class Told:
    """What devices tell, and when."""

    def __init__(self) -> None:
        self.switched: list[tuple[float, AudioDeviceSwitched]] = []
        self._changed = threading.Condition()

    def __call__(self, event: DeviceEvent) -> None:
        if isinstance(event, AudioDeviceSwitched):
            with self._changed:
                self.switched.append((time.monotonic(), event))
                self._changed.notify_all()

    def wait(self, role: str, cause: str, old: str | None, new: str | None) -> float:
        """Wait until sound is told to have gone over from one device to another; return when it was."""

        def found() -> list[float]:
            return [at for at, event in self.switched if _short(event) == (role, cause, old, new)]

        with self._changed:
            assert self._changed.wait_for(lambda: bool(found()), PATIENCE), self.story
            return found()[-1]

    @property
    def story(self) -> list[tuple[str, str, str | None, str | None]]:
        """Return all that was told: role, cause, from where, to where."""
        return [_short(event) for _, event in self.switched]

    def ends(self, role: str, cause: str, new: str | None) -> bool:
        """Return whether what was told of a role last is this."""
        last = [event for event in self.story if event[0] == role][-1:]
        return [(cause, new)] == [(told, where) for _, told, _, where in last]


def _short(event: AudioDeviceSwitched) -> tuple[str, str, str | None, str | None]:
    def name(device: AudioDevice | None) -> str | None:
        return None if device is None else device.id

    return event.role, event.cause, name(event.old), name(event.new)


@contextmanager
def sounding(devices: Devices) -> Iterator[tuple[MicrophoneSource, SpeakerSink]]:
    """Talk by microphone and speaker in a thread of its own, and close all at the end."""
    microphone, speaker = devices.microphone(), devices.speaker()
    done = threading.Event()

    def talk() -> None:
        tone, start, count = ToneSource(440.0), time.monotonic(), 0
        while not done.wait(max(0.0, start + count * FRAME_SECONDS - time.monotonic())):
            speaker.write(tone.read())
            microphone.read()
            count += 1

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        assert microphone.wait_open() and speaker.wait_open()
        yield microphone, speaker
    finally:
        done.set()
        talking.join()
        devices.close()


async def test_what_a_speaker_plays_is_no_microphone(sound_server: SoundServer) -> None:
    sound_server.pactl("set-default-source", "speaker.monitor")
    told = Told()
    with sounding(Devices(told)) as (microphone, _):
        until(lambda: uses(microphone) == "microphone")
    sound_server.remove("microphone")
    sound_server.remove("micfeed")
    until(lambda: sound_server.pactl("get-default-source") == "speaker.monitor")
    devices = Devices(told)
    with sounding(devices) as (microphone, speaker):
        until(lambda: microphone.null and uses(speaker) == "")
        monitor = devices.microphone("Monitor of Virtual_Speaker")
        assert monitor.wait_open()
        until(lambda: uses(monitor) == "speaker.monitor")
        until(lambda: told.ends("microphone", "missing", None))
    manager = DeviceManager()
    assert not (await manager.ask_device_permission()).audio
    await manager.dispose()


async def test_what_a_server_has_in_place_of_cards_is_none(pulseaudio: SoundServer) -> None:
    pulseaudio.pactl("load-module", "module-always-sink")
    told = Told()
    with sounding(Devices(told)):
        unplugged = time.monotonic()
        for name in ("microphone", "micfeed", "speaker"):
            pulseaudio.remove(name)
        for role in ("microphone", "speaker"):
            assert told.wait(role, "removed", role, None) - unplugged < SOON
        checks = {each["check"]: each for each in json.loads((await result("doctor", "--json")).out)}
        assert checks["microphone"]["found"] == "there is none. Nobody hears you"
        assert checks["speaker"]["found"] == "there is none. You hear nobody"
        pulseaudio.add_sink("hall", "Hall")
        told.wait("speaker", "returned", None, "hall")


def test_a_card_that_is_dead_is_tried_while_the_sound_stays_where_it_is(pulseaudio: SoundServer) -> None:
    def inputs() -> int:
        return len(pulseaudio.pactl("list", "short", "sink-inputs").splitlines())

    pulseaudio.add_sink("hall", "Hall")
    told = Told()
    devices = Devices(told)
    devices.select("speaker", "hall")
    with sounding(devices) as (_, speaker):
        until(lambda: uses(speaker) == "hall")
        died = time.monotonic()
        pulseaudio.pactl("suspend-sink", "hall", "1")
        assert told.wait("speaker", "failed", "hall", "speaker") - died < SOON
        until(lambda: inputs() == 2)  # it is tried
        until(lambda: inputs() == 1)  # in vain
        assert told.ends("speaker", "failed", "speaker")
        pulseaudio.pactl("suspend-sink", "hall", "0")
        told.wait("speaker", "returned", "speaker", "hall")
        assert told.ends("speaker", "returned", "hall")
        pulseaudio.pactl("suspend-sink", "micfeed", "1")
        devices.select("speaker", "micfeed")
        told.wait("speaker", "failed", "micfeed", "speaker")


def test_a_sound_server_hangs_and_goes_on(sound_server: SoundServer) -> None:
    told = Told()
    devices = Devices(told)
    with sounding(devices) as ends:
        until(lambda: [uses(end) for end in ends] == ["", ""])
        with sound_server.hanging():
            hung = time.monotonic()
            for role in ("microphone", "speaker"):
                assert told.wait(role, "failed", role, None) - hung < SOON
            assert devices.null
        for role in ("microphone", "speaker"):
            until(lambda role=role: told.ends(role, "returned", role))  # type: ignore[misc]
        with sound_server.hanging():
            hung = time.monotonic()
            devices.close()
            assert Devices().microphones() == []
            assert time.monotonic() - hung < SOON
    until(lambda: not asking())


def test_a_headset_was_unplugged_between_two_calls(pulseaudio: SoundServer) -> None:
    pulseaudio.add_sink("headset", "Headset")
    told = Told()
    devices = Devices(told)
    devices.select("speaker", "headset")
    pulseaudio.remove("headset")
    with sounding(devices) as (_, speaker):
        until(lambda: uses(speaker) == "")
        told.wait("speaker", "removed", "headset", "speaker")


def test_what_a_card_did_not_get_in_time_is_counted(pulseaudio: SoundServer) -> None:
    with sounding(Devices()) as (microphone, speaker):
        for _ in range(ATTEMPTS):
            before = speaker.underruns
            spin(seconds=1.0)
            if speaker.underruns == before:
                break
        else:
            pytest.fail("a busy thread costs sound")
        heard, played = microphone.underruns, speaker.underruns
        ctypes.PyDLL(None).usleep(150_000)  # which keeps every Python thread from running
        until(lambda: microphone.underruns > heard and speaker.underruns > played)


def uses(end: End) -> str | None:
    """Return the id of the card behind a source or sink."""
    stream = end.stream
    return None if stream is None or stream.card is None else stream.card.device_id


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def asking() -> list[threading.Thread]:
    """Return the threads that a sound server keeps waiting."""
    return [thread for thread in threading.enumerate() if thread.name == "sound server"]
