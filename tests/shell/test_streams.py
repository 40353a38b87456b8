"""Half an hour between a sound card and an event loop whose clocks differ, on a simulated clock."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame
from media.streams import Feed, MicrophoneStream, SpeakerStream

pytestmark = pytest.mark.shell

HALF_AN_HOUR = 30 * 60
CLOCKS = pytest.mark.parametrize(("ppm", "seconds"), [(-300, 200), (0, 200), (50, 200), (300, HALF_AN_HOUR)])
HERTZ = 1000
AMPLITUDE = 8000
STEEPEST = AMPLITUDE * 2 * np.pi * HERTZ / SAMPLE_RATE


class Simulation:
    """Two sides that each come every 20 ms of their own clock, up to 3 ms late."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self._random = random.Random(seed)

    def run(self, ppm: float, seconds: float, card: Callable[[], None], loop: Callable[[], None]) -> None:
        cards = self._turns(0.0071, FRAME_SECONDS / (1 + ppm / 1e6))
        loops = self._turns(0.0, FRAME_SECONDS)
        card_due, loop_due = next(cards), next(loops)
        while self.now < seconds:
            if card_due <= loop_due:
                self.now = card_due
                card()
                card_due = next(cards)
            else:
                self.now = loop_due
                loop()
                loop_due = next(loops)

    def _turns(self, start: float, period: float) -> Iterator[float]:
        count = 0
        while True:
            yield start + count * period + self._random.betavariate(1, 8) * 0.003
            count += 1


class Tone:
    """A sine, and how to hear that it goes on without a step."""

    def __init__(self) -> None:
        one_second: NDArray[np.float64] = np.sin(2 * np.pi * HERTZ * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
        self._sound = np.rint(AMPLITUDE * one_second).astype(np.int16).reshape(-1, FRAME_SAMPLES)
        self._at = 0
        self._last = 0
        self.steepest = 0
        self.silent = 0
        self.heard = 0

    def next(self) -> Frame:
        self._at += 1
        frame: Frame = self._sound[self._at % len(self._sound)]
        return frame

    def hear(self, frame: Frame) -> None:
        self.heard += 1
        if not frame.any():
            self.silent += 1
            return
        if self.heard > self.silent + 1:
            steps = np.abs(np.diff(frame, prepend=np.int16(self._last)).astype(np.int32))
            self.steepest = max(self.steepest, int(steps.max()))
        self._last = int(frame[-1])


def check(tone: Tone, feed: Feed, levels: list[float]) -> None:
    begun, settled = levels[len(levels) // 10 :], levels[len(levels) // 2 :]
    figures = f"{1000 * min(settled):.1f} to {1000 * max(settled):.1f} ms, steepest {tone.steepest}"
    print(figures)
    assert tone.silent < 10, tone.silent  # before the ring was filled for the first time
    assert (feed.ring.dropped, feed.ring.underruns) == (0, 0), figures
    assert 0.035 < min(begun) < max(begun) < 0.060, figures
    assert max(settled) - min(settled) < 0.010, figures
    assert tone.steepest < 1.05 * STEEPEST, figures


@CLOCKS
def test_a_microphone_of_another_clock_is_heard_whole_and_no_later(
    ppm: float, seconds: float, seed: int
) -> None:
    simulation, tone, levels = Simulation(seed), Tone(), list[float]()
    stream = MicrophoneStream(lambda: simulation.now)
    feed = Feed()
    stream.feeds = (feed,)

    def read() -> None:
        tone.hear(stream.read(feed))
        levels.append(feed.level)

    simulation.run(ppm, seconds, lambda: stream.heard(tone.next(), simulation.now), read)
    check(tone, feed, levels)


@CLOCKS
def test_a_speaker_of_another_clock_plays_all_and_no_later(ppm: float, seconds: float, seed: int) -> None:
    simulation, tone, levels = Simulation(seed), Tone(), list[float]()
    stream = SpeakerStream()
    feed = Feed(lambda: simulation.now)
    stream.feeds = (feed,)

    def played() -> None:
        tone.hear(stream.wanted(FRAME_SAMPLES, simulation.now))
        levels.append(feed.level)

    simulation.run(ppm, seconds, played, lambda: feed.write(tone.next()))
    check(tone, feed, levels)
