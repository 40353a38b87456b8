"""Quality over a bad network: PESQ-wb, STOI and delay of the same speech through the same fates of packets.

callnode and stock aiortc are heard in virtual time, each with its own sender. libwebrtc's NetEq runs in real
time only: it hears callnode's sender, live and steered by its reports, again where the machine disturbed it.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import mean

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES
from tests.bench import plots, virtual
from tests.bench.material import material
from tests.bench.network import Network
from tests.bench.processes import WRTC, Heard, converse_at_once, wrtc_folder
from tests.bench.report import FOLDER, Row, Steps, console, row, steps
from tests.bench.scoring import Listening, Score

NETWORKS = (
    Network("clean"),
    Network("5 % random", loss=0.05),
    Network("10 % random", loss=0.10),
    Network("jitter 0-50 ms", jitter_ms=50),
    Network("5 % + jitter", loss=0.05, jitter_ms=50),
    Network("5 % in bursts", loss=0.05, burst=2.5),
    Network("1 % random", loss=0.01),
    Network("2 % random", loss=0.02),
    Network("20 % random", loss=0.20),
)
SEEDS = (7, 11, 13)
ATTEMPTS = 3


class Cell(Struct, frozen=True):
    """One receiver, network and seed: the score, the share of packets lost, whether it was disturbed."""

    score: Score
    loss: float
    disturbed: bool


Group = dict[str, Cell]  # by receiver


async def rows(
    seconds: float = 30.0, only: Sequence[str] = (), seeds: int = 3, at_once: int = 3
) -> list[Row]:
    """Measure, NetEq `at_once` networks at a time, and draw quality over loss and over delay."""
    networks = [one for one in NETWORKS if not only or one.name in only]
    if not networks:
        raise ValueError(f"there are the networks {', '.join(one.name for one in NETWORKS)}")
    asked = [(network, seed) for network in networks for seed in SEEDS[:seeds]]
    live = wrtc_folder() is not None
    with steps("quality", len(asked) * len(virtual.CONVERSE) + live * len(asked)) as step:
        found = await _in_virtual_time(asked, seconds, step)
        for first in range(0, len(asked), at_once) if live else ():
            await _live(asked[first : first + at_once], seconds, found, step)
    groups = {network.name: [found[network.name, seed] for seed in SEEDS[:seeds]] for network in networks}
    _draw(networks, groups)
    return [one for network in networks for one in _rows(network, groups[network.name], seconds, seeds)]


async def _in_virtual_time(
    asked: list[tuple[Network, int]], seconds: float, step: Steps
) -> dict[tuple[str, int], Group]:
    found: dict[tuple[str, int], Group] = {}
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor() as pool:
        wanted = [
            (network, seed, receiver, loop.run_in_executor(pool, _cell, receiver, network, seed, seconds))
            for network, seed in asked
            for receiver in virtual.CONVERSE
        ]
        for network, seed, receiver, cell in wanted:
            step(f"{network.name} #{seed}, {receiver}")
            found.setdefault((network.name, seed), {})[receiver] = await cell
    return found


def _cell(receiver: str, network: Network, seed: int, seconds: float) -> Cell:
    said = material(seconds)
    fates = network.fates(len(said) // FRAME_SAMPLES, seed)
    return _scored(said, virtual.in_virtual_time(virtual.CONVERSE[receiver](said, fates), seed))


def _scored(said: NDArray[np.int16], heard: Heard) -> Cell:
    return Cell(Listening(said, heard).score(), heard.lost / max(1, heard.packets), heard.disturbed)


async def _live(
    wanted: list[tuple[Network, int]], seconds: float, found: dict[tuple[str, int], Group], step: Steps
) -> None:
    said = material(seconds)
    for network, seed in wanted:
        step(f"{network.name} #{seed}, {WRTC}")
    for attempt in range(ATTEMPTS):
        fates = [network.fates(len(said) // FRAME_SAMPLES, seed) for network, seed in wanted]
        heard = await converse_at_once([("callnode", WRTC, one) for one in fates], said)
        for (network, seed), one in zip(wanted, heard, strict=True):
            found[network.name, seed][WRTC] = await asyncio.to_thread(_scored, said, one)
        wanted = [(network, seed) for network, seed in wanted if found[network.name, seed][WRTC].disturbed]
        if not wanted:
            return
        names = ", ".join(f"{network.name} #{seed}" for network, seed in wanted)
        console.print(f"[yellow]disturbed by the machine, attempt {attempt + 1} of {ATTEMPTS}: {names}")


def _rows(network: Network, groups: list[Group], seconds: float, seeds: int) -> list[Row]:
    made = []
    for what, unit, better in (("pesq", "MOS", True), ("stoi", "", True), ("delay_ms", "ms", False)):
        values = {
            receiver: mean(getattr(group[receiver].score, what) for group in groups) for receiver in groups[0]
        }
        label = {"pesq": "PESQ-wb", "stoi": "STOI", "delay_ms": "delay"}[what]
        made.append(
            row(
                f"{network.name}: {label}",
                values["callnode"],
                values["stock"],
                unit,
                libwebrtc=values.get(WRTC),
                higher_is_better=better,
                seconds=seconds,
                seeds=SEEDS[:seeds],
                loss={
                    receiver: [round(group[receiver].loss, 4) for group in groups] for receiver in groups[0]
                },
                by_seed={
                    receiver: [round(getattr(group[receiver].score, what), 3) for group in groups]
                    for receiver in groups[0]
                },
                disturbed=[name for group in groups for name, cell in group.items() if cell.disturbed],
            )
        )
    return made


def _draw(networks: list[Network], groups: dict[str, list[Group]]) -> None:
    FOLDER.mkdir(exist_ok=True)
    receivers = list(groups[networks[0].name][0])
    sweep = sorted(
        (one for one in networks if one.burst == 1 and not one.jitter_ms), key=lambda network: network.loss
    )
    curves = {
        receiver: [
            (network.loss * 100, mean(group[receiver].score.pesq for group in groups[network.name]))
            for network in sweep
        ]
        for receiver in receivers
    }
    plots.lines(
        FOLDER / "quality-loss.png",
        "Quality over random loss",
        curves,
        ("packets lost, %", "PESQ-wb"),
        top=4.7,
    )
    dots = {
        receiver: {
            network.name: (
                mean(group[receiver].score.delay_ms for group in groups[network.name]),
                mean(group[receiver].score.pesq for group in groups[network.name]),
            )
            for network in networks
        }
        for receiver in receivers
    }
    plots.scatter(
        FOLDER / "quality-latency.png", "Quality against delay", dots, ("mouth to ear, ms", "PESQ-wb")
    )
