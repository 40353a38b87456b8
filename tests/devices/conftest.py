"""Sound servers with virtual cards, each test's own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.servers import PipeWire, PulseAudio, SoundServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        skip = pytest.mark.skip(reason="virtual sound cards need Linux, with PulseAudio and PipeWire")
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(skip)


@pytest.fixture
def pulseaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with PulseAudio(monkeypatch) as server:
        yield server


@pytest.fixture(params=[PulseAudio, PipeWire])
def sound_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with request.param(monkeypatch) as server:
        yield server
