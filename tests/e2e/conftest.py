"""A real hub and whoever a test needs on it."""

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from signaling.config import load_config
from signaling.server import HubServer
from tests.e2e.people import People


@pytest.fixture(scope="session", autouse=True)
def short_collections() -> None:
    """Keep what a thousand tests have left from being gone through in the middle of a call."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    async with HubServer(load_config(tmp_path / "hub", environ={})) as server:
        yield server


@pytest.fixture
async def people(hub: HubServer) -> AsyncIterator[People]:
    async with aiohttp.ClientSession() as http:
        people = People(hub, http)
        yield people
        await people.close()
