"""The doctor finds what is wrong with token, hub and network, by really trying them."""

import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from media import reach
from media.engine import IceServer
from node import doctor
from node.admin import create_token
from node.cli import main
from node.credential import read_token
from node.doctor import Finding
from node.trust import trusted
from signaling import certificates
from signaling.config import _lan_address, load_config
from signaling.identity import CreateToken
from signaling.server import HubServer
from signaling.version import version
from tests.program import result
from tests.shell.hub_client import Client
from tests.shell.test_credential import ending
from tests.turn import coturn

pytestmark = pytest.mark.shell


async def asked(url: str) -> dict[str, Finding]:
    """Return what is found out about a hub, by the name of the check."""
    return {finding.check: finding async for finding in doctor.hub(url, True)}


async def of_network(url: str | None, *servers: IceServer) -> list[Finding]:
    return [finding async for finding in doctor.network(url, servers)]


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Run a server that is no hub; yield its URL."""
    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_hub_that_is_well(hub: HubServer, client: Client) -> None:
    found = await asked(hub.url)
    assert {name: each.status for name, each in found.items()} == {
        "hub": "ok", "clock": "ok", "voicemail": "warning",
    }  # fmt: skip
    assert version() in found["hub"].found and " ms" in found["hub"].found
    assert "callnode up" in found["voicemail"].advice
    _, token = await client.token("voicemail", voicemail=True)
    await client.join(token)
    assert (await asked(hub.url))["voicemail"].status == "ok"


async def test_hubs_that_are_not_there(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def said(url: str) -> str:
        [finding] = (await asked(url)).values()
        assert (finding.check, finding.status) == ("hub", "problem") and finding.advice
        return f"{finding.found} → {finding.advice}"

    assert "nothing listens" in await said("http://127.0.0.1:9")
    assert "nobody knows the name nowhere.invalid" in await said("http://nowhere.invalid:8400")
    assert "Try http://" in await said(hub.url.replace("http:", "https:"))
    monkeypatch.setattr(doctor, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "firewall" in await said(f"http://127.0.0.1:{silent.getsockname()[1]}")


async def test_what_is_no_hub_or_one_of_another_version_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    health: dict[str, Any] = {}
    ago = 0.0

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(health, headers={"Date": formatdate(time.time() - ago)})

    async with answering(answer) as url:
        [finding] = (await asked(url)).values()
        assert "no callnode hub" in finding.found
        health |= {"status": "ok", "version": "99.0.0"}
        ago = 3600
        found = await asked(url)
        assert (found["hub"].status, "99.0.0" in found["hub"].found) == ("warning", True)
        assert (found["clock"].status, "NTP" in found["clock"].advice) == ("problem", True)
        assert "ahead" in found["clock"].found and "voicemail" not in found
        ago = -30
        assert (await asked(url))["clock"].status == "warning"
        health["version"] = version()
        monkeypatch.setattr(doctor, "_SLOW_SECONDS", 0.0)
        assert "slow" in (await asked(url))["hub"].advice


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    async with HubServer(load_config(tmp_path, tls="self-signed", environ={})) as hub:
        [finding] = (await asked(hub.url)).values()
        assert "does not trust" in finding.found and "CALLNODE_CA" in finding.advice
        authority = certificates.authority(tmp_path)
        made = await create_token(hub.url, hub._config.access_key, CreateToken("alice"), authority)
        found = [each async for each in doctor.hub(hub.url, trusted(made.token))]
        assert found[0].status == "ok"
        signed_in, _ = await doctor.sign_in(hub.url, read_token(made.token), trusted(made.token))
        assert signed_in.status == "ok"


async def test_tokens(hub: HubServer, client: Client) -> None:
    raw_id, text = await client.token("alice", display_name="Alice A.")
    good = read_token(text)
    assert doctor.token(good, hub.url).status == "ok"
    assert doctor.token(read_token(ending(hub, text, -5)), hub.url).status == "problem"
    assert doctor.token(read_token(ending(hub, text, 60)), hub.url).status == "warning"
    assert "made by" in doctor.token(good, "http://192.0.2.9:8400").found

    signed_in, servers = await doctor.sign_in(hub.url, good, True)
    assert signed_in == Finding("sign-in", "ok", "as Alice A.") and servers == ()
    _, quiet = await client.token("bob", transfer=False)
    assert "may not transfer" in (await doctor.sign_in(hub.url, read_token(quiet), True))[0].found
    assert not hub._core.hub.presence.sessions  # it has left
    for bad in (text[:-4] + "AAAA", ending(hub, text, -5)):
        refused, _ = await doctor.sign_in(hub.url, read_token(bad), True)
        assert (refused.status, "callnode token NAME" in refused.advice) == ("problem", True)
    await client.admin("POST", f"/identities/{raw_id}/:revokeAccessTokens?api-version=2023-10-01")
    assert (await doctor.sign_in(hub.url, good, True))[0].status == "problem"


async def test_a_proxy_that_lets_no_websocket_through(client: Client) -> None:
    _, text = await client.token("alice")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=502)

    async with answering(answer) as url:
        refused, _ = await doctor.sign_in(url, read_token(text), True)
    assert "HTTP 502" in refused.found and "proxy" in refused.advice


async def test_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = await of_network("http://127.0.0.1:8400")
    assert finding.status == "ok" and _lan_address() in finding.found
    assert "and to the hub's machine 127.0.0.1" in finding.found
    found = await of_network("http://[2606:4700::1]:8400")
    assert ("turn", "warning") in {(each.check, each.status) for each in found}

    async def nothing() -> None:
        return None

    monkeypatch.setattr(reach, "round_trip", nothing)
    [finding] = await of_network(None)
    assert (finding.status, "firewall" in finding.advice) == ("problem", True)
    monkeypatch.setattr(doctor, "addresses", list)
    [finding] = await of_network(None)
    assert "loopback" in finding.found


async def test_stun_and_turn_servers(tmp_path: Path) -> None:
    async with coturn(tmp_path) as relay:
        urls = (relay.url.partition("?")[0].replace("turn:", "stun:"), relay.url)
        config = load_config(tmp_path / "hub", ice_servers=urls, environ=relay.environ)
        async with HubServer(config) as hub, aiohttp.ClientSession() as http:
            _, text = await Client(hub, http).token("alice")
            _, servers = await doctor.sign_in(hub.url, read_token(text), True)
        assert [server.urls for server in servers] == [(urls[0],), (urls[1],)]
        _, stun, turn = await of_network(None, *servers)
        assert (stun.check, stun.status, turn.check, turn.status) == ("stun", "ok", "turn", "ok")
        assert _lan_address() in stun.found and "relays at" in turn.found
        _, refused = await of_network(None, IceServer((relay.url,), "somebody", "wrong"))
        assert (refused.check, refused.status) == ("turn", "problem")
    _, wrong = await of_network(None, IceServer(("stun:a b",)))
    assert wrong.status == "problem"


async def test_the_command(hub: HubServer, client: Client) -> None:
    _, token = await client.token("alice")
    told = await result("doctor", "--json", token=token)
    found = {each["check"]: each for each in json.loads(told.out)}
    assert told.err == ""
    well = ("token", "hub", "clock", "sign-in", "network", "processing")
    assert [found[check]["status"] for check in well] == ["ok"] * len(well)
    assert {"microphone", "speaker"} <= set(found)
    assert told.code == (
        1 if "problem" in (found[each]["status"] for each in ("microphone", "speaker")) else 0
    )
    plain = await result("doctor", "--hub", "http://127.0.0.1:9", token=token)
    assert plain.code == 5
    assert "problem  hub         nothing listens at http://127.0.0.1:9" in plain.out.splitlines()


def test_the_command_without_a_token() -> None:
    told = CliRunner().invoke(main, ["doctor"], env={"CALLNODE_TOKEN": "", "CALLNODE_HUB": None})
    assert told.exit_code == 6
    assert "→ Get one where the hub runs" in told.stdout and "skipped  hub" in told.stdout
