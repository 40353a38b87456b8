"""Sounds of the telephone on a sink, in real time."""

import asyncio

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, Frame
from media.player import Player
from media.sink import NumpySink
from media.tones import Tone, cadence, tone

pytestmark = pytest.mark.shell

PATIENCE = 10.0
BEEP = cadence("1000/200")


class Ear(NumpySink):
    """Remember what is heard, and when the last of it was."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.closed = asyncio.Event()
        self.loud = asyncio.Event()
        self._fail_at = fail_at

    def write(self, frame: Frame) -> None:
        if len(self.frames) == self._fail_at:
            raise OSError("unplugged")
        super().write(frame)
        if np.any(frame):
            self.loud.set()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def ears() -> list[Ear]:
    return []


@pytest.fixture
def player(ears: list[Ear]) -> Player:
    def open_sink() -> Ear:
        ears.append(Ear())
        return ears[-1]

    return Player(open_sink)


async def test_what_is_played_once_is_heard_whole_and_the_sink_is_closed(
    player: Player, ears: list[Ear]
) -> None:
    async with asyncio.timeout(PATIENCE):
        await player.played()
        player.play(BEEP)
        await player.played()
    [ear] = ears
    assert ear.closed.is_set()
    assert np.array_equal(ear.samples[FRAME_SAMPLES : len(BEEP)], BEEP[FRAME_SAMPLES:])
    assert not np.any(ear.samples[len(BEEP) + FRAME_SAMPLES :])
    async with asyncio.timeout(PATIENCE):
        player.play(BEEP)
        await player.played()
    assert len(ears) == 2


async def test_what_goes_on_is_heard_until_it_is_stopped_without_a_click(
    player: Player, ears: list[Ear]
) -> None:
    player.repeat(tone(Tone.DIAL))
    async with asyncio.timeout(PATIENCE):
        await player.played()
        [ear] = ears
        await ear.loud.wait()
        assert not ear.closed.is_set()
        player.repeat(None)
        await ear.closed.wait()
    assert not np.any(ear.frames[-1][1])
    steps = np.abs(np.diff(ear.samples.astype(np.int32)))
    assert steps.max() <= 2 * np.abs(np.diff(tone(Tone.DIAL).astype(np.int32))).max()


async def test_what_repeats_goes_on_after_what_is_played_once(player: Player, ears: list[Ear]) -> None:
    hum = np.full(FRAME_SAMPLES, 1000, np.int16)
    player.repeat(hum)
    player.play(BEEP)
    [ear] = ears
    async with asyncio.timeout(PATIENCE):
        await player.played()
    assert not ear.closed.is_set()
    assert np.array_equal(ear.samples[2 * FRAME_SAMPLES :][: len(BEEP) - FRAME_SAMPLES], BEEP[FRAME_SAMPLES:])
    assert np.array_equal(ear.frames[-1][1], hum)
    async with asyncio.timeout(PATIENCE):
        player.play(BEEP)
        player.play(None)
        player.repeat(None)
        await player.played()
        await ear.closed.wait()


@pytest.mark.parametrize("fail_at", [0, 3])
async def test_a_sink_that_fails_is_let_go(fail_at: int) -> None:
    ear = Ear(fail_at)
    player = Player(lambda: ear)
    async with asyncio.timeout(PATIENCE):
        player.play(BEEP)
        await player.played()
    assert ear.closed.is_set()


async def test_without_a_sink_nothing_is_heard() -> None:
    def open_sink() -> NumpySink:
        raise OSError("there is no speaker")

    player = Player(open_sink)
    async with asyncio.timeout(PATIENCE):
        player.play(BEEP)
        await player.played()


async def test_closed_it_is_silent_at_once(player: Player, ears: list[Ear]) -> None:
    player.play(BEEP)
    player.close()
    player.close()
    async with asyncio.timeout(PATIENCE):
        await player.played()
    assert ears[0].closed.is_set() and len(ears[0].frames) <= 1
