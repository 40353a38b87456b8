"""The connection to the hub: one WebSocket, numbered messages both ways, resumed after a loss.

What is sent is kept until the hub has acknowledged it; after a resume the rest is sent again, and what
the hub repeats is dropped, so that nothing is lost and nothing comes twice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import aiohttp
import msgspec
import tenacity
from msgspec.structs import replace

from signaling.messages import (
    MAX_FRAME,
    Bye,
    ClientMessage,
    Hello,
    HubMessage,
    Ping,
    Pong,
    Resume,
    SessionEnd,
    Welcome,
    decode_hub,
    encode,
)
from signaling.reasons import INVALID_TOKEN, NETWORK, Reason

log = logging.getLogger("callnode.link")

PING_SECONDS = 10.0
REPLY_SECONDS = 5.0
GIVE_UP_SECONDS = 30.0
UNACKNOWLEDGED = 512

_CLOSE = aiohttp.ClientWSTimeout(ws_close=1.0)
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)


class Owner(Protocol):
    """Whoever a link belongs to."""

    def welcomed(self, welcome: Welcome, *, again: bool) -> None:
        """Take a session; `again` and not `welcome.resumed` means that the earlier one is lost."""

    def received(self, message: HubMessage) -> None:
        """Take a message, each once and in order."""

    def closed(self, reason: Reason) -> None:
        """Take note that the link is gone for good."""


class _EndedError(Exception):
    """The hub ended the session."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Link:
    """One agent's connection to its hub at `url`."""

    def __init__(
        self, url: str, token: Callable[[], Awaitable[str]], display_name: str, owner: Owner
    ) -> None:
        self._url = url.rstrip("/") + "/v1/agent"
        self._token = token
        self._display_name = display_name
        self._owner = owner
        self._welcome: Welcome | None = None
        self._sent: deque[tuple[int, bytes]] = deque()
        self._seq = 0
        self._heard = 0
        self._outbox: asyncio.Queue[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._resumable = False
        self._closing = False

    async def open(self) -> Reason | None:
        """Connect for the first time; return why that is impossible, or None once welcomed."""
        first: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(first))
        return await first

    def send(self, message: ClientMessage) -> None:
        """Send a message now, or after the connection is back."""
        self._seq += 1
        frame = encode(replace(message, seq=self._seq))
        self._sent.append((self._seq, frame))
        if self._outbox is not None:
            self._outbox.put_nowait(frame)
        if len(self._sent) > UNACKNOWLEDGED:
            # What the hub has not acknowledged for so long it will never be able to follow up.
            self._sent.clear()
            self._resumable = False

    async def close(self) -> None:
        """Say goodbye and let the connection go."""
        self._closing = True
        if self._task is None:
            return
        if self._outbox is not None:
            self._outbox.put_nowait(encode(Bye()))
            await asyncio.wait({self._task}, timeout=1.0)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, first: asyncio.Future[Reason | None]) -> None:
        reason = NETWORK
        try:
            async with aiohttp.ClientSession() as http:
                while not self._closing:
                    opening = self._welcome is None
                    async for attempt in tenacity.AsyncRetrying(
                        retry=tenacity.retry_if_exception_type(_UNREACHABLE),
                        wait=tenacity.wait_random_exponential(multiplier=0.3, max=5),
                        stop=tenacity.stop_after_delay(REPLY_SECONDS if opening else GIVE_UP_SECONDS),
                        reraise=True,
                    ):
                        with attempt:
                            socket = await self._connect(http)
                    if not first.done():
                        first.set_result(None)
                    await self._serve(socket)
                    if not self._closing:
                        log.info("connection to the hub lost, connecting again")
        except _EndedError as ended:
            reason = ended.reason
            log.info("the hub ended the session: %s", reason.message)
        except _UNREACHABLE:
            log.warning("the hub cannot be reached")
        except Exception:
            log.exception("the link to the hub failed")
        finally:
            self._outbox = None
            if not first.done():
                first.set_result(reason)
            elif not self._closing:
                self._owner.closed(reason)

    async def _connect(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        """Open a socket and greet; raises what a retry may mend, or _EndedError."""
        resume = None
        if self._welcome is not None and self._resumable:
            resume = Resume(self._welcome.session, self._welcome.secret, self._heard)
        hello = Hello(await self._token(), self._display_name, resume=resume)
        async with asyncio.timeout(REPLY_SECONDS):
            socket = await http.ws_connect(self._url, max_msg_size=4 * MAX_FRAME, timeout=_CLOSE)
            try:
                await socket.send_str(encode(hello).decode())
                frame = await socket.receive()
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    raise aiohttp.ClientError("the hub closed the connection before its welcome")
                reply = decode_hub(frame.data)
            except BaseException:
                await socket.close()
                raise
        if isinstance(reply, SessionEnd):
            await socket.close()
            raise _EndedError(reply.reason)
        if not isinstance(reply, Welcome):
            await socket.close()
            raise aiohttp.ClientError("the hub did not answer hello with welcome")
        self._start(reply)
        return socket

    def _start(self, welcome: Welcome) -> None:
        again, self._welcome, self._resumable = self._welcome is not None, welcome, True
        self._outbox = asyncio.Queue()
        if welcome.resumed:
            self._acknowledged(welcome.last_seq)
            for _, frame in self._sent:
                self._outbox.put_nowait(frame)
        else:
            self._sent.clear()
            self._seq = self._heard = 0
        self._owner.welcomed(welcome, again=again)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Read, write and ping until the socket is gone; raises _EndedError when the session is over."""
        outbox = self._outbox
        assert outbox is not None
        tasks = [
            asyncio.create_task(self._read(socket)),
            asyncio.create_task(self._write(socket, outbox)),
            asyncio.create_task(self._ping(outbox)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._outbox = None
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
        for result in results:
            if isinstance(result, _EndedError):
                raise result
        for task in done:
            if (error := task.exception()) and not isinstance(error, _UNREACHABLE):
                raise error

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            try:
                message = decode_hub(frame.data)
            except msgspec.DecodeError as error:
                log.warning("a message of the hub is not understood: %s", error)
                continue
            if isinstance(message, SessionEnd):
                raise _EndedError(message.reason)
            if isinstance(message, Pong):
                self._answered.set()
                self._acknowledged(message.ack)
            elif message.seq == 0:
                self._owner.received(message)
            elif message.seq > self._heard:
                self._heard = message.seq
                self._owner.received(message)

    async def _write(self, socket: aiohttp.ClientWebSocketResponse, outbox: asyncio.Queue[bytes]) -> None:
        while True:
            frame = await outbox.get()
            await socket.send_str(frame.decode())
            if self._closing and outbox.empty():
                return

    async def _ping(self, outbox: asyncio.Queue[bytes]) -> None:
        """Find a dead connection, and tell the hub what was heard."""
        while True:
            self._answered.clear()
            outbox.put_nowait(encode(Ping(ack=self._heard)))
            async with asyncio.timeout(REPLY_SECONDS):
                await self._answered.wait()
            await asyncio.sleep(PING_SECONDS)

    def _acknowledged(self, seq: int) -> None:
        while self._sent and self._sent[0][0] <= seq:
            self._sent.popleft()


def is_token_trouble(reason: Reason) -> bool:
    """Tell whether a link ended for its token."""
    return (reason.code, reason.sub_code) == (INVALID_TOKEN.code, INVALID_TOKEN.sub_code)
