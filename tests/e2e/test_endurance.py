"""Transfers and calls in a row leave nothing behind; `make bench ARGS=endurance` makes many more."""

import pytest

from tests.bench.endurance import Endurance, calls, transfers

pytestmark = pytest.mark.e2e

TRANSFERS = 20
CALLS = 300
MOST_OBJECTS = 40  # a round may leave; what is remembered of late is bounded, and full after some


def nothing_grows(found: Endurance) -> None:
    for what in ("tasks", "threads", "files"):
        assert found.grown(what) <= 0, (what, found.held)
    assert found.grown("objects") < MOST_OBJECTS * found.rounds, found.held


async def test_transfers_with_sound() -> None:
    nothing_grows(await transfers(TRANSFERS))


async def test_calls_as_fast_as_the_hub_takes_them() -> None:
    nothing_grows(await calls(CALLS))
