"""The network of one laptop, which goes away and comes back as another one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self
from unittest import mock

from aioice.ice import StunProtocol

Send = Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]]


class Network:
    """The way of one laptop: its sockets of before are dead after a cut, new ones work once it is back."""

    def __init__(self, hub: str) -> None:
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

        self._patch = mock.patch.object(StunProtocol, "send_data", send_data)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._patch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._patch.stop()
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    @property
    def url(self) -> str:
        """Return the URL at which the hub is reached over this network."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Let nothing through any more, without a word to anybody."""
        self._age += 1
        self._here.clear()

    def back(self) -> None:
        """Let new sockets through."""
        self._here.set()

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
