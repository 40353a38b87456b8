"""The samples, run as they are, as processes of their own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media.measure import correlation
from media.source import load
from node import CallState
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, SENTENCES, People, eventually, until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def sample(
    people: People, hub: HubServer, who: str, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a sample as a user of its own, until left."""
    _, token = await people.client.token(who)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env={"CALLNODE_TOKEN": token, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def online(hub: HubServer, name: str) -> bool:
    return any(s.party.name == name for s in hub._core.hub.presence.sessions.values())


async def test_call_and_say(people: People, hub: HubServer, tmp_path: Path) -> None:
    bob = await people.join("bob")
    heard = tmp_path / "heard.wav"
    said = ROOT / "media/speech/alice.flac"
    async with sample(
        people, hub, "alice", "samples/call_and_say.py", "bob", str(said), str(heard)
    ) as process:
        call = await bob.pick_up()
        await until(call, CallState.CONNECTED)
        await bob.hears("alice")
        await until(call, CallState.DISCONNECTED)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert correlation(await asyncio.to_thread(load, heard), SENTENCES["bob"]) > 0.8


async def test_receptionist(people: People, hub: HubServer) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    async with sample(people, hub, "alice", "samples/receptionist.py", "carol"):
        await eventually(lambda: online(hub, "alice"))
        bob.dial("alice")
        await carol.pick_up()
        await eventually(lambda: [c.state for c in bob.agent.calls] == [CallState.CONNECTED])
        await asyncio.gather(bob.hears("carol"), carol.hears("bob"))


async def test_echo(people: People, hub: HubServer) -> None:
    bob = await people.join("bob")
    async with sample(people, hub, "alice", "samples/echo.py"):
        await eventually(lambda: online(hub, "alice"))
        await until(bob.dial("alice"), CallState.CONNECTED)
        await eventually(lambda: len(bob.ear.frames) > 120)
        await bob.hears("bob")
