"""Mouth to ear without devices, codec included: clean, under jitter, under loss, and how it comes back.

callnode and stock aiortc in virtual time; in real time libwebrtc's NetEq behind callnode's sender, and
libwebrtc at both ends, whose packets cannot be delayed here: it is measured clean.
"""

import asyncio
from statistics import median

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS
from tests.bench import plots, virtual
from tests.bench.material import LEAD_SECONDS, material
from tests.bench.network import Network
from tests.bench.processes import WRTC, converse_at_once, wrtc_folder
from tests.bench.report import FOLDER, Row, console, row, steps
from tests.bench.scoring import Listening

SECONDS = 30.0
BEGIN, END = LEAD_SECONDS + 9.0, LEAD_SECONDS + 19.0  # of the bad network
RETURN_SECONDS = 5.0
GOOD_MS = 40.0
SETTLING = 2.0
ATTEMPTS = 3
SEEDS = (7, 11, 13)
NETWORKS = (Network("jitter 0-50 ms", jitter_ms=50), Network("5 % random loss", loss=0.05))
NETEQ = "callnode to libwebrtc"

Curve = list[tuple[float, float]]


async def rows(seeds: int = 2) -> list[Row]:
    """Measure, and draw the delay over time."""
    FOLDER.mkdir(exist_ok=True)
    pairs = {}
    if wrtc_folder() is not None:
        pairs = {NETEQ: ("callnode", WRTC), WRTC: (WRTC, WRTC)}
    found: dict[str, list[dict[str, Curve]]] = {network.name: [] for network in NETWORKS}
    disturbed: list[str] = []
    with steps("latency", len(NETWORKS) * seeds) as step:
        for network in NETWORKS:
            for seed in SEEDS[:seeds]:
                step(f"{network.name} #{seed}")
                found[network.name].append(await _curves(pairs, network, seed, disturbed))
            _draw(network, found[network.name][0])
    clean = [_medians(curves, 0, BEGIN) for several in found.values() for curves in several]
    made = [_row("clean", clean, seeds, disturbed)]
    for network in NETWORKS:
        several = found[network.name]
        during = [_medians(curves, BEGIN + SETTLING, END) for curves in several]
        after = [_medians(curves, END + RETURN_SECONDS, 1e9) for curves in several]
        back = [{name: _return(curve) for name, curve in curves.items()} for curves in several]
        made += [
            _row(f"under {network.name}", during, seeds, disturbed),
            _row(f"{RETURN_SECONDS:.0f} s after {network.name}", after, seeds, disturbed),
            _row(f"until <= {GOOD_MS:.0f} ms after {network.name}", back, seeds, disturbed, unit="s"),
        ]
    return made


async def _curves(
    pairs: dict[str, tuple[str, str]], network: Network, seed: int, disturbed: list[str]
) -> dict[str, Curve]:
    said = material(SECONDS)
    fates = network.fates(len(said) // FRAME_SAMPLES, seed)
    for index in range(len(fates)):
        if not BEGIN <= index * FRAME_SECONDS < END:
            fates[index] = 0.0
    curves = {
        name: await asyncio.to_thread(_in_virtual_time, name, said, fates, seed) for name in virtual.CONVERSE
    }
    for attempt in range(ATTEMPTS):
        heard = await converse_at_once([(*ends, fates) for ends in pairs.values()], said)
        if not any(one.disturbed for one in heard):
            break
        console.print(
            f"[yellow]disturbed by the machine, attempt {attempt + 1} of {ATTEMPTS}: {network.name}"
        )
    for name, one in zip(pairs, heard, strict=True):
        if one.disturbed:
            disturbed.append(f"{name}, {network.name} #{seed}")
        curves[name] = await asyncio.to_thread(Listening(said, one).delays)
    return curves


def _in_virtual_time(name: str, said: NDArray[np.int16], fates: list[float], seed: int) -> Curve:
    heard = virtual.in_virtual_time(virtual.CONVERSE[name](said, fates), seed)
    return Listening(said, heard).delays()


def _medians(curves: dict[str, Curve], begin: float, end: float) -> dict[str, float]:
    half = 0.5  # of a window: it must lie wholly inside
    return {
        name: median([ms for at, ms in curve if begin + half <= at <= end - half] or [float("nan")])
        for name, curve in curves.items()
    }


def _return(curve: Curve) -> float:
    """Return the seconds after the bad network until the delay is good and stays so; to the end if never."""
    after = [(at, ms) for at, ms in curve if at > END]
    if not after or after[-1][1] > GOOD_MS:
        return SECONDS + LEAD_SECONDS - END
    return max([at for at, ms in after if ms > GOOD_MS], default=END) - END


def _row(what: str, found: list[dict[str, float]], seeds: int, disturbed: list[str], unit: str = "ms") -> Row:
    values = {name: median(one[name] for one in found) for name in found[0]}
    other = values.get(WRTC if what == "clean" else NETEQ)
    return row(
        f"mouth to ear: {what}",
        values["callnode"],
        values["stock"],
        unit,
        libwebrtc=other,
        seeds=SEEDS[:seeds],
        all={name: [round(one[name], 1) for one in found] for name in values},
        libwebrtc_is="both ends" if what == "clean" else NETEQ,
        disturbed=disturbed,
    )


def _draw(network: Network, curves: dict[str, Curve]) -> None:
    slug = "jitter" if network.jitter_ms else "loss"
    plots.lines(
        FOLDER / f"latency-{slug}.png",
        f"Mouth to ear, {network.name} for a while",
        curves,
        ("seconds", "delay, ms"),
        spans=[(BEGIN, END, network.name)],
        marker=".",
    )
