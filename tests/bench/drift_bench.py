"""Half an hour between clocks 200 ppm apart, in virtual time: whether the delay stays, and what it costs.

Beside it aiortc's buffer and a player at the end of its track, which has no means against drift.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any

import numpy as np
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from msgspec import Struct

from media.audio import FRAME_SECONDS, SAMPLE_RATE
from media.playout import Counters, Playout
from tests.bench import plots
from tests.bench.material import sentences
from tests.bench.report import FOLDER, Row, row, steps
from tests.network import Heard, Network, latencies, listen, packets_of

PPM = (200.0, -200.0)  # by which the sender's clock is fast
LOOKED_AT = 5.0  # seconds of each minute
BEFORE = 1.0


class Drift(Struct):
    """The delay in ms minute by minute, and what was done about it."""

    delays: list[tuple[float, float]]
    counters: Counters


async def rows(minutes: int = 30) -> list[Row]:
    """Measure both directions, and draw the delay over time."""
    loop = asyncio.get_running_loop()
    curves: dict[str, list[tuple[float, float]]] = {}
    made = []
    with steps("drift", 2 * len(PPM)) as step, ProcessPoolExecutor() as pool:
        measures: list[Callable[[float, int], Drift]] = [_callnode, _stock]
        asked = {
            (ppm, measure): loop.run_in_executor(pool, measure, ppm, minutes)
            for ppm in PPM
            for measure in measures
        }
        for ppm in PPM:
            found = []
            for measure, name in zip(measures, ("callnode", "stock"), strict=True):
                step(f"{ppm:+.0f} ppm, {name}")
                found.append(await asked[ppm, measure])
                curves[name if ppm == PPM[0] else f"{name}, {ppm:+.0f} ppm"] = found[-1].delays
            made += _rows(ppm, minutes, *found)
    FOLDER.mkdir(exist_ok=True)
    plots.lines(
        FOLDER / "drift.png",
        "Delay between clocks 200 ppm apart",
        curves,
        ("minutes", "delay, ms"),
        marker=".",
    )
    return made


def _rows(ppm: float, minutes: int, ours: Drift, stock: Drift) -> list[Row]:
    def late(one: Drift) -> float:
        return median(ms for _, ms in one.delays[-3:])

    def spread(one: Drift) -> float:
        found = [ms for _, ms in one.delays[1:]]
        return round(max(found) - min(found), 3)

    counters = ours.counters
    conditions: dict[str, Any] = {
        "discarded": counters.packets_discarded,
        "concealed_samples": counters.concealed_samples,
        "removed_samples": counters.removed_samples_for_acceleration,
        "inserted_samples": counters.inserted_samples_for_deceleration,
        "by_minute": {
            "callnode": [round(ms, 1) for _, ms in ours.delays],
            "stock": [round(ms, 1) for _, ms in stock.delays],
        },
    }
    what = f"{minutes} minutes, sender {ppm:+.0f} ppm"
    return [
        row(f"{what}: delay at the end", late(ours), late(stock), "ms", **conditions),
        row(f"{what}: spread of the delay", spread(ours), spread(stock), "ms"),
        row(f"{what}: packets dropped", counters.packets_discarded, 0, ""),
    ]


def _callnode(ppm: float, minutes: int) -> Drift:
    said = sentences(30.0)
    packets = packets_of(said, 0)
    count = round(minutes * 60 / FRAME_SECONDS)
    arrivals = Network(drift_ppm=ppm).carry([packets[index % len(packets)] for index in range(count)])
    playout = Playout()
    heard = listen(playout, arrivals)
    playout.close()
    times = np.array(heard.times)
    delays = []
    for minute in range(minutes):
        start = minute * 60 + BEFORE  # the first second has no sound before it
        first, last = np.searchsorted(times, (start + BEFORE, start + BEFORE + LOOKED_AT))
        piece = Heard(heard.frames[first:last], heard.times[first:last])
        # What was said by the listener's clock: from `start` on, and going round.
        begun = round(start * (1 + ppm * 1e-6) * SAMPLE_RATE)
        spoken = np.take(said, np.arange(begun, begun + round(8 * SAMPLE_RATE)), mode="wrap")
        found = [late + time * ppm * 1e-6 for time, late in latencies(piece, spoken, start)]
        delays.append((float(minute), median(found) * 1000))
    return Drift(delays, playout.counters)


def _stock(ppm: float, minutes: int) -> Drift:
    """Let a player take a frame every 20 ms of its own clock from aiortc's track, or wait for it."""
    buffer = JitterBuffer(capacity=16, prefetch=4)
    delays: list[tuple[float, float]] = []
    due = 0.0
    for index in range(round(minutes * 60 / FRAME_SECONDS)):
        came = index * FRAME_SECONDS / (1 + ppm * 1e-6)
        packet = RtpPacket(sequence_number=index & 0xFFFF, timestamp=index * 960)
        setattr(packet, "_data", b"")  # noqa: B010  as its receiver does
        ready = buffer.add(packet)[1]
        if ready is None:
            continue
        said = ready.timestamp / SAMPLE_RATE / (1 + ppm * 1e-6)
        due = max(due, came)
        if not delays or due >= (len(delays)) * 60 + BEFORE:
            delays.append((float(len(delays)), (due - said) * 1000))
        due += FRAME_SECONDS
    return Drift(delays, Counters())
