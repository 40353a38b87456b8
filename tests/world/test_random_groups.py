"""Random guided runs among people who meet: asked in, joined, removed, mixers lost."""

import pytest

from tests.world.guided import MEETINGS, Tally, runs

pytestmark = pytest.mark.world

RUNS = 500


def test_random_guided_runs(seed: int) -> None:
    seen: Tally = runs(seed, MEETINGS, RUNS)
    print(f"{RUNS} runs: {seen}")
    assert seen["group"] > RUNS and seen["met"] > RUNS / 2
