"""A laptop whose network goes away and comes back as another one: the call is heard again, under its id."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from node import CallClientOptions, CallState
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, connect, eventually, until
from tests.e2e.roaming import Network

pytestmark = pytest.mark.e2e


@pytest.fixture
async def network(hub: HubServer) -> AsyncIterator[Network]:
    async with Network(hub.url) as network:
        yield network


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_a_call_goes_on_over_another_network(people: People, network: Network, caller: str) -> None:
    there = CallClientOptions(hub=network.url)
    alice, bob = await people.join("alice", there), await people.join("bob")
    one, other = (alice, bob) if caller == "alice" else (bob, alice)
    ours, theirs = await connect(one, other)
    network.cut()
    await eventually(lambda: ours.is_reconnecting and theirs.is_reconnecting)
    network.back()
    await eventually(lambda: not ours.is_reconnecting and not theirs.is_reconnecting)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert (ours.state, theirs.state, ours.id) == (CallState.CONNECTED, CallState.CONNECTED, theirs.id)
    async with asyncio.timeout(PATIENCE):
        await ours.hang_up()
    await until(theirs, CallState.DISCONNECTED)
