"""The hub's own REST: short names, aliases, settings, history, health."""

import asyncio

import msgspec
import pytest

from signaling import auth
from signaling.messages import (
    CallAnswer,
    CallEnd,
    CallEnded,
    CallIncoming,
    CallPlace,
    CallProgress,
)
from signaling.reasons import ANSWERED_ELSEWHERE, DECLINED, HUNG_UP, OFFLINE
from signaling.settings import Settings, ToPerson
from signaling.version import version
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell


async def test_a_name_is_made_once(client: Client) -> None:
    first, _ = await client.token("alice", display_name="Alice")
    again, token = await client.token("alice")
    assert first == again
    assert (await client.join(token)).welcome.me.display_name == "Alice"
    _, token = await client.token("alice", display_name="Alice B.", expires_in_minutes=60, transfer=False)
    welcome = (await client.join(token)).welcome
    assert (welcome.me.name, welcome.me.display_name) == ("alice", "Alice B.")
    assert welcome.rights == ("voip", "voip.join")
    assert (await client.token("bob"))[0] != first


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "Alice"},
        {"name": "a b"},
        {"name": "x" * 65},
        {"name": "a", "expires_in_minutes": 5},
        {"name": "a", "admin": True},
        [],
    ],
)
async def test_bad_names(client: Client, body: object) -> None:
    answer = await client.admin("POST", "/v1/tokens", body)
    assert answer.status == 400
    assert "does not fit" in answer.json["error"]["message"]


async def test_aliases_are_called(client: Client) -> None:
    alice, token = await client.token("alice")
    bob, _ = await client.token("bob")
    path = f"/v1/users/{alice}/aliases"
    answer = await client.admin("PUT", path, {"aliases": ["+49301", "4:+49301", "8:orgid:me"]})
    assert answer.json == {"aliases": ["4:+49301", "8:orgid:me"]}
    callee = await client.join(token)
    caller = await client.join((await client.token("bob"))[1])
    for number, name in enumerate(("+49301", "8:orgid:me", "alice", alice)):
        await caller.say(CallPlace(f"c{number}", name, "v=0"))
        incoming = await callee.hear()
        assert isinstance(incoming, CallIncoming)
        assert incoming.caller.raw_id == bob
    for aliases in (["carol"], [bob], ["+0"]):
        refused = await client.admin("PUT", path, {"aliases": aliases})
        assert refused.status == 400
    taken = await client.admin("PUT", f"/v1/users/{bob}/aliases", {"aliases": ["+49301"]})
    assert (taken.status, "another user" in taken.json["error"]["message"]) == (400, True)
    assert (await client.admin("PUT", "/v1/users/8:acs:x/aliases", {"aliases": []})).status == 404
    assert (await client.admin("PUT", path, {"aliases": []})).json == {"aliases": []}
    assert (await client.admin("PUT", f"/v1/users/{bob}/aliases", {"aliases": ["+49301"]})).status == 200


async def test_settings_are_written_whole_and_obeyed(client: Client) -> None:
    _, alice = await client.token("alice")
    carol_id, carol = await client.token("carol")
    defaults = await client.call("GET", "/v1/settings", alice)
    assert msgspec.json.decode(defaults.body, type=Settings) == Settings()
    wanted = Settings(forwarding=ToPerson("carol"), unanswered=None, unanswered_delay=40)
    answer = await client.call("PUT", "/v1/settings", alice, data=msgspec.json.encode(wanted))
    assert msgspec.json.decode(answer.body, type=Settings) == wanted
    answer = await client.call("GET", "/v1/settings", alice)
    assert msgspec.json.decode(answer.body, type=Settings) == wanted
    there = await client.join(carol)
    caller = await client.join((await client.token("bob"))[1])
    await caller.say(CallPlace("c1", "alice", "v=0"))
    assert isinstance(await there.hear(), CallIncoming)
    progress = await caller.hear()
    assert isinstance(progress, CallProgress)
    assert progress.party.raw_id == carol_id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"unanswered_delay":25}',
        b'{"later":1}',
        b'{"busy":{"kind":"moon"}}',
        b'{"busy":{"kind":"person","identifier":"nobody"}}',
        b'{"simultaneous":{"kind":"person","identifier":"nobody"}}',
        b'{"simultaneous":{"kind":"voicemail"}}',
        b'{"forwarding":{"kind":"voicemail"},"simultaneous":{"kind":"group"},"group":{"members":["bob"]}}',
        b'{"do_not_disturb_to":{"kind":"group"}}',
        b'{"unanswered":{"kind":"group","identifier":"nobody"}}',
        b'{"group":{"members":["nobody"]}}',
        b'{"group":{"members":["a","b","c","d","e","f"],"order":"in_order"}}',
        b'{"busy":' + b"[" * 50_000,
        b"\xff",
    ],
)
async def test_bad_settings_change_nothing(client: Client, body: bytes) -> None:
    _, token = await client.token("alice")
    answer = await client.call("PUT", "/v1/settings", token, data=body)
    assert answer.status == 400
    assert answer.json["error"]["message"]
    now = await client.call("GET", "/v1/settings", token)
    assert msgspec.json.decode(now.body, type=Settings) == Settings()


async def test_forwards_in_a_circle_are_refused_when_saved(client: Client) -> None:
    tokens = {name: (await client.token(name))[1] for name in ("alice", "bob", "carol")}
    for name, to in (("alice", "bob"), ("bob", "carol")):
        body = {"forwarding": {"kind": "person", "identifier": to}}
        assert (await client.call("PUT", "/v1/settings", tokens[name], json=body)).status == 200
    body = {"forwarding": {"kind": "person", "identifier": "alice"}}
    refused = await client.call("PUT", "/v1/settings", tokens["carol"], json=body)
    assert refused.status == 400
    assert "carol → alice → bob → carol" in refused.json["error"]["message"]


async def test_a_group_rings_and_is_in_the_history_of_all(client: Client) -> None:
    tokens = {name: (await client.token(name))[1] for name in ("alice", "bob", "carol", "sales")}
    body = {"forwarding": {"kind": "group"}, "group": {"members": ["bob", "carol"]}}
    assert (await client.call("PUT", "/v1/settings", tokens["sales"], json=body)).status == 200
    caller, bob, carol = [await client.join(tokens[name]) for name in ("alice", "bob", "carol")]
    await caller.say(CallPlace("c1", "sales", "v=0"))
    for member in (bob, carol):
        incoming = await member.hear()
        assert isinstance(incoming, CallIncoming)
        assert incoming.forwarded_from is not None and incoming.forwarded_from.name == "sales"
    await carol.say(CallAnswer("c1", "v=0"))
    await bob.expect(CallEnded("c1", ANSWERED_ELSEWHERE))
    await caller.say(CallEnd("c1"))
    await carol.expect(CallEnded("c1", HUNG_UP))
    for name, token in tokens.items():
        answer = (await client.call("GET", "/v1/history", token)).json
        [call] = answer["calls"]
        assert (answer["next"], call["call_id"], call["kind"]) == (None, "c1", "forwarded")
        assert call["direction"] == ("outgoing" if name == "alice" else "incoming")
        assert (call["callee"]["name"], call["answered_by"]["name"]) == ("sales", "carol")
        assert [party["name"] for party in call["via"]] == ["sales"]
        assert call["duration"] >= 0
        ends = {leg["party"]["name"]: leg["reason"] and leg["reason"]["sub_code"] for leg in call["legs"]}
        assert ends == {"alice": 0, "sales": None, "bob": 10003, "carol": 0}


async def test_history_is_paged_and_filtered(client: Client) -> None:
    (alice_id, alice), (_, bob) = await client.token("alice"), await client.token("bob")
    await client.call("PUT", "/v1/settings", bob, data=b'{"unanswered":null}')
    caller = await client.join(alice)
    for number in range(3):
        await caller.say(CallPlace(f"c{number}", "bob", "v=0"))
        await caller.expect(CallEnded(f"c{number}", OFFLINE))

    async def pages(query: str, token: str = bob) -> list[str]:
        found: list[str] = []
        before = ""
        while True:
            page = (await client.call("GET", f"/v1/history?{query}{before}", token)).json
            found += [call["call_id"] for call in page["calls"]]
            if page["next"] is None:
                return found
            before = f"&before={page['next']}"

    assert await pages("limit=2") == ["c2", "c1", "c0"]
    assert await pages("missed=true&party=alice&limit=1") == ["c2", "c1", "c0"]
    assert await pages(f"direction=incoming&party={alice_id}") == ["c2", "c1", "c0"]
    assert await pages("direction=outgoing&limit=1", alice) == ["c2", "c1", "c0"]
    for query in ("direction=outgoing", "party=nobody"):
        assert await pages(query) == []
    for query in ("direction=up", "missed=perhaps", "before=0", "after=1", "before=99999999999"):
        refused = await client.call("GET", f"/v1/history?{query}", bob)
        assert (refused.status, "does not fit" in refused.json["error"]["message"]) == (400, True)


async def test_history_of_both_parties(client: Client) -> None:
    alice_id, alice = await client.token("alice", display_name="Alice")
    bob_id, bob = await client.token("bob")
    await client.call("PUT", "/v1/settings", bob, data=b'{"unanswered":null}')
    caller, callee = await client.join(alice), await client.join(bob)
    await caller.say(CallPlace("c1", "bob", "v=0"))
    await callee.hear()
    await callee.say(CallEnd("c1", "declined"))
    await caller.expect(CallEnded("c1", DECLINED))
    await callee.say(CallPlace("c2", "alice", "v=0"))
    await caller.hear()
    await caller.say(CallAnswer("c2", "v=0"))
    await callee.hear()
    await callee.say(CallEnd("c2"))
    assert isinstance(await caller.hear(), CallEnded)
    for token in (alice, bob):
        second, first = (await client.call("GET", "/v1/history", token)).json["calls"]
        assert (first["call_id"], first["caller"]["raw_id"], first["callee"]["raw_id"]) == (
            "c1",
            alice_id,
            bob_id,
        )
        assert first["caller"]["display_name"] == "Alice"
        assert first["answered_at"] is None
        assert first["reason"]["code"] == 603
        assert second["kind"] == "participant"
        assert second["placed_at"] <= second["answered_at"] <= second["ended_at"]
        assert second["ended_at"].endswith("Z")
    only = (await client.call("GET", "/v1/history?limit=1", alice)).json["calls"]
    assert [call["call_id"] for call in only] == ["c2"]
    for limit in ("0", "501", "x"):
        assert (await client.call("GET", f"/v1/history?limit={limit}", alice)).status == 400


async def test_without_a_valid_token(client: Client) -> None:
    _, token = await client.token("alice")
    for path in ("/v1/settings", "/v1/history", "/v1/mailbox", "/v1/mailbox/x/audio"):
        for given in ("", "x", token[:-4] + "AAAA"):
            answer = await client.call("GET", path, given)
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers
        assert (await client.call("GET", f"{path}?token={token}")).status == 401


async def test_health_metrics_and_what_is_not_there(client: Client) -> None:
    health = (await client.call("GET", "/health")).json
    assert health == {"status": "ok", "version": version(), "voicemail": False}
    agent = await client.join((await client.token("alice"))[1])
    metrics = (await client.call("GET", "/metrics")).body.decode()
    assert "callnode_sessions 1\n" in metrics
    assert "callnode_connections 1\n" in metrics
    assert "callnode_calls 0\n" in metrics
    await agent.ws.close()
    answer = await client.call("GET", "/nothing")
    assert (answer.status, answer.json["error"]["code"]) == (404, "NotFound")
    answer = await client.call("DELETE", "/v1/settings")
    assert (answer.status, "PUT" in answer.headers["Allow"]) == (405, True)
    _, token = await client.token("alice")
    answer = await client.call("PUT", "/v1/settings", token, data=b" " * 70_000)
    assert answer.status == 413
    assert (await client.call("GET", "/v1/agent")).status == 400


async def test_calls_are_not_sent_on_to_oneself(client: Client) -> None:
    raw_id, token = await client.token("alice")
    for rule in ("forwarding", "unanswered", "declined", "busy", "simultaneous", "do_not_disturb_to"):
        for name in (raw_id, "Alice"):
            body = {rule: {"kind": "person", "identifier": name}}
            answer = await client.call("PUT", "/v1/settings", token, json=body)
            assert answer.status == 400
            assert "yourself" in answer.json["error"]["message"]
    assert (
        msgspec.json.decode((await client.call("GET", "/v1/settings", token)).body, type=Settings)
        == Settings()
    )


async def test_the_name_of_the_voicemail_service_is_reserved(client: Client) -> None:
    answer = await client.admin("POST", "/v1/tokens", {"name": "voicemail"})
    assert answer.status == 400
    assert "choose another" in answer.json["error"]["message"]
    await client.token("voicemail", voicemail=True)


async def test_display_names_hold_no_control_characters(client: Client) -> None:
    _, token = await client.token("alice", display_name="Al\x1b[31mice\x9b\n")
    assert (await client.join(token)).welcome.me.display_name == "Al[31mice"
    assert (await client.join(token, "A\x00\x7fnn É")).welcome.me.display_name == "Ann É"
    await client.token("alice", display_name="B\x07ob")
    assert (await client.join(token)).welcome.me.display_name == "Bob"


async def test_headers_that_make_no_sense_are_refused_and_break_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(client.hub.url.rpartition(":")[2])
    signed = f"Authorization: {auth._SCHEME}x\r\n".encode()
    now = auth.sign("GET", client.hub.url, b"", b"k")["x-ms-date"].encode()
    for path, header, status in (
        ("POST /v1/tokens", signed + b"x-ms-date: Mon, 01 Jan 2024 00:00:00 +99999999999999\r\n", 401),
        ("POST /v1/tokens", signed + b"x-ms-date: " + now + b"\r\nx-ms-content-sha256: \xff\r\n", 401),
        ("GET /v1/settings", b"Authorization: Bearer \xff\xfe\r\n", 401),
        ("GET /v1/agent", b"Origin: http://[\r\n", 403),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode() + header + b"\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (header, answer)
    assert "Traceback" not in caplog.text
