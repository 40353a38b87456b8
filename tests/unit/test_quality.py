"""The line that says how good the sound is."""

import pytest

from media.stats import Stats
from node.commands.quality import SECONDS, Quality

pytestmark = pytest.mark.unit


def after(seconds: float, *, lost: int = 0, round_trip: float | None = None, delay: float = 0.02) -> Stats:
    played = round(48_000 * seconds)
    return Stats(
        packets_received=round(50 * seconds) - lost,
        packets_lost=lost,
        jitter=0.004,
        jitter_buffer_delay=delay * played,
        jitter_buffer_emitted_count=played,
        round_trip_time=round_trip,
    )


def test_before_any_sound_there_is_nothing_to_say() -> None:
    assert Quality().line(Stats(), 0.0) == ""


def test_the_last_seconds_are_told() -> None:
    quality = Quality()
    quality.line(after(0), 0.0)
    assert quality.line(after(2), 2.0) == "loss 0 % · jitter 4 ms · buffer 20 ms"
    quality.line(after(10), 10.0)
    assert quality.line(after(12, lost=10, round_trip=0.031), 12.0) == (
        "loss 10 % · jitter 4 ms · buffer 20 ms · round trip 31 ms"
    )


def test_what_was_before_is_forgotten() -> None:
    quality = Quality()
    quality.line(after(0), 0.0)
    quality.line(after(1, lost=20), 1.0)
    assert quality.line(after(1 + SECONDS, lost=20), 1 + SECONDS).startswith("loss 0 %")
