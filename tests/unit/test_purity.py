"""What must be pure and what must be covered to the last branch are the same modules."""

import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit


def test_the_pure_modules_are_the_covered_ones() -> None:
    tool = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]
    [pure] = [c for c in tool["importlinter"]["contracts"] if c["name"].startswith("pure modules")]
    covered = [path.removesuffix(".py").replace("/", ".") for path in tool["coverage"]["run"]["include"]]
    assert sorted(covered) == sorted(pure["source_modules"])
