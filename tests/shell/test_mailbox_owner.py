"""What an owner does with a mailbox by REST: have back, link, forward, set; and what others cannot."""

import asyncio
import dataclasses
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import msgspec
import pytest

from signaling import links
from signaling.config import Config
from signaling.greetings import fits, hashed
from signaling.messages import MailboxChanged
from signaling.retention import sweep
from signaling.server import HubServer
from tests.shell.hub_client import Answer, Client
from tests.shell.test_mailbox import DEFAULTS, ENVELOPE, SOUND, kept, put, service

pytestmark = pytest.mark.shell
__all__ = ["service"]


@pytest.fixture
def config(config: Config) -> Config:
    return dataclasses.replace(config, mailbox_quota=3)


async def folders(client: Client, token: str, query: str = "") -> dict[str, str]:
    listed = (await client.call("GET", f"/v1/mailbox{query}", token)).json
    return {message["id"]: message["folder"] for message in listed["messages"]}


async def move(client: Client, token: str, message_id: str, folder: str) -> Answer:
    return await client.call("PATCH", f"/v1/mailbox/{message_id}", token, json={"folder": folder})


async def test_deleted_had_back_and_deleted_for_good(client: Client, service: str, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    await put(client, service, owner, "m1")
    agent = await client.join(token)
    await client.call("DELETE", "/v1/mailbox/m1", token)
    await agent.expect(MailboxChanged(0, 0))
    assert await folders(client, token) == {}
    assert await folders(client, token, "?folder=deleted") == {"m1": "deleted"}
    assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).body == SOUND
    refused = await move(client, token, "m1", "saved")
    assert (refused.status, refused.json["error"]["code"]) == (409, "Deleted")
    assert (await move(client, token, "m1", "undeleted")).json["folder"] == "new"
    await agent.expect(MailboxChanged(1, 0))
    assert (await move(client, token, "m1", "elsewhere")).status == 400
    for _ in range(2):
        assert (await client.call("DELETE", "/v1/mailbox/m1", token)).status == 204
    assert (await client.call("DELETE", "/v1/mailbox/m1", token)).status == 404
    assert kept(hub) == []


async def test_pages(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    for number in range(5):
        envelope = ENVELOPE | {"received_at": f"2026-01-02T03:04:0{number}Z"}
        await put(client, service, owner, f"m{number}", envelope=envelope)
    first = (await client.call("GET", "/v1/mailbox?limit=3", token)).json
    assert [m["id"] for m in first["messages"]] == ["m4", "m3", "m2"] and first["next"] == "m2"
    rest = (await client.call("GET", "/v1/mailbox?limit=3&before=m2", token)).json
    assert [m["id"] for m in rest["messages"]] == ["m1", "m0"] and rest["next"] is None
    for query in ("limit=0", "folder=gone", "folder=reserved", "before=../x", "x=1"):
        assert (await client.call("GET", f"/v1/mailbox?{query}", token)).status == 400


async def link(client: Client, token: str, message_id: str = "m1") -> dict[str, Any]:
    answer = await client.call("POST", f"/v1/mailbox/{message_id}/link", token)
    assert answer.status == 200
    return dict(answer.json)


async def test_a_link_opens_one_sound_without_a_token(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    for name in ("m1", "m2"):
        await put(client, service, owner, name)
    given = await link(client, token)
    assert given["introduction"] is None
    expires = datetime.fromisoformat(given["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < expires <= timedelta(hours=1)
    answer = await client.call("GET", given["audio"])
    assert (answer.status, answer.body) == (200, SOUND)
    part = await client.call("GET", given["audio"], headers={"Range": "bytes=-3"})
    assert (part.status, part.body) == (206, SOUND[-3:])
    head = await client.call("HEAD", given["audio"])
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(SOUND)))


async def test_what_is_not_yours_is_as_if_it_were_not_there(
    client: Client, service: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, token = await client.token("alice")
    for name in ("m1", "m2"):
        await put(client, service, owner, name)
    given = (await link(client, token))["audio"]
    key = given.partition("key=")[2]
    with monkeypatch.context() as patch:
        patch.setattr(links, "LINK_SECONDS", -1)
        expired = (await link(client, token))["audio"]
    _, other = await client.token("bob")
    theirs = (await client.call("GET", "/v1/mailbox/m1/audio", other)).body
    forged = jwt.encode({"sub": owner, "message": "m1", "part": "audio"}, b"x" * 32, algorithm="HS256")
    tries = {
        "/v1/mailbox/m2/audio?key=" + key: "another message",
        "/v1/mailbox/m1/introduction?key=" + key: "another part",
        "/v1/mailbox/m9/audio?key=" + key: "no message",
        "/v1/mailbox/m1/audio?key=" + key[:-3] + "abc": "changed",
        "/v1/mailbox/m1/audio?key=" + forged: "forged",
        "/v1/mailbox/m1/audio?key=": "empty",
        "/v1/mailbox/m1/audio?key=" + token: "a token",
        expired: "expired",
    }
    for url, why in tries.items():
        caplog.clear()
        with caplog.at_level(logging.WARNING, "callnode.hub.audit"):
            answer = await client.call("GET", url)
        assert (answer.status, answer.body) == (404, theirs), why
        assert [record.message.startswith("refused: GET 'm") for record in caplog.records] == [True], why
        assert key not in caplog.text and forged not in caplog.text
    for path in ("..%2f..%2fhub.sqlite", "%2e%2e", "m1%00", "x" * 3000):
        answer = await client.call("GET", f"/v1/mailbox/{path}/audio", token)
        assert answer.status in (400, 404), path


async def test_links_of_a_revoked_or_deleted_user_are_void(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    await put(client, service, owner, "m1")
    given = (await link(client, token))["audio"]
    await client.admin("POST", f"/identities/{owner}/:revokeAccessTokens?api-version=2023-10-01")
    assert (await client.call("GET", given)).status == 404
    _, token = await client.token("alice")
    given = (await link(client, token))["audio"]
    assert (await client.call("GET", given)).status == 200
    await client.admin("DELETE", f"/identities/{owner}?api-version=2023-10-01")
    assert (await client.call("GET", given)).status == 404


async def forward(
    client: Client, token: str, to: str, introduction: bytes | None = None, seconds: float | None = None
) -> Answer:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("forward", msgspec.json.encode({"to": to, "introduction": seconds}).decode())
    if introduction is not None:
        form.add_field("audio", introduction, filename="introduction.ogg", content_type="audio/ogg")
    return await client.call("POST", "/v1/mailbox/m1/forward", token, data=form)


async def test_forwarded_with_an_introduction(client: Client, service: str) -> None:
    owner, token = await client.token("alice", display_name="Alice")
    _, other = await client.token("bob")
    await put(client, service, owner, "m1")
    agent = await client.join(other)
    assert (await forward(client, token, "bob", b"OggS hello", 1.5)).status == 201
    await agent.expect(MailboxChanged(1, 0))
    [message] = (await client.call("GET", "/v1/mailbox", other)).json["messages"]
    sender = {"raw_id": owner, "display_name": "Alice", "name": "alice"}
    changed = {"forwarded_by": sender, "introduction": 1.5, "received_at": message["received_at"]}
    assert message == DEFAULTS | ENVELOPE | changed | {"id": message["id"], "folder": "new"}
    given = await link(client, other, message["id"])
    assert (await client.call("GET", given["introduction"])).body == b"OggS hello"
    assert (await client.call("GET", given["audio"])).body == SOUND
    await client.call("DELETE", "/v1/mailbox/m1", token)
    assert (await client.call("GET", given["audio"])).body == SOUND


@pytest.mark.parametrize(
    ("to", "sound", "seconds", "said"),
    [
        ("nobody", None, None, "no user"),
        ("alice", None, None, "already"),
        ("bob", b"RIFF", 1.0, "no Ogg"),
        ("bob", b"OggS", None, "neither"),
        ("bob", None, 1.0, "neither"),
    ],
)
async def test_a_forward_that_is_refused_leaves_nothing(
    client: Client,
    service: str,
    hub: HubServer,
    to: str,
    sound: bytes | None,
    seconds: float | None,
    said: str,
) -> None:
    owner, token = await client.token("alice")
    _, other = await client.token("bob")
    await put(client, service, owner, "m1")
    answer = await forward(client, token, to, sound, seconds)
    assert answer.status == 400 and said in answer.json["error"]["message"]
    assert await folders(client, other) == {} and len(kept(hub)) == 1


async def test_quota_and_the_last_place(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    sender, bobs = await client.token("bob")
    path = f"/v1/mailboxes/{owner}/messages/"
    await put(client, service, owner, "m1")
    await put(client, service, owner, "m2")
    two = await asyncio.gather(*(client.call("POST", path + name, service) for name in ("r1", "r2")))
    assert sorted(answer.json["full"] for answer in two) == [False, True]
    await put(client, service, sender, "m1")
    full = await forward(client, bobs, "alice")
    assert (full.status, full.json["error"]["code"]) == (409, "Full")
    winner = "r1" if two[0].json["full"] is False else "r2"
    assert (await client.call("DELETE", path + winner, service)).status == 204
    assert (await client.call("POST", path + "r3", service)).json["full"] is False
    assert (await put(client, service, owner, "r3")).status == 201
    # What was recorded is filed, place or not: a crash may have cost it.
    assert (await put(client, service, owner, "r4")).status == 201
    assert (await client.call("POST", path + "r5", service)).json["full"] is True
    await client.call("DELETE", "/v1/mailbox/r4", token)
    await client.call("DELETE", "/v1/mailbox/r3", token)
    assert (await client.call("POST", path + "r5", service)).json["full"] is False
    assert (await client.call("POST", path + "r6", token)).status == 403


async def test_settings_and_reception(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    await client.token("bob")
    given = (await client.call("GET", "/v1/mailbox-settings", token)).json
    assert given == {
        "answer": "record",
        "language": "en",
        "operator": None,
        "retention_days": None,
        "webhook": None,
        "mail": None,
    }
    wanted = given | {"answer": "greeting_only", "language": "de", "operator": "bob", "retention_days": 7}
    assert (await client.call("PUT", "/v1/mailbox-settings", token, json=wanted)).json == wanted
    for change in ({"operator": "nobody"}, {"operator": "alice"}, {"language": "xx"}, {"retention_days": 0}):
        refused = await client.call("PUT", "/v1/mailbox-settings", token, json=wanted | change)
        assert refused.status == 400, change
    for kind in ("busy", "temporary"):
        answer = await client.call(
            "PUT", f"/v1/mailbox-greetings/{kind}", token, data=b"OggS" + kind.encode()
        )
        assert answer.status == 204
    reception = (await client.call("POST", f"/v1/mailboxes/{owner}/messages/m1", service)).json
    assert reception == {"full": False, "settings": wanted, "greetings": ["busy", "temporary"]}
    greeting = await client.call("GET", f"/v1/mailboxes/{owner}/greetings/busy", service)
    assert greeting.body == b"OggSbusy"
    for missing in ("away", "../m1", "m1"):
        gone = await client.call("GET", f"/v1/mailboxes/{owner}/greetings/{missing}", service)
        assert gone.status == 404


async def test_greetings(client: Client) -> None:
    _, token = await client.token("alice")
    path = "/v1/mailbox-greetings"
    assert (await client.call("PUT", f"{path}/away", token, data=b"OggS 1")).status == 204
    assert (await client.call("GET", path, token)).json == ["away"]
    assert (await client.call("GET", f"{path}/away", token)).body == b"OggS 1"
    assert (await client.call("PUT", f"{path}/away", token, data=b"RIFF")).status == 400
    assert (await client.call("GET", f"{path}/away", token)).body == b"OggS 1"
    assert (await client.call("PUT", f"{path}/party", token, data=b"OggS")).status == 400
    assert (await client.call("DELETE", f"{path}/away", token)).status == 204
    assert (await client.call("GET", f"{path}/away", token)).status == 404
    assert (await client.call("GET", path, token)).json == []


async def test_a_pin_is_kept_as_a_hash(client: Client, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    for bad in ("123", "1234567890123", "12a4", "1111", "1234", "8765"):
        assert (await client.call("PUT", "/v1/mailbox-pin", token, json={"pin": bad})).status == 400, bad
    assert (await client.call("PUT", "/v1/mailbox-pin", token, json={"pin": "8350"})).status == 204
    pin = (await hub._store.box(owner)).pin
    assert "8350" not in pin and fits("8350", pin) and not fits("8351", pin)
    assert hashed("8350") != hashed("8350")
    assert (await client.call("DELETE", "/v1/mailbox-pin", token)).status == 204
    assert (await hub._store.box(owner)).pin == ""


async def test_retention_takes_sounds_along(client: Client, service: str, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    for name in ("m1", "m2", "m3"):
        await put(client, service, owner, name)
    settings = {"retention_days": 7}
    await client.call("PUT", "/v1/mailbox-settings", token, json=settings)
    await move(client, token, "m1", "saved")
    await client.call("DELETE", "/v1/mailbox/m2", token)
    agent = await client.join(token)
    await sweep(hub._store, hub._blobs, hub._mailbox_changed, datetime.now(UTC) + timedelta(days=8))
    await agent.expect(MailboxChanged(1, 0))
    assert await folders(client, token) == {"m3": "new"}
    assert await folders(client, token, "?folder=deleted") == {}
    assert [path.name for path in kept(hub)] == ["m3"]


async def test_a_lost_or_empty_sound_is_told_and_holds_up_no_other(
    client: Client, service: str, hub: HubServer
) -> None:
    owner, token = await client.token("alice")
    for name in ("m1", "m2", "m3"):
        await put(client, service, owner, name)
    for path in kept(hub):
        if path.name == "m1":
            path.write_bytes(b"")
        elif path.name == "m2":
            path.unlink()
    for name in ("m1", "m2"):
        answer = await client.call("GET", f"/v1/mailbox/{name}/audio", token)
        assert (answer.status, answer.json["error"]["code"]) == (410, "SoundLost")
    assert (await forward(client, token, "alice")).status == 400
    await client.token("bob")
    assert (await forward(client, token, "bob")).status in (400, 410)
    assert (await client.call("GET", "/v1/mailbox/m3/audio", token)).body == SOUND
    assert (await client.call("DELETE", "/v1/mailbox/m1", token)).status == 204
