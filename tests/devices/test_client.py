"""The devices of a client whose laptop is called."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.measure import level_dbfs
from media.sink import NumpySink, TeeSink
from media.source import NumpySource
from media.speech import speech
from node import diagnostics
from node.call import AudioOptions, Call
from node.devices import AudioDeviceSwitched
from node.features import Features
from node.session import CallState
from tests.devices.servers import PATIENCE, SoundServer
from tests.devices.talk import STEP, eventually, laptop_call, plays, plays_what, ringing_laptop, said

pytestmark = pytest.mark.devices

SILENT_DBFS = -60.0


def says_alice() -> AudioOptions:
    return AudioOptions(NumpySource(speech("alice"), loop=True), NumpySink())


def loud(heard: NDArray[np.int16]) -> bool:
    return level_dbfs(heard[-STEP:]) > -40


def silent(heard: NDArray[np.int16]) -> bool:
    return len(heard) >= STEP and level_dbfs(heard[-STEP:]) < SILENT_DBFS


async def told(call: Call, flags: set[str]) -> None:
    """Wait until just these diagnostics of the devices are raised."""
    media = call.feature(Features.USER_FACING_DIAGNOSTICS).media
    await eventually(lambda: {name for name, each in media.get_latest().items() if each.value} == flags)


async def test_a_call_rings_on_one_speaker_and_talks_on_another(
    pulseaudio: SoundServer, tmp_path: Path
) -> None:
    pulseaudio.add_sink("hall", "Hall")
    async with ringing_laptop(tmp_path, says_alice(), rings=True) as (devices, incoming):
        await plays_what("speaker", loud)
        devices.select_ring_speaker("hall")
        await asyncio.gather(plays_what("hall", loud), plays_what("speaker", silent))
        call = await incoming.accept()
        async with asyncio.timeout(PATIENCE):
            await call.wait_for(CallState.CONNECTED)
        await asyncio.gather(plays("speaker", "alice"), plays_what("hall", silent))


async def test_what_the_cards_missed_is_in_the_stats(pulseaudio: SoundServer, tmp_path: Path) -> None:
    async with laptop_call(tmp_path, says_alice()) as (_, call):
        await plays("speaker", "alice")
        before = call.stats
        assert before is not None
        await asyncio.to_thread(pulseaudio.stall, 0.3)
        await eventually(
            lambda: call.stats is not None and call.stats.microphone_underruns > before.microphone_underruns
        )


async def test_a_call_without_any_device_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    switched: list[AudioDeviceSwitched] = []
    async with ringing_laptop(tmp_path, says_alice()) as (devices, incoming):
        devices.on("audio_device_switched", switched.append)
        assert devices.microphones == devices.speakers == []
        assert not (await devices.ask_device_permission()).audio
        call = await incoming.accept()
        await eventually(lambda: {event.kind for event in switched} == {"Microphone", "Speaker"})
        await eventually(lambda: call.stats is not None and call.stats.packets_sent > 50)
        assert call.state is CallState.CONNECTED
        await told(call, {"noMicrophoneDevicesEnumerated", "noSpeakerDevicesEnumerated"})
        call.set_sink(NumpySink())
        await told(call, {"noMicrophoneDevicesEnumerated"})
        call.set_sink(TeeSink(NumpySink(), devices.speaker_sink()))
        await told(call, {"noMicrophoneDevicesEnumerated", "noSpeakerDevicesEnumerated"})
    assert {(event.new, event.cause) for event in switched} == {(None, "missing")}
    assert "there is no microphone; going on without" in caplog.text


async def test_a_microphone_that_brings_nothing_or_nothing_more_is_told(
    pulseaudio: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnostics, "SILENT_SECONDS", 1.5)
    async with laptop_call(tmp_path, says_alice()) as (_, call):
        await told(call, {"microphoneNotFunctioning"})
        async with said(tmp_path, "bob"):
            await told(call, set())
            pulseaudio.pactl("set-source-mute", "microphone", "1")
            await told(call, {"microphoneMuteUnexpectedly"})
            pulseaudio.pactl("set-source-mute", "microphone", "0")
            await told(call, set())
            pulseaudio.remove("microphone")
            await told(call, {"noMicrophoneDevicesEnumerated"})
