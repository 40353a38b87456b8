"""Mailboxes: the service files, the owner reads, nobody else sees anything."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from signaling import sounds
from signaling.messages import MailboxChanged
from signaling.server import HubServer
from tests.shell.hub_client import Answer, Client

pytestmark = pytest.mark.shell

SOUND = b"OggS" + bytes(range(256)) * 400
ENVELOPE = {
    "caller": {"raw_id": "8:acs:c", "display_name": "Carol"},
    "received_at": "2026-01-02T03:04:05Z",
    "duration": 2.5,
    "peaks": [0, 128, 255],
}
DEFAULTS = {
    "transferor": None,
    "gain_db": 0.0,
    "urgent": False,
    "forwarded_by": None,
    "introduction": None,
    "transcript": None,
}


@pytest.fixture
async def service(client: Client) -> str:
    return (await client.token("voicemail", voicemail=True))[1]


async def put(
    client: Client,
    token: str,
    owner: str,
    message_id: str,
    *,
    envelope: Any = ENVELOPE,
    sound: bytes = SOUND,
    query: str = "",
) -> Answer:
    form = aiohttp.FormData()
    form.add_field("envelope", msgspec.json.encode(envelope).decode(), content_type="application/json")
    form.add_field("audio", BytesIO(sound), filename="m.ogg", content_type="audio/ogg")
    path = f"/v1/mailboxes/{owner}/messages/{message_id}{query}"
    return await client.call("PUT", path, token, data=form)


async def test_filed_listed_played_moved_deleted(client: Client, service: str, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    agent = await client.join(token)
    assert (await put(client, service, owner, "m1")).status == 201
    await agent.expect(MailboxChanged(1, 0))
    listed = (await client.call("GET", "/v1/mailbox", token)).json
    assert (listed["new"], listed["saved"]) == (1, 0)
    [message] = listed["messages"]
    assert message == DEFAULTS | ENVELOPE | {"id": "m1", "folder": "new"}
    assert (await client.call("GET", "/v1/mailbox/m1", token)).json == message

    sound = await client.call("GET", "/v1/mailbox/m1/audio", token)
    assert (sound.status, sound.body, sound.headers["Content-Type"]) == (200, SOUND, "audio/ogg")
    part = await client.call("GET", "/v1/mailbox/m1/audio", token, headers={"Range": "bytes=4-7"})
    assert (part.status, part.body) == (206, SOUND[4:8])
    assert part.headers["Content-Range"] == f"bytes 4-7/{len(SOUND)}"
    beyond = await client.call("GET", "/v1/mailbox/m1/audio", token, headers={"Range": "bytes=999999-"})
    assert beyond.status == 416

    moved = await client.call("PATCH", "/v1/mailbox/m1", token, data=b'{"folder":"saved"}')
    assert moved.json["folder"] == "saved"
    await agent.expect(MailboxChanged(0, 1))
    assert (await client.call("PATCH", "/v1/mailbox/m1", token, data=b'{"folder":"x"}')).status == 400
    assert (await client.call("DELETE", "/v1/mailbox/m1", token)).status == 204
    await agent.expect(MailboxChanged(0, 0))
    assert (await client.call("GET", "/v1/mailbox", token)).json["messages"] == []
    assert len(kept(hub)) == 1


def kept(hub: HubServer) -> list[Path]:
    return [path for path in (hub._config.data / "voicemail").rglob("*") if path.is_file()]


async def test_the_same_message_is_filed_once(client: Client, service: str, hub: HubServer) -> None:
    owner, token = await client.token("alice")
    statuses = sorted(
        answer.status
        for answer in await asyncio.gather(*(put(client, service, owner, "m1") for _ in range(4)))
    )
    assert statuses == [200, 200, 200, 201]
    assert (await put(client, service, owner, "m1")).status == 200
    assert len((await client.call("GET", "/v1/mailbox", token)).json["messages"]) == 1
    for _ in range(2):
        await client.call("DELETE", "/v1/mailbox/m1", token)
    assert (await put(client, service, owner, "m1")).status == 200
    assert (await client.call("GET", "/v1/mailbox", token)).json["messages"] == []
    assert kept(hub) == []


async def test_twenty_at_once(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    answers = await asyncio.gather(*(put(client, service, owner, f"m{n}") for n in range(20)))
    assert {answer.status for answer in answers} == {201}
    listed = (await client.call("GET", "/v1/mailbox", token)).json
    assert {message["id"] for message in listed["messages"]} == {f"m{n}" for n in range(20)}
    assert listed["new"] == 20


async def test_a_long_message_arrives_whole(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    sound = SOUND * 60
    assert (await put(client, service, owner, "m1", sound=sound)).status == 201
    assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).body == sound


async def test_a_message_whose_owner_is_deleted_meanwhile(
    client: Client, service: str, hub: HubServer
) -> None:
    owner, _ = await client.token("alice")
    arrived = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        head = b"--x\r\nContent-Disposition: form-data; name="
        yield head + b'"envelope"\r\n\r\n' + msgspec.json.encode(ENVELOPE) + b"\r\n"
        yield head + b'"audio"\r\n\r\n' + SOUND
        await client.admin("DELETE", f"/identities/{owner}?api-version=2023-10-01")
        arrived.set()
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    path = f"/v1/mailboxes/{owner}/messages/m1"
    answer = await client.call("PUT", path, service, data=slowly(), headers=headers)
    assert arrived.is_set()
    assert answer.status == 404
    assert kept(hub) == []


async def test_anothers_message_is_as_if_it_were_not_there(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    _, other = await client.token("bob")
    await put(client, service, owner, "m1")
    for method, path in (
        ("GET", "/v1/mailbox/{}"),
        ("GET", "/v1/mailbox/{}/audio"),
        ("PATCH", "/v1/mailbox/{}"),
        ("DELETE", "/v1/mailbox/{}"),
    ):
        for who in (other, service):
            theirs = await client.call(method, path.format("m1"), who, data=b'{"folder":"saved"}')
            nothing = await client.call(method, path.format("m9"), who, data=b'{"folder":"saved"}')
            assert (theirs.status, theirs.body) == (404, nothing.body)
    assert (await client.call("GET", "/v1/mailbox/m1", token)).json["folder"] == "new"


async def test_only_the_service_files(client: Client, service: str) -> None:
    owner, token = await client.token("alice")
    refused = await put(client, token, owner, "m1")
    assert (refused.status, refused.json["error"]["code"]) == (403, "Forbidden")
    assert (await put(client, "", owner, "m1")).status == 401
    assert (await put(client, service, "8:acs:nobody", "m1")).status == 404


@pytest.mark.parametrize(
    ("change", "sound", "said"),
    [
        ({"duration": -1}, SOUND, "duration"),
        ({"received_at": "2026-01-02T03:04:05"}, SOUND, "received_at"),
        ({"caller": {}}, SOUND, "raw_id"),
        ({"peaks": [-1]}, SOUND, "peaks"),
        ({}, b"RIFF....", "no Ogg"),
        ({}, b"", "empty"),
    ],
)
async def test_what_does_not_fit_is_not_filed(
    client: Client, service: str, hub: HubServer, change: dict[str, Any], sound: bytes, said: str
) -> None:
    owner, token = await client.token("alice")
    answer = await put(client, service, owner, "m1", envelope=ENVELOPE | change, sound=sound)
    assert answer.status == 400
    assert said in answer.json["error"]["message"]
    assert (await client.call("GET", "/v1/mailbox", token)).json["messages"] == []
    assert kept(hub) == []


async def test_bodies_that_are_no_message(client: Client, service: str) -> None:
    owner, _ = await client.token("alice")
    path = f"/v1/mailboxes/{owner}/messages/m1"
    assert (await client.call("PUT", path, service, data=b"{}")).status == 400
    swapped = aiohttp.FormData()
    swapped.add_field("audio", SOUND, filename="m.ogg")
    assert (await client.call("PUT", path, service, data=swapped)).status == 400
    alone = aiohttp.FormData(default_to_multipart=True)
    alone.add_field("envelope", msgspec.json.encode(ENVELOPE).decode())
    assert (await client.call("PUT", path, service, data=alone)).status == 400
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await client.call("PUT", path, service, data=b"--y--", headers=headers)).status == 400
    headers = {"Content-Type": "multipart/form-data"}
    assert (await client.call("PUT", path, service, data=b"--y--", headers=headers)).status == 400
    assert (await put(client, service, owner, "no.dots")).status == 400


async def test_too_large(
    client: Client, service: str, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, token = await client.token("alice")
    monkeypatch.setattr(sounds, "MAX_AUDIO", 1000)
    answer = await put(client, service, owner, "m1")
    assert (answer.status, answer.json["error"]["code"]) == (413, "TooLarge")
    huge = ENVELOPE | {"later": "x" * 70_000}
    assert (await put(client, service, owner, "m1", envelope=huge)).status == 413
    assert kept(hub) == []
    assert (await client.call("GET", "/v1/mailbox", token)).json["messages"] == []


async def test_a_deleted_user_leaves_no_sound(client: Client, service: str, hub: HubServer) -> None:
    owner, _ = await client.token("alice")
    await put(client, service, owner, "m1")
    assert len(kept(hub)) == 1
    deleted = await client.admin("DELETE", f"/identities/{owner}?api-version=2023-10-01")
    assert deleted.status == 204
    assert kept(hub) == []
