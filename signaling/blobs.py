"""Recorded sound: one protocol, an implementation a file. Here: a folder."""

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

T = TypeVar("T")

CHUNK = 64 * 1024


class TooLargeError(Exception):
    """A blob beyond its size limit; nothing of it was kept."""


class Blobs(Protocol):
    """Large immutable values, grouped by owner."""

    async def put(self, owner: str, name: str, chunks: AsyncIterator[bytes], limit: int) -> None:
        """Write a blob, whole or not at all; raises TooLargeError beyond `limit` bytes."""
        ...

    async def size(self, owner: str, name: str) -> int | None:
        """Return how many bytes a blob has, None if there is none."""
        ...

    def read(
        self, owner: str, name: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` until `stop` or the end; raises OSError if they cannot be read."""
        ...

    async def delete(self, owner: str, name: str) -> None:
        """Delete a blob; one that is not there is no error."""
        ...

    async def delete_owner(self, owner: str) -> None:
        """Delete all blobs of an owner."""
        ...

    async def names(self, owner: str) -> list[str]:
        """Return the names of all blobs of an owner."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class FolderBlobs:
    """Keep blobs as files below a folder; parts that a crash left there are removed at start."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="callnode-blobs")
        root.mkdir(parents=True, exist_ok=True)
        for part in root.glob("*.part"):
            part.unlink()

    async def put(self, owner: str, name: str, chunks: AsyncIterator[bytes], limit: int) -> None:
        """Write part, fsync, rename; raises TooLargeError beyond `limit` bytes."""
        path = self._path(owner, name)
        part = _Part(self._root, path)
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLargeError
                await self._run(partial(part.write, chunk))
            await self._run(part.finish)
        finally:
            # Queued behind whatever still runs, also when this task is cancelled.
            self._thread.submit(part.release)

    async def size(self, owner: str, name: str) -> int | None:
        """Return how many bytes the file has, None if there is none."""
        path = self._path(owner, name)
        return await self._run(lambda: path.stat().st_size if path.is_file() else None)

    async def read(
        self, owner: str, name: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` until `stop` or the end; raises OSError if they cannot be read."""
        path = self._path(owner, name)
        file: BinaryIO = await self._run(lambda: path.open("rb"))
        try:
            await self._run(partial(file.seek, start))
            while stop is None or start < stop:
                chunk = await self._run(
                    partial(file.read, CHUNK if stop is None else min(CHUNK, stop - start))
                )
                if not chunk:
                    break
                start += len(chunk)
                yield chunk
        finally:
            self._thread.submit(file.close)

    async def delete(self, owner: str, name: str) -> None:
        """Unlink the file."""
        path = self._path(owner, name)
        await self._run(partial(path.unlink, missing_ok=True))

    async def delete_owner(self, owner: str) -> None:
        """Unlink all files of the owner, and the folder."""
        await self._run(partial(shutil.rmtree, self._path(owner, ""), ignore_errors=True))

    async def names(self, owner: str) -> list[str]:
        """Return the names of the owner's files."""
        folder = self._path(owner, "")
        return await self._run(lambda: sorted(path.name for path in folder.glob("*") if path.is_file()))

    def close(self) -> None:
        """End the worker thread."""
        self._thread.shutdown()

    def _path(self, owner: str, name: str) -> Path:
        # Raw ids may hold what file systems refuse.
        return self._root / hashlib.sha256(owner.encode()).hexdigest()[:32] / name

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Part:
    """A blob while it is written; used in the worker thread only."""

    def __init__(self, root: Path, path: Path) -> None:
        self._path = path
        self._part = root / f"{secrets.token_hex(8)}.part"  # not with its owner's, who may be deleted
        self._file: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        self._open().write(chunk)

    def finish(self) -> None:
        file = self._open()
        file.flush()
        os.fsync(file.fileno())
        self._path.parent.mkdir(exist_ok=True)
        self._part.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def release(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of what a full disk did not take
                self._file.close()
            self._part.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self._part.open("xb")
        return self._file
