"""One WebSocket of an agent, with an outbox of its own: nobody waits for another's socket."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from signaling.messages import MAX_FRAME, HubMessage, encode

OUTBOX = 1024
HEARTBEAT_SECONDS = 25.0
CLOSE_SECONDS = 1.0

BAD_MESSAGES = 4400
UNAUTHORIZED = 4401
NO_HELLO = 4408
SUPERSEDED = 4409
SESSION_ENDED = 4410
TOO_MANY = 4429
RESTART = int(aiohttp.WSCloseCode.SERVICE_RESTART)

_log = logging.getLogger("callnode.hub.connection")


class Connection:
    """A WebSocket; `send` and `close` return at once."""

    def __init__(self) -> None:
        self._ws = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
            max_msg_size=MAX_FRAME,
            decode_text=False,
            timeout=CLOSE_SECONDS,
        )
        self._transport: asyncio.BaseTransport | None = None
        self._frames: deque[bytes] = deque()
        self._room = OUTBOX
        self._wake = asyncio.Event()
        self._code: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._body: asyncio.Timeout | None = None

    @property
    def closing(self) -> bool:
        """Tell whether a close was asked for; what still arrives is not to be obeyed."""
        return self._code is not None

    async def prepare(self, request: web.Request) -> web.WebSocketResponse:
        """Upgrade the request; raises aiohttp.web.HTTPException if it is no WebSocket handshake."""
        await self._ws.prepare(request)
        self._transport = request.transport
        return self._ws

    async def receive(self) -> bytes | None:
        """Return the next frame, text or binary, None at the end."""
        message = await self._ws.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return bytes(message.data)
        if message.type is aiohttp.WSMsgType.ERROR:
            _log.info("a connection broke: %s", type(message.data).__name__)
        return None

    def send(self, message: HubMessage) -> None:
        """Queue a message outside the numbering."""
        self.send_frames([encode(message)])

    def send_frames(self, frames: Iterable[bytes]) -> None:
        """Queue frames; a reader too slow for the outbox loses the socket, never the session."""
        if self.closing:
            return
        self._frames.extend(frames)
        if len(self._frames) > self._room:
            _log.info("a connection is too slow; %s frames wait", len(self._frames))
            self.abort()
        self._wake.set()

    def replay(self, frames: list[bytes]) -> None:
        """Queue the frames of a resume, beyond the size of the outbox."""
        self._room = OUTBOX + len(frames)
        self.send_frames(frames)

    def close(self, code: int) -> None:
        """Close once all that is queued is sent, or 1 s later."""
        if self.closing:
            return
        self._code = code
        self._timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)
        self._wake.set()

    def abort(self) -> None:
        """Drop the socket now, whatever is queued."""
        if self._code is None:
            self._code = aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        self._frames.clear()
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()
        self._wake.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Write in the background while the body reads; end the body when a close was asked for.

        The socket is closed here, once the body reads no more: only so does aiohttp wait for the other
        end's close, without which that end may take the code for a lost connection.
        """
        writer = asyncio.create_task(self._write())
        try:
            with contextlib.suppress(TimeoutError):
                try:
                    async with asyncio.timeout(None) as self._body:
                        yield
                finally:
                    self._body = None
            if self._code is not None:
                await writer
                await self._ws.close(code=self._code)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        try:
            while self._frames or self._code is None:
                while self._frames:
                    await self._ws.send_frame(self._frames.popleft(), aiohttp.WSMsgType.TEXT)
                self._wake.clear()
                if self._code is None:
                    await self._wake.wait()
        except (ConnectionError, RuntimeError):
            # aiohttp's words for a socket that is gone.
            self.abort()
        if self._body is not None:
            self._body.reschedule(asyncio.get_running_loop().time())
