"""Thousands of random guided runs among people who transfer each other, with and without faults."""

import pytest

from tests.world.guided import FAULTS, TRANSFERS, Mix, Tally, runs

pytestmark = pytest.mark.world

RUNS = 800


@pytest.mark.parametrize("mix", [TRANSFERS, FAULTS], ids=["no faults", "faults"])
def test_random_guided_runs(seed: int, mix: Mix) -> None:
    seen: Tally = runs(seed, mix, RUNS)
    print(f"{RUNS} runs: {seen}")
    assert seen["Transferred"] > RUNS / 2 and seen["Failed"] > RUNS
    for kind in ("participant", "call", "voicemail", "forwarded", "recall", "joined", "semi-attended"):
        assert seen[kind] > RUNS / 100, f"the runs do not get to: {kind}"
