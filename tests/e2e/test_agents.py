"""Agents that come and go, devices that fail, and logs that go where the application wants them."""

import asyncio
import logging
import time

import pytest

from node import (
    AcceptCallOptions,
    CallClient,
    CallClientOptions,
    CallingError,
    CallState,
    CommunicationTokenCredential,
    ConnectionState,
)
from node.devices import DeviceManager
from signaling.server import HubServer
from tests.e2e.people import People, connect, eventually, until
from tests.shell.test_credential import ending

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


@pytest.mark.parametrize("stage", ["connecting", "ringing", "connected", "held", "held by the other end"])
async def test_dispose_hangs_up_whatever_state_a_call_is_in(
    people: People, hub: HubServer, stage: str
) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    if stage in ("connecting", "ringing"):
        call = alice.dial("bob")
        if stage == "ringing":
            await until(call, CallState.RINGING)
    else:
        call, inbound = await connect(alice, bob)
        if stage == "held":
            await call.hold()
        elif stage == "held by the other end":
            await inbound.hold()
            await until(call, CallState.REMOTE_HOLD)
    await asyncio.gather(alice.agent.dispose(), alice.agent.dispose())
    await alice.agent.dispose()
    assert (call.state, alice.agent.calls) == (CallState.DISCONNECTED, [])
    reason = call.call_end_reason
    assert reason is not None
    if stage in ("connecting", "ringing"):
        assert reason.code == 487
    else:
        await until(inbound, CallState.DISCONNECTED)
        assert inbound.call_end_reason is not None
        assert (reason.code, inbound.call_end_reason.code) == (0, 0)
    await eventually(lambda: len(hub._core.sessions) == 1 and not hub._core.hub.calls.all)
    await call.hang_up()  # does nothing
    with pytest.raises(CallingError, match="disconnected"):
        alice.agent.start_call(["bob"])


async def test_dispose_leaves_what_rings_to_the_other_devices(people: People) -> None:
    alice, here, there = [await people.join(name) for name in ("alice", "bob", "bob")]
    call = alice.dial("bob")
    ringing = await here.ring()
    await here.agent.dispose()
    assert ringing.call_end_reason is not None
    with pytest.raises(CallingError, match="no longer rings") as refused:
        await ringing.accept(AcceptCallOptions(here.audio()))
    assert refused.value.sub_code == 41006
    await there.pick_up()
    await until(call, CallState.CONNECTED)
    await alice.hears("bob")


async def test_a_token_is_renewed_in_a_call_once_for_all_who_ask(people: People, hub: HubServer) -> None:
    bob, (_, token) = await people.join("bob"), await people.client.token("alice")
    asked = 0

    async def refresh() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return ending(hub, token, 2 if asked < 3 else 3600)

    credential = CommunicationTokenCredential(
        ending(hub, token, 2), token_refresher=refresh, refresh_proactively=True
    )
    alice = await people.join("alice", credential=credential)
    session = next(iter(hub._core.sessions.of(alice.agent.identity.identifier.raw_id)))
    call, _ = await connect(alice, bob)
    await eventually(lambda: asked >= 3 and session.grant.expires_at > time.time() + 60)
    assert session.connection is not None
    await asyncio.gather(*(credential.get_token() for _ in range(10)))
    assert asked == 3
    assert (alice.agent.connection_state, call.state) == (ConnectionState.CONNECTED, CallState.CONNECTED)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))


async def test_a_call_rings_on_when_the_devices_fail(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    call = alice.dial("bob")
    incoming = await bob.ring()

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
