"""What one voicemail process carries: processor time of a recording while 1 to 100 run, beside MediaRecorder.

Every recording is a real call from another process: ICE, DTLS, SRTP, jitter buffer, decoder, the level of
each frame for the script, and the recorder. The recording process runs on one core, the callers, who say
packets encoded before, on the others. A frame is late that comes over 10 ms after its time; lost is what
callers have said and the files have not.
"""

import asyncio
import os

from msgspec import Struct

from tests.bench import plots
from tests.bench.processes import Peer, peer
from tests.bench.report import FOLDER, Row, console, row, steps

COUNTS = (1, 10, 50, 100)
KINDS = ("voicemail", "stock-recorder")
SETTLING = 2.0


class Recorded(Struct, frozen=True):
    """What some recordings at once cost, and what became of them."""

    cpu: float  # s of a second of one recording
    core: float  # share of the core that is used
    late: float  # share of the frames
    lost: float  # share of the sound


async def rows(counts: tuple[int, ...] = COUNTS, seconds: float = 8.0) -> list[Row]:
    """Measure each kind with each number of recordings, by turns."""
    found: dict[str, dict[int, Recorded]] = {kind: {} for kind in KINDS}
    with steps("recorder", len(counts) * len(KINDS)) as step:
        for count in counts:
            for kind in KINDS:
                step(f"{count} at once, {kind}")
                try:
                    found[kind][count] = await _measure(kind, count, seconds)
                except (TimeoutError, RuntimeError) as error:
                    console.print(f"[yellow]{kind}: {count} at once cannot be recorded: {error}")
    FOLDER.mkdir(exist_ok=True)
    curves = {
        name: [(count, one.core * 100) for count, one in found[kind].items()]
        for name, kind in zip(("callnode", "stock"), KINDS, strict=True)
    }
    plots.lines(FOLDER / "recorder.png", "One recording process", curves, ("recordings", "% of one core"))
    return [_row(count, *(found[kind].get(count) for kind in KINDS)) for count in counts]


def _row(count: int, ours: Recorded | None, stock: Recorded | None) -> Row:
    return row(
        f"CPU per second of a recording, {count} at once",
        ours.cpu * 1000 if ours else float("nan"),
        stock.cpu * 1000 if stock else float("nan"),
        "ms",
        core=ours and round(ours.core, 3),
        late=ours and round(ours.late, 4),
        lost=ours and round(ours.lost, 4),
        stock_core=stock and round(stock.core, 3),
        stock_late=stock and round(stock.late, 4),
        stock_lost=stock and round(stock.lost, 4),
    )


async def _measure(kind: str, count: int, seconds: float) -> Recorded:
    async with peer(kind) as recorder, peer("caller") as one, peer("caller") as two:
        if hasattr(os, "sched_setaffinity"):
            await recorder.ask("pin", core=0)
            for caller in (one, two):
                await caller.ask("pin", core=(os.cpu_count() or 1) - 1)
        for number in range(count):
            await _call((one, two)[number % 2], recorder, f"call{number}")
        await asyncio.sleep(SETTLING)
        await recorder.ask("record", keep=False)
        before = await recorder.ask("usage")
        await asyncio.sleep(seconds)
        after = await recorder.ask("usage")
        lasted = after["at"] - before["at"]
        said = sum([(await caller.ask("usage"))["mouth"]["frames"] for caller in (one, two)])
        kept = (await recorder.ask("recorded"))["packets"]
    used = (after["cpu"] - before["cpu"]) / lasted
    wanted = count * lasted / 0.02
    frames = after["ear"]
    late = (frames["late"] + max(0.0, 0.995 * wanted - frames["frames"])) / wanted
    return Recorded(used / count, used, late, max(0.0, 1 - kept / said))


async def _call(caller: Peer, recorder: Peer, call: str) -> None:
    offer = await caller.ask("offer", call=call)
    answer = await recorder.ask("answer", call=call, sdp=offer["sdp"])
    await caller.ask("apply", call=call, sdp=answer["sdp"])
    await recorder.ask("heard", call=call)
