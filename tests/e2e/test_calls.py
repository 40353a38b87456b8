"""Calls and transfers between real agents, asserted at the ear."""

import asyncio

import pytest

from node import CallState, Features, TransferState
from tests.e2e.people import People, connect, until

pytestmark = pytest.mark.e2e


async def test_two_people_hear_each_other(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    out, inbound = await connect(alice, bob)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert out.id == inbound.id and inbound.caller_info.display_name == "Alice"
    await out.hang_up()
    await until(inbound, CallState.DISCONNECTED)
    assert out.call_end_reason and inbound.call_end_reason
    assert (inbound.call_end_reason.code, inbound.call_end_reason.sub_code) == (0, 0)
    assert alice.agent.calls == bob.agent.calls == []


async def test_transfer_to_a_participant(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    out, _ = await connect(alice, bob)
    transfer = out.feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.pick_up()
    async with asyncio.timeout(20):
        assert await transfer.wait() is TransferState.TRANSFERRED
    await asyncio.gather(bob.hears("carol"), carol.hears("bob"))
    await out.hang_up()
    assert transfer.outcome and transfer.outcome.party.name == "carol"
