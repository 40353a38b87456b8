"""The official ACS identity package, unmodified, works against the hub."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import jwt
import pytest
from azure.communication.identity import CommunicationIdentityClient, CommunicationTokenScope
from azure.communication.identity.aio import CommunicationIdentityClient as AioIdentityClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from signaling.messages import CallPlace, SessionEnd
from signaling.reasons import INVALID_TOKEN
from signaling.server import HubServer
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell

T = TypeVar("T")
SCOPES: list[str | CommunicationTokenScope] = [CommunicationTokenScope.VOIP]


class PlainHttp(SansIOHTTPPolicy[Any, Any]):
    """Speak http: from a connection string the package makes https, whatever the endpoint says."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.url = request.http_request.url.replace("https://", "http://", 1)


def official(hub: HubServer) -> CommunicationIdentityClient:
    endpoint, _, key = hub.connection_string.removeprefix("endpoint=").partition(";accesskey=")
    return CommunicationIdentityClient(endpoint, AzureKeyCredential(key), retry_total=0)


async def run(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


async def test_users_and_tokens(hub: HubServer, client: Client) -> None:
    sdk = official(hub)
    user = await run(sdk.create_user)
    raw_id = user.properties["id"]
    assert user.raw_id == raw_id
    assert raw_id.startswith("8:acs:")
    other, token = await run(lambda: sdk.create_user_and_token([*SCOPES, CommunicationTokenScope.VOIP_JOIN]))
    assert other.properties["id"].partition("_")[0] == raw_id.partition("_")[0]
    assert other.properties["id"] != raw_id
    joined = await client.join(token.token)
    assert joined.welcome.me.raw_id == other.properties["id"]
    assert joined.welcome.rights == ("transfer", "voip", "voip.join")
    token = await run(lambda: sdk.get_token(user, SCOPES, token_expires_in=timedelta(hours=1)))
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["iss"] == hub.url
    assert (await client.join(token.token)).welcome.rights == ("transfer", "voip")


async def test_from_connection_string(hub: HubServer) -> None:
    sdk = CommunicationIdentityClient.from_connection_string(
        hub.connection_string, per_call_policies=[PlainHttp()], retry_total=0
    )
    user, token = await run(lambda: sdk.create_user_and_token(SCOPES))
    assert user.raw_id
    assert token.token


async def test_asynchronous_package(hub: HubServer) -> None:
    key = hub.connection_string.partition("accesskey=")[2]
    async with AioIdentityClient(hub.url, AzureKeyCredential(key), retry_total=0) as sdk:
        user, token = await sdk.create_user_and_token(SCOPES)
        assert token.token
        assert (await sdk.get_token(user, SCOPES)).token != token.token
        await sdk.revoke_tokens(user)
        await sdk.delete_user(user)


async def test_revoking_ends_what_is_open_at_once(hub: HubServer, client: Client) -> None:
    sdk = official(hub)
    user, token = await run(lambda: sdk.create_user_and_token(SCOPES))
    agents = [await client.join(token.token) for _ in range(2)]
    await run(lambda: sdk.revoke_tokens(user))
    for agent in agents:
        await agent.expect(SessionEnd(INVALID_TOKEN))
        assert await agent.closed() == 4401
    assert (await client.call("GET", "/v1/settings", token.token)).status == 401
    fresh = await run(lambda: sdk.get_token(user, SCOPES))
    assert (await client.call("GET", "/v1/settings", fresh.token)).status == 200


async def test_deleting_a_user(hub: HubServer, client: Client) -> None:
    sdk = official(hub)
    user, token = await run(lambda: sdk.create_user_and_token(SCOPES))
    agent = await client.join(token.token)
    await run(lambda: sdk.delete_user(user))
    await agent.expect(SessionEnd(INVALID_TOKEN))
    assert await agent.closed() == 4401
    assert (await client.call("GET", "/v1/settings", token.token)).status == 401
    with pytest.raises(HttpResponseError) as caught:
        await run(lambda: sdk.get_token(user, SCOPES))
    assert caught.value.status_code == 404
    assert caught.value.error is not None
    assert caught.value.error.code == "IdentityNotFound"
    caller = await client.join((await client.token("bob"))[1])
    await caller.say(CallPlace("c1", user.properties["id"], "v=0"))
    assert "no such user" in str(await caller.hear())


async def test_wrong_key_is_refused(hub: HubServer) -> None:
    sdk = CommunicationIdentityClient(hub.url, AzureKeyCredential("d3Jvbmc="), retry_total=0)
    with pytest.raises(ClientAuthenticationError) as caught:
        await run(sdk.create_user)
    assert caught.value.status_code == 401
    assert "access key" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/identities", {}, 400, "api-version"),
        ("/identities?api-version=2020-01-01", {}, 400, "api-version"),
        ("/identities?api-version=x", {}, 400, "api-version"),
        ("/identities?api-version=2023-10-01", {"createTokenWithScopes": ["chat"]}, 400, "scopes"),
        (
            "/identities?api-version=2023-10-01",
            {"createTokenWithScopes": ["voip"], "expiresInMinutes": 59},
            400,
            "expiresInMinutes",
        ),
        (
            "/identities?api-version=2023-10-01",
            {"createTokenWithScopes": ["voip"], "expiresInMinutes": 1441},
            400,
            "expiresInMinutes",
        ),
        (
            "/identities/8:acs:x/:issueAccessToken?api-version=2023-10-01",
            {"scopes": ["voip"]},
            404,
            "identity",
        ),
        ("/identities/8:acs:x/:issueAccessToken?api-version=2023-10-01", {}, 400, "scopes"),
        ("/identities/8:acs:x/:revokeAccessTokens?api-version=2023-10-01", None, 404, "identity"),
    ],
)
async def test_bad_requests(client: Client, path: str, body: object, status: int, said: str) -> None:
    answer = await client.admin("POST", path, body)
    assert answer.status == status
    assert said in answer.json["error"]["message"]
    assert answer.json["error"]["code"]


async def test_unsigned_and_tampered_requests(client: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}):
        answer = await client.call("POST", "/identities?api-version=2023-10-01", headers=headers)
        assert answer.status == 401
        assert answer.json["error"]["code"] == "Unauthorized"
