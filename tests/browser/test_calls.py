"""Calls between the JavaScript client in Chromium and a Python node, asserted at the ear."""

import asyncio

import pytest

from node import CallState
from tests.browser.conftest import Join
from tests.browser.person import BrowserPerson
from tests.e2e.people import People, Person, eventually, until

pytestmark = pytest.mark.browser


async def connect(join: Join, people: People, caller: str) -> tuple[BrowserPerson, Person]:
    """Connect Alice at a browser with Bob at a node."""
    alice, bob = await join("alice"), await people.join("bob")
    if caller == "alice":
        await alice.dial("bob")
        await bob.pick_up()
    else:
        bob.dial("alice")
        await alice.pick_up()
    await alice.state("Connected")
    await until(bob.agent.calls[0], CallState.CONNECTED)
    return alice, bob


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_each_hears_the_other(join: Join, people: People, caller: str) -> None:
    alice, bob = await connect(join, people, caller)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    participant = "call.remoteParticipants[0]"
    assert await alice.do(f"[{participant}.displayName, {participant}.state]") == ["Bob", "Connected"]
    await alice.do("void call.hangUp()")
    await alice.state("Disconnected")
    assert await alice.do("[call.callEndReason.code, call.callEndReason.subCode]") == [0, 0]
    await eventually(lambda: not bob.agent.calls)
