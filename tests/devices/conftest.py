"""Sound servers with virtual cards, each test's own."""

from collections.abc import Iterator

import pytest

from tests.devices.servers import PipeWire, PulseAudio, SoundServer


@pytest.fixture
def pulseaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with PulseAudio(monkeypatch) as server:
        yield server


@pytest.fixture(params=[PulseAudio, PipeWire])
def sound_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with request.param(monkeypatch) as server:
        yield server
