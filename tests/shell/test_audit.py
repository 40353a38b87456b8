"""Who heard, changed or was refused what of a mailbox: written down, and read by those it concerns."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from signaling import links
from signaling.retention import AUDIT_DAYS, sweep
from signaling.server import HubServer
from tests.program import result
from tests.shell.hub_client import Client
from tests.shell.test_cli_voicemail import spoken
from tests.shell.test_mailbox import put, service
from tests.shell.test_mailbox_owner import forward, link, move
from tests.shell.test_visits import visit

pytestmark = pytest.mark.shell
__all__ = ["service"]


async def entries(client: Client, token: str, query: str = "") -> list[dict[str, Any]]:
    answer = await client.call("GET", f"/v1/mailbox-audit{query}", token)
    assert answer.status == 200, answer.body
    return list(answer.json["entries"])


async def told(client: Client, token: str) -> list[tuple[str, str | None, str]]:
    """Return what was done, to which message, and how, oldest first."""
    found = await entries(client, token)
    return [(each["action"], each["message"], each["detail"]) for each in reversed(found)]


async def test_what_an_owner_does(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    await client.token("bob")
    await put(client, service, owner, "m1")
    before = datetime.now(UTC)
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=100-"}):  # a player that seeks
        assert (await client.call("GET", "/v1/mailbox/m1/audio", token, headers=headers)).status < 300
    await client.call("HEAD", "/v1/mailbox/m1/audio", token)
    await client.call("GET", "/v1/mailbox/m1/audio?for=export", token)
    assert (await forward(client, token, "bob", b"OggS", 1.0)).status == 201
    await move(client, token, "m1", "saved")
    for _ in range(2):
        await client.call("DELETE", "/v1/mailbox/m1", token)
    settings = {"retention_days": 7, "language": "de"}
    assert (await client.call("PUT", "/v1/mailbox-settings", token, json=settings)).status == 200
    assert (await client.call("PUT", "/v1/mailbox-pin", token, json={"pin": "8350"})).status == 204
    assert (await client.call("DELETE", "/v1/mailbox-pin", token)).status == 204
    assert (await client.call("PUT", "/v1/mailbox-greetings/busy", token, data=b"OggS")).status == 204
    assert (await client.call("DELETE", "/v1/mailbox-greetings/busy", token)).status == 204
    assert await told(client, token) == [
        ("heard", "m1", ""),
        ("exported", "m1", ""),
        ("forwarded", "m1", "to bob"),
        ("moved", "m1", "to saved"),
        ("deleted", "m1", ""),
        ("purged", "m1", ""),
        ("settings", None, "language, retention_days"),
        ("pin", None, "set"),
        ("pin", None, "removed"),
        ("greeting", None, "busy set"),
        ("greeting", None, "busy removed"),
    ]
    for entry in await entries(client, token):
        assert entry["by"]["name"] == entry["mailbox"]["name"] == "alice"
        assert entry["address"] == "127.0.0.1"
        assert before <= datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
        assert "8350" not in str(entry)


async def test_a_hearing_that_could_not_be_written_down_is_written_down_the_next_time(
    client: Client, service: str, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is not heard."""
    owner, token = await client.token("alice")
    await put(client, service, owner, "m1")
    with monkeypatch.context() as broken:
        broken.setattr(hub._store, "add_audit", AsyncMock(side_effect=OSError("the disk is full")))
        assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).status == 500
    assert await told(client, token) == []
    assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).status == 200
    assert await told(client, token) == [("heard", "m1", "")]


async def test_what_a_caller_does_as_the_call_ends_is_known_by_who_called(
    client: Client, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, token = await client.token("alice")
    now = await visit(client, "alice")
    await put(client, now.token, owner, "m1")
    move_message = hub._store.move_message

    async def hung_up_meanwhile(*wanted: Any) -> Any:
        hub._core.hub.calls.all.clear()
        return await move_message(*wanted)

    monkeypatch.setattr(hub._store, "move_message", hung_up_meanwhile)
    assert (await now.ask("DELETE", "/mailbox/m1")).status == 204
    [entry] = await entries(client, token)
    assert (entry["action"], entry["message"], entry["by"]["name"]) == ("deleted", "m1", "alice")


async def test_what_others_try(client: Client, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, token = await client.token("alice")
    _, other = await client.token("bob")
    await put(client, service, owner, "m1")
    given = (await link(client, token))["audio"]
    assert (await client.call("GET", given)).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(links, "LINK_SECONDS", -1)
        expired = (await link(client, token))["audio"]
    assert await told(client, token) == [("linked", "m1", ""), ("heard", "m1", ""), ("linked", "m1", "")]
    assert [each["by"] and each["by"]["name"] for each in await entries(client, token)] == [
        "alice",
        None,
        "alice",
    ]
    assert (await client.call("GET", expired)).status == 404
    for method in ("GET", "DELETE"):
        assert (await client.call(method, "/v1/mailbox/m1", other)).status == 404
    assert await told(client, other) == [("refused", "m1", "")] * 2
    everything = (await client.admin("GET", "/v1/audit")).json["entries"]
    assert [(each["action"], each["detail"]) for each in everything[:3]] == [
        ("refused", ""),
        ("refused", ""),
        ("refused", "the link is not valid: ExpiredSignatureError"),
    ]
    assert given.partition("key=")[2] not in str(everything)


async def test_pins_that_are_tried(client: Client) -> None:
    owner, token = await client.token("101")
    await client.call("PUT", "/v1/mailbox-pin", token, json={"pin": "8350"})
    bob, bobs = await client.token("bob")
    now = await visit(client, "bob")
    await put(client, now.token, owner, "m1")
    assert await now.log_in("101", "4711") == 403
    assert await now.log_in("999", "4711") == 403
    assert await now.log_in("101", "8350") == 204
    assert (await now.ask("GET", "/mailbox/m1/audio")).status == 200
    found = await entries(client, token)
    assert [(each["action"], each["by"]["raw_id"]) for each in found[:3]] == [
        ("heard", bob),
        ("opened", bob),
        ("wrong-pin", bob),
    ]
    assert found[1]["detail"] == "by call c1"
    nobody = (await client.admin("GET", "/v1/audit")).json["entries"][2]
    assert (nobody["mailbox"]["raw_id"], nobody["detail"]) == ("", "of 999")
    assert "4711" not in str(found) + str(nobody) and await entries(client, bobs) == []


async def test_each_sees_the_own_and_the_admin_all_in_pages(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    bob, other = await client.token("bob")
    for number in range(3):
        for who, its in ((owner, token), (bob, other)):
            await put(client, service, who, f"m{number}")
            await client.call("DELETE", f"/v1/mailbox/m{number}", its)
    page = (await client.call("GET", "/v1/mailbox-audit?limit=2", token)).json
    assert [each["message"] for each in page["entries"]] == ["m2", "m1"]
    rest = (await client.call("GET", f"/v1/mailbox-audit?limit=2&before={page['next']}", token)).json
    assert [each["message"] for each in rest["entries"]] == ["m0"] and rest["next"] is None
    assert len((await client.admin("GET", "/v1/audit")).json["entries"]) == 6
    for name in ("bob", bob):
        found = (await client.admin("GET", f"/v1/audit?of={name}")).json["entries"]
        assert {each["mailbox"]["raw_id"] for each in found} == {bob} and len(found) == 3
    assert (await client.call("GET", "/v1/audit", token)).status == 401
    assert (await client.call("GET", "/v1/mailbox-audit?of=bob", token)).status == 400
    for query in ("limit=0", "limit=501", "before=0", "x=1"):
        assert (await client.call("GET", f"/v1/mailbox-audit?{query}", token)).status == 400
    await client.admin("DELETE", f"/identities/{bob}?api-version=2023-10-01")
    assert len((await client.admin("GET", f"/v1/audit?of={bob}")).json["entries"]) == 3


async def test_guesses_do_not_fill_the_disk(client: Client) -> None:
    _, token = await client.token("alice")
    for number in range(200):
        assert (await client.call("GET", f"/v1/mailbox/m{number}", token)).status == 404
    assert 100 <= len(await entries(client, token, "?limit=500")) < 200


async def test_entries_go_after_their_time(client: Client, service: str, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    await put(client, service, owner, "m1")
    await client.call("DELETE", "/v1/mailbox/m1", token)

    async def after(days: float) -> list[tuple[str, str | None, str]]:
        later = datetime.now(UTC) + timedelta(days=days)
        await sweep(hub._store, hub._blobs, hub._mailbox_changed, later)
        return await told(client, token)

    assert await after(31) == [("deleted", "m1", ""), ("expired", "m1", "")]
    assert await after(AUDIT_DAYS + 1) == [("expired", "m1", "")]
    assert await after(AUDIT_DAYS + 32) == []


async def test_the_commands(client: Client, service: str, hub: HubServer, tmp_path: Path) -> None:
    owner, token = await client.token("alice")
    await put(client, service, owner, "abc1", sound=spoken(tmp_path / "m.ogg").read_bytes())
    done = await result("voicemail", "export", "abc", tmp_path / "m.wav", token=token)
    assert done.code == 0
    shown = await result("voicemail", "audit", "--json", token=token)
    assert [(each["action"], each["message"]) for each in json.loads(shown.out)] == [("exported", "abc1")]
    everything = await result("hub", "audit", "--of", "alice", "--data", hub._config.data)
    _, *cells = everything.out.split("\t")
    assert cells == ["alice", "alice", "exported", "abc1", "127.0.0.1"]
