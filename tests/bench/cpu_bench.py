"""Processor time of an endpoint per call-minute, the calls one core carries, and where the time goes.

Every call is bidirectional speech between two processes of one kind; the kinds take turns, and ratios are
those within a round. A core carries so many calls as long as 99 % of the frames come at most 10 ms late.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import mean, median
from tempfile import NamedTemporaryFile
from typing import Any

from msgspec import Struct

from tests.bench import plots
from tests.bench.material import sentences
from tests.bench.processes import WRTC, Peer, connect, kinds, pair
from tests.bench.report import FOLDER, Row, console, row, steps

CALLS = (1, 5, 10)
SETTLING = 1.5
PROFILED_CALLS = 5
FIRST_CALLS, MORE_CALLS, MOST_CALLS = 12, 4, 120
LATE_SHARE = 0.01
TRIES = 2  # a virtual machine stalls now and then


class Usage(Struct, frozen=True):
    """What a pair of endpoints used and missed during a measurement."""

    cpu_share: float  # of one core, mean of both ends
    cpu_per_minute: float  # s of one call, mean of both ends
    late: float  # share of the frames that came over 10 ms late or not at all, said or heard, the worse


async def rows(rounds: int = 3, seconds: float = 10.0, capacity: bool = True) -> list[Row]:
    """Measure all; write the profiles beside, and draw the bars."""
    FOLDER.mkdir(exist_ok=True)
    made = []
    present = kinds("callnode", "stock", WRTC)
    with steps("cpu", len(CALLS) * rounds * len(present)) as step:
        for calls in CALLS:
            found: dict[str, list[Usage]] = {kind: [] for kind in present}
            for number in range(rounds):
                for kind in present:
                    step(f"{calls} calls, round {number + 1}, {kind}")
                    found[kind].append(await _measure_again(kind, calls, seconds))
            made.append(_row(calls, found, seconds))
    if capacity and hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        made.append(await _capacities())
    for kind in ("callnode", "stock"):
        await _profile(kind, seconds)
    plots.bars(FOLDER / "cpu.png", "Processor time and capacity", made)
    return made


async def _measure_again(kind: str, calls: int, seconds: float) -> Usage:
    """Measure; once more if an endpoint was so late that it did not answer."""
    try:
        return await _measure(kind, calls, seconds)
    except TimeoutError as error:
        console.print(f"[yellow]{error}: measured again")
        return await _measure(kind, calls, seconds)


async def _measure(kind: str, calls: int, seconds: float) -> Usage:
    async with pair(kind, kind) as (a, b):
        for number in range(calls):
            await connect(a, b, f"call{number}")
        await _speak(a, b)
        return await _use(a, b, calls, seconds)


async def _speak(*peers: Peer) -> None:
    with NamedTemporaryFile(suffix=".pcm") as file:
        sentences(30.0).tofile(file.name)
        for one in peers:
            await one.ask("say", pcm=file.name, loop=True)
    await asyncio.sleep(SETTLING)


async def _use(a: Peer, b: Peer, calls: int, seconds: float) -> Usage:
    for one in (a, b):
        await one.ask("record", keep=False)
    before = [await one.ask("usage") for one in (a, b)]
    await asyncio.sleep(seconds)
    after = [await one.ask("usage") for one in (a, b)]
    shares = [
        (late["cpu"] - early["cpu"]) / (late["at"] - early["at"])
        for early, late in zip(before, after, strict=True)
    ]
    wanted = calls * seconds / 0.02
    return Usage(
        cpu_share=mean(shares),
        cpu_per_minute=mean(shares) * 60 / calls,
        late=max(_late(end[what], wanted) for end in after for what in ("mouth", "ear")),
    )


def _late(found: dict[str, Any], wanted: float) -> float:
    """Return the share of late or missing frames; one frame a call may still be under way."""
    missing = max(0.0, 0.995 * wanted - float(found["frames"]))
    return (float(found["late"]) + missing) / wanted


def _row(calls: int, found: dict[str, list[Usage]], seconds: float) -> Row:
    values = {kind: median(one.cpu_per_minute for one in several) for kind, several in found.items()}
    made = row(
        f"CPU per call-minute and endpoint: {calls} call{'s' if calls > 1 else ''}",
        values["callnode"],
        values["stock"],
        "s",
        libwebrtc=values.get(WRTC),
        seconds=seconds,
        rounds={kind: [round(one.cpu_per_minute, 3) for one in several] for kind, several in found.items()},
        late={kind: [round(one.late, 4) for one in several] for kind, several in found.items()},
    )
    pairs = zip(found["callnode"], found["stock"], strict=True)
    made["ratio"] = round(median(ours.cpu_per_minute / stock.cpu_per_minute for ours, stock in pairs), 3)
    return made


async def _capacities() -> Row:
    found = {}
    history = {}
    for kind in ("callnode", "stock"):
        found[kind], history[kind] = await _capacity(kind)
    return row(
        "calls per core before 1 % of the frames are over 10 ms late",
        found["callnode"],
        found["stock"],
        "calls",
        higher_is_better=True,
        steps=history,
    )


async def _capacity(kind: str, seconds: float = 8.0) -> tuple[int, list[dict[str, float]]]:
    """Return how many calls an endpoint carries on one core, and (calls, share late, core used) by steps."""
    good, history = 0, []
    async with AsyncExitStack() as stack:
        a, b = await stack.enter_async_context(pair(kind, kind))
        await a.ask("pin", core=0)
        await b.ask("pin", core=1)
        opened = 0
        with steps(f"capacity of {kind}", (MOST_CALLS - FIRST_CALLS) // MORE_CALLS) as step:
            for calls in range(FIRST_CALLS, MOST_CALLS + 1, MORE_CALLS):
                step(f"{calls} calls")
                try:
                    for number in range(opened, calls):
                        await connect(a, b, f"call{number}")
                    opened = calls
                    await _speak(a, b)
                    for _ in range(TRIES):
                        used = await _use(a, b, calls, seconds)
                        history.append(
                            {"calls": calls, "late": round(used.late, 4), "core": round(used.cpu_share, 3)}
                        )
                        if used.late <= LATE_SHARE:
                            break
                except (TimeoutError, RuntimeError) as error:
                    console.print(f"[yellow]{kind}: no more than {opened} calls can be opened: {error}")
                    break
                if used.late > LATE_SHARE:
                    break
                good = calls
    return good, history


async def _profile(kind: str, seconds: float) -> None:
    """Write where the time of the event loop's thread goes while one end carries some calls."""
    async with pair(kind, kind) as (a, b):
        for number in range(PROFILED_CALLS):
            await connect(a, b, f"call{number}")
        await _speak(a, b)
        await a.ask("profile", path=None)
        await asyncio.sleep(seconds)
        await a.ask("profile", path=str(Path.cwd() / FOLDER / f"profile-{kind}.txt"))
