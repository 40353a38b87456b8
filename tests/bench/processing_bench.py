"""The microphone's processing in a simulated room, beside the library's own ready-made pipeline."""

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pywebrtc_audio as webrtc

from media import measure
from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.processing import AudioProcessing, Processor
from media.speech import speech
from tests.bench import plots
from tests.bench.report import FOLDER, Row, row
from tests.room import Processing, Room, noise, paused, pcm, process

SECONDS = 24
NEAR = (10.0, 14.0)
JUMP = 18.0
FLOOR_DBFS = -65.0
WINDOW_SECONDS = 0.5


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


def levels(samples: Frame) -> plots.Points:
    """Return the level of each half second."""
    size = round(WINDOW_SECONDS * SAMPLE_RATE)
    return [
        ((at + size / 2) / SAMPLE_RATE, measure.level_dbfs(samples[at : at + size]))
        for at in range(0, len(samples) - size + 1, size)
    ]


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


def room() -> tuple[Frame, Frame]:
    """Return what the far end says and what the microphone hears: echo, a sentence, a jump of the delay."""
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    near = (at >= NEAR[0]) & (at < NEAR[1])
    far = pcm(paused(speech("alice"), SECONDS) * ~near)
    echo = np.where(at < JUMP, Room(0.06).echo(far), Room(0.1).echo(far))
    heard = pcm(echo + paused(speech("bob"), SECONDS) * near + noise(SECONDS, FLOOR_DBFS, 2))
    return far, heard


async def rows() -> list[Row]:
    """Measure everything, and draw it."""
    FOLDER.mkdir(exist_ok=True)
    far, heard = room()
    mine, stock = process(ours()(), far, heard), process(Stock(), far, heard)
    bare = process(ours(noise=False, gain=False)(), far, heard)
    stock_bare = process(Stock(noise=False, gain=False), far, heard)
    plots.lines(
        FOLDER / "processing.png",
        "What comes back of the far end's own voice",
        {
            "microphone": levels(heard),
            "echo cancelled": levels(bare),
            "and noise, and gain": levels(mine),
            "the library's pipeline": levels(stock),
        },
        ("seconds", "dBFS, half seconds"),
        spans=[(*NEAR, "someone near speaks"), (JUMP, SECONDS, "40 ms later")],
        marker=".",
    )
    silence = np.zeros_like(heard)
    hum, voice = pcm(noise(SECONDS, -45, 3)), pcm(paused(speech("bob"), SECONDS, -30))
    result = [
        row(name, softer(heard, a, *span), softer(heard, b, *span), "dB", higher_is_better=True)
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
            softer(hum, stock_quiet, 2, SECONDS),
            "dB",
            higher_is_better=True,
        ),
        row("speech of -30 dBFS, off from -20 dBFS", abs(loudness + 20), abs(stock_loudness + 20), "dB"),
        row("added delay, all on", delay(ours()), delay(Stock), "ms"),
        row("added delay, echo only", delay(ours(noise=False, gain=False)), delay(stock_of("echo")), "ms"),
        row("added delay, noise only", delay(ours(echo=False, gain=False)), delay(stock_of("noise")), "ms"),
        row("added delay, gain only", delay(ours(echo=False, noise=False)), delay(stock_of("gain")), "ms"),
        row("added delay, strongly", delay(ours(strong=True)), delay(Stock), "ms"),
        row("CPU of 20 ms, all on", milliseconds(ours()), milliseconds(Stock), "ms"),
    ]
    for part in ("echo", "noise", "gain"):
        only = {one: one == part for one in ("echo", "noise", "gain")}
        result.append(
            row(f"CPU of 20 ms, {part} only", milliseconds(ours(**only)), milliseconds(stock_of(part)), "ms")
        )
    return [
        *result,
        row("CPU of 20 ms, strongly", milliseconds(ours(strong=True)), milliseconds(Stock), "ms"),
    ]


def stock_of(part: str) -> Make:
    """Return the library's pipeline with one part on."""
    return lambda: Stock(echo=part == "echo", noise=part == "noise", gain=part == "gain")
