"""The ICE servers that the hub tells agents of: in time, with credentials that a coturn takes."""

import base64
import hashlib
import hmac
import time
from pathlib import Path

import aiohttp
import pytest

from signaling.config import ConfigError, load_config
from signaling.ice import Ice, Renewal
from signaling.messages import IceServers
from signaling.parts import IceServer
from signaling.server import HubServer
from tests.program import one_line, result
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell

SECRET = "north"
URLS = ("stun:192.0.2.1:3478", "turn:192.0.2.1:3478?transport=udp", "turns:turn.example")


def test_credentials_of_a_user_for_an_hour() -> None:
    stun, turn = Ice(URLS, SECRET).servers("8:acs:x", 1_000_000.4)
    assert stun == IceServer(("stun:192.0.2.1:3478",))
    assert turn.urls == ("turn:192.0.2.1:3478?transport=udp", "turns:turn.example")
    expiry, user = turn.username.split(":")
    assert int(expiry) == 1_003_600 and user == Ice(URLS, SECRET).servers("8:acs:x")[1].username.split(":")[1]
    assert user not in Ice(URLS, SECRET).servers("8:acs:y")[1].username and "acs" not in user
    digest = hmac.new(SECRET.encode(), turn.username.encode(), hashlib.sha1).digest()
    assert turn.credential == base64.b64encode(digest).decode()
    assert turn.credential not in repr(turn) and SECRET not in repr(Ice(URLS, SECRET))
    assert Ice().servers("8:acs:x") == ()


async def test_agents_are_told_at_once_and_again(tmp_path: Path) -> None:
    config = load_config(tmp_path, ice_servers=URLS, environ={"CALLNODE_TURN_SECRET": SECRET})
    async with HubServer(config) as hub, aiohttp.ClientSession() as http:
        client = Client(hub, http)
        _, token = await client.token("alice")
        alice = await client.join(token)
        told = alice.welcome.ice_servers
        assert [each.urls for each in told] == [URLS[:1], URLS[1:]]
        assert 3_590 < int(told[1].username.split(":")[0]) - time.time() <= 3_600
        renewal = Renewal(config.ice, hub._core.sessions)
        renewal.renew()
        again = await alice.hear()
        assert isinstance(again, IceServers)
        assert [each.urls for each in again.servers] == [URLS[:1], URLS[1:]]
        await renewal.close()


async def test_without_servers_nobody_is_told(client: Client) -> None:
    _, token = await client.token("alice")
    assert (await client.join(token)).welcome.ice_servers == ()


@pytest.mark.parametrize(
    "url", ["192.0.2.1", "stun:", "turn:me:secret@host", "stun:host?transport=udp", "http://x"]
)
def test_what_is_no_ice_server(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="such as"):
        load_config(tmp_path, ice_servers=(url,), environ={"CALLNODE_TURN_SECRET": SECRET})


async def test_a_relay_needs_its_secret(tmp_path: Path) -> None:
    said = one_line(await result("hub", "--port", "0", "--data", tmp_path, "--ice", URLS[1]), 1)
    assert "CALLNODE_TURN_SECRET" in said and "static-auth-secret" in said
