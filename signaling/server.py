"""The hub as a process: one core, one pump, one timer; WebSocket and REST around it."""

import asyncio
import logging
import secrets
import socket
from contextlib import AsyncExitStack
from typing import assert_never

from aiohttp import web

from signaling.accounts import Accounts
from signaling.agents import Agents
from signaling.audit import AuditApi, Trail
from signaling.certificates import authority
from signaling.config import Config, check_keys, format_connection_string, hold, publish
from signaling.connection import SESSION_ENDED
from signaling.deposits import DepositApi
from signaling.directory import DirectoryApi
from signaling.greetings import GreetingApi
from signaling.history import History
from signaling.hub import Deliver, Drop, Hub, Input, Record, Tick, UserChanged, UserRemoved
from signaling.ice import Ice, Renewal
from signaling.identity import IdentityApi
from signaling.invitations import Invitations
from signaling.links import Links
from signaling.mailbox import MailboxApi
from signaling.messages import Error, MailboxChanged
from signaling.page import Page
from signaling.reasons import INTERNAL
from signaling.rest import MAX_BODY, Gate, UserApi, cross_origin, errors, reply
from signaling.retention import Retention
from signaling.sealed_blobs import open_blobs
from signaling.sessions import Session, Sessions
from signaling.settings import User
from signaling.sql import SqlStore
from signaling.survey import SurveyApi
from signaling.telling import Mp3, Telling
from signaling.telling_config import TellingConfig
from signaling.tls import Tls
from signaling.tokens import Tokens
from signaling.version import version
from signaling.visits import VISIT_PATH, Visits
from signaling.webhooks import Webhooks

AGENT_PATH = "/v1/agent"
SHUTDOWN_SECONDS = 0.5
REPAIR_SECONDS = 1.0

_log = logging.getLogger("callnode.hub")


class Core:
    """Drive the pure hub: hand it inputs, carry out its outputs, wake it at its deadline."""

    def __init__(self, history: History, ice: Ice) -> None:
        self.hub = Hub(secrets.token_urlsafe)
        self.sessions = Sessions(self.feed, ice.servers)
        self._history = history
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def feed(self, what: Input) -> None:
        """Hand one input to the core; returns when everything it makes necessary is queued."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        not_before = 0.0
        try:
            outputs = self.hub.handle(what, loop.time())
        except Exception:
            # A bug of ours must not take the other calls with it.
            _log.exception("the hub failed on %s", type(what).__name__)
            if session := self.sessions.get(getattr(what, "session", "")):
                session.deliver(Error(INTERNAL))
            outputs = []
            not_before = loop.time() + REPAIR_SECONDS
        for output in outputs:
            match output:
                case Deliver(session_id, message):
                    if session := self.sessions.get(session_id):
                        session.deliver(message)
                case Drop(session_id, reason):
                    if session := self.sessions.get(session_id):
                        self.sessions.end(session, reason, SESSION_ENDED)
                case Record(record):
                    self._history.add(record)
                case _:
                    assert_never(output)
        self._rearm(loop, not_before)

    def changed(self, user: User) -> None:
        """Tell the core of a new or changed user."""
        self.feed(UserChanged(user))

    def revoked(self, raw_id: str) -> None:
        """End the sessions of a user whose tokens are void."""
        self.sessions.revoke(raw_id)

    def removed(self, raw_id: str) -> None:
        """End the sessions of a deleted user and forget it."""
        self.sessions.revoke(raw_id)
        self.feed(UserRemoved(raw_id))

    def close(self) -> None:
        """Let go of all timers; what is fed from now on is ignored."""
        self._closed = True
        self.sessions.close()
        if self._timer is not None:
            self._timer.cancel()

    def _rearm(self, loop: asyncio.AbstractEventLoop, not_before: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.hub.deadline
        if deadline is None:
            self._timer = None
        else:
            self._timer = loop.call_at(max(deadline, not_before), self.feed, Tick())


class HubServer:
    """One hub, from `start` to `stop`; also an async context manager.

    `telling` is whom it tells of new messages by itself; `mp3` makes what is attached to mail.
    """

    def __init__(self, config: Config, telling: TellingConfig | None = None, mp3: Mp3 | None = None) -> None:
        self._config = config
        self._telling_config = telling or TellingConfig()
        self._mp3 = mp3
        self.url = ""
        self._stack = AsyncExitStack()

    @property
    def connection_string(self) -> str:
        """Return the connection string in ACS form."""
        return format_connection_string(self.url, self._config.access_key)

    async def __aenter__(self) -> "HubServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Accept connections; raises OSError if the address is taken or not ours."""
        async with AsyncExitStack() as stack:
            stack.callback(hold(self._config.data).close)
            listener = stack.enter_context(_listen(self._config.host, self._config.port))
            self.url = self._config.url(listener.getsockname()[1])
            tls = await Tls.open(self._config.certificate) if self._config.tls else None
            if tls is not None:
                stack.push_async_callback(tls.close)
            check_keys(self._config.data, self._config.storage_keys)
            self._blobs = open_blobs(self._config)
            stack.callback(self._blobs.close)
            self._store = await SqlStore.open(self._config.database)
            stack.push_async_callback(self._store.close)
            self._history = History(self._store)
            stack.push_async_callback(self._history.close)
            self._core = Core(self._history, self._config.ice)
            stack.callback(self._core.close)
            stack.push_async_callback(Renewal(self._config.ice, self._core.sessions).close)
            webhooks = Webhooks(self._config.key)
            stack.push_async_callback(webhooks.close)
            application = await self._application(stack, webhooks)
            retention = Retention(self._store, self._blobs, self._mailbox_changed)
            stack.push_async_callback(retention.close)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.SockSite(runner, listener, ssl_context=tls.context if tls else None).start()
            stack.callback(self._agents.close)
            publish(self._config.data, self.url)
            self._stack = stack.pop_all()
        _log.info("ready at %s", self.url)

    async def stop(self) -> None:
        """Close every socket so that agents come back, and let go of everything; takes 2 s at most."""
        await self._stack.aclose()

    async def _application(self, stack: AsyncExitStack, webhooks: Webhooks) -> web.Application:
        config, sessions = self._config, self._core.sessions
        ca = authority(config.data) if config.tls is True else None
        tokens = Tokens(config.key, self.url, ca)
        accounts = Accounts(self._store, tokens, self._core)
        await accounts.load()
        gate = Gate(accounts, config.key)
        wanted = self._telling_config
        told = (wanted, webhooks, accounts, self._store, self._blobs, self.url, self._mp3)
        self._telling = telling = Telling(*told)
        stack.push_async_callback(telling.close)
        self._agents = Agents(accounts, sessions, self._core.feed, self._greet, config.origins | {self.url})
        middlewares = [cross_origin(config.origins), errors]
        app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY)
        app.router.add_get(AGENT_PATH, self._agents.serve)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_routes(IdentityApi(gate, accounts, tokens, self._blobs).routes())
        app.router.add_routes(UserApi(gate, accounts, self._history).routes())
        kept = (accounts, self._store, self._blobs)
        quota, changed = config.mailbox_quota, self._mailbox_changed
        links = Links(config.key)
        trail = Trail(self._store)
        visits = Visits(gate, accounts, self._store, self._core.hub.calls.all, trail)
        visited = MailboxApi(
            visits.account, *kept, links, trail, quota, telling.of_new, changed, visits.caller
        )
        app.router.add_routes(
            MailboxApi(gate.user, *kept, links, trail, quota, telling.of_new, changed).routes()
        )
        app.router.add_routes([*visits.routes(), *visited.hearing(VISIT_PATH + "/mailbox")])
        app.router.add_routes(SurveyApi(gate, accounts, self._store, self._history, self._core.hub).routes())
        app.router.add_routes(DepositApi(gate, *kept, quota, telling, changed).routes())
        app.router.add_routes(GreetingApi(gate, *kept, trail, wanted, webhooks).routes())
        app.router.add_routes(AuditApi(gate, accounts, self._store).routes())
        app.router.add_routes(DirectoryApi(gate, self._core.hub).routes())
        app.router.add_routes(Invitations(gate, accounts, tokens, self.url).routes())
        app.router.add_routes(Page(ca).routes())
        return app

    async def _greet(self, session: Session) -> None:
        counts = await self._store.counts(session.grant.raw_id)
        session.deliver(MailboxChanged(counts.new, counts.saved))

    async def _mailbox_changed(self, owner: str) -> None:
        counts = await self._store.counts(owner)
        for session in self._core.sessions.of(owner):
            session.deliver(MailboxChanged(counts.new, counts.saved))
        self._telling.wake()

    async def _health(self, _: web.Request) -> web.Response:
        voicemail = self._core.hub.presence.voicemail_online
        return reply({"status": "ok", "version": version(), "voicemail": voicemail})

    async def _metrics(self, _: web.Request) -> web.Response:
        figures = {
            "callnode_connections": len(self._agents),
            "callnode_sessions": len(self._core.sessions),
            "callnode_calls": len(self._core.hub.calls.all),
        }
        lines = [f"# TYPE {name} gauge\n{name} {value}\n" for name, value in figures.items()]
        return web.Response(text="".join(lines))


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family, backlog=1024)
