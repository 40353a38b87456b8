"""The connection to the hub: one WebSocket, numbered messages both ways, resumed after a loss.

What is sent is kept until the hub has acknowledged it; after a resume the rest is sent again, and what
the hub repeats is dropped, so that nothing is lost and nothing comes twice.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import aiohttp
import msgspec
import tenacity
from msgspec.structs import replace

from node.errors import CallingError
from node.trust import distrust, trusted
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
DOUBT_SECONDS = 1.0
GIVE_UP_SECONDS = 30.0
STEADY_SECONDS = 3.0
MOST_WAIT_SECONDS = 2.0  # calls wait for a new path until the hub is there again
TOO_MANY_SECONDS = 2.0
RESTART_SECONDS = 1.0
UNACKNOWLEDGED = 512

# Close codes (signaling/WIRE.md).
RESTART, BAD_MESSAGES, UNAUTHORIZED, SUPERSEDED, SESSION_ENDED, TOO_MANY = 1012, 4400, 4401, 4409, 4410, 4429

_CLOSE = aiohttp.ClientWSTimeout(ws_close=1.0)
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError)


class Owner(Protocol):
    """Whoever a link belongs to."""

    def welcomed(self, welcome: Welcome, *, again: bool) -> None:
        """Take a session; `again` and not `welcome.resumed` means that the earlier one is lost."""

    def received(self, message: HubMessage) -> None:
        """Take a message, each once and in order."""

    def away(self) -> None:
        """Take note that the connection is lost and sought again."""

    def refused(self, token: str) -> None:
        """Take note that the hub does not accept a token (any more); the next one should be another."""

    def closed(self, reason: Reason) -> None:
        """Take note that the link is gone for good."""


class _EndedError(Exception):
    """The hub ended the session."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class _LostError(aiohttp.ClientError):
    """The connection is gone, with a close code if there was one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


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
        self._stirred = asyncio.Event()  # by an answer, or by doubt
        self._resumable = False
        self._bad_messages = 0
        self._used = ""
        self._refused = ""
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

    def doubt(self) -> None:
        """Find out now whether the connection is alive: something else says that the network may be gone."""
        self._stirred.set()

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

        def is_late(state: tenacity.RetryCallState) -> bool:
            limit = GIVE_UP_SECONDS if first.done() else REPLY_SECONDS
            return (state.seconds_since_start or 0.0) >= limit

        try:
            async with aiohttp.ClientSession() as http:
                while not self._closing:
                    async for attempt in tenacity.AsyncRetrying(
                        retry=tenacity.retry_if_exception_type(_UNREACHABLE),
                        wait=_wait,
                        stop=is_late,
                        reraise=True,
                    ):
                        with attempt:
                            wait = await self._live(http, first)
                    await asyncio.sleep(wait)
        except _EndedError as ended:
            reason = ended.reason
            log.info("the hub ended the session: %s", reason.message)
        except _UNREACHABLE:
            log.warning("the hub cannot be reached")
            if self._refused:
                reason = INVALID_TOKEN
        except Exception:
            log.exception("the link to the hub failed")
        finally:
            self._outbox = None
            if not first.done():
                first.set_result(reason)
            elif not self._closing:
                self._owner.closed(reason)

    async def _live(self, http: aiohttp.ClientSession, first: asyncio.Future[Reason | None]) -> float:
        """Connect, and serve until the connection is lost; return how long to wait then, in seconds.

        A connection that did not stand for long raises _LostError, to be retried with backoff; _EndedError is
        the end.
        """
        welcomed = math.inf
        try:
            socket = await self._connect(http)
            welcomed = time.monotonic()
            self._refused = ""
            if not first.done():
                first.set_result(None)
            await self._serve(socket)
        except _EndedError as ended:
            if not is_token_trouble(ended.reason) or self._refused:
                raise
            self._refused = self._used
            self._owner.refused(self._used)
            lost = _LostError("the hub wants another token")
        except _LostError as error:
            lost = error
        if self._closing:
            return 0.0
        log.info("connection to the hub lost, connecting again: %s", lost)
        if welcomed < math.inf:
            self._owner.away()
        steady = time.monotonic() - welcomed >= STEADY_SECONDS
        self._bad_messages = (0 if steady else self._bad_messages) + (lost.code == BAD_MESSAGES)
        if self._bad_messages > 1:
            self._resumable = False  # what is sent again would be refused again
        if not steady:
            raise lost
        return _least_wait(lost)

    async def _connect(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        """Open a socket and greet; raises what a retry may mend, or _EndedError."""
        resume = None
        if self._welcome is not None and self._resumable:
            resume = Resume(self._welcome.session, self._welcome.secret, self._heard)
        self._used = await self._fresh_token()
        hello = Hello(self._used, self._display_name, resume=resume)
        async with asyncio.timeout(REPLY_SECONDS):
            socket = await self._open(http)
            try:
                await socket.send_str(encode(hello).decode())
                while not isinstance(reply := await _receive(socket), Welcome):
                    if isinstance(reply, SessionEnd):
                        raise _EndedError(reply.reason)
                    log.info("the hub answers hello with %s", type(reply).__name__)
            except BaseException:
                await socket.close()
                raise
        self._start(reply)
        return socket

    async def _open(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        try:
            ssl = trusted(self._used)
            return await http.ws_connect(self._url, max_msg_size=4 * MAX_FRAME, timeout=_CLOSE, ssl=ssl)
        except aiohttp.ClientConnectorCertificateError:
            # Later it may be a network that stands in between for a while; at first, trying again is no use.
            if self._welcome is None:
                raise _EndedError(distrust(self._url.removesuffix("/v1/agent"))) from None
            raise
        except CallingError as error:
            raise _EndedError(Reason(error.code, error.sub_code, error.message)) from None

    async def _fresh_token(self) -> str:
        """Return a token; whatever keeps the application from giving one is to be retried."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                token = await self._token()
        except Exception as error:
            log.warning("there is no token for the hub now: %s", type(error).__name__)
            raise _LostError("no token") from error
        if token == self._refused:
            raise _EndedError(INVALID_TOKEN)
        return token

    def _start(self, welcome: Welcome) -> None:
        again, self._welcome, self._resumable = self._welcome is not None, welcome, True
        self._outbox = asyncio.Queue()
        self._stirred.clear()
        if welcome.resumed:
            self._acknowledged(welcome.last_seq)
            for _, frame in self._sent:
                self._outbox.put_nowait(frame)
        else:
            self._sent.clear()
            self._seq = self._heard = 0
        self._owner.welcomed(welcome, again=again)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        """Read, write and ping until the socket is gone, _LostError, or the session is over, _EndedError."""
        outbox = self._outbox
        assert outbox is not None
        tasks = [
            asyncio.create_task(self._read(socket)),
            asyncio.create_task(self._write(socket, outbox)),
            asyncio.create_task(self._ping(outbox)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._outbox = None
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
        # What the hub said comes before what broke.
        for error in results:
            if isinstance(error, Exception) and not isinstance(error, _UNREACHABLE):
                raise error
        for error in results:
            if isinstance(error, _LostError):
                raise error
        raise _LostError("it is dead")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            try:
                message = await _receive(socket)
            except msgspec.DecodeError as error:
                log.warning("a message of the hub is not understood: %s", error)
                continue
            if isinstance(message, SessionEnd):
                raise _EndedError(message.reason)
            if isinstance(message, Pong):
                self._answered.set()
                self._stirred.set()
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
        """Find a dead connection, and tell the hub what was heard; doubt cuts short what is left to wait."""
        while True:
            self._answered.clear()
            outbox.put_nowait(encode(Ping(ack=self._heard)))
            async with asyncio.timeout(REPLY_SECONDS):
                await self._stirred.wait()
            async with asyncio.timeout(DOUBT_SECONDS):
                await self._answered.wait()
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await self._stirred.wait()

    def _acknowledged(self, seq: int) -> None:
        while self._sent and self._sent[0][0] <= seq:
            self._sent.popleft()


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> HubMessage:
    """Return the next message.

    Raises msgspec.DecodeError for one that is not understood; _LostError or _EndedError at the end.
    """
    frame = await socket.receive()
    if frame.type is aiohttp.WSMsgType.TEXT:
        return decode_hub(frame.data)
    code = int(frame.data) if frame.type is aiohttp.WSMsgType.CLOSE else socket.close_code
    if code == UNAUTHORIZED:
        raise _EndedError(INVALID_TOKEN)
    if code in (SUPERSEDED, SESSION_ENDED):
        raise _EndedError(NETWORK)
    raise _LostError(f"closed with {code}", code)


def _wait(state: tenacity.RetryCallState) -> float:
    wait = tenacity.wait_random_exponential(multiplier=0.3, max=MOST_WAIT_SECONDS)(state)
    error = state.outcome.exception() if state.outcome else None
    return wait + (_least_wait(error) if isinstance(error, _LostError) else 0.0)


def _least_wait(lost: _LostError) -> float:
    """Return how long to stay away: a hub that restarts must not get everybody at once."""
    return {TOO_MANY: TOO_MANY_SECONDS, RESTART: random.random() * RESTART_SECONDS}.get(lost.code or 0, 0.0)


def is_token_trouble(reason: Reason) -> bool:
    """Tell whether a link ended for its token."""
    return (reason.code, reason.sub_code) == (INVALID_TOKEN.code, INVALID_TOKEN.sub_code)
