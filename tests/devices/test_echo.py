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
from media.processing import AudioProcessing, Processor, is_headphones
from media.sink import AudioWriter
from media.source import NumpySource
from media.speech import speech
from tests.devices.servers import SoundServer
from tests.e2e.media_pair import Memory, open_stations, talk
from tests.room import loud, noise, paused, pcm

pytestmark = pytest.mark.devices

SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}
FLOOR_DBFS = -65.0
FAR = pcm(paused(speech("alice"), 8.5, -23))
NEAR = pcm(loud(speech("bob"), -24))
OFF = AudioProcessing(echo_cancellation=False, noise_suppression=False, auto_gain_control=False)
NO_GAIN = AudioProcessing(auto_gain_control=False)
LEARNING_SECONDS = 2.0
HELD_SECONDS = 3
PATIENCE = 60.0
ATTEMPTS = 6

Hear: TypeAlias = Callable[[float], Awaitable[Frame]]


class Mouth:
    """Say what it is given, else nothing."""

    def __init__(self) -> None:
        self.words: NumpySource | None = None

    def read(self) -> Frame:
        return SILENCE if self.words is None else self.words.read()

    def close(self) -> None:
        pass


def process(devices: Devices, options: AudioProcessing) -> None:
    devices.process(lambda speaker: Processor(options, headphones=is_headphones(speaker)))


@asynccontextmanager
async def played(sound: Frame, path: Path) -> AsyncIterator[None]:
    """Let the microphone hear a sound while entered."""
    writer = AudioWriter(path)
    writer.write(sound)
    writer.close()
    player = await asyncio.create_subprocess_exec("paplay", "-d", "micfeed", str(path))
    try:
        yield
    finally:
        if player.returncode is None:
            player.terminate()
        await player.wait()


@asynccontextmanager
async def room(server: SoundServer, folder: Path) -> AsyncIterator[Devices]:
    """Close the echo path, and let the room hum softly, as rooms do."""
    path = ("source=speaker.monitor", "sink=micfeed", "latency_msec=60")
    server.pactl("load-module", "module-loopback", *path)
    devices = Devices()
    process(devices, OFF)
    try:
        async with played(pcm(noise(240, FLOOR_DBFS, 1)), folder / "room.wav"):
            yield devices
    finally:
        await asyncio.to_thread(devices.close)


async def until_below(hear: Hear, dbfs: float) -> float:
    """Return after how many seconds it is softer than that for three seconds."""
    held = 0
    for second in range(1, round(PATIENCE)):
        level = measure.level_dbfs(await hear(1))
        held = held + 1 if level < dbfs else 0
        if held == HELD_SECONDS:
            return second - held
    pytest.fail(f"never below {dbfs:.1f} dBFS for {HELD_SECONDS} s; at last {level:.1f}")


async def echo_is_cancelled(hear: Hear, mouth: Mouth, devices: Devices, options: AudioProcessing) -> None:
    """Assert that what the mouth says comes back, until it is cancelled."""
    mouth.words = NumpySource(FAR, loop=True)
    async with asyncio.timeout(PATIENCE):
        while measure.who(before := await hear(4), SENTENCES) != "alice":
            pass
    process(devices, options)
    await hear(LEARNING_SECONDS)
    loudness = measure.level_dbfs(before)
    seconds = LEARNING_SECONDS + await until_below(hear, loudness - 30)
    print(f"echo at {loudness:.1f} dBFS; 30 dB softer from {seconds:.0f} s on")
    mouth.words = None


async def near_is_heard(hear: Hear, folder: Path, dbfs: tuple[float, float]) -> None:
    """Assert that somebody who speaks near the microphone is heard whole, as loud as they should."""
    for _ in range(ATTEMPTS):
        await hear(0.5)
        async with played(NEAR, folder / "near.wav"):
            heard = await hear(len(NEAR) / SAMPLE_RATE)
        start = measure.first_sound(heard, -40)
        assert start is not None
        heard = heard[round(start * SAMPLE_RATE) :]
        level, hole = measure.level_dbfs(heard), measure.longest_silence(heard, -50)
        like = measure.correlation(heard, NEAR)
        print(f"near: {level:.1f} dBFS, like {like:.2f}, longest silence {hole:.2f} s")
        if measure.who(heard, SENTENCES) == "bob" and dbfs[0] < level < dbfs[1] and hole < 0.2:
            return
    pytest.fail("who is near is not heard")


async def test_echo_is_gone_and_who_is_near_is_heard(pulseaudio: SoundServer, tmp_path: Path) -> None:
    mouth = Mouth()
    async with room(pulseaudio, tmp_path) as devices:
        speaker, microphone = devices.speaker(), devices.microphone()

        async def hear(seconds: float) -> Frame:
            clock, heard = asyncio.get_running_loop().time, []
            start = clock()
            for count in range(1, round(seconds / FRAME_SECONDS) + 1):
                speaker.write(mouth.read())
                heard.append(microphone.read())
                await asyncio.sleep(max(0.0, start + count * FRAME_SECONDS - clock()))
            return np.concatenate(heard)

        await echo_is_cancelled(hear, mouth, devices, NO_GAIN)
        await near_is_heard(hear, tmp_path, (-27, -21))
        mouth.words = NumpySource(FAR, loop=True)
        await until_below(hear, -23 - 30)


async def test_who_calls_does_not_hear_themselves(pulseaudio: SoundServer, tmp_path: Path) -> None:
    mouth, ear = Mouth(), Memory()
    async with room(pulseaudio, tmp_path) as devices, open_stations() as stations:
        a, b = stations("a"), stations("b")
        a.engine.set_source("ab", devices.microphone())
        a.engine.set_sink("ab", devices.speaker())
        b.engine.set_source("ab", mouth)
        b.engine.set_sink("ab", ear)
        await talk(a, b, "ab")
        await echo_is_cancelled(ear.more, mouth, devices, AudioProcessing())
        await near_is_heard(ear.more, tmp_path, (-24, -14))
