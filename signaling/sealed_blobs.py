"""Blobs encrypted at rest, in whatever keeps them; those that were kept as they are stay readable."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing

from signaling.blobs import Blobs, FolderBlobs, TooLargeError
from signaling.config import Config
from signaling.sealing import HEAD_BYTES, TAG_BYTES, Seal, SealError, StorageKeys

_CHUNK = 16 * 1024  # of sound; what is damaged costs so much
_STRIDE = _CHUNK + TAG_BYTES

_log = logging.getLogger("callnode.hub.blobs")


class SealedBlobs:
    """Seal what is put and open what is read, chunk by chunk, so that a part can be read from any place.

    A blob that breaks off is as long as what can be opened of it; size and read raise SealError, an OSError,
    where a key was not given or a chunk was changed.
    """

    def __init__(self, inner: Blobs, keys: StorageKeys) -> None:
        self._inner = inner
        self._keys = keys

    async def put(self, owner: str, name: str, chunks: AsyncIterator[bytes], limit: int) -> None:
        """Write a blob, whole or not at all; raises TooLargeError beyond `limit` bytes."""
        sealed = self._sealed(self._keys.seal(_place(owner, name)), chunks, limit)
        await self._inner.put(owner, name, sealed, HEAD_BYTES + (limit // _CHUNK + 1) * _STRIDE)

    async def size(self, owner: str, name: str) -> int | None:
        """Return how many bytes of a blob can be opened, None if there is none."""
        stored = await self._inner.size(owner, name)
        if not stored:
            return stored
        seal = await self._seal(owner, name)
        return stored if seal is None else await self._length(owner, name, seal, stored)

    async def _length(self, owner: str, name: str, seal: Seal, stored: int) -> int:
        """Return how many bytes can be opened of a sealed blob of so many."""
        chunks, rest = divmod(stored - HEAD_BYTES, _STRIDE)
        if not rest and chunks:
            chunks, rest = chunks - 1, _STRIDE
        start = HEAD_BYTES + chunks * _STRIDE
        end = await self._stored(owner, name, start, start + rest)
        try:
            return chunks * _CHUNK + len(seal.open(chunks, end, last=True))
        except SealError:
            _log.warning("sound %s of %s breaks off", name, owner)
            return chunks * _CHUNK + (_CHUNK if _opens(seal, chunks, end) else 0)

    async def read(
        self, owner: str, name: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` until `stop` or the end; raises OSError if they cannot be read."""
        seal = await self._seal(owner, name)
        if seal is None:
            async with aclosing(self._inner.read(owner, name, start, stop)) as plain:
                async for chunk in plain:
                    yield chunk
            return
        stored = await self._inner.size(owner, name)
        if stored is None:
            return
        size = await self._length(owner, name, seal, stored)
        stop = size if stop is None else min(stop, size)
        number = start // _CHUNK
        first = HEAD_BYTES + number * _STRIDE
        beyond = HEAD_BYTES + -(-stop // _CHUNK) * _STRIDE
        if start >= stop:
            return
        async with aclosing(_even(self._inner.read(owner, name, first, beyond), _STRIDE)) as chunks:
            async for sealed in chunks:
                chunk = _either(seal, number, sealed)
                at = number * _CHUNK
                yield chunk[max(0, start - at) : stop - at]
                number += 1

    async def delete(self, owner: str, name: str) -> None:
        """Delete a blob; one that is not there is no error."""
        await self._inner.delete(owner, name)

    async def delete_owner(self, owner: str) -> None:
        """Delete all blobs of an owner."""
        await self._inner.delete_owner(owner)

    async def names(self, owner: str) -> list[str]:
        """Return the names of all blobs of an owner."""
        return await self._inner.names(owner)

    def close(self) -> None:
        """Let go of everything."""
        self._inner.close()

    async def rewrap(self, owners: Collection[str]) -> AsyncGenerator[tuple[int, int, str], None]:
        """Seal all blobs of some owners with the first key that are not; broken off, it can be run again.

        Yields, after each blob, how many are done, of how many, and what was wrong with it.
        """
        found = [(owner, name) for owner in owners for name in await self._inner.names(owner)]
        for done, (owner, name) in enumerate(found, 1):
            wrong = ""
            try:
                if not self._keys.is_current(await self._stored(owner, name, 0, HEAD_BYTES)):
                    size = await self.size(owner, name) or 0
                    await self.put(owner, name, self.read(owner, name), size)
            except OSError as error:
                wrong = f"{name} of {owner}: {error}"
            yield done, len(found), wrong

    async def _sealed(
        self, seal: Seal, chunks: AsyncIterator[bytes], limit: int
    ) -> AsyncGenerator[bytes, None]:
        yield seal.head
        number, size = 0, 0
        waiting = b""  # the last chunk is known by what does not follow
        async for chunk in _even(chunks, _CHUNK):
            size += len(chunk)
            if size > limit:
                raise TooLargeError
            if waiting:
                yield seal.close(number, waiting)
                number += 1
            waiting = chunk
        yield seal.close(number, waiting, last=True)

    async def _seal(self, owner: str, name: str) -> Seal | None:
        return self._keys.find(await self._stored(owner, name, 0, HEAD_BYTES), _place(owner, name))

    async def _stored(self, owner: str, name: str, start: int, stop: int) -> bytes:
        async with aclosing(self._inner.read(owner, name, start, stop)) as chunks:
            return b"".join([chunk async for chunk in chunks])


def open_blobs(config: Config) -> Blobs:
    """Return the blobs of a hub: files in its data folder, sealed if it has storage keys."""
    files = FolderBlobs(config.data / "voicemail")
    return files if config.storage_keys is None else SealedBlobs(files, config.storage_keys)


def _place(owner: str, name: str) -> str:
    return f"{owner}/{name}"


def _opens(seal: Seal, number: int, sealed: bytes) -> bool:
    try:
        seal.open(number, sealed)
    except SealError:
        return False
    return True


def _either(seal: Seal, number: int, sealed: bytes) -> bytes:
    """Return a chunk that may be the last, though of a blob that breaks off none is."""
    try:
        return seal.open(number, sealed)
    except SealError:
        return seal.open(number, sealed, last=True)


async def _even(chunks: AsyncIterator[bytes], size: int) -> AsyncGenerator[bytes, None]:
    """Yield the same bytes in chunks of one size, the last one shorter."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
