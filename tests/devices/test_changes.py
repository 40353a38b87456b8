"""A call goes on whatever happens to the sound cards, and says what happened."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from node.devices import DeviceManager
from tests.devices.servers import SoundServer
from tests.devices.talk import PLAIN, eventually, plays, said, talking

pytestmark = pytest.mark.devices

SOON = 4.0


async def test_a_call_from_a_microphone_to_a_speaker(sound_server: SoundServer, tmp_path: Path) -> None:
    async with said(tmp_path, "bob"), talking(DeviceManager()) as talk:
        await asyncio.gather(talk.far_hears("bob"), plays("speaker", "alice"))
        assert not talk.switched


async def test_a_headset_is_unplugged_and_plugged_in_again(sound_server: SoundServer) -> None:
    sound_server.add_sink("headset", "Headset")
    devices = DeviceManager(PLAIN)
    devices.select_speaker("headset")
    async with talking(devices) as talk:
        await plays("headset", "alice")
        unplugged = time.monotonic()
        sound_server.remove("headset")
        told, event = await talk.switch("removed", "speaker")
        assert told - unplugged < SOON
        assert (event.kind, event.role) == ("Speaker", "speaker")
        assert event.old is not None and event.old.name == "Headset"
        await talk.update(removed="headset")
        await plays("speaker", "alice")
        assert devices.selected_speaker is not None and devices.selected_speaker.id == "headset"

        plugged = time.monotonic()
        sound_server.add_sink("headset", "Headset")
        told, _ = await talk.switch("returned", "headset")
        assert told - plugged < SOON
        await talk.update(added="headset")
        await plays("headset", "alice")


async def test_a_microphone_disappears_and_returns(sound_server: SoundServer, tmp_path: Path) -> None:
    sound_server.add_sink("desk", "Desk_Feed")
    sound_server.add_source("desk_mic", "Desk_Microphone", feed="desk")
    devices = DeviceManager(PLAIN)
    devices.select_microphone("desk_mic")
    async with said(tmp_path, "bob"), said(tmp_path, "carol", "desk"), talking(devices) as talk:
        await talk.far_hears("carol")
        unplugged = time.monotonic()
        sound_server.remove("desk_mic")
        told, _ = await talk.switch("removed", "microphone")
        assert told - unplugged < SOON
        await talk.far_hears("bob")
        sound_server.add_source("desk_mic", "Desk_Microphone", feed="desk")
        await talk.switch("returned", "desk_mic")
        await talk.far_hears("carol")


async def test_the_default_changes(sound_server: SoundServer) -> None:
    sound_server.add_sink("hall", "Hall")
    async with talking(DeviceManager(PLAIN)) as talk:
        await plays("speaker", "alice")
        sound_server.pactl("set-default-sink", "hall")
        await asyncio.gather(talk.switch("default changed", "hall"), plays("hall", "alice"))


async def test_the_default_speaker_is_unplugged(sound_server: SoundServer) -> None:
    sound_server.add_sink("hall", "Hall")
    sound_server.pactl("set-default-sink", "hall")
    async with talking(DeviceManager(PLAIN)) as talk:
        await plays("hall", "alice")
        unplugged = time.monotonic()
        sound_server.remove("hall")
        (told, _), _ = await asyncio.gather(talk.switch("removed", "speaker"), plays("speaker", "alice"))
        assert told - unplugged < SOON


async def test_the_default_speaker_dies_while_it_is_listed(pulseaudio: SoundServer) -> None:
    async with talking(DeviceManager(PLAIN)) as talk:
        await plays("speaker", "alice")
        died = time.monotonic()
        pulseaudio.pactl("suspend-sink", "speaker", "1")
        told, event = await talk.switch("failed", "micfeed")
        assert told - died < SOON and event.old is not None and event.old.id == "speaker"
        await plays("micfeed", "alice")
        pulseaudio.pactl("suspend-sink", "speaker", "0")
        await talk.switch("returned", "speaker")


async def test_the_sound_server_dies_and_comes_back(sound_server: SoundServer, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        talk = await stack.enter_async_context(talking(DeviceManager(PLAIN)))
        async with said(tmp_path, "bob"):
            await asyncio.gather(talk.far_hears("bob"), plays("speaker", "alice"))
            killed = time.monotonic()
            sound_server.kill()
            told, _ = await talk.switch("failed", None)
            assert told - killed < SOON
        await talk.update(removed="speaker")
        sound_server.start()
        async with said(tmp_path, "bob"):
            await talk.switch("returned", "microphone")
            await talk.switch("returned", "speaker")
            await asyncio.gather(talk.far_hears("bob"), plays("speaker", "alice"))


async def test_devices_are_selected_in_a_call(sound_server: SoundServer, tmp_path: Path) -> None:
    sound_server.add_sink("hall", "Hall")
    sound_server.add_sink("desk", "Desk_Feed")
    sound_server.add_source("desk_mic", "Desk_Microphone", feed="desk")
    changes: list[str | None] = []
    async with said(tmp_path, "bob"), said(tmp_path, "carol", "desk"), talking(DeviceManager(PLAIN)) as talk:
        for name in ("microphone", "speaker"):
            talk.devices.on(
                f"selected_{name}_changed", lambda event: changes.append(event.device and event.device.id)
            )
        await asyncio.gather(talk.far_hears("bob"), plays("speaker", "alice"))
        talk.devices.select_speaker("hall")
        talk.devices.select_microphone("Desk_Mic")
        await talk.switch("selected", "desk_mic")
        await asyncio.gather(talk.far_hears("carol"), plays("hall", "alice"))
        talk.devices.select_microphone(None)
        talk.devices.select_speaker(None)
        await asyncio.gather(talk.far_hears("bob"), plays("speaker", "alice"))
    assert changes == ["hall", "desk_mic", None, None]


async def test_switching_leaves_nothing_behind(sound_server: SoundServer) -> None:
    sound_server.add_sink("hall", "Hall")
    async with talking(DeviceManager(PLAIN)) as talk:
        await plays("speaker", "alice")
        opened = open_files()
        for _ in range(5):
            for name in ("hall", "speaker"):
                count = len(talk.switched)
                talk.devices.select_speaker(name)
                await eventually(lambda count=count: len(talk.switched) > count)  # type: ignore[misc]
        await plays("speaker", "alice")
        assert open_files() <= opened + 4


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
