"""The WebSocket endpoint of agents: hello first, then numbered messages, each obeyed once."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import assert_never
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from signaling.accounts import Accounts
from signaling.connection import (
    BAD_MESSAGES,
    NO_HELLO,
    RESTART,
    SESSION_ENDED,
    TOO_MANY,
    UNAUTHORIZED,
    Connection,
)
from signaling.hub import Input, Received
from signaling.limits import Buckets, Quota
from signaling.messages import (
    PROTOCOL,
    Bye,
    CallAnswer,
    CallAttach,
    CallCandidate,
    CallEnd,
    CallHold,
    CallJoin,
    CallMute,
    CallPlace,
    CallRenew,
    CallRinging,
    CallUp,
    CallUpdate,
    ClientMessage,
    Error,
    Hello,
    MixerSpeakers,
    ParticipantAdd,
    ParticipantRemove,
    Ping,
    Pong,
    SessionEnd,
    TokenRefresh,
    TransferCancel,
    TransferDecline,
    TransferRequest,
    decode_client,
)
from signaling.parts import Party, Seq
from signaling.reasons import INVALID_TOKEN, NOT_PERMITTED, Reason, bad_argument
from signaling.sessions import Session, Sessions
from signaling.settings import printable
from signaling.tokens import InvalidTokenError

HELLO_SECONDS = 5.0
MESSAGES_PER_SECOND = 50.0
MESSAGES_AT_ONCE = 200.0
SERVICE_FACTOR = 20.0  # so much more for a voicemail service or a mixer, which have the calls of many
CONNECTIONS_PER_USER = 20
CONNECTIONS_PER_ADDRESS = 200
BAD_FRAMES_IN_A_ROW = 20

_log = logging.getLogger("callnode.hub.agents")


class FrameError(ValueError):
    """A frame that is no message; the message says why, without what was in it."""


class _Numbered(msgspec.Struct):
    seq: Seq = 0


class Agents:
    """Serve the connections of all agents."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        feed: Callable[[Input], None],
        notify: Callable[[Session], Awaitable[None]],
        origins: frozenset[str],
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._feed = feed
        self._notify = notify
        self._origins = origins
        self._addresses = Quota(CONNECTIONS_PER_ADDRESS)
        self._messages = Buckets(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        self._services = Buckets(MESSAGES_PER_SECOND * SERVICE_FACTOR, MESSAGES_AT_ONCE * SERVICE_FACTOR)
        self._connections: set[Connection] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """Close every socket in such a way that agents come back and resume; take no more."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.close(RESTART)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it ends."""
        origin = request.headers.get("Origin")
        if origin and origin not in self._origins and not _same_host(origin, request.host):
            raise web.HTTPForbidden(text="this origin is not allowed here")
        if self._closed:
            # The listener may have accepted it before it was closed itself.
            raise web.HTTPServiceUnavailable(text="the hub is stopping")
        address = request.remote or ""
        if not self._addresses.take(address):
            raise web.HTTPTooManyRequests(text="too many connections from this address")
        connection = Connection()
        self._connections.add(connection)
        try:
            response = await connection.prepare(request)
            await self._run(connection)
            return response
        finally:
            self._connections.discard(connection)
            self._addresses.give_back(address)

    async def _run(self, connection: Connection) -> None:
        session: Session | None = None
        try:
            async with connection.open():
                session = await self._greet(connection)
                if session is not None:
                    if not session.resumed:
                        await self._notify(session)
                    await self._obey_all(connection, session)
        finally:
            if session is not None:
                self._sessions.lose(session, connection)

    async def _greet(self, connection: Connection) -> Session | None:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                frame = await connection.receive()
        except TimeoutError:
            _refuse(connection, "Send hello within 5 s.", NO_HELLO)
            return None
        if frame is None:
            return None
        try:
            hello = _decode(frame)
        except FrameError as error:
            _refuse(connection, str(error), BAD_MESSAGES)
            return None
        if not isinstance(hello, Hello) or hello.version != PROTOCOL:
            _refuse(connection, f"The first message is hello, with version {PROTOCOL}.", BAD_MESSAGES)
            return None
        return self._admit(connection, hello)

    def _admit(self, connection: Connection, hello: Hello) -> Session | None:
        try:
            grant = self._accounts.authorise(hello.token)
        except InvalidTokenError as error:
            _log.info("hello refused: %s", error)
            connection.send(SessionEnd(INVALID_TOKEN))
            connection.close(UNAUTHORIZED)
            return None
        session = self._sessions.resumable(hello.resume, grant)
        others = [each for each in self._sessions.of(grant.raw_id) if each is not session]
        if sum(each.connection is not None for each in others) >= CONNECTIONS_PER_USER:
            _refuse(connection, "Too many connections of this user; close one.", TOO_MANY)
            return None
        if session is not None:
            self._sessions.resume(session, connection, hello, grant)
            return session
        if len(others) >= CONNECTIONS_PER_USER:
            self._sessions.end(next(each for each in others if each.connection is None), None, SESSION_ENDED)
        account = self._accounts.get(grant.raw_id)
        known = account.user if account else None
        me = Party(
            grant.raw_id,
            printable(hello.display_name) or (known.display_name if known else ""),
            known.name if known else "",
        )
        return self._sessions.open(connection, grant, me)

    async def _obey_all(self, connection: Connection, session: Session) -> None:
        clock = asyncio.get_running_loop().time
        bad = 0
        while (frame := await connection.receive()) is not None:
            if connection.closing or session.connection is not connection:
                return
            serves = not session.grant.rights.isdisjoint(("voicemail", "mixer"))
            buckets = self._services if serves else self._messages
            if not buckets.take(session.grant.raw_id, clock()):
                _refuse(connection, "Too many messages; send fewer, then resume.", TOO_MANY)
                return
            try:
                message = _decode(frame)
            except FrameError as error:
                bad += 1
                _count_anyway(frame, session)
                connection.send(Error(bad_argument(str(error))))
                if bad >= BAD_FRAMES_IN_A_ROW:
                    connection.close(BAD_MESSAGES)
                continue
            bad = 0
            if self._is_new(connection, session, message):
                self._obey(connection, session, message)

    def _is_new(self, connection: Connection, session: Session, message: ClientMessage) -> bool:
        if isinstance(message, Hello | Ping):
            return True
        if message.seq == 0:
            if not isinstance(message, TokenRefresh | Bye):
                connection.send(Error(bad_argument("Number this message: seq 1, 2, 3 …"), _type(message)))
                return False
            return True
        if message.seq > session.received + 1:
            said = f"A message is missing: expected seq {session.received + 1}. Resume and send again."
            _refuse(connection, said, BAD_MESSAGES)
            return False
        if message.seq <= session.received:
            return False
        session.received = message.seq
        return True

    def _obey(self, connection: Connection, session: Session, message: ClientMessage) -> None:
        match message:
            case Ping(ack):
                session.acknowledge(ack)
                connection.send(Pong(ack=session.received))
            case TokenRefresh(token):
                self._refresh(connection, session, token)
            case Bye():
                self._sessions.end(session, None, SESSION_ENDED)
            case Hello():
                connection.send(Error(bad_argument("Hello comes once, first."), "hello"))
            case (
                CallPlace()
                | CallRinging()
                | CallAnswer()
                | CallUp()
                | CallEnd()
                | CallAttach()
                | CallJoin()
                | CallMute()
                | ParticipantAdd()
                | ParticipantRemove()
                | MixerSpeakers()
                | CallCandidate()
                | CallUpdate()
                | CallRenew()
                | CallHold()
                | TransferRequest()
                | TransferCancel()
                | TransferDecline()
            ):
                self._feed(Received(session.id, message))
            case _:
                assert_never(message)

    def _refresh(self, connection: Connection, session: Session, token: str) -> None:
        reason: Reason | None = None
        try:
            grant = self._accounts.authorise(token)
            if grant.raw_id == session.grant.raw_id and grant.rights == session.grant.rights:
                self._sessions.renew(session, grant)
                return
            reason = NOT_PERMITTED
        except InvalidTokenError:
            reason = INVALID_TOKEN
        connection.send(Error(reason, "token.refresh"))


def _same_host(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _decode(frame: bytes) -> ClientMessage:
    try:
        return decode_client(frame)
    except msgspec.DecodeError as error:
        # The sentence quotes an unknown type or value, which may be anything: it is left out.
        said = re.sub(r"^(Invalid (?:enum )?value) '.*'", r"\1", str(error), flags=re.DOTALL)
        raise FrameError(said) from None


def _count_anyway(frame: bytes, session: Session) -> None:
    """Count an unknown message that bears the next number, so that the ones after it are no gap."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if msgspec.json.decode(frame, type=_Numbered).seq == session.received + 1:
            session.received += 1


def _refuse(connection: Connection, said: str, code: int) -> None:
    connection.send(Error(bad_argument(said)))
    connection.close(code)


def _type(message: ClientMessage) -> str:
    return str(type(message).__struct_config__.tag)
