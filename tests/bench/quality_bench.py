"""Quality over a bad network: PESQ-wb, STOI and delay of the same speech through the same fates of packets.

callnode and stock aiortc are heard with their own senders; libwebrtc's NetEq hears callnode's sender. A group
of receivers that the machine disturbed is repeated as a whole.
"""

import asyncio
from collections.abc import Sequence
from statistics import mean

from msgspec import Struct

from media.audio import FRAME_SAMPLES
from tests.bench import plots
from tests.bench.material import material
from tests.bench.network import Network
from tests.bench.processes import WRTC, converse_at_once, kinds
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
SENDERS = {"callnode": "callnode", "stock": "stock", WRTC: "callnode"}
SEEDS = (7, 11, 13)
ATTEMPTS = 3


class Cell(Struct, frozen=True):
    """One receiver, network and seed: the score, the share of packets lost, whether it was disturbed."""

    score: Score
    loss: float
    disturbed: bool


Group = dict[str, Cell]  # by receiver


async def rows(
    seconds: float = 30.0, only: Sequence[str] = (), seeds: int = 2, at_once: int = 2
) -> list[Row]:
    """Measure, `at_once` groups of receivers at a time, and draw quality over loss and over delay."""
    networks = [one for one in NETWORKS if not only or one.name in only]
    if not networks:
        raise ValueError(f"there are the networks {', '.join(one.name for one in NETWORKS)}")
    asked = [(network, seed) for network in networks for seed in SEEDS[:seeds]]
    found: dict[tuple[str, int], Group] = {}
    with steps("quality", -(-len(asked) // at_once)) as step:
        for first in range(0, len(asked), at_once):
            await _measure(asked[first : first + at_once], seconds, found, step)
    groups = {network.name: [found[network.name, seed] for seed in SEEDS[:seeds]] for network in networks}
    _draw(networks, groups)
    return [one for network in networks for one in _rows(network, groups[network.name], seconds, seeds)]


async def _measure(
    wanted: list[tuple[Network, int]], seconds: float, found: dict[tuple[str, int], Group], step: Steps
) -> None:
    said = material(seconds)
    receivers = kinds(*SENDERS)
    step(", ".join(f"{network.name} #{seed}" for network, seed in wanted))
    for attempt in range(ATTEMPTS):
        pairs = [
            (SENDERS[receiver], receiver, network.fates(len(said) // FRAME_SAMPLES, seed))
            for network, seed in wanted
            for receiver in receivers
        ]
        heard = iter(await converse_at_once(pairs, said))
        again = []
        for network, seed in wanted:
            group = {}
            for receiver in receivers:
                one = next(heard)
                score = await asyncio.to_thread(Listening(said, one).score)
                group[receiver] = Cell(score, one.lost / max(1, one.packets), one.disturbed)
            found[network.name, seed] = group
            if any(cell.disturbed for cell in group.values()):
                again.append((network, seed))
        if not again:
            return
        wanted = again
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
