"""Transfers of all kinds with the browser in each role, asserted at the ear."""

import pytest

from node import Call, CallState, Features, TransferState
from tests.browser.conftest import Join
from tests.browser.person import BrowserPerson, both, hears
from tests.e2e.people import People, Person, connect, eventually, until
from tests.e2e.test_transfers import final

pytestmark = pytest.mark.browser

REPLACED = [0, 7015]


async def meet(caller: BrowserPerson, callee: Person) -> Call:
    """Let someone at a browser call someone at a node; return the node's end."""
    await caller.dial(callee.name)
    call = await callee.pick_up()
    await caller.state("Connected")
    await until(call, CallState.CONNECTED)
    return call


async def transferred(alice: BrowserPerson) -> None:
    await alice.until("window.moved.state === 'Transferred' || window.moved.state === 'Failed'")
    assert await alice.do("[moved.state, moved.error]") == ["Transferred", None]


async def test_a_browser_transfers_to_a_person(join: Join, people: People) -> None:
    alice, bob, carol = await join("alice"), await people.join("bob"), await people.join("carol")
    await meet(alice, bob)
    await alice.do("void (window.moved = transfer.transfer({ targetParticipant: { id: 'carol' } }))")
    incoming = await carol.ring()
    assert incoming.caller_info.display_name == "Bob"
    assert incoming.transferor_info is not None and incoming.transferor_info.display_name == "Alice"
    carol.rings.put_nowait(incoming)
    await carol.pick_up()
    await transferred(alice)
    await both(bob, carol)
    await alice.do("void call.hangUp()")
    await alice.state("Disconnected")
    await eventually(lambda: len(bob.agent.calls) == 1)


async def test_a_browser_transfers_to_a_call(join: Join, people: People) -> None:
    alice, bob, carol = await join("alice"), await people.join("bob"), await people.join("carol")
    at_bob = await meet(alice, bob)
    await alice.do("void call.hold()")
    await until(at_bob, CallState.REMOTE_HOLD)
    at_carol = await meet(alice, carol)
    await alice.do(
        "void (window.moved = calls[0].feature(sdk.Features.Transfer)"
        ".transfer({ targetCallId: calls[1].id }))"
    )
    await transferred(alice)
    for call in (at_bob, at_carol):
        await until(call, CallState.DISCONNECTED)
    await alice.until("agent.calls.length === 0")
    reasons = "calls.map(({ callEndReason: reason }) => [reason.code, reason.subCode])"
    assert await alice.do(reasons) == [REPLACED, REPLACED]
    await both(bob, carol)


async def test_a_browser_transfers_in_vain(join: Join, people: People) -> None:
    alice, bob, carol = await join("alice"), await people.join("bob"), await people.join("carol")
    await meet(alice, bob)
    await alice.do("void call.hold()")
    await alice.state("LocalHold")
    await alice.do("void (window.moved = transfer.transfer({ targetParticipant: { id: 'carol' } }))")
    await (await carol.ring()).reject()
    await alice.until("moved.state === 'Failed'")
    assert await alice.do("[moved.error.code, moved.error.subCode]") == [603, 0]
    await alice.state("Connected")
    await both(alice, bob)


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_a_browser_is_transferred_to_a_person(join: Join, people: People, caller: str) -> None:
    alice, bob, carol = await people.join("alice"), await join("bob"), await people.join("carol")
    if caller == "alice":
        mine = alice.dial("bob")
        await bob.pick_up()
        await until(mine, CallState.CONNECTED)
    else:
        mine = await meet(bob, alice)
    await bob.state("Connected")
    await hears(bob, "alice")
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await both(bob, carol)
    assert await bob.do("log.filter(([what]) => what === 'accepted')") == [["accepted", transfer.new_call_id]]
    await mine.hang_up()
    await bob.until("agent.calls.length === 1")
    assert await bob.do("agent.calls[0].transferorInfo.displayName") == "Alice"


async def test_a_browser_is_transferred_to_a_call(join: Join, people: People) -> None:
    alice, bob, carol = await people.join("alice"), await join("bob"), await people.join("carol")
    first = alice.dial("bob")
    await bob.pick_up()
    await bob.state("Connected")
    await until(first, CallState.CONNECTED)
    await first.hold()
    await bob.state("RemoteHold")
    second, _ = await connect(alice, carol)
    transfer = first.feature(Features.TRANSFER).transfer(target_call_id=second.id)
    assert await final(transfer) is TransferState.TRANSFERRED
    await both(bob, carol)
    await bob.until("agent.calls.length === 1")


async def test_a_browser_is_the_target_person(join: Join, people: People) -> None:
    alice, bob, carol = await people.join("alice"), await people.join("bob"), await join("carol")
    mine, _ = await connect(alice, bob)
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.until("rings.length > 0")
    infos = "[rings[0].callerInfo.displayName, rings[0].transferorInfo.displayName]"
    assert await carol.do(infos) == ["Bob", "Alice"]
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await both(bob, carol)


async def test_a_browser_is_the_target_call(join: Join, people: People) -> None:
    """It answers at once in the place of the call that it had; nothing rings."""
    alice, bob, carol = await people.join("alice"), await people.join("bob"), await join("carol")
    first, _ = await connect(alice, bob)
    await first.hold()
    second = alice.dial("carol")
    await carol.pick_up()
    await carol.state("Connected")
    await until(second, CallState.CONNECTED)
    transfer = first.feature(Features.TRANSFER).transfer(target_call_id=second.id)
    assert await final(transfer) is TransferState.TRANSFERRED
    await carol.until("agent.calls.length === 1 && agent.calls[0].state === 'Connected'")
    assert await carol.do("rings.length") == 0
    await both(bob, carol)


async def test_a_browser_is_the_target_and_declines(join: Join, people: People) -> None:
    alice, bob, carol = await people.join("alice"), await people.join("bob"), await join("carol")
    mine, _ = await connect(alice, bob)
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.until("rings.length > 0")
    await carol.do("rings.shift().reject()")
    assert await final(transfer) is TransferState.FAILED
    await both(alice, bob)
