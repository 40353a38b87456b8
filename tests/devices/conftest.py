"""Sound servers with virtual cards, each test's own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from media.devices import Devices
from tests.devices.servers import PipeWire, PulseAudio, SoundServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        skip = pytest.mark.skip(reason="virtual sound cards need Linux, with PulseAudio and PipeWire")
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(skip)


@contextmanager
def no_cards_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the devices that a failed test leaves: a card opened while the environment changes is a crash."""
    made: list[Devices] = []
    init = Devices.__init__

    def remembered(self: Devices, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(Devices, "__init__", remembered)
    try:
        yield
    finally:
        for devices in made:
            devices.close()


@pytest.fixture
def pulseaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with PulseAudio(monkeypatch) as server, no_cards_after(monkeypatch):
        yield server


@pytest.fixture(params=[PulseAudio, PipeWire])
def sound_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with request.param(monkeypatch) as server, no_cards_after(monkeypatch):
        yield server
