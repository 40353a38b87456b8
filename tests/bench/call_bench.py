"""The whole path, hub included: answer to sound, silence in a transfer and in a group, beside bare aiortc.

Everybody says a tone without end, so that silence is what the change-over costs and no pause of speech.
Bare aiortc has neither: what stands beside ours is letting one peer connection go and opening the next.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np

from media.audio import FRAME_SAMPLES
from media.measure import level_dbfs, longest_silence, timeline
from media.sink import NullSink, NumpySink
from media.source import SilenceSource, ToneSource
from node import (
    AcceptCallOptions,
    AudioOptions,
    CallState,
    Features,
    TransferState,
)
from signaling.config import load_config
from signaling.server import HubServer
from tests.bench import plots
from tests.bench.parties import Stock
from tests.bench.report import FOLDER, Row, row, steps
from tests.e2e.people import PATIENCE, People, Person, connect, eventually, mixer, until

ROUNDS = 7
SETTLING = 0.5  # seconds of sound before and after
BEFORE = 0.1
SOUND_DBFS = -50.0
WINDOW = 2 * FRAME_SAMPLES


async def answer_to_sound(caller: Person, callee: Person) -> float:
    """Return the ms from the answer to the first frame with sound at the caller's ear."""
    call = caller.dial(callee.name)
    async with asyncio.timeout(PATIENCE):
        incoming = await callee.rings.get()
    callee.rings.put_nowait(incoming)
    answered = time.monotonic()
    await callee.pick_up()
    await until(call, CallState.CONNECTED)
    await asyncio.sleep(SETTLING)
    first = next(at for at, frame in caller.ear.frames if level_dbfs(frame) > SOUND_DBFS)
    await call.hang_up()
    return (first - answered) * 1000


async def silence_in_transfer(alice: Person, bob: Person, carol: Person) -> float:
    """Return the longest silence in ms at B's ear while B is transferred from A's tone to C's."""
    call, _ = await connect(alice, bob)
    await asyncio.sleep(SETTLING)
    start = time.monotonic() - BEFORE
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    at_carol = await carol.pick_up()
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED
    await asyncio.sleep(SETTLING)
    silence = silence_ms(bob.ear, start)
    await at_carol.hang_up()
    return silence


async def silence_in_group(alice: Person, bob: Person, carol: Person) -> float:
    """Return the longest silence in ms at the ears of two to whom a third comes, says nothing, and goes."""
    call, _ = await connect(alice, bob)
    await asyncio.sleep(SETTLING)
    start = time.monotonic() - BEFORE
    call.add_participant("carol")
    async with asyncio.timeout(PATIENCE):
        incoming = await carol.rings.get()
    at_carol = await incoming.accept(AcceptCallOptions(AudioOptions(SilenceSource(), NullSink())))
    await until(at_carol, CallState.CONNECTED)
    await eventually(lambda: call.info.group_id is not None)
    await asyncio.sleep(SETTLING)
    await at_carol.hang_up()
    await eventually(lambda: call.info.group_id is None)
    await asyncio.sleep(SETTLING)
    silence = max(silence_ms(person.ear, start) for person in (alice, bob))
    await call.hang_up()
    return silence


@asynccontextmanager
async def bare_call(ear: NumpySink | None = None) -> AsyncIterator[float]:
    """Open a call between two bare peer connections, without any server; give the ms until both hear."""
    start = time.monotonic()
    a, b = Stock(), Stock()
    await a.apply("x", await b.answer("x", await a.offer("x")))
    if ear is not None:
        b.calls["x"].ear.also = ear
    async with asyncio.timeout(PATIENCE):
        await a.calls["x"].ear.sound.wait()
        await b.calls["x"].ear.sound.wait()
    try:
        yield (time.monotonic() - start) * 1000
    finally:
        await a.close()
        await b.close()


async def bare_setup() -> float:
    """Return the ms from the offer asked for to sound at both ends of a bare call."""
    async with bare_call() as ms:
        return ms


async def bare_silence() -> float:
    """Return the longest silence in ms when one bare aiortc call is let go and the next one is opened."""
    ear = NumpySink()
    async with bare_call(ear):
        await asyncio.sleep(SETTLING)
        start = time.monotonic() - BEFORE
    async with bare_call(ear):
        await asyncio.sleep(SETTLING)
    return silence_ms(ear, start)


def silence_ms(ear: NumpySink, start: float) -> float:
    """Return the longest time in ms without sound at an ear since a moment; no frame is no sound."""
    times, frames = zip(*ear.frames, strict=True)
    heard = timeline(times, frames, start, times[-1])
    assert level_dbfs(heard[:WINDOW]) > SOUND_DBFS and level_dbfs(heard[-WINDOW:]) > SOUND_DBFS
    return longest_silence(heard, SOUND_DBFS, window=0.010) * 1000


async def rows() -> list[Row]:
    """Measure everything, callnode and bare aiortc by turns."""
    setup: list[tuple[float, float]] = []
    silence: list[tuple[float, float]] = []
    grouped: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="callnode-bench-") as folder:
        async with HubServer(load_config(Path(folder), environ={})) as hub, aiohttp.ClientSession() as http:
            people = People(hub, http)
            alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
            for person, hertz in ((alice, 440.0), (bob, 700.0), (carol, 1000.0)):
                tone = ToneSource(hertz)
                person.voice = np.concatenate([tone.read() for _ in range(50)])  # whole waves: it loops
            async with mixer(people):
                with steps("call", ROUNDS) as step:
                    for number in range(ROUNDS):
                        step(f"round {number + 1}")
                        setup.append((await answer_to_sound(alice, bob), await bare_setup()))
                        silence.append((await silence_in_transfer(alice, bob, carol), await bare_silence()))
                        grouped.append((await silence_in_group(alice, bob, carol), silence[-1][1]))
            await people.close()
    made = [
        _row("call: answer to first sound at the far end, through the hub", setup),
        _row("transfer: longest silence at B's ear", silence),
        _row("group: longest silence at two ears while a third comes and goes", grouped),
    ]
    FOLDER.mkdir(exist_ok=True)
    plots.bars(FOLDER / "call.png", "The whole path, hub included", made)
    return made


def _row(name: str, found: list[tuple[float, float]]) -> Row:
    value, baseline = (median(column) for column in zip(*found, strict=True))
    return row(name, value, baseline, "ms", rounds=[[round(one, 1) for one in pair] for pair in found])
