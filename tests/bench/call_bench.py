"""The whole path, hub included: answer to sound, and the hole at B's ear in a transfer, beside bare aiortc.

Bare aiortc has no transfer: what stands beside ours is letting one peer connection go and opening the next.
`python -m tests.bench.call_bench` prints the rows as JSON; it takes some 30 s.
"""

import asyncio
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import aiohttp

from node import CallState, Features
from signaling.config import load_config
from signaling.server import HubServer
from tests.bench.media_bench import Call as BareCall
from tests.bench.media_bench import Row, aiortc_call, setup_ms
from tests.e2e.people import PATIENCE, People, Person, connect, until

ROUNDS = 7


async def answer_to_sound(caller: Person, callee: Person) -> float:
    """Return the ms from the answer to the first frame at the caller's ear."""
    call = caller.dial(callee.name)
    async with asyncio.timeout(PATIENCE):
        incoming = await callee.rings.get()
    callee.rings.put_nowait(incoming)
    answered = time.monotonic()
    await callee.pick_up()
    await until(call, CallState.CONNECTED)
    first = caller.ear.frames[0][0]
    await call.hang_up()
    return (first - answered) * 1000


async def hole_in_transfer(alice: Person, bob: Person, carol: Person) -> float:
    """Return the longest time in ms in which B's ear got no frame while B was transferred to C."""
    call, _ = await connect(alice, bob)
    await asyncio.sleep(0.5)
    asked = time.monotonic()
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    at_carol = await carol.pick_up()
    async with asyncio.timeout(PATIENCE):
        await transfer.wait()
    await asyncio.sleep(0.5)
    times = [at for at, _ in bob.ear.frames if at >= asked - 0.1]
    await at_carol.hang_up()
    return max(b - a for a, b in pairwise(times)) * 1000


async def bare_hole() -> float:
    """Return the ms without sound when one bare aiortc call is let go and another is opened."""
    async with aiortc_call() as first:
        await _hears(first)
    last = time.perf_counter()
    async with aiortc_call() as second:
        await _hears(second)
        return (time.perf_counter() - last) * 1000


async def _hears(call: BareCall) -> None:
    async with asyncio.timeout(PATIENCE):
        await call.ear.first.wait()


async def rows() -> list[Row]:
    """Measure everything, callnode and bare aiortc by turns."""
    pairs: dict[str, list[tuple[float, float]]] = {"set-up": [], "hole": []}
    with tempfile.TemporaryDirectory(prefix="callnode-bench-") as folder:
        async with HubServer(load_config(Path(folder), environ={})) as hub, aiohttp.ClientSession() as http:
            people = People(hub, http)
            alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
            for _ in range(ROUNDS):
                pairs["set-up"].append((await answer_to_sound(alice, bob), await setup_ms(aiortc_call)))
                pairs["hole"].append((await hole_in_transfer(alice, bob, carol), await bare_hole()))
            await people.close()
    names = {
        "set-up": "call: answer to first sound at the far end, through the hub",
        "hole": "transfer: longest time without a frame at B's ear",
    }
    result = []
    for key, name in names.items():
        value, baseline = (median(column) for column in zip(*pairs[key], strict=True))
        result.append(
            Row(
                name=name,
                value=round(value, 2),
                unit="ms",
                baseline=round(baseline, 2),
                ratio=round(value / baseline, 3),
                higher_is_better=False,
            )
        )
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rows()), indent=2))
