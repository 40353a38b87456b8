"""A page that goes away: loaded again in a call, or killed."""

import asyncio

import pytest
from playwright.async_api import expect

from node import CallState
from tests.browser.conftest import Open
from tests.browser.person import both, silence
from tests.browser.softphone import Softphone
from tests.e2e.people import People, Person, eventually, until

pytestmark = pytest.mark.browser


async def talking(alice: Softphone, bob: Person, caller: str) -> None:
    if caller == "alice":
        await alice.press("Call Bob")
        await bob.pick_up()
    else:
        bob.dial("alice")
        await alice.press("Answer")
    await alice.talks("Bob")
    await both(alice, bob)


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_loaded_again_in_a_call(softphone: Open, people: People, caller: str) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    await talking(alice, bob, caller)
    at_bob = bob.agent.calls[0]
    await alice.page.reload()
    await alice.talks("Bob")
    await until(at_bob, CallState.CONNECTED)
    await both(alice, bob)
    await alice.press("Hold", alice.call("Bob"))
    await until(at_bob, CallState.REMOTE_HOLD)
    await silence(alice, bob)
    await alice.page.reload()
    await alice.talks("Bob", "LocalHold")
    await silence(alice, bob)
    await alice.press("Resume", alice.call("Bob"))
    await until(at_bob, CallState.CONNECTED)
    await both(alice, bob)
    await at_bob.hold()
    await alice.talks("Bob", "RemoteHold")
    await at_bob.resume()
    await alice.talks("Bob")
    await both(alice, bob)
    await alice.press("Hang up", alice.call("Bob"))
    await eventually(lambda: not bob.agent.calls)


async def test_loaded_again_while_it_makes_an_answer(softphone: Open, people: People) -> None:
    """The other end has offered, and will get no answer from the page that was: it offers anew."""
    bob, alice = await people.join("bob"), await softphone("alice")
    await talking(alice, bob, "bob")
    at_bob = bob.agent.calls[0]
    await alice.page.evaluate(
        "() => void (RTCPeerConnection.prototype.setRemoteDescription ="
        " () => new Promise(() => (window.asked = true)))"
    )
    await at_bob.hold()
    await alice.page.wait_for_function("window.asked")
    await alice.page.reload()
    await alice.talks("Bob", "RemoteHold")
    await silence(alice)
    await at_bob.resume()
    await alice.talks("Bob")
    await both(alice, bob)


async def test_loaded_again_while_it_rings(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    call = bob.dial("alice")
    await expect(alice.page.get_by_text("Bob is calling")).to_be_visible()
    await alice.page.reload()
    await alice.press("Answer")
    await until(call, CallState.CONNECTED)
    await both(alice, bob)


async def test_two_pages_one_is_loaded_again(softphone: Open, people: People) -> None:
    bob, alice = await softphone("bob"), await softphone("alice")
    await alice.press("Call Bob")
    await bob.press("Answer")
    await asyncio.gather(alice.talks("Bob"), bob.talks("Alice"))
    await bob.page.reload()
    await asyncio.gather(alice.talks("Bob"), bob.talks("Alice"))
    await alice.page.reload()
    await asyncio.gather(alice.talks("Bob"), bob.talks("Alice"))
    # Both microphones say Alice's sentence.
    await alice.press("Hang up", alice.call("Bob"))
    await expect(bob.call("Alice")).to_have_count(0)


async def test_a_killed_page_is_noticed(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    await talking(alice, bob, "bob")
    at_bob = bob.agent.calls[0]
    await alice.page.close()
    await until(at_bob, CallState.DISCONNECTED)
    assert at_bob.call_end_reason is not None and at_bob.call_end_reason.code == 410
