"""A real hub on loopback, for the tests of its shell."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from signaling.config import Config, load_config
from signaling.server import HubServer
from tests.shell.hub_client import Client


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(tmp_path / "hub", environ={})


@pytest.fixture
async def hub(config: Config) -> AsyncIterator[HubServer]:
    async with HubServer(config) as server:
        yield server


@pytest.fixture
async def client(hub: HubServer) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(hub, http)
