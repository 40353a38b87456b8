"""A laptop that changes its network in a call: from the network being there again to sound at both ears."""

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp

from media.audio import level_dbfs
from node import CallClientOptions
from signaling.config import load_config
from signaling.server import HubServer
from tests.bench.report import Row, row, steps
from tests.e2e.people import PATIENCE, People, Person, connect, eventually
from tests.e2e.roaming import Network

MOST_SECONDS = 3.0
SOUND_DBFS = -50.0
# Who calls; seconds from the call to the cut, 6 of which bring a ping of the link into the outage; how much
# longer the network is away than both ends need to miss each other.
ROUNDS = tuple(itertools.product(("alice", "bob"), (0.5, 6.0), (0.0, 2.0)))


async def back_to_sound(caller: str, before: float, more: float) -> float:
    """Return the seconds from the network's return until both hear each other again."""
    with tempfile.TemporaryDirectory(prefix="callnode-bench-") as folder:
        async with (
            HubServer(load_config(Path(folder), environ={})) as hub,
            aiohttp.ClientSession() as http,
            Network(hub.url) as network,
        ):
            people = People(hub, http)
            try:
                roams = await people.join("alice", CallClientOptions(hub=network.url))
                stays = await people.join("bob")
                ends = await connect(*((roams, stays) if caller == "alice" else (stays, roams)))
                await asyncio.sleep(before)
                network.cut()
                await eventually(lambda: all(end.is_reconnecting for end in ends))
                await asyncio.sleep(more)
                network.back()
                back = time.monotonic()
                return max(await asyncio.gather(sound_since(roams, back), sound_since(stays, back))) - back
            finally:
                await people.close()


async def sound_since(person: Person, start: float) -> float:
    """Return when the first sound since a moment came to an ear."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for at, frame in person.ear.frames:
                if at >= start and level_dbfs(frame) > SOUND_DBFS:
                    return at
            await asyncio.sleep(0.05)


async def rows(repeats: int) -> list[Row]:
    """Measure every round so many times."""
    found: list[tuple[str, float, float, float]] = []
    with steps("roaming", repeats * len(ROUNDS)) as step:
        for caller, before, more in ROUNDS * repeats:
            step(f"{caller} calls, cut after {before:g} s")
            found.append((caller, before, more, round(await back_to_sound(caller, before, more), 2)))
    seconds = [taken for *_, taken in found]
    name = "network change: from the network being back to sound at both ears"
    return [
        row(f"{name}, worst", max(seconds), 0.0, "s", most=MOST_SECONDS, rounds=found),
        row(f"{name}, median", median(seconds), 0.0, "s", most=MOST_SECONDS),
    ]
