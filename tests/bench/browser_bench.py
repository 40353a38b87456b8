"""A browser's ear: from the click to the first sound, and the silence in a transfer, through the hub."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE
from media.measure import longest_silence
from media.source import ToneSource
from node import CallState, Features, TransferState
from signaling.config import load_config
from signaling.server import HubServer
from tests.bench.call_bench import SETTLING, SOUND_DBFS
from tests.bench.report import Row, row, steps
from tests.browser.conftest import join_at, launch
from tests.browser.person import BrowserPerson
from tests.e2e.media_pair import tone_dbfs
from tests.e2e.people import PATIENCE, People, Person, until

ROUNDS = 5
CLICK_MS, SILENCE_MS = 300.0, 100.0  # what is wanted

# The click itself: the call is placed, and the first sound of the other end awaited at the speaker.
CLICK = (
    "(async () => { const at = performance.now(); agent.startCall([{ id: 'bob' }], audio());"
    " return (await ear.firstSound()) - at; })()"
)


def tone(hertz: float) -> NDArray[np.int16]:
    """Return a second of whole waves, so that it loops without a click."""
    source = ToneSource(hertz)
    return np.concatenate([source.read() for _ in range(50)])


async def click_to_sound(alice: BrowserPerson, bob: Person) -> float:
    """Return the ms from the click on call until the page hears Bob, who picks up at once."""
    clicking = asyncio.create_task(alice.do(CLICK))
    call = await bob.pick_up()
    ms = float(await clicking)
    await until(call, CallState.CONNECTED)
    await call.hang_up()
    await alice.until("agent.calls.length === 0")
    return ms


async def silence_in_transfer(alice: BrowserPerson, bob: Person, carol: Person) -> float:
    """Return the longest silence in ms at the page's ear while Bob transfers it to Carol."""
    mine = bob.dial("alice")
    await alice.pick_up()
    await until(mine, CallState.CONNECTED)
    await asyncio.sleep(SETTLING)
    listening = asyncio.create_task(alice.listen(4.0))
    await asyncio.sleep(0.5)
    transfer = mine.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    at_carol = await carol.pick_up()
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED
    heard = await listening
    end = heard[-(SAMPLE_RATE // FRAME_SAMPLES // 4) * FRAME_SAMPLES :]
    assert tone_dbfs(end, 1000.0) > SOUND_DBFS, "the transfer took longer than was listened"
    await at_carol.hang_up()
    await alice.until("agent.calls.length === 0")
    return longest_silence(heard[SAMPLE_RATE // 10 :], SOUND_DBFS, window=0.010) * 1000


async def rows(rounds: int = ROUNDS) -> list[Row]:
    """Measure, after one call to warm up."""
    clicks: list[float] = []
    silences: list[float] = []
    with tempfile.TemporaryDirectory(prefix="callnode-bench-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            hub = await stack.enter_async_context(HubServer(load_config(folder / "hub", environ={})))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            people = People(hub, http)
            stack.push_async_callback(people.close)
            chromium = await stack.enter_async_context(launch(folder))
            alice = await join_at("alice", hub, people, chromium, stack, voice=tone(440.0))
            bob, carol = await people.join("bob"), await people.join("carol")
            bob.voice, carol.voice = tone(700.0), tone(1000.0)
            with steps("browser", rounds + 1) as step:
                for number in range(rounds + 1):
                    step(f"round {number}")
                    clicks.append(await click_to_sound(alice, bob))
                    silences.append(await silence_in_transfer(alice, bob, carol))
    return [
        _row("browser: click to the first sound", clicks[1:], CLICK_MS),
        _row("browser: longest silence at its ear in a transfer", silences[1:], SILENCE_MS),
    ]


def _row(name: str, found: list[float], wanted: float) -> Row:
    return row(name, median(found), 0.0, "ms", at_most=wanted, rounds=[round(one, 1) for one in found])
