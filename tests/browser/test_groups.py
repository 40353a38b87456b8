"""Group calls with browsers: everybody hears the others, whoever comes, goes or is removed."""

import asyncio

import pytest

from node import CallState
from tests.browser.conftest import Join
from tests.browser.person import Listener, listen
from tests.e2e.people import PATIENCE, People, Person, eventually, until
from tests.e2e.tones import tone, who_sings

pytestmark = pytest.mark.browser

STATES = "call.remoteParticipants.map(({ displayName, state }) => [displayName, state])"


async def hears_just(person: Listener | Person, *names: str) -> None:
    """Wait until exactly the tones of these are heard."""
    async with asyncio.timeout(2 * PATIENCE):
        while who_sings(await listen(person, 0.5)) != {*names}:
            pass


async def test_a_page_asks_a_third_in_and_removes_them(join: Join, people: People, mixer: None) -> None:
    alice = await join("alice", voice=tone("alice"))
    bob, carol = await people.join("bob"), await people.join("carol")
    bob.voice, carol.voice = tone("bob"), tone("carol")
    await alice.dial("bob")
    at_bob = await bob.pick_up()
    await alice.state("Connected")
    await until(at_bob, CallState.CONNECTED)
    await asyncio.gather(hears_just(alice, "bob"), hears_just(bob, "alice"))
    await alice.do(
        "void (window.third = call.addParticipant({ id: 'carol' })),"
        " void (window.dominant = call.feature(sdk.Features.DominantSpeakers))"
    )
    at_carol = await carol.pick_up()
    await alice.until("third.state === 'Connected'")
    await asyncio.gather(
        hears_just(alice, "bob", "carol"),
        hears_just(bob, "alice", "carol"),
        hears_just(carol, "alice", "bob"),
    )
    there = sorted((name.title(), state) for name, state in await alice.do(STATES))
    assert there == [("Bob", "Connected"), ("Carol", "Connected")]
    assert await alice.do("call.remoteParticipants.includes(third) && Boolean(call.info.groupId)")
    await alice.until("dominant.dominantSpeakers.speakersList.length > 0")
    await alice.do("void call.mute()")
    await asyncio.gather(hears_just(bob, "carol"), hears_just(alice, "bob", "carol"))
    await alice.do("void call.unmute()")
    await alice.do("call.removeParticipant(third.identifier)")
    assert await alice.do("third.state") == "Disconnected"
    await until(at_carol, CallState.DISCONNECTED)
    assert at_carol.call_end_reason is not None and at_carol.call_end_reason.sub_code == 5300
    await asyncio.gather(hears_just(alice, "bob"), hears_just(bob, "alice"))
    assert await alice.do(STATES) == [["Bob", "Connected"]]


async def test_pages_join_a_group_by_its_id(join: Join, mixer: None) -> None:
    alice, bob = await join("alice", voice=tone("alice")), await join("bob", voice=tone("bob"))
    for person in (alice, bob):
        await person.do("void agent.join({ groupId: 'b8d4ad95-5f8e-4d71-a6a4-9c3ee2e4e2f4' }, audio())")
        await person.state("Connected")
    await alice.until("call.remoteParticipants.length === 1")
    await asyncio.gather(hears_just(alice, "bob"), hears_just(bob, "alice"))
    await alice.do("void call.hangUp({ forEveryone: true })")
    await asyncio.gather(alice.state("Disconnected"), bob.state("Disconnected"))
    assert await bob.do("[call.callEndReason.code, call.callEndReason.subCode]") == [0, 4097]
    await bob.until("agent.calls.length === 0")


async def test_a_page_is_asked_into_a_group(join: Join, people: People, mixer: None) -> None:
    alice, bob, carol = (
        await people.join("alice"),
        await people.join("bob"),
        await join("carol", voice=tone("carol")),
    )
    alice.voice, bob.voice = tone("alice"), tone("bob")
    call = alice.dial("bob")
    await bob.pick_up()
    await until(call, CallState.CONNECTED)
    call.add_participant("carol")
    await carol.pick_up()
    await carol.state("Connected")
    await asyncio.gather(hears_just(carol, "alice", "bob"), hears_just(alice, "bob", "carol"))
    await carol.do("void call.hangUp()")
    await carol.state("Disconnected")
    await eventually(lambda: len(call.remote_participants) == 1)
    await asyncio.gather(hears_just(alice, "bob"), hears_just(bob, "alice"))
