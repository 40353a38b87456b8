"""Another WebRTC stack, libwebrtc for Node, in calls through the documented wire protocol alone."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from node import CallState, Features, TransferState
from signaling.server import HubServer
from tests.browser.person import Listener, both, silence
from tests.e2e.people import PATIENCE, SENTENCES, People, eventually, until
from tests.e2e.test_transfers import final
from tests.packages import ROOT, packages

pytestmark = pytest.mark.browser


class Stranger(Listener):
    """Bob at tests/npm/person.mjs, a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.name = "bob"
        self._process = process
        self.told: list[list[str]] = []
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def listen(self, seconds: float) -> NDArray[np.int16]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        async with asyncio.timeout(PATIENCE):
            return np.frombuffer(base64.b64decode(await self._heard.get()), np.int16)

    async def until(self, *what: str) -> None:
        """Wait until it has told of something."""
        await eventually(lambda: any(each[: len(what)] == list(what) for each in self.told))

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode().split():
            if line[0] == "heard":
                self._heard.put_nowait(line[1])
            else:
                self.told.append(line)


@pytest.fixture
async def bob(hub: HubServer, people: People, tmp_path: Path) -> AsyncIterator[Stranger]:
    _, token = await people.client.token("bob")
    folder = await asyncio.to_thread(packages)
    voice = tmp_path / "bob.pcm"
    voice.write_bytes(SENTENCES["bob"].tobytes())
    process = await asyncio.create_subprocess_exec(
        *("node", ROOT / "tests" / "npm" / "person.mjs", folder, hub.url, token, voice),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    stranger = Stranger(process)
    try:
        await stranger.until("welcome")
        yield stranger
    finally:
        await stranger.close()


async def test_libwebrtc_is_held_and_transferred(bob: Stranger, people: People) -> None:
    alice, carol = await people.join("alice"), await people.join("carol")
    call = alice.dial("bob")
    await until(call, CallState.CONNECTED)
    await bob.until("connected", call.id)
    await both(alice, bob)
    await call.hold()
    await bob.until("held", call.id)
    await silence(alice)
    await call.resume()
    await bob.until("resumed", call.id)
    await both(alice, bob)
    transfer = call.feature(Features.TRANSFER).transfer(
        target_participant="carol", hang_up_when_transferred=True
    )
    after = await carol.pick_up()
    assert await final(transfer) is TransferState.TRANSFERRED
    await until(after, CallState.CONNECTED)
    await bob.until("connected", after.id)
    await bob.until("ended", call.id, "0")
    await both(bob, carol)
    await after.hang_up()
    await bob.until("ended", after.id, "0", "0")
