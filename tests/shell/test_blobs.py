"""A blob is there whole or not at all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signaling.blobs import Blobs, FolderBlobs, TooLargeError
from signaling.sealed_blobs import SealedBlobs
from signaling.sealing import StorageKeys

pytestmark = pytest.mark.shell

OWNER = "8:acs:../../x"


@pytest.fixture(params=["plain", "sealed"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    opened: Blobs = FolderBlobs(tmp_path / "blobs")
    if request.param == "sealed":
        opened = SealedBlobs(opened, StorageKeys([bytes(32)]))
    yield opened
    opened.close()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


async def test_put_find_delete(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(OWNER, "m1", chunks(b"ab", b"c"), 3)
    assert await blobs.size(OWNER, "m1") == 3
    assert len(files(tmp_path)) == 1
    assert await blobs.size("another", "m1") is None
    await blobs.delete(OWNER, "m1")
    await blobs.delete(OWNER, "m1")
    assert await blobs.size(OWNER, "m1") is None
    assert files(tmp_path) == []


async def test_a_part_of_a_blob(blobs: Blobs) -> None:
    whole = bytes(range(256)) * 1024
    await blobs.put(OWNER, "m1", chunks(whole), len(whole))

    async def read(start: int, stop: int | None) -> bytes:
        return b"".join([chunk async for chunk in blobs.read(OWNER, "m1", start, stop)])

    assert await read(0, None) == whole
    edges = ((0, 1), (65535, 65537), (65536, 131072), (100, 200_000), (262_143, 262_144), (5, 5))
    for start, stop in (*edges, (16_384, 16_385), (262_000, 999_999), (262_144, 262_145)):
        assert await read(start, stop) == whole[start:stop], (start, stop)
    assert await read(262_000, None) == whole[262_000:]
    with pytest.raises(OSError, match="No such file"):
        await anext(blobs.read(OWNER, "m2"))


async def test_deleting_an_owner(blobs: Blobs, tmp_path: Path) -> None:
    for owner in (OWNER, "b"):
        await blobs.put(owner, "m1", chunks(b"x"), 1)
    assert await blobs.names(OWNER) == ["m1"]
    await blobs.delete_owner(OWNER)
    await blobs.delete_owner("nobody")
    assert await blobs.names(OWNER) == []
    assert await blobs.size(OWNER, "m1") is None
    assert await blobs.size("b", "m1") is not None


async def test_too_large_keeps_nothing(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(TooLargeError):
        await blobs.put(OWNER, "m1", chunks(b"ab", b"cd"), 3)
    assert await blobs.size(OWNER, "m1") is None
    assert files(tmp_path) == []


async def test_a_writer_that_is_cancelled_keeps_nothing(blobs: Blobs, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"ab"
        begun.set()
        await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(blobs.put(OWNER, "m1", endless(), 10))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await blobs.size(OWNER, "m1") is None
    assert files(tmp_path) == []


async def test_parts_of_a_crash_are_removed_at_start(tmp_path: Path) -> None:
    folder = tmp_path / "blobs" / "someone"
    folder.mkdir(parents=True)
    (tmp_path / "blobs" / "0011.part").write_bytes(b"half")
    (folder / "m2").write_bytes(b"whole")
    FolderBlobs(tmp_path / "blobs").close()
    assert [path.name for path in files(tmp_path)] == ["m2"]
