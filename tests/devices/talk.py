"""A real call between a laptop with microphone and speaker and somebody far away, and ears at both ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from numpy.typing import NDArray

from media import measure
from media.audio import SAMPLE_RATE
from media.processing import AudioProcessing
from media.sink import NumpySink
from media.source import NumpySource
from media.speech import speech
from node.call import AudioOptions, Call, IncomingCall, StartCallOptions
from node.client import CallClient, CallClientOptions
from node.credential import CommunicationTokenCredential
from node.devices import AudioDevice, AudioDevicesUpdated, AudioDeviceSwitched, DeviceManager
from node.session import CallState
from signaling.config import load_config
from signaling.server import HubServer
from tests.devices.servers import PATIENCE
from tests.e2e.media_pair import open_stations, talk
from tests.files import written
from tests.shell.hub_client import Client

# Devices alone: where both talk at once and there is no echo, a canceller only does harm.
PLAIN = AudioProcessing(echo_cancellation=False, noise_suppression=False, auto_gain_control=False)
SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}
WINDOW = 2 * SAMPLE_RATE
STEP = SAMPLE_RATE // 2


class Talk:
    """The laptop's devices in a call: what it hears is "alice", and "bob" is said into its microphone."""

    def __init__(self, devices: DeviceManager, far: NumpySink) -> None:
        self.devices = devices
        self.switched: list[tuple[float, AudioDeviceSwitched]] = []
        self.updated: list[AudioDevicesUpdated] = []
        self._far = far
        devices.on("audio_device_switched", lambda event: self.switched.append((time.monotonic(), event)))
        devices.on("audio_devices_updated", self.updated.append)

    async def far_hears(self, name: str) -> None:
        """Wait until the far end hears a sentence from now on, and nothing else."""

        def so() -> bool:
            frames = [frame for at, frame in self._far.frames if at >= start]
            return _is(np.concatenate(frames)[-WINDOW:], name) if len(frames) * 960 >= WINDOW else False

        start = time.monotonic()
        await eventually(so)

    async def switch(self, cause: str, new: str | None) -> tuple[float, AudioDeviceSwitched]:
        """Wait until sound is told to have gone over to a device, and return when and how."""

        def found() -> list[tuple[float, AudioDeviceSwitched]]:
            return [
                (at, event)
                for at, event in self.switched
                if event.cause == cause and (event.new and event.new.id) == new
            ]

        await eventually(lambda: bool(found()))
        return found()[-1]

    async def update(self, added: str | None = None, removed: str | None = None) -> None:
        """Wait until a device is told to have been plugged in, or out."""

        def has(devices: tuple[AudioDevice, ...], wanted: str | None) -> bool:
            return wanted is None or any(device.id == wanted for device in devices)

        await eventually(
            lambda: any(has(event.added, added) and has(event.removed, removed) for event in self.updated)
        )


@asynccontextmanager
async def talking(devices: DeviceManager) -> AsyncIterator[Talk]:
    """Connect the selected devices with somebody who says "alice"."""
    far = NumpySink()
    async with open_stations() as stations:
        laptop, other = stations("laptop"), stations("other")
        laptop.engine.set_source("call", devices.microphone_source())
        laptop.engine.set_sink("call", devices.speaker_sink())
        other.engine.set_source("call", NumpySource(SENTENCES["alice"], loop=True))
        other.engine.set_sink("call", far)
        try:
            here = Talk(devices, far)
            await talk(laptop, other, "call")
            yield here
        finally:
            await laptop.engine.close()
            await devices.dispose()


@asynccontextmanager
async def program(*command: str | Path, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program of the sound server, and end it on leaving."""
    process = await asyncio.create_subprocess_exec(*map(str, command), **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE):
            await process.communicate()


@asynccontextmanager
async def said(folder: Path, name: str, feed: str = "micfeed") -> AsyncIterator[None]:
    """Let somebody say a sentence over and over in front of a microphone."""
    path = folder / f"{name}.wav"
    if not path.exists():
        written(path, np.resize(SENTENCES[name], 120 * SAMPLE_RATE))
    async with program("paplay", "-d", feed, path):
        yield


@asynccontextmanager
async def laptop_call(
    folder: Path, far: AudioOptions, **options: Any
) -> AsyncIterator[tuple[DeviceManager, Call]]:
    """Call a laptop, whose client has these options, and let it answer by its own devices."""
    async with ringing_laptop(folder, far, **options) as (devices, incoming):
        call = await incoming.accept()
        async with asyncio.timeout(PATIENCE):
            await call.wait_for(CallState.CONNECTED)
        yield devices, call


@asynccontextmanager
async def ringing_laptop(
    folder: Path, far: AudioOptions, **options: Any
) -> AsyncIterator[tuple[DeviceManager, IncomingCall]]:
    """Call a laptop, whose client has these options, and yield while it rings."""
    async with (
        HubServer(load_config(folder / "hub", environ={})) as hub,
        aiohttp.ClientSession() as http,
        CallClient() as caller,
        CallClient(CallClientOptions(**options)) as laptop,
    ):
        agents = []
        for client, name in ((caller, "alice"), (laptop, "bob")):
            _, token = await Client(hub, http).token(name)
            agents.append(await client.create_call_agent(CommunicationTokenCredential(token)))
        rings: asyncio.Queue[IncomingCall] = asyncio.Queue()
        agents[1].on("incoming_call", lambda event: rings.put_nowait(event.incoming_call))
        agents[0].start_call(["bob"], StartCallOptions(far))
        async with asyncio.timeout(PATIENCE):
            incoming = await rings.get()
        yield await laptop.get_device_manager(), incoming


async def plays(speaker: str, name: str) -> float:
    """Wait until a speaker plays a sentence; return the moment when it is sure."""
    return await plays_what(speaker, lambda heard: _is(heard, name))


async def plays_what(speaker: str, wanted: Callable[[NDArray[np.int16]], bool]) -> float:
    """Wait until what a speaker played in the last 2 s is as wanted; return the moment when it is sure."""
    recorder = ("parecord", "-d", f"{speaker}.monitor", "--raw", "--rate=48000", "--channels=1")
    heard: NDArray[np.int16] = np.zeros(0, np.int16)
    async with (
        asyncio.timeout(PATIENCE),
        program(*recorder, "--format=s16le", "--latency-msec=20", stdout=asyncio.subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        while not await asyncio.to_thread(wanted, heard):
            more = await process.stdout.readexactly(2 * STEP)
            heard = np.concatenate((heard, np.frombuffer(more, np.int16)))[-WINDOW:]
    return time.monotonic()


def who(heard: NDArray[np.int16]) -> str | None:
    """Return who is heard, also while clocks are brought together: 0.2 % off at each of two cards."""
    at = np.arange(len(heard))
    for speed in (1.0, 0.9985, 1.0015, 0.997, 1.003):
        even = np.interp(at * speed, at, heard).astype(np.int16)
        if name := measure.who(even, SENTENCES):
            return name
    return None


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.05)


def _is(heard: NDArray[np.int16], name: str) -> bool:
    return len(heard) >= WINDOW and who(heard) == name
