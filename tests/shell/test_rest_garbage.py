"""REST calls that make no sense: each gets an answer below 500, and the hub goes on."""

import logging
import random

import aiohttp
import pytest

from signaling.messages import Ping, Pong
from signaling.server import HubServer
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell

REQUESTS = 300
PIECES = (
    "v1", "identities", "tokens", "users", "settings", "history", "mailbox", "mailboxes", "visits",
    "mailbox-settings", "mailbox-pin", "mailbox-greetings", "invitations", "sign-in", "web", "health",
    "directory", "metrics", "aliases", "audio", "link", "forward", "messages", "greetings", "busy", "login",
    ":issueAccessToken", ":revokeAccessTokens", "8:acs:x", "%00", "..", "%2e%2e%2f", "null", "0", "-1",
    "9" * 40,
    "ä", "a" * 300,
)  # fmt: skip
BODIES = (
    b"", b"{", b"null", b"[]", b"{}", b"[" * 5000, b'"', b'{"name":7}', b'{"name":"a\\u0000"}',
    b'{"scopes":{}}', b'{"settings":[]}', b'{"pin":"1","pin":2}', b"\xff\xfe", b"\x00" * 100,
    b'{"token":null}', b'{"expiresInMinutes":1e400}', b'{"createTokenWithScopes":["voip","voip",7]}',
    b"a" * 70_000,
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {}, {"Authorization": "Bearer x"}, {"Authorization": "HMAC-SHA256 Signature="}, {"Content-Type": "x/y"},
    {"Range": "bytes=9-1"}, {"x-ms-date": "never"}, {"If-None-Match": "*"}, {"Authorization": "Basic =="},
)  # fmt: skip


async def test_garbage_is_answered_and_breaks_nothing(
    hub: HubServer, client: Client, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    _, token = await client.token("alice")
    agent = await client.join(token)
    for _ in range(REQUESTS):
        method = chance.choice(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
        path = "/" + "/".join(chance.choices(PIECES, k=chance.randrange(1, 5)))
        query = chance.choice(
            ("", "?api-version=2023-10-01", "?limit=-1&before=x", "?after=%ff&folder=nowhere")
        )
        headers = dict(chance.choice(HEADERS))
        if chance.random() < 0.5:
            headers["Authorization"] = f"Bearer {token}"
        body, signed = chance.choice(BODIES), chance.random() < 0.3
        try:
            answer = await client.call(method, path + query, data=body, headers=headers)
            if signed and b"\x00" not in body:
                answer = await client.admin(method, path + query, body.decode("latin-1"))
        except aiohttp.ClientError:
            continue  # the connection was closed on what is no HTTP
        assert answer.status < 500, (method, path, query, headers, body, answer.body)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong())
    assert (await client.call("GET", "/health")).status == 200
