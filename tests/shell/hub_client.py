"""A bare client of a real hub: signed requests, tokens, and agents that speak single frames."""

import base64
import json
from socket import SHUT_RDWR
from typing import Any

import aiohttp
import msgspec

from signaling import auth
from signaling.messages import (
    ClientMessage,
    Hello,
    HubMessage,
    MailboxChanged,
    Resume,
    Welcome,
    decode_hub,
    encode,
)
from signaling.server import HubServer

PATIENCE = 10.0


class Answer(msgspec.Struct):
    """A response of the hub, read to its end."""

    status: int
    body: bytes
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Agent:
    """One WebSocket on a hub."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.welcome: Welcome
        self.seq = 0

    async def say(self, message: ClientMessage, seq: int | None = None) -> None:
        """Send a message under the next number, or under `seq`."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        await self.raw(encode(msgspec.structs.replace(message, seq=seq)))

    async def raw(self, frame: bytes | str) -> None:
        await self.ws.send_str(frame if isinstance(frame, str) else frame.decode())

    async def hear(self) -> HubMessage:
        """Return the next message; fails when the socket closes instead."""
        message = await self.ws.receive(timeout=PATIENCE)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return decode_hub(message.data)

    async def expect(self, message: HubMessage) -> int:
        """Assert that this is what comes next, whatever its number, which is returned."""
        heard = await self.hear()
        assert msgspec.structs.replace(heard, seq=0) == message
        return heard.seq

    async def closed(self) -> int | None:
        """Return the close code; fails if a message comes first."""
        message = await self.ws.receive(timeout=PATIENCE)
        assert message.type in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
        ), message
        return int(message.data) if message.type is aiohttp.WSMsgType.CLOSE else self.ws.close_code

    def vanish(self) -> None:
        """Drop the socket without a close."""
        socket = self.ws.get_extra_info("socket")
        socket.shutdown(SHUT_RDWR)


class Client:
    """Someone who has a hub's access key, or a user's token."""

    def __init__(self, hub: HubServer, http: aiohttp.ClientSession) -> None:
        self.hub = hub
        self.http = http
        key = hub.connection_string.partition("accesskey=")[2]
        self.key = base64.b64decode(key)
        self.agents: list[Agent] = []  # a socket that nobody holds is closed

    async def call(self, method: str, path: str, token: str = "", **options: Any) -> Answer:
        """Send a request with a user's token, or without."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        async with self.http.request(method, self.hub.url + path, headers=headers, **options) as r:
            return Answer(r.status, await r.read(), r.headers)

    async def admin(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request signed with the access key."""
        data = b"" if body is None else msgspec.json.encode(body)
        headers = auth.sign(method, self.hub.url + path, data, self.key)
        return await self.call(method, path, data=data, headers=headers)

    async def token(self, name: str, **options: Any) -> tuple[str, str]:
        """Return a user's raw id and a token."""
        answer = await self.admin("POST", "/v1/tokens", {"name": name} | options)
        assert answer.status == 200, answer.body
        return answer.json["identity"], answer.json["token"]

    async def socket(self, **options: Any) -> Agent:
        """Return a WebSocket that has not said hello."""
        agent = Agent(await self.http.ws_connect(self.hub.url + "/v1/agent", **options))
        self.agents.append(agent)
        return agent

    async def join(self, token: str, display_name: str = "", resume: Resume | None = None) -> Agent:
        """Return an agent that was welcomed; a new session has heard of its mailbox too."""
        agent = await self.socket()
        await agent.say(Hello(token, display_name, resume=resume), seq=0)
        welcome = await agent.hear()
        assert isinstance(welcome, Welcome), welcome
        agent.welcome = welcome
        agent.seq = welcome.last_seq
        if not welcome.resumed:
            assert isinstance(await agent.hear(), MailboxChanged)
        return agent
