"""The microphone's processing in a simulated room, beside the library's own ready-made pipeline.

`python -m tests.bench.processing_bench` prints the rows as JSON and draws bench/processing.png, in 30 s.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pywebrtc_audio as webrtc
from matplotlib import pyplot

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.processing import AudioProcessing, Processor
from media.speech import speech
from tests.room import Processing, Room, noise, paused, pcm, process

PICTURE = Path("bench") / "processing.png"

SECONDS = 24
NEAR = (10.0, 14.0)
JUMP = 18.0
FLOOR_DBFS = -65.0
WINDOW_SECONDS = 0.5

Row: TypeAlias = dict[str, Any]


class Stock:
    """The pipeline the library offers, all of it in one."""

    def __init__(self, *, echo: bool = True, noise: bool = True, gain: bool = True) -> None:
        self._stock = webrtc.AudioProcessor(
            SAMPLE_RATE,
            echo_cancellation=echo,
            noise_suppression=noise,
            high_pass_filter=True,
            auto_gain_control=gain,
        )
        self._far: Frame = SILENCE

    def far(self, block: Frame) -> None:
        self._far = block

    def near(self, block: Frame) -> Frame:
        return self._stock.process(block, self._far)


Make: TypeAlias = Callable[[], Processing]


def ours(*, echo: bool = True, noise: bool = True, gain: bool = True, strong: bool = False) -> Make:
    options = AudioProcessing(
        echo_cancellation=echo,
        noise_suppression=noise,
        auto_gain_control=gain,
        strong_noise_suppression=strong,
    )
    return lambda: Processor(options)


def softer(before: Frame, after: Frame, start: float, end: float) -> float:
    """Return by how many dB."""
    part = slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
    return measure.level_dbfs(before[part]) - measure.level_dbfs(after[part])


def levels(samples: Frame) -> list[float]:
    """Return the level of each half second."""
    size = round(WINDOW_SECONDS * SAMPLE_RATE)
    return [measure.level_dbfs(samples[at : at + size]) for at in range(0, len(samples) - size + 1, size)]


def milliseconds(make: Make) -> float:
    """Return the processor time of a frame of 20 ms: the median of 20 runs of a second."""
    processor, found = make(), []
    far, near = pcm(paused(speech("alice"), 20)), pcm(paused(speech("bob"), 20) + noise(20, FLOOR_DBFS, 1))
    for second in range(20):
        start = time.thread_time()
        for at in range(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE, FRAME_SAMPLES):
            processor.far(far[at : at + FRAME_SAMPLES])
            processor.near(near[at : at + FRAME_SAMPLES])
        found.append((time.thread_time() - start) * 1000 / 50)
    return float(np.median(found))


def delay(make: Make) -> float:
    """Return how late what is near comes out, in ms."""
    near = pcm(paused(speech("bob"), 10))
    return measure.delay_seconds(process(make(), np.zeros_like(near), near), near) * 1000


def row(name: str, value: float, unit: str, baseline: float, *, higher_is_better: bool = False) -> Row:
    """Return a row, rounded."""
    return {
        "name": f"processing: {name}",
        "value": round(value, 2),
        "unit": unit,
        "baseline": round(baseline, 2),
        "ratio": round(value / baseline, 3) if baseline else 0.0,
        "higher_is_better": higher_is_better,
    }


def room() -> tuple[Frame, Frame]:
    """Return what the far end says and what the microphone hears: echo, a sentence, a jump of the delay."""
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    near = (at >= NEAR[0]) & (at < NEAR[1])
    far = pcm(paused(speech("alice"), SECONDS) * ~near)
    echo = np.where(at < JUMP, Room(0.06).echo(far), Room(0.1).echo(far))
    heard = pcm(echo + paused(speech("bob"), SECONDS) * near + noise(SECONDS, FLOOR_DBFS, 2))
    return far, heard


def rows() -> list[Row]:
    """Measure everything, and draw it."""
    far, heard = room()
    mine, stock = process(ours()(), far, heard), process(Stock(), far, heard)
    bare = process(ours(noise=False, gain=False)(), far, heard)
    stock_bare = process(Stock(noise=False, gain=False), far, heard)
    draw(
        {
            "microphone": levels(heard),
            "echo cancelled": levels(bare),
            "and noise, and gain": levels(mine),
            "the library's pipeline": levels(stock),
        }
    )
    silence = np.zeros_like(heard)
    hum, voice = pcm(noise(SECONDS, -45, 3)), pcm(paused(speech("bob"), SECONDS, -30))
    result = [
        row(name, softer(heard, a, *span), "dB", softer(heard, b, *span), higher_is_better=True)
        for name, a, b, span in (
            ("echo softer, 2 to 10 s, cancelled", bare, stock_bare, (2, 10)),
            ("echo softer, 2 to 10 s, all on", mine, stock, (2, 10)),
            ("echo softer, first 2 s, all on", mine, stock, (0.5, 2)),
            ("echo softer, 2 s after a jump of 40 ms, all on", mine, stock, (JUMP + 2, SECONDS)),
        )
    ]
    quiet, stock_quiet = (
        process(made, silence, hum)
        for made in (ours(echo=False, gain=False)(), Stock(echo=False, gain=False))
    )
    loudness, stock_loudness = (
        measure.level_dbfs(process(made, silence, voice)[5 * SAMPLE_RATE :]) for made in (ours()(), Stock())
    )
    result += [
        row(
            "white noise softer",
            softer(hum, quiet, 2, SECONDS),
            "dB",
            softer(hum, stock_quiet, 2, SECONDS),
            higher_is_better=True,
        ),
        row("speech of -30 dBFS, off from -20 dBFS", abs(loudness + 20), "dB", abs(stock_loudness + 20)),
        row("added delay, all on", delay(ours()), "ms", delay(Stock)),
        row("added delay, echo only", delay(ours(noise=False, gain=False)), "ms", delay(stock_of("echo"))),
        row("added delay, noise only", delay(ours(echo=False, gain=False)), "ms", delay(stock_of("noise"))),
        row("added delay, gain only", delay(ours(echo=False, noise=False)), "ms", delay(stock_of("gain"))),
        row("added delay, strongly", delay(ours(strong=True)), "ms", delay(Stock)),
        row("CPU of 20 ms, all on", milliseconds(ours()), "ms", milliseconds(Stock)),
    ]
    for part in ("echo", "noise", "gain"):
        only = {one: one == part for one in ("echo", "noise", "gain")}
        result.append(
            row(f"CPU of 20 ms, {part} only", milliseconds(ours(**only)), "ms", milliseconds(stock_of(part)))
        )
    return [
        *result,
        row("CPU of 20 ms, strongly", milliseconds(ours(strong=True)), "ms", milliseconds(Stock)),
    ]


def stock_of(part: str) -> Make:
    """Return the library's pipeline with one part on."""
    return lambda: Stock(echo=part == "echo", noise=part == "noise", gain=part == "gain")


def draw(curves: dict[str, Sequence[float]]) -> None:
    """Draw levels over time."""
    pyplot.switch_backend("Agg")
    figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    axes.axvspan(*NEAR, color="0.9", label="someone near speaks")
    axes.axvline(JUMP, color="0.6", linestyle=":", label="the delay jumps by 40 ms")
    for name, curve in curves.items():
        axes.plot((np.arange(len(curve)) + 0.5) * WINDOW_SECONDS, curve, label=name)
    axes.set(xlabel="s", ylabel="dBFS, half seconds", title="What comes back of the far end's own voice")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower right")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    print(json.dumps(rows(), indent=2))
