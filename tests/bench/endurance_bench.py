"""Many transfers in a row, an hour of calls as fast as the hub takes them: what grows; see endurance.py."""

from tests.bench.endurance import Endurance, calls, transfers
from tests.bench.report import Row, row, steps

WHAT = ("tasks", "threads", "files", "objects", "resident")


async def rows(handed: int = 200, made: int = 3600) -> list[Row]:
    """Run both, and say what was held at each tenth."""
    with steps("endurance", handed) as step:
        with_sound = await transfers(handed, lambda done: step.at(done, "transfers"))
    with steps("endurance", made) as step:
        signaling = await calls(made, lambda done: step.at(done, "calls"))
    return [*_rows("transfers", with_sound), *_rows("calls, signaling alone", signaling)]


def _rows(name: str, found: Endurance) -> list[Row]:
    return [
        row(
            f"endurance: {found.rounds} {name}: {what} more",
            found.grown(what) / (1e6 if what == "resident" else 1),
            0.0,
            "MB" if what == "resident" else "",
            at_each_tenth=[getattr(held, what) for held in found.held],
            seconds=round(found.seconds),
        )
        for what in WHAT
    ]
