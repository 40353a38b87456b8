"""The hub as a process: ready, stopped, restarted, and hurt by a bug of ours."""

import asyncio
import logging
import time

import aiohttp
import pytest

from signaling import hub as hub_module
from signaling.config import Config, connection_string, load_config
from signaling.hub import Hub, Input, Output, Received, Tick
from signaling.messages import CallUp, Error, Ping, Pong, Resume
from signaling.reasons import INTERNAL
from signaling.server import REPAIR_SECONDS, HubServer
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell


async def test_a_hub_says_where_it_is_and_is_there_until_it_stops(config: Config) -> None:
    async with aiohttp.ClientSession() as http:
        async with HubServer(config) as server:
            url = server.url
            assert connection_string(config.data, {}) == f"endpoint={url}/;accesskey={config.access_key}"
            async with http.get(f"{url}/health") as response:
                assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"{url}/health")


async def test_stop_closes_open_sockets_so_that_they_come_back(config: Config) -> None:
    async with aiohttp.ClientSession() as http:
        async with HubServer(config) as server:
            client = Client(server, http)
            _, token = await client.token("alice")
            agents = [await client.join(token) for _ in range(3)]
            silent = await client.socket()
            began = time.monotonic()
        assert time.monotonic() - began < 2.0
        for agent in (*agents, silent):
            assert await agent.closed() == 1012


async def test_after_a_restart_tokens_hold_and_sessions_are_new(config: Config) -> None:
    async with aiohttp.ClientSession() as http:
        async with HubServer(config) as server:
            port = int(server.url.rpartition(":")[2])
            first = Client(server, http)
            raw_id, token = await first.token("alice")
            agent = await first.join(token)
        assert await agent.closed() == 1012
        async with HubServer(load_config(config.data, port=port, environ={})) as server:
            client = Client(server, http)
            assert server.url == first.hub.url
            resume = Resume(agent.welcome.session, agent.welcome.secret, 1)
            welcome = (await client.join(token, resume=resume)).welcome
            assert (welcome.me.raw_id, welcome.resumed) == (raw_id, False)
            assert (await client.token("alice"))[0] == raw_id


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(hub: HubServer, config: Config) -> None:
    port = int(hub.url.rpartition(":")[2])
    other = HubServer(load_config(config.data.parent / "other", port=port, environ={}))
    with pytest.raises(OSError, match="in use"):
        await other.start()


async def test_a_bug_of_ours_is_told_logged_and_survived(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await client.join((await client.token("alice"))[1])
    handle = Hub.handle

    def broken(self: Hub, what: Input, now: float) -> list[Output]:
        if isinstance(what, Received):
            raise ZeroDivisionError
        return handle(self, what, now)

    monkeypatch.setattr(Hub, "handle", broken)
    with caplog.at_level(logging.ERROR):
        await agent.say(CallUp("c1"))
        await agent.expect(Error(INTERNAL))
    assert "the hub failed on Received" in caplog.text
    await agent.say(Ping(), seq=0)
    await agent.expect(Pong(ack=1))


async def test_a_bug_at_a_deadline_does_not_spin(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[float] = []
    twice = asyncio.Event()
    handle = Hub.handle

    def broken(self: Hub, what: Input, now: float) -> list[Output]:
        if isinstance(what, Tick):
            ticks.append(now)
            if len(ticks) == 2:
                twice.set()
            raise ZeroDivisionError
        return handle(self, what, now)

    monkeypatch.setattr(hub_module, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(Hub, "handle", broken)
    (await client.join((await client.token("alice"))[1])).vanish()
    await asyncio.wait_for(twice.wait(), 10)
    assert ticks[1] - ticks[0] >= REPAIR_SECONDS
