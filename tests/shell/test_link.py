"""The link against a hub that misbehaves by script: it backs off, heeds close codes, and asks for tokens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from node import link
from node.link import Link
from signaling.messages import (
    CallEnd,
    Error,
    Hello,
    HubMessage,
    MailboxChanged,
    Ping,
    Pong,
    SessionEnd,
    Welcome,
    decode_client,
    encode,
)
from signaling.parts import Party
from signaling.reasons import INVALID_TOKEN, NETWORK, Reason, bad_argument
from signaling.server import HubServer
from tests.shell.hub_client import PATIENCE, Client

pytestmark = pytest.mark.shell

Act = Callable[[web.WebSocketResponse, Hello], Awaitable[object]]


class Script:
    """A hub that does what the act for each connection says, the last one for all that follow."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.hellos: list[Hello] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hello = decode_client((await socket.receive()).data)
        assert isinstance(hello, Hello)
        self.hellos.append(hello)
        await self.acts[min(len(self.hellos), len(self.acts)) - 1](socket, hello)
        return socket

    async def until_connected(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.hellos) < count:
                await asyncio.sleep(0.01)


class Owner:
    """Remember what a link tells; its tokens are given in turn, the last one again and again."""

    def __init__(self, *tokens: str | Exception) -> None:
        self.tokens = list(tokens or ("token",))
        self.asked = 0
        self.aways = 0
        self.again: list[bool] = []
        self.heard: list[HubMessage] = []
        self.refusals: list[str] = []
        self.end: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()

    async def token(self) -> str:
        self.asked += 1
        given = self.tokens[min(self.asked, len(self.tokens)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    def welcomed(self, welcome: Welcome, *, again: bool) -> None:
        self.again.append(again)

    def received(self, message: HubMessage) -> None:
        self.heard.append(message)

    def away(self) -> None:
        self.aways += 1

    def refused(self, token: str) -> None:
        self.refusals.append(token)

    def closed(self, reason: Reason) -> None:
        self.end.set_result(reason)

    async def ended(self) -> Reason:
        async with asyncio.timeout(PATIENCE):
            return await self.end


async def welcome(socket: web.WebSocketResponse, hello: Hello) -> None:
    answer = Welcome("session", "secret", Party("8:acs:alice"), (), resumed=hello.resume is not None)
    await socket.send_str(encode(answer).decode())


async def stay(socket: web.WebSocketResponse, hello: Hello) -> None:
    """Welcome, and serve until the link goes."""
    await welcome(socket, hello)
    await socket.send_str(encode(MailboxChanged(1, 0, seq=1)).decode())
    async for _ in socket:
        pass


def close(code: int) -> Act:
    """Welcome, and close at once."""

    async def act(socket: web.WebSocketResponse, hello: Hello) -> None:
        await welcome(socket, hello)
        await socket.close(code=code)

    return act


def end(reason: Reason) -> Act:
    """Welcome, and end the session."""

    async def act(socket: web.WebSocketResponse, hello: Hello) -> None:
        await welcome(socket, hello)
        await refuse(reason)(socket, hello)

    return act


def refuse(reason: Reason) -> Act:
    """End the session instead of a welcome."""

    async def act(socket: web.WebSocketResponse, hello: Hello) -> None:
        await socket.send_str(encode(SessionEnd(reason)).decode())
        await socket.close(code=link.UNAUTHORIZED)

    return act


async def too_many(socket: web.WebSocketResponse, hello: Hello) -> None:
    await socket.send_str(encode(Error(bad_argument("Too many connections."))).decode())
    await socket.close(code=link.TOO_MANY)


Play = Callable[..., Awaitable[tuple[Script, Link, Reason | None]]]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Open a link of an owner to a hub that acts so; all of it ends with the test."""
    runners: list[web.AppRunner] = []
    links: list[Link] = []

    async def start(owner: Owner, *acts: Act) -> tuple[Script, Link, Reason | None]:
        script = Script(*acts)
        application = web.Application()
        application.router.add_get("/v1/agent", script.serve)
        runners.append(web.AppRunner(application, shutdown_timeout=0.1))
        await runners[-1].setup()
        site = web.TCPSite(runners[-1], "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runners[-1].addresses[0][1]}"
        links.append(Link(url, owner.token, "", owner))
        return script, links[-1], await links[-1].open()

    yield start
    for each in links:
        await each.close()
    for runner in runners:
        await runner.cleanup()


async def test_a_hub_that_welcomes_and_closes_is_given_up(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "GIVE_UP_SECONDS", 1.0)
    owner = Owner()
    script, _, reason = await play(owner, close(1000))
    assert reason is None and await owner.ended() == NETWORK
    assert 2 <= len(script.hellos) < 50


@pytest.mark.parametrize("code", [link.SUPERSEDED, link.SESSION_ENDED])
async def test_codes_that_end_the_session(play: Play, code: int) -> None:
    owner = Owner()
    script, _, _ = await play(owner, close(code))
    assert await owner.ended() == NETWORK and len(script.hellos) == 1


async def test_a_busy_hub_is_asked_again_later(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TOO_MANY_SECONDS", 0.3)
    times: list[float] = []

    async def noted(socket: web.WebSocketResponse, hello: Hello) -> None:
        times.append(asyncio.get_running_loop().time())
        await (too_many if len(times) == 1 else stay)(socket, hello)

    _, _, reason = await play(Owner(), noted)
    assert reason is None and times[1] - times[0] >= 0.3


async def test_a_steady_connection_is_resumed(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(link, "RESTART_SECONDS", 0.01)
    owner = Owner()
    script, _, _ = await play(owner, close(link.RESTART), close(link.TOO_MANY - 1), stay)
    await script.until_connected(3)
    assert [hello.resume is not None for hello in script.hellos] == [False, True, True]
    assert owner.aways == 2 and not owner.end.done()


async def test_a_connection_in_doubt_is_tried_at_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PING_SECONDS", 3600.0)
    monkeypatch.setattr(link, "DOUBT_SECONDS", 0.2)
    monkeypatch.setattr(link, "STEADY_SECONDS", 0.0)
    pings: asyncio.Queue[Ping] = asyncio.Queue()

    async def deaf_after_two(socket: web.WebSocketResponse, hello: Hello) -> None:
        await welcome(socket, hello)
        async for frame in socket:
            ping = decode_client(frame.data)
            assert isinstance(ping, Ping)
            pings.put_nowait(ping)
            if pings.qsize() <= 2:
                await socket.send_str(encode(Pong()).decode())

    owner = Owner()
    script, opened, _ = await play(owner, deaf_after_two, stay)
    async with asyncio.timeout(PATIENCE):
        while len(script.hellos) < 2:
            opened.doubt()
            await asyncio.sleep(0.01)
    assert script.hellos[1].resume is not None and (owner.aways, pings.qsize()) == (1, 3)


async def test_doubt_does_not_wait_for_the_answer_that_is_due(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "REPLY_SECONDS", 3600.0)
    monkeypatch.setattr(link, "DOUBT_SECONDS", 0.1)
    monkeypatch.setattr(link, "STEADY_SECONDS", 0.0)
    pinged = asyncio.Event()

    async def deaf(socket: web.WebSocketResponse, hello: Hello) -> None:
        await welcome(socket, hello)
        async for _ in socket:
            pinged.set()

    owner = Owner()
    script, opened, _ = await play(owner, deaf, stay)
    async with asyncio.timeout(PATIENCE):
        await pinged.wait()
    opened.doubt()
    await script.until_connected(2)
    assert (owner.aways, owner.end.done()) == (1, False)


async def test_what_is_refused_again_and_again_is_dropped(play: Play) -> None:
    owner = Owner()
    script, opened, _ = await play(owner, close(link.BAD_MESSAGES), close(link.BAD_MESSAGES), stay)
    opened.send(CallEnd("call"))
    await script.until_connected(3)
    assert [hello.resume is not None for hello in script.hellos] == [False, True, False]


@pytest.mark.parametrize("act", [end(INVALID_TOKEN), refuse(INVALID_TOKEN), close(link.UNAUTHORIZED)])
async def test_a_refused_token_is_replaced(play: Play, act: Act) -> None:
    owner = Owner("old", "new")
    script, _, reason = await play(owner, act, stay)
    assert reason is None
    await script.until_connected(2)
    assert [hello.token for hello in script.hellos] == ["old", "new"]
    assert owner.refusals == ["old"] and not owner.end.done()


async def test_a_token_that_stays_refused_is_the_end(play: Play) -> None:
    owner = Owner("old")
    script, _, _ = await play(owner, end(INVALID_TOKEN), stay)
    assert await owner.ended() == INVALID_TOKEN and len(script.hellos) == 1
    script, _, reason = await play(Owner("old", "older"), refuse(INVALID_TOKEN))
    assert reason == INVALID_TOKEN and [hello.token for hello in script.hellos] == ["old", "older"]


async def test_a_refresher_that_fails_is_asked_again(play: Play) -> None:
    owner = Owner("old", RuntimeError("the identity service is away"), OSError("still"), "new")
    script, _, _ = await play(owner, close(1000), stay)
    await script.until_connected(2)
    assert [hello.token for hello in script.hellos] == ["old", "new"] and owner.asked == 4


@pytest.mark.parametrize("trouble, reason", [(INVALID_TOKEN, INVALID_TOKEN), (None, NETWORK)])
async def test_a_refresher_that_hangs_is_not_awaited_for_ever(
    play: Play, monkeypatch: pytest.MonkeyPatch, trouble: Reason | None, reason: Reason
) -> None:
    monkeypatch.setattr(link, "GIVE_UP_SECONDS", 0.5)

    class Hanging(Owner):
        async def token(self) -> str:
            if self.asked:
                monkeypatch.setattr(link, "REPLY_SECONDS", 0.1)
                await asyncio.Event().wait()
            return await super().token()

    owner = Hanging()
    await play(owner, end(trouble) if trouble else close(1000))
    assert await owner.ended() == reason


async def test_a_hub_that_stops_takes_nobody(hub: HubServer, client: Client) -> None:
    hub._agents.close()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.socket()
    assert refused.value.status == 503
