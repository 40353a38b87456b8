"""Measure callnode beside stock aiortc and libwebrtc: `python -m tests.bench [NAME] [OPTIONS]`.

Figures go into bench/bench.json, pictures and profiles beside it.
"""

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Coroutine
from typing import Any

import click

from tests.bench import (
    browser_bench,
    call_bench,
    choices_bench,
    cpu_bench,
    drift_bench,
    endurance_bench,
    fuzz_bench,
    latency_bench,
    processing_bench,
    quality_bench,
    recorder_bench,
    roaming_bench,
    setup_bench,
)
from tests.bench.report import FOLDER, Row, console, show, write

RESULT = FOLDER / "bench.json"


def run(name: str, rows: Coroutine[Any, Any, list[Row]], baseline: str = "stock aiortc") -> None:
    """Run one bench, show its table, and put its figures into the file."""
    start = time.monotonic()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    found = asyncio.run(rows)
    seconds = time.monotonic() - start
    show(f"{name}: this machine, same run, {seconds:.0f} s", found, baseline)
    results = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    results[name] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}",
        "load_before": load,
        "seconds": round(seconds),
        "rows": found,
    }
    write(RESULT, results)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure everything, or one thing by name."""
    if context.invoked_subcommand is None:
        for command in (setup, latency, quality, drift, cpu, choices, processing, call, recorder, browser):
            context.invoke(command)
        context.invoke(roaming)
        context.invoke(fuzz, packets=100_000)
        context.invoke(endurance)
        console.print(f"figures in {RESULT}, pictures beside it")


@main.command()
@click.option("--seconds", default=30.0, show_default=True, help="of speech")
@click.option("--only", multiple=True, help=", ".join(one.name for one in quality_bench.NETWORKS))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 3))
@click.option("--at-once", default=3, show_default=True, help="calls to libwebrtc at a time")
def quality(seconds: float, only: tuple[str, ...], seeds: int, at_once: int) -> None:
    """PESQ-wb, STOI and delay over bad networks."""
    run("quality", quality_bench.rows(seconds, only, seeds, at_once))


@main.command()
@click.option("--seeds", default=2, show_default=True, type=click.IntRange(1, 3))
def latency(seeds: int) -> None:
    """Mouth to ear, and how it comes back."""
    run("latency", latency_bench.rows(seeds))


@main.command()
@click.option("--minutes", default=30, show_default=True)
def drift(minutes: int) -> None:
    """Delay between clocks 200 ppm apart."""
    run("drift", drift_bench.rows(minutes))


@main.command()
@click.option("--rounds", default=13, show_default=True)
def setup(rounds: int) -> None:
    """Offer to first decoded frame."""
    run("setup", setup_bench.rows(rounds))


@main.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="of each measurement")
@click.option("--capacity/--no-capacity", default=True, help="calls per core")
def cpu(rounds: int, seconds: float, capacity: bool) -> None:
    """Processor time, calls per core, profiles."""
    run("cpu", cpu_bench.rows(rounds, seconds, capacity))


@main.command()
@click.option("--rounds", default=3, show_default=True)
def choices(rounds: int) -> None:
    """Encoding inline or in threads; the timers of calls."""
    run("choices", choices_bench.rows(rounds), "the other way")


@main.command()
def processing() -> None:
    """Echo, noise and gain in a simulated room."""
    run("processing", processing_bench.rows(), "the library's pipeline")


@main.command()
def call() -> None:
    """Answer to sound, and silence in a transfer, through the hub."""
    run("call", call_bench.rows())


@main.command()
@click.option("--counts", default="1,10,50,100", show_default=True, help="recordings at once")
@click.option("--seconds", default=8.0, show_default=True, help="of each measurement")
def recorder(counts: str, seconds: float) -> None:
    """What one process carries that records, beside MediaRecorder."""
    run("recorder", recorder_bench.rows(tuple(map(int, counts.split(","))), seconds))


@main.command()
@click.option("--repeats", default=1, show_default=True, help="of each of eight rounds")
def roaming(repeats: int) -> None:
    """Network back to sound, when a laptop changes it in a call."""
    run("roaming", roaming_bench.rows(repeats))


@main.command()
@click.option("--rounds", default=browser_bench.ROUNDS, show_default=True)
def browser(rounds: int) -> None:
    """Click to sound, and silence in a transfer, at a page in Chromium."""
    run("browser", browser_bench.rows(rounds))


@main.command()
@click.option("--packets", default=1_000_000, show_default=True)
@click.option("--seed", default=3, show_default=True)
def fuzz(packets: int, seed: int) -> None:
    """Hostile packets into a live call."""
    run("fuzz", fuzz_bench.rows(packets, seed))


@main.command()
@click.option("--transfers", default=200, show_default=True, help="with sound, in a row")
@click.option("--calls", default=3600, show_default=True, help="signaling alone, in a row")
def endurance(transfers: int, calls: int) -> None:
    """Whether memory, tasks, threads and files grow."""
    run("endurance", endurance_bench.rows(transfers, calls))


if __name__ == "__main__":
    sys.exit(main())
