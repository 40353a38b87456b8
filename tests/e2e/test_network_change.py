"""A laptop whose network goes away and comes back as another one: the call is heard again, under its id."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aioice.ice import StunProtocol

from node import CallClientOptions, CallState
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, connect, eventually, until

pytestmark = pytest.mark.e2e

Send = Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]]


class Network:
    """The way of one laptop: its sockets of before are dead after a cut, new ones work once it is back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hub: str) -> None:
        self._hub = hub
        self._here = asyncio.Event()
        self._here.set()
        self._age = 0
        self._sockets: dict[StunProtocol, int] = {}
        self._pipes: set[asyncio.Task[None]] = set()
        send: Send = StunProtocol.send_data

        async def send_data(socket: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
            if self._here.is_set() and self._sockets.setdefault(socket, self._age) == self._age:
                await send(socket, data, addr)

        monkeypatch.setattr(StunProtocol, "send_data", send_data)

    async def open(self) -> str:
        """Return the URL at which the hub is reached over this network."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Let nothing through any more, without a word to anybody."""
        self._age += 1
        self._here.clear()

    def back(self) -> None:
        """Let new sockets through."""
        self._here.set()

    async def close(self) -> None:
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        age = self._age
        await self._here.wait()
        host, port = self._hub.removeprefix("http://").rstrip("/").split(":")
        far = await asyncio.open_connection(host, int(port))
        for end, other in ((reader, far[1]), (far[0], writer)):
            pipe = asyncio.create_task(self._pipe(end, other, age))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, age: int) -> None:
        try:
            while data := await reader.read(65536):
                if age == self._age:
                    writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def network(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    network = Network(monkeypatch, hub.url)
    yield network
    await network.close()


@pytest.mark.parametrize("caller", ["alice", "bob"])
async def test_a_call_goes_on_over_another_network(people: People, network: Network, caller: str) -> None:
    there = CallClientOptions(hub=await network.open())
    alice, bob = await people.join("alice", there), await people.join("bob")
    one, other = (alice, bob) if caller == "alice" else (bob, alice)
    ours, theirs = await connect(one, other)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    network.cut()
    await eventually(lambda: ours.is_reconnecting and theirs.is_reconnecting)
    network.back()
    back = time.monotonic()
    await eventually(lambda: not ours.is_reconnecting and not theirs.is_reconnecting)
    print(f"heard again {time.monotonic() - back:.2f} s after the network was back")
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert (ours.state, theirs.state, ours.id) == (CallState.CONNECTED, CallState.CONNECTED, theirs.id)
    async with asyncio.timeout(PATIENCE):
        await ours.hang_up()
    await until(theirs, CallState.DISCONNECTED)
