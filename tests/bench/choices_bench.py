"""What the send path chose, beside what it could have: encoding inline or in threads, and how calls wake up.

Every 20 ms each call encodes a frame of speech, for some seconds, in this process; the ways take turns.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, Frame
from media.opus import Encoder
from tests.bench import plots
from tests.bench.material import sentences
from tests.bench.report import FOLDER, Row, row, steps

CALLS = (1, 10)

Tick = Callable[[], asyncio.Future[None] | None]
Way = Callable[[list[Encoder], list[Frame]], Sequence[Tick]]
Phases = Callable[[int], list[float]]  # in seconds


async def rows(rounds: int = 3, seconds: float = 4.0) -> list[Row]:
    """Measure every way by turns, and draw the bars."""
    FOLDER.mkdir(exist_ok=True)
    ways: dict[str, tuple[Way, Phases]] = {
        "chosen": (_inline, _on_grid),
        "a thread pool": (_in_threads, _on_grid),
        "timers of their own phase": (_inline, _apart),
        "one timer for all": (_all_at_once, _on_grid),
    }
    frames = list(sentences(10.0).reshape(-1, FRAME_SAMPLES))
    found: dict[tuple[str, int], list[float]] = {}
    with steps("choices", rounds * len(CALLS) * len(ways)) as step:
        for _ in range(rounds):
            for calls in CALLS:
                for name, (way, phases) in ways.items():
                    step(f"{calls} calls, {name}")
                    encoders = [Encoder() for _ in range(calls)]
                    ticks = way(encoders, frames)
                    used = await _use(ticks, phases(len(ticks)), seconds)
                    found.setdefault((name, calls), []).append(used / calls)
                    for encoder in encoders:
                        encoder.close()
    made = [
        row(
            f"CPU of a frame sent, beside {name}: {calls} call{'s' if calls > 1 else ''}",
            median(found["chosen", calls]),
            median(found[name, calls]),
            "ms",
            rounds={
                "callnode": [round(one, 4) for one in found["chosen", calls]],
                name: [round(one, 4) for one in found[name, calls]],
            },
        )
        for calls in CALLS
        for name in list(ways)[1:]
    ]
    plots.bars(FOLDER / "choices.png", "How frames are sent", made)
    return made


async def _use(ticks: Sequence[Tick], phases: list[float], seconds: float) -> float:
    """Return the processor time in ms that every 20 ms take."""
    loop = asyncio.get_running_loop()
    count = round(seconds / FRAME_SECONDS)
    begin = loop.time() + FRAME_SECONDS
    ended: list[asyncio.Future[None]] = [loop.create_future() for _ in ticks]
    handed_over: set[asyncio.Future[None]] = set()

    def beat(index: int, number: int) -> None:
        if (future := ticks[index]()) is not None:
            handed_over.add(future)
            future.add_done_callback(handed_over.discard)
        if number == count:
            ended[index].set_result(None)
        else:
            loop.call_at(begin + phases[index] + number * FRAME_SECONDS, beat, index, number + 1)

    before = time.process_time()
    for index in range(len(ticks)):
        loop.call_at(begin + phases[index], beat, index, 1)
    await asyncio.gather(*ended)
    await asyncio.gather(*handed_over)
    return (time.process_time() - before) / count * 1000


def _on_grid(count: int) -> list[float]:
    return [0.0] * count


def _apart(count: int) -> list[float]:
    chance = random.Random(1)
    return [chance.uniform(0, FRAME_SECONDS) for _ in range(count)]


def _inline(encoders: list[Encoder], frames: list[Frame]) -> list[Callable[[], None]]:
    return [_saying(encoder, frames) for encoder in encoders]


def _in_threads(encoders: list[Encoder], frames: list[Frame]) -> list[Tick]:
    return [partial(_in_a_thread, say) for say in _inline(encoders, frames)]


def _in_a_thread(say: Callable[[], None]) -> asyncio.Future[None]:
    return asyncio.get_running_loop().run_in_executor(None, say)


def _all_at_once(encoders: list[Encoder], frames: list[Frame]) -> list[Tick]:
    ticks = _inline(encoders, frames)

    def together() -> None:
        for tick in ticks:
            tick()

    return [together]


def _saying(encoder: Encoder, frames: list[Frame]) -> Callable[[], None]:
    at = 0

    def say() -> None:
        nonlocal at
        encoder.encode(frames[at % len(frames)])
        at += 1

    return say
