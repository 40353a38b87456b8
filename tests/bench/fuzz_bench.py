"""Hostile packets into a live call: what escapes, what grows, what is heard afterwards; see fuzz.py.

Stock aiortc gets fewer of them, for comparison; its growth is scaled to the same number.
"""

from typing import Any

from tests.bench import plots
from tests.bench.fuzz import CHECKPOINTS, Findings, fuzz
from tests.bench.parties import Stock
from tests.bench.report import FOLDER, Row, console, row, steps

STOCK_SHARE = 0.1


async def rows(packets: int = 1_000_000, seed: int = 3) -> list[Row]:
    """Throw the packets, and draw memory over packets."""
    with steps("fuzz", packets) as step:
        ours = await fuzz(packets, seed, progress=lambda sent: step.at(sent, "callnode"))
    fewer = max(1000, int(packets * STOCK_SHARE))
    with steps("fuzz", fewer) as step:
        stock = await fuzz(fewer, seed, Stock, progress=lambda sent: step.at(sent, "stock aiortc"))
    for what, packet in ours.escaped.items():
        console.print(f"[red]escaped: {what}\n  by {packet}")
    for what in ours.loop_errors[:20]:
        console.print(f"[red]the event loop caught: {what}")
    FOLDER.mkdir(exist_ok=True)
    plots.lines(
        FOLDER / "fuzz.png",
        "Memory under hostile packets",
        {"callnode": _curve(ours), "stock": _curve(stock)},
        ("packets", "traced memory, MB"),
    )
    conditions: dict[str, Any] = {
        "packets": packets, "stock_packets": fewer, "seed": seed, "seconds": round(ours.seconds),
        "escaped": ours.escaped, "loop_errors": ours.loop_errors[:20], "stock_escaped": stock.escaped,
        "survived": {"callnode": ours.survived, "stock": stock.survived},
        "passed_srtp": {"callnode": ours.passed, "stock": stock.passed},
        "slowest_ms": {"callnode": round(ours.slowest_ms, 1), "stock": round(stock.slowest_ms, 1)},
    }  # fmt: skip
    return [
        row(
            "fuzz: hostile packets before the call ends",
            ours.survived / packets * 100,
            stock.survived / fewer * 100,
            "%",
            higher_is_better=True,
        ),
        row("fuzz: kinds of exceptions escaped", len(ours.escaped), len(stock.escaped), "", **conditions),
        row("fuzz: exceptions in the event loop", len(ours.loop_errors), len(stock.loop_errors), ""),
        row("fuzz: memory grown", ours.growth / 1e6, stock.growth / 1e6 * packets / fewer, "MB"),
        row(
            "fuzz: memory of the process grown",
            ours.resident_growth / 1e6,
            stock.resident_growth / 1e6 * packets / fewer,
            "MB",
        ),
        row("fuzz: tasks more", _tasks(ours), _tasks(stock), ""),
        row("fuzz: until the sound is good again", ours.recovery_seconds, stock.recovery_seconds, "s"),
        row(
            "fuzz: correlation of what is heard afterwards, worse end",
            min(ours.correlations),
            min(stock.correlations),
            "",
            higher_is_better=True,
        ),
    ]


def _curve(found: Findings) -> list[tuple[float, float]]:
    each = found.packets / CHECKPOINTS
    return [((number + 1) * each, memory / 1e6) for number, memory in enumerate(found.memory)]


def _tasks(found: Findings) -> int:
    return found.tasks_after - found.tasks_before
