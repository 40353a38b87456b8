"""Sound at rest is encrypted, cannot be changed or swapped unseen, and outlives its keys only with them."""

import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signaling import config as configuration
from signaling.blobs import Blobs, FolderBlobs
from signaling.config import ConfigError, check_keys, storage_keys
from signaling.sealed_blobs import SealedBlobs
from signaling.sealing import HEAD_BYTES, KeyMissingError, SealError, StorageKeys

pytestmark = pytest.mark.shell

OLD, NEW = bytes(32), bytes([1]) * 32
CHUNK = 16 * 1024
SOUND = b"OggS" + secrets.token_bytes(3 * CHUNK)
NAMES = ("m1", "m2")


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[FolderBlobs]:
    opened = FolderBlobs(tmp_path)
    yield opened
    opened.close()


def file(tmp_path: Path, name: str = "m1") -> Path:
    return next(tmp_path.rglob(name))


async def put(blobs: Blobs, name: str = "m1", owner: str = "alice", sound: bytes = SOUND) -> None:
    async def whole() -> AsyncIterator[bytes]:
        yield sound

    await blobs.put(owner, name, whole(), len(sound))


async def read(blobs: Blobs, name: str = "m1", start: int = 0, owner: str = "alice") -> bytes:
    return b"".join([chunk async for chunk in blobs.read(owner, name, start)])


async def test_nothing_of_a_sound_is_to_be_seen(folder: FolderBlobs, tmp_path: Path) -> None:
    blobs = SealedBlobs(folder, StorageKeys([OLD]))
    for name in NAMES:
        await put(blobs, name)
    stored = [file(tmp_path, name).read_bytes() for name in NAMES]
    assert not any(SOUND[at : at + 16] in each for each in stored for at in range(0, len(SOUND), 16))
    assert stored[0][HEAD_BYTES:] != stored[1][HEAD_BYTES:]  # the same sound, sealed twice
    assert await read(blobs) == await read(blobs, "m2") == SOUND


async def test_what_is_changed_swapped_or_moved_is_noticed(folder: FolderBlobs, tmp_path: Path) -> None:
    blobs = SealedBlobs(folder, StorageKeys([OLD]))
    for name in NAMES:
        await put(blobs, name)
    path, stored = file(tmp_path), file(tmp_path).read_bytes()
    for at in (10, 20, HEAD_BYTES, HEAD_BYTES + CHUNK + 20):
        path.write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
        with pytest.raises(SealError):
            await read(blobs)
    stride = CHUNK + 16
    first, second = (stored[HEAD_BYTES + n * stride : HEAD_BYTES + (n + 1) * stride] for n in (0, 1))
    path.write_bytes(stored[:HEAD_BYTES] + second + first + stored[HEAD_BYTES + 2 * stride :])
    with pytest.raises(SealError):
        await read(blobs)
    path.write_bytes(file(tmp_path, "m2").read_bytes())
    with pytest.raises(SealError):
        await read(blobs)
    path.write_bytes(stored)
    assert await read(blobs) == SOUND


async def test_a_sound_that_breaks_off_is_there_up_to_where_it_does(
    folder: FolderBlobs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blobs = SealedBlobs(folder, StorageKeys([OLD]))
    await put(blobs)
    path, stored = file(tmp_path), file(tmp_path).read_bytes()
    for size in (len(stored) - 1, HEAD_BYTES + 2 * (CHUNK + 16), HEAD_BYTES + CHUNK + 17, HEAD_BYTES + 5):
        path.write_bytes(stored[:size])
        caplog.clear()
        left = (size - HEAD_BYTES) // (CHUNK + 16) * CHUNK
        assert await blobs.size("alice", "m1") == left
        assert "breaks off" in caplog.text
        assert await read(blobs) == SOUND[:left]
    path.write_bytes(b"")
    assert await blobs.size("alice", "m1") == 0
    path.write_bytes(stored[: HEAD_BYTES - 1])
    with pytest.raises(SealError, match="beginning"):
        await blobs.size("alice", "m1")


async def test_a_key_that_is_missing_loses_nothing(folder: FolderBlobs) -> None:
    await put(SealedBlobs(folder, StorageKeys([OLD])))
    others = SealedBlobs(folder, StorageKeys([NEW]))
    for asked in (others.size("alice", "m1"), read(others)):
        with pytest.raises(KeyMissingError, match="was not given"):
            await asked
    assert await read(SealedBlobs(folder, StorageKeys([NEW, OLD]))) == SOUND


async def test_keys_are_changed_in_steps_that_can_be_broken_off(folder: FolderBlobs, tmp_path: Path) -> None:
    await put(folder, "plain")
    await put(SealedBlobs(folder, StorageKeys([OLD])), "old", "bob")
    both = SealedBlobs(folder, StorageKeys([NEW, OLD]))
    await put(both, "new", "bob")
    for name, owner in (("plain", "alice"), ("old", "bob"), ("new", "bob")):
        assert await read(both, name, 5, owner) == SOUND[5:]
    untouched = file(tmp_path, "new").stat().st_mtime_ns
    owners = ("alice", "bob", "carol")
    async for step in both.rewrap(owners):
        assert step == (1, 3, "")
        break
    assert [step async for step in both.rewrap(owners)] == [(n, 3, "") for n in (1, 2, 3)]
    assert file(tmp_path, "new").stat().st_mtime_ns == untouched
    alone = SealedBlobs(folder, StorageKeys([NEW]))
    for name, owner in (("plain", "alice"), ("old", "bob"), ("new", "bob")):
        assert await read(alone, name, 0, owner) == SOUND
    await put(SealedBlobs(folder, StorageKeys([OLD])), "lost")
    failures = [wrong async for *_, wrong in alone.rewrap(owners) if wrong]
    assert len(failures) == 1 and "lost of alice: sealed with the storage key" in failures[0]
    assert await read(both, "lost") == SOUND


def test_records_open_up_to_where_a_crash_cut_them_off() -> None:
    keys = StorageKeys([OLD])
    wrap = keys.wrapper("m1")
    records = [b"head", b"x" * 60_000, b"", b"end"]
    stored = [wrap(record) for record in records]
    whole = b"".join(stored)
    assert keys.unwrap("m1", whole) == b"".join(records)
    for cut in (len(stored[0]), len(stored[0]) + 100, len(whole) - 1, len(whole) - len(stored[-1]) + 2):
        assert b"".join(records).startswith(keys.unwrap("m1", whole[:cut]))
    assert keys.unwrap("m1", whole[: len(stored[0]) + 100]) == b"head"
    assert keys.unwrap("m2", whole) == b""
    assert keys.unwrap("m1", b"OggS plain") == b"OggS plain" and keys.unwrap("m1", b"") == b""
    with pytest.raises(KeyMissingError):
        StorageKeys([NEW]).unwrap("m1", whole)


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_keys_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{encoded(NEW)}\n{encoded(OLD)}\n")
    given = {configuration.STORAGE_KEY_VARIABLE: f"{encoded(NEW)},{encoded(OLD)}"}
    names = StorageKeys([NEW, OLD]).names
    for keys in (storage_keys(path, {}), storage_keys(None, given)):
        assert keys is not None and keys.names == names
    assert storage_keys(None, {}) is None
    for text, said in (("", "no storage key"), ("not base64!", "base64"), ("AAAA", "at least 32 bytes")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said) as error:
            storage_keys(path, {})
        assert str(path) in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        storage_keys(tmp_path, {})


def test_a_hub_does_not_start_without_a_key_it_needs(tmp_path: Path) -> None:
    check_keys(tmp_path, None)
    assert not list(tmp_path.iterdir())
    check_keys(tmp_path, StorageKeys([OLD]))
    check_keys(tmp_path, StorageKeys([NEW, OLD]))
    old, new = StorageKeys([OLD]), StorageKeys([NEW])
    for keys in (None, new, old):
        with pytest.raises(ConfigError, match="nothing is lost"):
            check_keys(tmp_path, keys)
    check_keys(tmp_path, StorageKeys([NEW, OLD]), rewrapped=True)
    check_keys(tmp_path, new)
    with pytest.raises(ConfigError, match=new.names[0]):
        check_keys(tmp_path, old)
