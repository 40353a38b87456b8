"""Transfers of all kinds between real agents, asserted at the ear."""

import asyncio
import time

import pytest

from node import CallState, Features, Transfer, TransferState
from node.transfer import TransferRequested
from tests.e2e.people import PATIENCE, People, Person, connect, until

pytestmark = pytest.mark.e2e


async def final(transfer: Transfer) -> TransferState:
    async with asyncio.timeout(PATIENCE):
        return await transfer.wait()


async def three(people: People) -> tuple[Person, Person, Person]:
    return await people.join("alice"), await people.join("bob"), await people.join("carol")


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_to_a_participant_without_a_hole(people: People, caller: str) -> None:
    alice, bob, carol = await three(people)
    mine, _ = await connect(alice, bob) if caller == "alice" else (await connect(bob, alice))[::-1]
    await bob.hears("alice")
    started = time.monotonic()
    states: list[str] = []
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="carol")
    transfer.on("state_changed", lambda event: states.append(event.new_state))
    got = asyncio.get_running_loop().create_future()
    bob.agent.calls[0].feature(Features.TRANSFER).on("transfer_accepted", got.set_result)
    incoming = await carol.ring()
    assert incoming.caller_info.display_name == "Bob"
    assert incoming.transferor_info is not None and incoming.transferor_info.display_name == "Alice"
    carol.rings.put_nowait(incoming)
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await asyncio.gather(bob.hears("carol"), carol.hears("bob"))
    assert states == ["Transferring", "Transferred"]
    assert (await got).target_call.id == transfer.new_call_id
    assert await bob.silence(started, time.monotonic()) < 0.25
    await mine.hang_up()
    assert [c.id for c in bob.agent.calls] == [transfer.new_call_id]


async def test_to_a_call(people: People) -> None:
    alice, bob, carol = await three(people)
    first, at_bob = await connect(alice, bob)
    await first.hold()
    await until(at_bob, CallState.REMOTE_HOLD)
    second, at_carol = await connect(alice, carol)
    await asyncio.gather(alice.hears("carol"), carol.hears("alice"))
    transfer = first.feature(Features.TRANSFER).transfer(target_call_id=second.id)
    assert await final(transfer) is TransferState.TRANSFERRED
    for call in (first, second, at_bob, at_carol):
        await until(call, CallState.DISCONNECTED)
        assert call.call_end_reason is not None
        assert (call.call_end_reason.code, call.call_end_reason.sub_code) == (0, 7015)
    await asyncio.gather(bob.hears("carol"), carol.hears("bob"))
    assert carol.rings.empty(), "C does not ring a second time"
    assert alice.agent.calls == []


async def test_declined_leaves_both_talking(people: People) -> None:
    alice, bob, carol = await three(people)
    call, _ = await connect(alice, bob)
    transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    await (await carol.ring()).reject()
    assert await final(transfer) is TransferState.FAILED
    assert transfer.error is not None and (transfer.error.code, transfer.error.sub_code) == (603, 0)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert len(bob.agent.calls) == len(alice.agent.calls) == 1


async def test_a_failed_transfer_takes_the_call_off_hold(people: People) -> None:
    alice, bob, _ = await three(people)
    call, _ = await connect(alice, bob)
    await call.hold()
    transfer = call.feature(Features.TRANSFER).transfer(target_participant="nobody")
    assert await final(transfer) is TransferState.FAILED
    assert transfer.error is not None and transfer.error.code == 404
    await until(call, CallState.CONNECTED)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))


async def test_a_failed_transfer_leaves_the_call_on_hold_while_another_goes_on(people: People) -> None:
    """The microphone of A is in one call at a time."""
    alice, bob, carol = await three(people)
    first, at_bob = await connect(alice, bob)
    await first.hold()
    await until(at_bob, CallState.REMOTE_HOLD)
    await connect(alice, carol)
    transfer = first.feature(Features.TRANSFER).transfer(target_participant="nobody")
    assert await final(transfer) is TransferState.FAILED
    await asyncio.gather(bob.hears_nothing(), carol.hears("alice"), alice.hears("carol"))
    assert (first.state, at_bob.state) == (CallState.LOCAL_HOLD, CallState.REMOTE_HOLD)
    await first.resume()
    await until(at_bob, CallState.CONNECTED)
    await bob.hears("alice")


async def test_muted_while_the_target_rings(people: People) -> None:
    alice, bob, carol = await three(people)
    call, at_bob = await connect(alice, bob)
    transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    carol.rings.put_nowait(await carol.ring())
    await at_bob.mute()
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await asyncio.gather(carol.hears_nothing(), bob.hears("carol"))
    [at_bob] = [c for c in bob.agent.calls if c.id == transfer.new_call_id]
    assert at_bob.is_muted
    await at_bob.unmute()
    await carol.hears("bob")


async def test_cancelled_while_it_rings(people: People) -> None:
    alice, bob, carol = await three(people)
    call, _ = await connect(alice, bob)
    transfer = call.feature(Features.TRANSFER).transfer({"target_participant": "carol"})
    rings = await carol.ring()
    over = asyncio.get_running_loop().create_future()
    rings.on("call_ended", lambda event: over.set_result(event.call_end_reason))
    transfer.cancel()
    assert await final(transfer) is TransferState.FAILED
    assert (await asyncio.wait_for(over, PATIENCE)).code == 487
    await bob.hears("alice")


async def test_with_consent(people: People) -> None:
    alice, carol = await people.join("alice"), await people.join("carol")
    bob = await people.join("bob", transfer_consent=True)
    call, at_bob = await connect(alice, bob)
    asked: asyncio.Queue[TransferRequested] = asyncio.Queue()
    at_bob.feature(Features.TRANSFER).on("transfer_requested", asked.put_nowait)
    refused = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    (await asyncio.wait_for(asked.get(), PATIENCE)).reject()
    assert await final(refused) is TransferState.FAILED
    assert carol.rings.empty()
    agreed = call.feature(Features.TRANSFER).transfer(target_participant="carol")
    (await asyncio.wait_for(asked.get(), PATIENCE)).accept()
    await carol.pick_up()
    assert await final(agreed) is TransferState.TRANSFERRED
    await bob.hears("carol")


async def test_handed_on_and_on(people: People) -> None:
    """B is transferred to C, and C transfers B back to A: chains, with sound after each."""
    alice, bob, carol = await three(people)
    call, _ = await connect(alice, bob)
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    at_carol = await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await until(at_carol, CallState.CONNECTED)
    await until(call, CallState.DISCONNECTED)
    back = at_carol.feature(Features.TRANSFER).transfer(target_participant="alice")
    await alice.pick_up()
    assert await final(back) is TransferState.TRANSFERRED
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))


async def test_hold_is_silent_and_ends(people: People) -> None:
    alice, bob, _ = await three(people)
    call, at_bob = await connect(alice, bob)
    await at_bob.hold()
    await until(call, CallState.REMOTE_HOLD)
    await asyncio.gather(alice.hears_nothing(), bob.hears_nothing())
    await call.hold()
    await at_bob.resume()
    await until(at_bob, CallState.REMOTE_HOLD)
    await asyncio.gather(alice.hears_nothing(), bob.hears_nothing())
    await call.resume()
    await until(at_bob, CallState.CONNECTED)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))


async def test_muted(people: People) -> None:
    alice, bob, _ = await three(people)
    call, _ = await connect(alice, bob)
    await call.mute()
    assert call.is_muted
    await bob.hears_nothing()
    await alice.hears("bob")
    await call.unmute()
    await bob.hears("alice")
