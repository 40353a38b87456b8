"""The JavaScript client in Firefox, with Python nodes and with Chromium."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE
from node import CallState, Features, TransferState
from signaling.server import HubServer
from tests.browser import firefox
from tests.browser.conftest import Join
from tests.browser.person import Listener, hears, listen
from tests.e2e.people import PATIENCE, People, Person, eventually, until
from tests.e2e.test_transfers import final

pytestmark = pytest.mark.browser


@pytest.fixture
async def alice(hub: HubServer, people: People, tmp_path: Path) -> AsyncIterator[firefox.FirefoxPerson]:
    _, token = await people.client.token("alice")
    async with firefox.firefox(tmp_path / "profile") as tab:
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


async def test_firefox_is_transferred(alice: firefox.FirefoxPerson, people: People) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    mine = bob.dial("alice")
    await alice.pick_up()
    await until(mine, CallState.CONNECTED)
    transfer = mine.feature(Features.TRANSFER).transfer(target_participant="carol")
    await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
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
