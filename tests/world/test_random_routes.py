"""Thousands of random guided runs among people with rules: forwards, groups, busy, do not disturb."""

import pytest

from tests.world.guided import ROUTES, Tally, runs

pytestmark = pytest.mark.world

RUNS = 600


def test_random_guided_runs(seed: int) -> None:
    seen: Tally = runs(seed, ROUTES, RUNS)
    print(f"{RUNS} runs: {seen}")
    for kind in ("participant", "voicemail", "forwarded", "joined"):
        assert seen[kind] > RUNS / 10, f"the runs do not get to: {kind}"
