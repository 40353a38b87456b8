"""What the page is made of: its files, the directory, and signing in by invitation."""

import asyncio
from pathlib import Path

import pytest

from signaling.call import Call, Leg
from signaling.config import load_config
from signaling.server import HubServer
from signaling.settings import User
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell


async def test_the_page_and_its_parts_are_served(client: Client) -> None:
    page = await client.call("GET", "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    module = await client.call("GET", "/web/callnode.js")
    assert module.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert module.headers["Access-Control-Allow-Origin"] == "*"
    unchanged = await client.call(
        "GET", "/web/callnode.js", headers={"If-None-Match": module.headers["ETag"]}
    )
    assert unchanged.status == 304


async def test_pages_of_allowed_origins_may_ask(client: Client, tmp_path: Path) -> None:
    ours = "https://page.example"
    async with HubServer(load_config(tmp_path / "open", origins=frozenset({ours}), environ={})) as hub:
        there = Client(hub, client.http)
        allowed = {"Origin": ours, "Access-Control-Request-Method": "POST"}
        preflight = await there.call("OPTIONS", "/v1/surveys", headers=allowed)
        assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, ours)
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        refused = await there.call("POST", "/v1/surveys", headers=allowed)
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (401, ours)
        await (await there.socket(headers={"Origin": ours})).ws.close()
        for origin in ("https://evil.example", "null"):
            answer = await there.call("OPTIONS", "/v1/surveys", headers=allowed | {"Origin": origin})
            assert answer.status == 405 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/web/none.js", "/web/../server.py", "/web/%2e%2e/server.py", "/web//etc/passwd"]
)
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert (await client.call("GET", path)).status == 404


async def test_the_directory_tells_who_can_be_called(client: Client, hub: HubServer) -> None:
    _, alice = await client.token("alice", display_name="Alice")
    _, bob = await client.token("bob", display_name="Bob")
    await client.token("voicemail", voicemail=True)
    await client.token("mixer", mixer=True)

    async def people(token: str) -> list[tuple[str, str]]:
        answer = await client.call("GET", "/v1/directory", token)
        return [(each["display_name"], each["presence"]) for each in answer.json["people"]]

    assert await people(alice) == [("Bob", "offline")]
    await client.join(bob)
    assert await people(alice) == [("Bob", "available")]
    _, carol = await client.token("carol")
    await client.join(carol, "Carol at her desk")
    assert ("Carol at her desk", "available") in await people(alice)
    assert (await client.call("GET", "/v1/directory")).status == 401


async def test_who_asked_somebody_into_a_group_and_left_is_free(client: Client, hub: HubServer) -> None:
    """The mixer calls whom she asked in, in her name."""
    alice, bob, mixer = [
        await client.join((await client.token(name, mixer=name == "mixer"))[1])
        for name in ("alice", "bob", "mixer")
    ]
    asked = Leg(mixer.welcome.session, alice.welcome.me)
    answered = Leg(bob.welcome.session, bob.welcome.me)
    user = User(bob.welcome.me.raw_id)
    hub._core.hub.calls.keep(
        Call(id="c", caller=asked, answerer=answered, sdp="", callee=user, placed_at=0.0)
    )
    listed = await client.call("GET", "/v1/directory", (await client.token("carol"))[1])
    presences = {each["name"]: each["presence"] for each in listed.json["people"]}
    assert presences == {"alice": "available", "bob": "busy"}


async def test_a_code_is_good_once(client: Client) -> None:
    wanted = {"name": "dora", "display_name": "Dora"}
    answer = await client.admin("POST", "/v1/invitations", wanted)
    assert answer.status == 201
    code = answer.json["code"]
    assert answer.json["url"] == f"{client.hub.url}/#code={code}"
    signed_in = await client.call("POST", "/v1/sign-in", json={"code": f" {code.lower()} "})
    assert signed_in.status == 200 and signed_in.json["name"] == "dora"
    agent = await client.join(signed_in.json["token"])
    assert agent.welcome.me.display_name == "Dora"
    again = await client.call("POST", "/v1/sign-in", json={"code": code})
    assert again.status == 403 and "new invitation" in again.json["error"]["message"]


async def test_codes_cannot_be_guessed_or_made_by_strangers(client: Client) -> None:
    assert (await client.call("POST", "/v1/invitations", json={"name": "dora"})).status == 401
    for service in ({"name": "voicemail"}, {"name": "mixer"}, {"name": "mx", "mixer": True}):
        refused = await client.admin("POST", "/v1/invitations", service)
        assert refused.status == 400 and "/v1/tokens" in refused.json["error"]["message"]
    assert (await client.admin("POST", "/v1/invitations", {"name": "Not A Name"})).status == 400
    tries = [client.call("POST", "/v1/sign-in", json={"code": f"AAAAA-{n:05}"}) for n in range(20)]
    statuses = [answer.status for answer in await asyncio.gather(*tries)]
    assert statuses.count(403) <= 11 and set(statuses) == {403, 429}


async def test_a_code_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await client.admin("POST", "/v1/invitations", {"name": "dora", "code_minutes": 1})
    monkeypatch.setattr("signaling.invitations.time.time", lambda: 4e9)
    late = await client.call("POST", "/v1/sign-in", json={"code": answer.json["code"]})
    assert late.status == 403
