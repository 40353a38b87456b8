"""A page and a laptop whose sound passes by a relay alone, with the credentials that the hub gives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node import CallClientOptions, CallState
from signaling.config import load_config
from signaling.server import HubServer
from tests.browser.conftest import Join
from tests.browser.person import both
from tests.e2e.people import People, until
from tests.turn import coturn

pytestmark = pytest.mark.browser


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    async with coturn(tmp_path) as relay:
        config = load_config(tmp_path / "hub", ice_servers=(relay.url,), environ=relay.environ)
        async with HubServer(config) as server:
            yield server


async def test_a_browser_and_a_node_by_a_relay_alone(join: Join, people: People) -> None:
    alice = await join("alice", client={"iceTransportPolicy": "relay"})
    bob = await people.join("bob", CallClientOptions(ice_transport_policy="relay"))
    await alice.dial("bob")
    call = await bob.pick_up()
    await alice.state("Connected")
    await until(call, CallState.CONNECTED)
    await both(alice, bob)
