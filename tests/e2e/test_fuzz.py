"""A live call under hostile packets: nothing escapes, nothing grows, and the sound is good afterwards."""

import pytest

from tests.bench.fuzz import GOOD, fuzz

pytestmark = pytest.mark.e2e

PACKETS = 20_000
MOST_GROWN = 1_000_000  # bytes; 50 a packet


async def test_a_call_survives_hostile_packets(seed: int) -> None:
    found = await fuzz(PACKETS, seed)
    assert found.passed > PACKETS / 10
    assert not found.escaped
    assert not found.loop_errors
    assert found.growth < MOST_GROWN
    assert found.tasks_after <= found.tasks_before
    assert min(found.correlations) >= GOOD
