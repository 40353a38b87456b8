"""Credentials that renew themselves, on a real hub: one failure of a refresher is not the end."""

import asyncio
import time
from collections.abc import Callable

import jwt
import pytest

from node import CallAgent, CallClient, CommunicationTokenCredential
from node.credential import AccessToken
from signaling.server import HubServer
from signaling.tokens import Tokens
from tests.shell.hub_client import PATIENCE, Client

pytestmark = pytest.mark.shell


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


def watched(agent: CallAgent) -> list[str]:
    """Return a list that fills with the states of the connection."""
    states: list[str] = []
    agent.on("connection_state_changed", lambda event: states.append(event.new_state))
    return states


def ending(hub: HubServer, token: str, seconds: float) -> str:
    """Return a token like another that ends so soon."""
    tokens = Tokens(hub._config.key, hub.url)
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims | {"exp": int(time.time() + seconds)}, tokens._key, algorithm="HS256")


async def test_a_renewal_that_fails_is_tried_again(hub: HubServer, client: Client) -> None:
    _, token = await client.token("alice")

    class Failing:
        refresh_proactively = True
        asked = 0

        async def get_token(self) -> AccessToken:
            self.asked += 1
            if self.asked == 3:
                raise OSError("the identity service is away for a moment")
            return AccessToken(token, time.time() + 2, hub.url)

    credential = Failing()
    async with CallClient() as calls:
        states = watched(await calls.create_call_agent(credential))
        await eventually(lambda: credential.asked >= 5)
        assert "Disconnected" not in states


async def test_a_refresher_alone_is_asked_when_the_token_ends(hub: HubServer, client: Client) -> None:
    _, token = await client.token("alice")
    asked = 0

    async def refresh() -> str:
        nonlocal asked
        asked += 1
        return token

    credential = CommunicationTokenCredential(ending(hub, token, 2), token_refresher=refresh)
    async with CallClient() as calls:
        agent = await calls.create_call_agent(credential)
        states = watched(agent)
        await eventually(lambda: asked == 1 and len(hub._agents) == 1)
        assert "Disconnected" not in states
        assert agent.connection_state == "Connected"


async def test_a_token_that_ends_without_a_refresher_is_the_end(hub: HubServer, client: Client) -> None:
    _, token = await client.token("alice")
    async with CallClient() as calls:
        agent = await calls.create_call_agent(CommunicationTokenCredential(ending(hub, token, 2)))
        reasons: list[str | None] = []
        agent.on("connection_state_changed", lambda event: reasons.append(event.reason))
        await eventually(lambda: reasons == ["invalidToken"])


async def test_only_a_refused_token_is_forgotten(client: Client) -> None:
    tokens = [(await client.token(name))[1] for name in ("alice", "bob")]

    async def refresh() -> str:
        return tokens[1]

    credential = CommunicationTokenCredential(tokens[0], token_refresher=refresh)
    credential.forget(tokens[1])
    assert (await credential.get_token()).token == tokens[0]
    credential.forget(tokens[0])
    assert (await credential.get_token()).token == tokens[1]
    alone = CommunicationTokenCredential(tokens[0])
    alone.forget(tokens[0])
    assert (await alone.get_token()).token == tokens[0]
