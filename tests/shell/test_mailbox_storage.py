"""A hub that encrypts what it keeps, and one that cannot keep it: told, and the next message is reachable."""

import base64
import dataclasses
import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from signaling.config import STORAGE_KEY_VARIABLE, Config, ConfigError, check_keys
from signaling.sealing import StorageKeys
from signaling.server import HubServer
from tests.program import result
from tests.shell.hub_client import Client
from tests.shell.test_mailbox import SOUND, kept, put, service
from tests.shell.test_mailbox_owner import forward, link

pytestmark = pytest.mark.shell
__all__ = ["service"]

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def given(*keys: bytes) -> dict[str, str]:
    return {STORAGE_KEY_VARIABLE: " ".join(base64.b64encode(key).decode() for key in keys)}


@pytest.fixture
def config(config: Config) -> Config:
    return dataclasses.replace(config, storage_keys=StorageKeys([OLD]))


async def test_everything_is_encrypted_and_served_as_ever(
    client: Client, service: str, hub: HubServer
) -> None:
    owner, token = await client.token("alice")
    _, other = await client.token("bob")
    await put(client, service, owner, "m1")
    path, said = f"/v1/mailboxes/{owner}/messages/m1/transcript", {"text": "OggS said"}
    assert (await client.call("PUT", path, service, json=said)).status == 204
    assert (await forward(client, token, "bob", b"OggS introduction", 1.5)).status == 201
    path = "/v1/mailbox-greetings/busy"
    assert (await client.call("PUT", path, token, data=b"OggS greeting")).status == 204
    assert len(kept(hub)) == 6 and not any(b"OggS" in path.read_bytes() for path in kept(hub))

    [copy] = (await client.call("GET", "/v1/mailbox", other)).json["messages"]
    assert copy["transcript"] == "OggS said"
    assert not any(b"OggS" in path.read_bytes() for path in hub._config.data.glob("hub.sqlite*"))
    opened = await link(client, other, copy["id"])
    assert (await client.call("GET", opened["introduction"])).body == b"OggS introduction"
    assert (await client.call("GET", path, token)).body == b"OggS greeting"
    length = len(SOUND)
    for start, stop in ((0, length), (4, 8), (16_380, 16_390), (length - 1, length), (20_000, 90_000)):
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        for url, who in (("/v1/mailbox/m1/audio", token), (opened["audio"], "")):
            part = await client.call("GET", url, who, headers=headers)
            assert (part.status, part.body) == (206, SOUND[start:stop])
            assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{length}"


async def test_damaged_sounds_are_told_and_hold_up_no_other(
    client: Client, service: str, hub: HubServer
) -> None:
    owner, token = await client.token("alice")
    for name in ("empty", "header", "middle", "cut", "whole"):
        await put(client, service, owner, name)
    paths = {path.name: path for path in kept(hub)}
    stored = paths["whole"].read_bytes()
    paths["empty"].write_bytes(b"")
    paths["header"].write_bytes(stored[:20])
    paths["middle"].write_bytes(stored[:40_000] + bytes(10) + stored[40_010:])
    mine = paths["cut"].read_bytes()
    paths["cut"].write_bytes(mine[:50_000])
    for name, status, code in (("empty", 410, "SoundLost"), ("header", 503, "SoundUnreadable")):
        answer = await client.call("GET", f"/v1/mailbox/{name}/audio", token)
        assert (answer.status, answer.json["error"]["code"]) == (status, code)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.call("GET", "/v1/mailbox/middle/audio", token)
    cut = await client.call("GET", "/v1/mailbox/cut/audio", token)
    assert cut.status == 200 and cut.body == SOUND[: len(cut.body)] and len(cut.body) == 3 * 16_384
    assert (await client.call("GET", "/v1/mailbox/whole/audio", token)).body == SOUND
    assert (await client.call("GET", "/health")).status == 200


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 4 MB: errno EFBIG, as ENOSPC comes from a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_folder(hub: HubServer) -> Iterator[None]:
    """Put a file in the place of the folder of sounds: no rights let even root write below it."""
    folder = hub._config.data / "voicemail"
    shutil.move(folder, folder.with_name("away"))
    folder.write_bytes(b"")
    try:
        yield
    finally:
        folder.unlink()
        shutil.move(folder.with_name("away"), folder)


@pytest.mark.parametrize("trouble", ["full", "no folder"])
async def test_what_cannot_be_kept_is_told_and_can_be_filed_later(
    client: Client, service: str, hub: HubServer, trouble: str
) -> None:
    owner, token = await client.token("alice")
    await put(client, service, owner, "m1")
    huge = SOUND * 50 if trouble == "full" else SOUND
    with full_disk() if trouble == "full" else no_folder(hub):
        answer = await put(client, service, owner, "m2", sound=huge)
        assert (answer.status, answer.json["error"]["code"]) == (507, "NotKept")
        assert "cannot keep the sound: " in answer.json["error"]["message"]
        greeting = await client.call("PUT", "/v1/mailbox-greetings/busy", token, data=huge)
        assert greeting.status == 507
        if trouble == "no folder":
            assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).status in (410, 503)
    assert (await put(client, service, owner, "m2", sound=huge)).status == 201
    assert sorted(path.name for path in kept(hub)) == ["m1", "m2"]
    assert (await client.call("GET", "/v1/mailbox/m1/audio", token)).body == SOUND
    assert (await client.call("GET", "/v1/mailbox/m2/audio", token)).body == huge


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder; see `no folder`")
async def test_a_read_only_folder_is_told(client: Client, service: str, hub: HubServer) -> None:
    owner, _ = await client.token("alice")
    folder = hub._config.data / "voicemail"
    folder.chmod(0o500)
    try:
        assert (await put(client, service, owner, "m1")).status == 507
    finally:
        folder.chmod(0o700)
    assert (await put(client, service, owner, "m1")).status == 201


async def test_the_key_is_changed(client: Client, service: str, hub: HubServer, tmp_path: Path) -> None:
    owner, _ = await client.token("alice")
    await put(client, service, owner, "m1")
    data = hub._config.data
    await hub.stop()
    new, both = StorageKeys([NEW]), StorageKeys([NEW, OLD])
    with pytest.raises(ConfigError, match="nothing is lost"):
        await HubServer(dataclasses.replace(hub._config, storage_keys=new)).start()
    check_keys(data, both)  # as a hub does that has both
    waiting = data / "recordings" / "m2.ogg.part"
    waiting.parent.mkdir()
    waiting.write_bytes(StorageKeys([OLD]).wrapper("m2")(b"OggS"))
    unfinished = await result("hub", "rewrap", "--data", data, **given(NEW, OLD))
    assert unfinished.code == 1 and "run voicemail once" in unfinished.err
    waiting.unlink()
    keys = tmp_path / "keys"
    keys.write_text("\n".join(given(NEW, OLD)[STORAGE_KEY_VARIABLE].split()))
    done = await result("hub", "rewrap", "--data", data, "--storage-key-file", keys, "--json")
    assert done.code == 0
    assert json.loads(done.out) == {"key": new.names[0], "sounds": 1, "failed": []}
    async with HubServer(dataclasses.replace(hub._config, storage_keys=new)) as second:
        again = Client(second, client.http)
        _, token = await again.token("alice")
        assert (await again.call("GET", "/v1/mailbox/m1/audio", token)).body == SOUND


def test_no_key_is_ever_shown(config: Config) -> None:
    shown = repr(config) + repr(config.storage_keys)
    assert OLD.hex() not in shown and given(OLD)[STORAGE_KEY_VARIABLE] not in shown
