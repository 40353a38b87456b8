"""Agents that come and go, devices that fail, and logs that go where the application wants them."""

import asyncio
import logging

import pytest

from node import (
    AcceptCallOptions,
    CallClient,
    CallClientOptions,
    CallingError,
    CallState,
    CommunicationTokenCredential,
)
from node.devices import DeviceManager
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, eventually, until

pytestmark = pytest.mark.e2e


async def test_an_agent_that_is_given_up_while_it_connects_leaves_nothing(
    people: People, hub: HubServer
) -> None:
    _, token = await people.client.token("alice")
    async with CallClient() as client:
        making = asyncio.create_task(client.create_call_agent(CommunicationTokenCredential(token)))
        while not hub._core.hub.presence.sessions and not making.done():
            await asyncio.sleep(0)
        making.cancel()
        await asyncio.wait([making])
    await eventually(lambda: not hub._core.hub.presence.sessions)


async def test_a_client_forgets_the_agents_that_are_disposed(people: People) -> None:
    _, token = await people.client.token("alice")
    async with CallClient() as client:
        for _ in range(3):
            agent = await client.create_call_agent(CommunicationTokenCredential(token))
            await agent.dispose()
            await agent.dispose()
        assert client._agents == set()


async def test_a_call_rings_on_when_the_devices_fail(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    call = alice.dial("bob")
    async with asyncio.timeout(PATIENCE):
        incoming = await bob.rings.get()

    def broken(self: DeviceManager) -> None:
        raise ValueError("no such speaker")

    monkeypatch.setattr(DeviceManager, "speaker_sink", broken)
    with pytest.raises(ValueError, match="no such speaker"):
        await incoming.accept()
    with pytest.raises(ValueError, match="no such speaker"):
        bob.agent.start_call(["alice"])
    assert bob.agent.calls == []
    await incoming.accept(AcceptCallOptions(bob.audio()))
    await until(call, CallState.CONNECTED)
    with pytest.raises(CallingError, match="no longer rings"):
        await incoming.reject()
    await alice.hears("bob")


@pytest.mark.parametrize("name", ["application", "callnode", "callnode.node"])
async def test_logs_go_to_the_logger_of_the_application_too(
    people: People, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[logging.LogRecord] = []

    def keep(record: logging.LogRecord) -> bool:
        seen.append(record)
        return True

    logger = logging.getLogger(name)
    logger.addFilter(keep)
    async with CallClient(CallClientOptions(logger=logger)):
        logging.getLogger("callnode.node").warning("hello")
    assert len([r for r in seen if r.message == "hello"]) <= 1
    assert name != "application" or seen
    logging.getLogger("callnode.node").warning("after")
    assert not any(r.getMessage() == "after" for r in seen if name == "application")
    logger.filters.clear()
