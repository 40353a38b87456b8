"""A hub for a LAN: browsers reach it by https and wss, with the certificate that it has made itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from node import CallState
from node.trust import trusted
from signaling.certificates import authority
from signaling.config import load_config
from signaling.server import HubServer
from tests.browser import firefox
from tests.browser.conftest import Open
from tests.browser.person import both, hears
from tests.browser.test_firefox import hears_firefox
from tests.e2e.people import People, eventually, until

pytestmark = pytest.mark.browser


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    config = load_config(tmp_path / "hub", host="0.0.0.0", tls="self-signed", environ={})
    async with HubServer(config) as server:
        assert server.url.startswith("https://") and "127.0.0.1" not in server.url
        yield server


@pytest.fixture
async def people(hub: HubServer) -> AsyncIterator[People]:
    connector = aiohttp.TCPConnector(ssl=trusted(authority=authority(hub._config.data)))
    async with aiohttp.ClientSession(connector=connector) as http:
        people = People(hub, http)
        yield people
        await people.close()


async def test_the_page_in_chromium_and_a_laptop(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    assert await alice.page.evaluate("isSecureContext")
    await alice.press("Call Bob")
    call = await bob.pick_up()
    await alice.talks("Bob")
    await both(alice, bob)
    await alice.press("Hold", alice.call("Bob"))
    await until(call, CallState.REMOTE_HOLD)
    await alice.press("Resume", alice.call("Bob"))
    await until(call, CallState.CONNECTED)
    await both(alice, bob)


async def test_firefox_and_a_laptop(hub: HubServer, people: People, firefox_url: str) -> None:
    _, token = await people.client.token("alice")
    async with firefox.new_tab(firefox_url) as tab:
        alice, bob = await firefox.join(tab, hub.url, "alice", token), await people.join("bob")
        assert await tab.evaluate("isSecureContext")
        bob.dial("alice")
        await alice.pick_up()
        await alice.state("Connected")
        await asyncio.gather(hears(alice, "bob"), hears_firefox(bob))
        await alice.do("void call.hangUp()")
        await eventually(lambda: not bob.agent.calls)
