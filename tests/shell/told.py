"""The other ends of what a hub tells: a webhook's receiver, and a mail server, both real."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from standardwebhooks import Webhook

from signaling.certificates import self_signed

PATIENCE = 30.0
PASSWORD = "correct horse battery"


@dataclass
class Receiver:
    """A webhook's other end: what came, and what it answers next."""

    url: str = ""
    came: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    answers: list[web.Response] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.came.put_nowait((dict(request.headers), await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    async def next(self, secret: str) -> tuple[str, dict[str, Any]]:
        """Return the id and the body of what comes next, its signature proven by the official verifier."""
        async with asyncio.timeout(PATIENCE):
            headers, body = await self.came.get()
        assert headers["Content-Type"] == "application/json"
        lower = {name.lower(): value for name, value in headers.items()}
        return lower["webhook-id"], dict(Webhook(secret).verify(body, lower))


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver of webhooks."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_post("/away", _redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


async def _redirect(_: web.Request) -> web.Response:
    raise web.HTTPFound("/hook")


@dataclass
class Post:
    """A mail server with what came to it; it takes a login over TLS alone."""

    port: int
    came: asyncio.Queue[tuple[Envelope, EmailMessage]]
    answers: list[str]

    async def next(self) -> tuple[Envelope, EmailMessage]:
        async with asyncio.timeout(PATIENCE):
            return await self.came.get()


class _Handler:
    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[Envelope, EmailMessage]] = asyncio.Queue()
        self.answers: list[str] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = email.message_from_bytes(content, policy=default)
        self.came.put_nowait((envelope, mail))
        return "250 OK"


def _log_in(_: Any, __: Any, ___: Any, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data.login == b"phone" and data.password == PASSWORD.encode(), handled=False)


@asynccontextmanager
async def mail_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    """Run a mail server that this process trusts; it takes mail from who logs in, over TLS alone."""
    files = self_signed(folder, ["localhost"])
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "tls" / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    handler = _Handler()

    def connection() -> SMTP:
        return SMTP(
            handler,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=_log_in,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    try:
        yield Post(server.sockets[0].getsockname()[1], handler.came, handler.answers)
    finally:
        server.close()
        await server.wait_closed()
