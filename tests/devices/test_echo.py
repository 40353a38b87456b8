"""The echo path closed: what the speaker plays comes back through the microphone, 60 ms later.

A busy machine tears holes into virtual cards, and after each the canceller learns the room anew and the
clocks are brought together again: so what should be is waited for, and sentences are said again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from media import measure
from media.audio import FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame
from media.devices import Devices
from media.processing import AudioProcessing
from media.source import NumpySource
from media.speech import speech
from node.call import AudioOptions
from tests.devices.servers import SoundServer
from tests.devices.talk import PLAIN, laptop_call, who
from tests.e2e.media_pair import Memory
from tests.files import written
from tests.room import loud, noise, paused, pcm

pytestmark = pytest.mark.devices

FLOOR_DBFS = -65.0
FAR = pcm(paused(speech("alice"), 8.5, -23))
NEAR = pcm(loud(speech("bob")[: 4 * SAMPLE_RATE], -24))
NO_GAIN = AudioProcessing(auto_gain_control=False)
LEARNING_SECONDS = 2.0
HELD_SECONDS = 2
HOLE_SECONDS = 0.6
PATIENCE = 60.0
ATTEMPTS = 6

# Both of its ends are on one clock; if it may adjust, it wanders, and no canceller follows.
LOOPBACK = ("latency_msec=60", "adjust_time=0")

Hear: TypeAlias = Callable[[float], Awaitable[Frame]]
Process: TypeAlias = Callable[[AudioProcessing], None]


class Mouth:
    """Say what it is given, else nothing."""

    def __init__(self) -> None:
        self.words: NumpySource | None = None

    def read(self) -> Frame:
        return SILENCE if self.words is None else self.words.read()

    def close(self) -> None:
        pass


@asynccontextmanager
async def played(sound: Frame, path: Path) -> AsyncIterator[None]:
    """Let the microphone hear a sound while entered."""
    written(path, sound)
    player = await asyncio.create_subprocess_exec("paplay", "-d", "micfeed", str(path))
    try:
        yield
    finally:
        if player.returncode is None:
            player.terminate()
        await player.wait()


@asynccontextmanager
async def room(server: SoundServer, folder: Path, *speakers: str) -> AsyncIterator[None]:
    """Let the microphone hear these speakers and the soft hum that rooms have."""
    for speaker in speakers:
        path = (f"source={speaker}.monitor", "sink=micfeed", *LOOPBACK)
        server.pactl("load-module", "module-loopback", *path)
    async with played(pcm(noise(240, FLOOR_DBFS, 1)), folder / "room.wav"):
        yield


async def until_below(hear: Hear, dbfs: float) -> float:
    """Return after how many seconds it is softer than that for two."""
    held = 0
    for second in range(1, round(PATIENCE)):
        level = measure.level_dbfs(await hear(1))
        held = held + 1 if level < dbfs else 0
        if held == HELD_SECONDS:
            return second - held
    pytest.fail(f"never below {dbfs:.1f} dBFS for {HELD_SECONDS} s; at last {level:.1f}")


async def echo(hear: Hear) -> Frame:
    """Return four seconds in which what the mouth says comes back; wait for them."""
    async with asyncio.timeout(PATIENCE):
        # In a thread: whoever listens must not keep the others from speaking.
        while await asyncio.to_thread(who, heard := await hear(4)) != "alice":
            pass
    return heard


async def echo_is_cancelled(hear: Hear, mouth: Mouth, process: Process, options: AudioProcessing) -> None:
    """Assert that what the mouth says comes back, until it is cancelled."""
    mouth.words = NumpySource(FAR, loop=True)
    before = await echo(hear)
    process(options)
    await hear(LEARNING_SECONDS)
    loudness = measure.level_dbfs(before)
    seconds = LEARNING_SECONDS + await until_below(hear, loudness - 30)
    print(f"echo at {loudness:.1f} dBFS; 30 dB softer from {seconds:.0f} s on")
    mouth.words = None


async def near_is_heard(hear: Hear, folder: Path, dbfs: tuple[float, float]) -> None:
    """Assert that somebody who speaks near the microphone is heard whole, as loud as they should.

    A busy machine tears holes of some tenths of a second; what the canceller itself leaves is measured in the
    simulated room.
    """
    for _ in range(ATTEMPTS):
        await hear(0.5)
        async with played(NEAR, folder / "near.wav"):
            heard = await hear(len(NEAR) / SAMPLE_RATE)
        start = measure.first_sound(heard, -40)
        assert start is not None
        heard = heard[round(start * SAMPLE_RATE) :]
        level, hole, name = (
            measure.level_dbfs(heard),
            measure.longest_silence(heard, -50),
            await asyncio.to_thread(who, heard),
        )
        print(f"near: {name} at {level:.1f} dBFS, longest silence {hole:.2f} s")
        if name == "bob" and dbfs[0] < level < dbfs[1] and hole < HOLE_SECONDS:
            return
    pytest.fail("who is near is not heard")


async def test_echo_is_gone_and_who_is_near_is_heard(sound_server: SoundServer, tmp_path: Path) -> None:
    mouth = Mouth()
    devices = Devices()
    async with room(sound_server, tmp_path, "speaker"):
        speaker, microphone = devices.speaker(), devices.microphone()

        async def hear(seconds: float) -> Frame:
            clock, heard = asyncio.get_running_loop().time, []
            start = clock()
            for count in range(1, round(seconds / FRAME_SECONDS) + 1):
                speaker.write(mouth.read())
                heard.append(microphone.read())
                await asyncio.sleep(max(0.0, start + count * FRAME_SECONDS - clock()))
            return np.concatenate(heard)

        try:
            await echo_is_cancelled(hear, mouth, devices.process, NO_GAIN)
            await near_is_heard(hear, tmp_path, (-27, -21))
            mouth.words = NumpySource(FAR, loop=True)
            await until_below(hear, -23 - 30)
        finally:
            await asyncio.to_thread(devices.close)


async def test_who_calls_a_laptop_does_not_hear_themselves(sound_server: SoundServer, tmp_path: Path) -> None:
    mouth, ear = Mouth(), Memory()
    sound_server.add_sink("headset", "Headphones")
    async with (
        room(sound_server, tmp_path, "speaker", "headset"),
        laptop_call(tmp_path, AudioOptions(mouth, ear), audio_processing=PLAIN) as (devices, _),
    ):

        def process(options: AudioProcessing) -> None:
            devices.audio_processing = options

        await echo_is_cancelled(ear.more, mouth, process, AudioProcessing())
        await near_is_heard(ear.more, tmp_path, (-24, -14))
        devices.select_speaker("headphones")
        mouth.words = NumpySource(FAR, loop=True)
        await echo(ear.more)  # heard only as these headphones are no real ones
