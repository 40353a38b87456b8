"""The JavaScript client in Firefox, with Python nodes and with Chromium."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from media.measure import level_dbfs
from node import Call, CallState, Features, TransferState
from signaling.server import HubServer
from tests.browser import firefox
from tests.browser.conftest import Join
from tests.browser.person import Listener, both, hears, listen
from tests.browser.test_transfers import meet, transferred
from tests.browser.test_voicemail import BRIEF
from tests.e2e.people import PATIENCE, People, Person, connect, eventually, until
from tests.e2e.test_transfers import final
from tests.e2e.test_voicemail import voicemail

pytestmark = pytest.mark.browser


@pytest.fixture
async def alice(hub: HubServer, people: People, firefox_url: str) -> AsyncIterator[firefox.FirefoxPerson]:
    _, token = await people.client.token("alice")
    async with firefox.new_tab(firefox_url) as tab:
        yield await firefox.join(tab, hub.url, "alice", token)


def tone(samples: NDArray[np.int16]) -> float:
    """Return how much of a sound is 1 kHz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = 1000 * len(samples) // SAMPLE_RATE
    width = len(samples) // SAMPLE_RATE * 10 + 2
    return float(np.sum(power[at - width : at + width]) / max(1.0, float(np.sum(power))))


async def hears_firefox(person: Listener | Person) -> None:
    async with asyncio.timeout(PATIENCE):
        while tone(await listen(person, 1.0)) < 0.9:
            pass


async def met(caller: Person, alice: firefox.FirefoxPerson) -> Call:
    """Let somebody at a node call Firefox; return the node's end."""
    call = caller.dial("alice")
    await alice.pick_up()
    await alice.state("Connected")
    await until(call, CallState.CONNECTED)
    return call


async def leave(*people: Person) -> None:
    """Let everybody hang up whatever they are in."""
    for person in people:
        for call in person.agent.calls:
            await call.hang_up()
    await eventually(lambda: not any(person.agent.calls for person in people))


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_firefox_and_a_node(alice: firefox.FirefoxPerson, people: People, caller: str) -> None:
    bob = await people.join("bob")
    if caller == "alice":
        await alice.dial("bob")
        await bob.pick_up()
    else:
        bob.dial("alice")
        await alice.pick_up()
    await alice.state("Connected")
    at_bob = bob.agent.calls[0]
    await until(at_bob, CallState.CONNECTED)
    await asyncio.gather(hears(alice, "bob"), hears_firefox(bob))
    await alice.do("void call.hold()")
    await until(at_bob, CallState.REMOTE_HOLD)
    await alice.do("void call.resume()")
    await until(at_bob, CallState.CONNECTED)
    await at_bob.hold()
    await alice.state("RemoteHold")
    await at_bob.resume()
    await alice.state("Connected")
    await asyncio.gather(hears(alice, "bob"), hears_firefox(bob))
    pressed: list[str] = []
    at_bob.on("dtmf_received", lambda event: pressed.append(event.digit))
    await alice.do("void call.sendDtmf('5#')")
    await eventually(lambda: len(pressed) >= 2)
    assert pressed == ["5", "#"]
    await at_bob.send_dtmf("7*")
    await alice.until("log.filter(([what]) => what === 'dtmf').length >= 2")
    assert await alice.do("log.filter(([what]) => what === 'dtmf').map(([, key]) => key)") == ["7", "*"]
    await alice.do("void call.hangUp()")
    await eventually(lambda: not bob.agent.calls)


async def test_firefox_transfers_to_a_person_to_a_call_and_to_voicemail(
    alice: firefox.FirefoxPerson, people: People, tmp_path: Path
) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    await meet(alice, bob)
    await alice.do("void (window.moved = transfer.transfer({ targetParticipant: { id: 'carol' } }))")
    await carol.pick_up()
    await transferred(alice)
    await alice.do("call.hangUp()")
    await both(bob, carol)
    await leave(bob, carol)
    at_bob = await meet(alice, bob)
    await alice.do("void call.hold()")
    await until(at_bob, CallState.REMOTE_HOLD)
    await meet(alice, carol)
    held = "agent.calls[0].feature(sdk.Features.Transfer)"
    await alice.do(f"void (window.moved = {held}.transfer({{ targetCallId: agent.calls[1].id }}))")
    await transferred(alice)
    await alice.until("agent.calls.length === 0")
    await both(bob, carol)
    await leave(bob, carol)
    async with voicemail(people, tmp_path, BRIEF):
        await meet(alice, bob)
        target = "{ targetParticipantVoicemail: { id: 'carol' } }"
        await alice.do(f"void (window.moved = transfer.transfer({target}))")
        await transferred(alice)
        assert await alice.do("moved.outcome.kind") == "voicemail"
        await leave(bob)


async def test_firefox_is_transferred_to_a_person_to_a_call_and_to_voicemail(
    alice: firefox.FirefoxPerson, people: People, tmp_path: Path
) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    transfer = (await met(bob, alice)).feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await asyncio.gather(hears(alice, "carol"), hears_firefox(carol))
    await leave(bob, carol)
    held = await met(bob, alice)
    await held.hold()
    await alice.state("RemoteHold")
    second, _ = await connect(bob, carol)
    transfer = held.feature(Features.TRANSFER).transfer(target_call_id=second.id)
    assert await final(transfer) is TransferState.TRANSFERRED
    await asyncio.gather(hears(alice, "carol"), hears_firefox(carol))
    await leave(bob, carol)
    async with voicemail(people, tmp_path, BRIEF):
        mine = await met(bob, alice)
        transfer = mine.feature(Features.TRANSFER).transfer(target_participant_voicemail="carol")
        assert await final(transfer) is TransferState.TRANSFERRED
        await mine.hang_up()
        await alice.until("agent.calls.length === 1 && agent.calls[0].outcome.kind === 'voicemail'")
        async with asyncio.timeout(PATIENCE):
            while level_dbfs(await listen(alice, 0.5)) < -40:  # it is greeted, or beeped at
                pass
        await alice.do("agent.calls[0].hangUp()")


async def test_firefox_is_the_target_as_a_person_and_as_a_call(
    alice: firefox.FirefoxPerson, people: People
) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    mine, _ = await connect(bob, carol)
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="alice")
    await alice.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await asyncio.gather(hears(alice, "carol"), hears_firefox(carol))
    await leave(bob, carol)
    held, _ = await connect(bob, carol)
    await held.hold()
    second = await met(bob, alice)
    transfer = held.feature(Features.TRANSFER).transfer(target_call_id=second.id)
    assert await final(transfer) is TransferState.TRANSFERRED
    await alice.until("agent.calls.length === 1 && agent.calls[0].state === 'Connected' && !rings.length")
    await asyncio.gather(hears(alice, "carol"), hears_firefox(carol))


async def test_firefox_and_chromium(alice: firefox.FirefoxPerson, join: Join) -> None:
    bob = await join("bob")
    await bob.dial("alice")
    await alice.pick_up()
    await alice.state("Connected")
    await bob.state("Connected")
    await asyncio.gather(hears(alice, "bob"), hears_firefox(bob))
    await alice.do("void call.hold()")
    await bob.state("RemoteHold")
    await alice.do("void call.resume()")
    await bob.state("Connected")
    await asyncio.gather(hears(alice, "bob"), hears_firefox(bob))
