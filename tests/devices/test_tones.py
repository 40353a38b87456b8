"""What a caller hears at the speaker besides voices: that it rings there or not, keys, who else calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, level_dbfs
from media.sink import NumpySink, TeeSink
from media.source import SilenceSource
from node.call import AudioOptions
from tests.devices.servers import PATIENCE
from tests.devices.talk import laptop_call, program
from tests.devices.test_cli_devices import hub_client
from tests.program import Program, callnode

pytestmark = [pytest.mark.devices, pytest.mark.usefixtures("pulseaudio")]

HOP = SAMPLE_RATE // 20
RINGBACK, BUSY, CALL_WAITING = (440.0, 480.0), (480.0, 620.0), (440.0,)
KEY_5, KEY_9 = (770.0, 1336.0), (852.0, 1477.0)
BELL = (659.3,)


class Ear:
    """What a speaker plays, as it comes."""

    def __init__(self, heard: asyncio.StreamReader) -> None:
        self._heard = heard
        self._last: NDArray[np.int16] = np.zeros(0, np.int16)

    async def hears(self, *hertz: float) -> None:
        """Wait until these frequencies are heard together, and no others, for 100 ms."""
        async with asyncio.timeout(PATIENCE):
            while True:
                more = np.frombuffer(await self._heard.readexactly(2 * HOP), np.int16)
                sound, self._last = np.concatenate((self._last, more)), more
                shares = [_share(sound, each) for each in hertz]
                if level_dbfs(sound) > -50 and sum(shares) > 0.6 and min(shares) > 0.2:
                    return


def _share(sound: NDArray[np.int16], hertz: float) -> float:
    """Return how much of the energy is at a frequency, 0 to 1."""
    wave = sound.astype(float)
    turn = np.exp(2j * np.pi * hertz / SAMPLE_RATE * np.arange(len(wave)))
    return float(2 * abs(wave @ turn) ** 2 / len(wave) / max(wave @ wave, 1.0))


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """Listen to the speaker, from now on."""
    recorder = ("parecord", "-d", "speaker.monitor", "--raw", "--rate=48000", "--channels=1")
    options = {"stdout": asyncio.subprocess.PIPE, "limit": 2**24}
    async with program(*recorder, "--format=s16le", "--latency-msec=20", **options) as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            await process.stdout.readexactly(2 * HOP)  # it listens
        yield Ear(process.stdout)


def far(folder: Path) -> tuple[str | Path, ...]:
    """Return the options of somebody who is not heard, and hears nothing, at this speaker."""
    return ("--record", folder / "far.wav")


@asynccontextmanager
async def called(folder: Path) -> AsyncIterator[tuple[Program, str, str]]:
    """Start Bob, who listens, and return him, with Alice's and Carol's token."""
    async with hub_client(folder) as client:
        alice, bob, carol = [(await client.token(name))[1] for name in ("alice", "bob", "carol")]
        async with callnode("listen", *far(folder), token=bob) as listener:
            await listener.line("listening")
            yield listener, alice, carol


async def test_a_caller_hears_that_it_rings_and_that_the_call_is_declined(tmp_path: Path) -> None:
    options = ("--record", tmp_path / "heard.wav", "--speaker", "Virtual_Speaker")
    async with (
        called(tmp_path) as (bob, alice, _),
        listening() as ear,
        callnode("call", "bob", *options, token=alice) as calling,
    ):
        await ear.hears(*RINGBACK)
        bob.type("reject")
        await ear.hears(*BUSY)
        assert (await calling.end()).code == 3


async def test_a_caller_hears_keys_who_waits_and_then_the_bell(tmp_path: Path) -> None:
    async with (
        called(tmp_path) as (bob, alice, carol),
        listening() as ear,
        callnode("call", "bob", token=alice) as calling,
    ):
        await bob.line("incoming")
        bob.type("accept")
        await calling.line("connected")
        calling.type("keys 555555")
        await ear.hears(*KEY_5)
        async with callnode("call", "alice", *far(tmp_path), token=carol) as other:
            await ear.hears(*CALL_WAITING)
            bob.type("hangup")
            await ear.hears(*BELL)
            calling.type("reject")
            assert (await other.end()).code == 3
        assert (await calling.end()).code == 3


async def test_tones_are_heard_whenever_a_speaker_listens(tmp_path: Path) -> None:
    silent = AudioOptions(SilenceSource(), NumpySink())
    async with laptop_call(tmp_path, silent) as (devices, call), listening() as ear:
        call.set_sink(NumpySink())
        call.set_sink(devices.speaker_sink())
        await call.send_dtmf("555555")
        await ear.hears(*KEY_5)
        call.set_sink(TeeSink(NumpySink(), devices.speaker_sink()))
        await call.send_dtmf("999999")
        await ear.hears(*KEY_9)
