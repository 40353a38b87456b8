"""Processes killed and hubs restarted in the middle: what must survive does, and nothing is left."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from node import (
    CallClient,
    CallClientOptions,
    CallingError,
    CallState,
    CommunicationTokenCredential,
    Features,
    TransferState,
)
from node import link as link_module
from node.agent import ConnectionStateChanged
from node.demo import cast
from signaling.config import load_config
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, connect, eventually, until

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def process(people: People, name: str) -> AsyncIterator[cast.Person]:
    """Someone in a process of its own, which can be killed."""
    _, token = await people.client.token(name)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        async with cast.people({name: token}, None, lambda *_: None, log) as crew:
            yield crew[name]


def nothing_is_left(hub: HubServer) -> bool:
    core = hub._core.hub
    return core.calls.all == {} and core.transfers.all == {} and core.calls.deadline is None


async def test_the_target_is_killed_while_it_rings(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    async with process(people, "carol") as carol:
        call, _ = await connect(alice, bob)
        transfer = call.feature(Features.TRANSFER).transfer(
            target_participant="carol", disable_forwarding_and_unanswered=True
        )
        await carol.when("ring")
        carol.process.kill()
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.FAILED
        assert transfer.error is not None and transfer.error.code == 480
        await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
        assert len(alice.agent.calls) == len(bob.agent.calls) == 1


async def test_the_target_is_killed_as_it_answers(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    async with process(people, "carol") as carol:
        call, _ = await connect(alice, bob)
        transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
        ring = await carol.when("ring")
        carol.do("accept", call=ring["call"])
        await carol.when("accepting")
        carol.process.kill()
        async with asyncio.timeout(PATIENCE):
            state = await transfer.wait()
        if state is TransferState.FAILED:
            await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
        else:
            # She was in the call when she died: it ends, with its reason, like any call.
            await eventually(lambda: bob.agent.calls == [])


async def test_the_transferor_is_killed_and_the_transfer_goes_on(people: People, hub: HubServer) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    async with process(people, "alice") as alice:
        alice.do("dial", whom="bob")
        await bob.pick_up()
        up = await alice.when("state", state="Connected")
        alice.do("transfer", call=up["call"], target_participant="carol")
        incoming = await carol.ring()
        alice.process.kill()
        carol.rings.put_nowait(incoming)
        call = await carol.pick_up()
        await until(call, CallState.CONNECTED)
        await asyncio.gather(bob.hears("carol"), carol.hears("bob"))
        await call.hang_up()
        await eventually(lambda: bob.agent.calls == [] and nothing_is_left(hub))


async def test_the_transferee_is_killed(people: People, hub: HubServer) -> None:
    alice, carol = await people.join("alice"), await people.join("carol")
    async with process(people, "bob") as bob:
        call = alice.dial("bob")
        ring = await bob.when("ring")
        bob.do("accept", call=ring["call"])
        await until(call, CallState.CONNECTED)
        transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
        incoming = await carol.ring()
        bob.process.kill()
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.FAILED
        await until(call, CallState.DISCONNECTED)
        assert call.call_end_reason is not None and call.call_end_reason.code == 410
        await eventually(lambda: incoming.call_end_reason is not None)
        await eventually(lambda: nothing_is_left(hub))


async def test_calls_go_on_while_the_hub_restarts(tmp_path: Path, people: People, hub: HubServer) -> None:
    alice, bob, carol = await people.join("alice"), await people.join("bob"), await people.join("carol")
    call, at_bob = await connect(alice, bob)
    port = int(hub.url.rpartition(":")[2])
    await hub.stop()
    await bob.hears("alice", 1.0)
    async with HubServer(load_config(tmp_path / "hub", port=port, environ={})) as again:
        await eventually(lambda: len(again._core.hub.calls.all) == 1)
        assert (call.state, at_bob.state) == (CallState.CONNECTED, CallState.CONNECTED)
        await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
        await call.hold()
        await until(at_bob, CallState.REMOTE_HOLD)
        await call.resume()
        await until(at_bob, CallState.CONNECTED)
        transfer = call.feature(Features.TRANSFER).transfer(target_participant="carol")
        await carol.pick_up()
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.TRANSFERRED
        await asyncio.gather(carol.hears("bob"), bob.hears("carol"))
        await call.hang_up()
        await bob.agent.calls[0].hang_up()
        await eventually(lambda: again._core.hub.calls.all == {})
    await hub.start()


async def test_the_hub_is_gone_for_good(
    people: People, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "GIVE_UP_SECONDS", 2.0)
    alice, bob = await people.join("alice"), await people.join("bob")
    call, _ = await connect(alice, bob)
    seen: list[ConnectionStateChanged] = []
    alice.agent.on("connection_state_changed", seen.append)
    await hub.stop()
    await eventually(lambda: bool(seen))
    assert (seen[0].old_state, seen[0].new_state, seen[0].reason) == (
        "Connected",
        "Disconnected",
        "connectionIssue",
    )
    await until(call, CallState.DISCONNECTED)
    with pytest.raises(CallingError, match="create a new one"):
        alice.agent.start_call(["bob"])
    await hub.start()


async def test_a_token_is_revoked_in_a_call(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    call, at_bob = await connect(alice, bob)
    seen: list[ConnectionStateChanged] = []
    alice.agent.on("connection_state_changed", seen.append)
    raw_id = alice.agent.identity.identifier.raw_id
    path = f"/identities/{raw_id}/:revokeAccessTokens?api-version=2023-10-01"
    assert (await people.client.admin("POST", path)).status == 204
    await eventually(lambda: bool(seen))
    assert seen[0].reason == "invalidToken"
    await until(call, CallState.DISCONNECTED)
    await until(at_bob, CallState.DISCONNECTED)


async def test_tokens_and_hubs_that_are_no_good(hub: HubServer, people: People) -> None:
    _, token = await people.client.token("alice")
    async with CallClient() as client:
        with pytest.raises(CallingError, match="not an access token"):
            await client.create_call_agent(CommunicationTokenCredential("nonsense"))
        forged = token[:-6] + ("aaaaaa" if token[-6:] != "aaaaaa" else "bbbbbb")
        with pytest.raises(CallingError) as refused:
            await client.create_call_agent(CommunicationTokenCredential(forged))
        assert (refused.value.code, refused.value.sub_code) == (495, 4507)
    async with CallClient(CallClientOptions(hub="http://127.0.0.1:9")) as client:
        with pytest.raises(CallingError) as unreachable:
            await client.create_call_agent(CommunicationTokenCredential(token))
        assert unreachable.value.code == 410


async def test_bad_targets_are_refused(people: People) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    targets: list[Any] = [[], ["bob", "carol"], [""], [7]]
    for target in targets:
        with pytest.raises(CallingError):
            alice.agent.start_call(target)
    call = alice.agent.start_call(["nobody-here"])
    await until(call, CallState.DISCONNECTED)
    assert call.call_end_reason is not None and call.call_end_reason.code == 404
    good, _ = await connect(alice, bob)
    mistakes: list[Any] = [{}, {"target_call_id": "c", "target_participant": "bob"}, {"target": "bob"}]
    for wrong in mistakes:
        with pytest.raises(CallingError):
            good.feature(Features.TRANSFER).transfer(**wrong)
    await bob.hears("alice")
