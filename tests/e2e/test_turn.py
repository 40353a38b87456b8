"""Sound by a relay alone, with the credentials that the hub gives."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from node import CallClientOptions
from signaling.config import load_config
from signaling.server import HubServer
from tests.e2e.people import People, connect
from tests.turn import coturn

pytestmark = pytest.mark.e2e

RELAYED = CallClientOptions(ice_transport_policy="relay")


async def test_two_nodes_hear_each_other_by_a_relay_alone(tmp_path: Path) -> None:
    async with coturn(tmp_path) as relay:
        config = load_config(tmp_path / "hub", ice_servers=(relay.url,), environ=relay.environ)
        async with HubServer(config) as hub, aiohttp.ClientSession() as http:
            people = People(hub, http)
            alice, bob = await people.join("alice", RELAYED), await people.join("bob", RELAYED)
            await connect(alice, bob)
            await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
            await people.close()
    assert sum("ALLOCATE processed, success" in line for line in relay.lines) >= 2
