"""Set-up: from the offer asked for to the first decoded frame with sound at both ends, two processes."""

from contextlib import AsyncExitStack
from statistics import median

from tests.bench import plots
from tests.bench.processes import WRTC, connect, kinds, pair
from tests.bench.report import FOLDER, Row, row, steps


async def rows(rounds: int = 13) -> list[Row]:
    """Measure by turns, after one call each to warm up, and draw every call."""
    found: dict[str, list[float]] = {kind: [] for kind in kinds("callnode", "stock", WRTC)}
    async with AsyncExitStack() as stack:
        pairs = {kind: await stack.enter_async_context(pair(kind, kind)) for kind in found}
        with steps("set-up", rounds + 1) as step:
            for number in range(rounds + 1):
                step(f"call {number}")
                for kind, (a, b) in pairs.items():
                    found[kind].append(await connect(a, b, f"call{number}"))
                    await a.ask("hang_up", call=f"call{number}")
                    await b.ask("hang_up", call=f"call{number}")
    calls = {kind: sorted(times[1:]) for kind, times in found.items()}
    FOLDER.mkdir(exist_ok=True)
    plots.lines(
        FOLDER / "setup.png",
        "Offer to first decoded frame at both ends",
        {kind: list(enumerate(times, 1)) for kind, times in calls.items()},
        ("call, quickest first", "ms"),
    )
    return [
        row(
            "set-up: offer to first decoded frame at both ends",
            median(calls["callnode"]),
            median(calls["stock"]),
            "ms",
            libwebrtc=median(calls[WRTC]) if WRTC in calls else None,
            calls={kind: [round(ms, 1) for ms in times] for kind, times in calls.items()},
            note="libwebrtc waits for all of its candidates, some 100 ms",
        )
    ]
