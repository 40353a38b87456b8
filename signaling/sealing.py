"""Sound encrypted at rest: sealed in chunks, each of which can be opened on its own and is authenticated.

A sealed thing begins with 32 bytes: 8 that say so, 8 that name the storage key, 16 that are its own id. Its
chunks follow, each with a tag of 16 bytes (AES-256-GCM, NIST SP 800-38D). They are sealed with a key of its
own, derived from storage key and id (HKDF, RFC 5869), so that the number of a chunk and whether it is the
last can be its nonce (STREAM, Hoang et al. 2015); the beginning and the place it is kept at are associated
data. So nothing can be changed, swapped, moved elsewhere or cut off unseen.
"""

import secrets
import struct
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HEAD_BYTES = 32
TAG_BYTES = 16

_MAGIC = b"cnseal1\n"
_LENGTH = struct.Struct("<I")


class SealError(OSError):
    """Stored sound that cannot be opened: it was damaged or changed."""


class KeyMissingError(SealError):
    """Stored sound that cannot be opened with the keys that were given; with its own one it can."""


class Seal:
    """The cipher of one sealed thing, whose beginning is `head`."""

    def __init__(self, key: bytes, head: bytes, place: str) -> None:
        self.head = head
        self._cipher = AESGCM(_derived(key, head[-16:], b"callnode stored sound"))
        self._bound = head + place.encode()

    def close(self, number: int, chunk: bytes, *, last: bool = False) -> bytes:
        """Return a chunk sealed; each number at most once."""
        return self._cipher.encrypt(_nonce(number, last), chunk, self._bound)

    def open(self, number: int, sealed: bytes, *, last: bool = False) -> bytes:
        """Return what was sealed under this number; raises SealError."""
        try:
            return self._cipher.decrypt(_nonce(number, last), sealed, self._bound)
        except InvalidTag:
            raise SealError("stored sound was damaged or changed") from None


class StorageKeys:
    """The keys that stored sound can be opened with; new sound is sealed with the first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_derived(key, None, b"callnode storage key id")[:8]: key for key in keys}
        self._first = next(iter(self._keys))

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the keys are called, the first one first: no secret."""
        return tuple(each.hex() for each in self._keys)

    def seal(self, place: str) -> Seal:
        """Return a new seal for what is to be kept at a place."""
        head = _MAGIC + self._first + secrets.token_bytes(16)
        return Seal(self._keys[self._first], head, place)

    def find(self, head: bytes, place: str) -> Seal | None:
        """Return the seal of what begins so, None if it is not sealed; raises SealError, KeyMissingError."""
        if not head.startswith(_MAGIC):
            return None
        if len(head) < HEAD_BYTES:
            raise SealError("stored sound breaks off at its beginning")
        name = head[8:16]
        if name not in self._keys:
            raise KeyMissingError(f"sealed with the storage key {name.hex()}, which was not given")
        return Seal(self._keys[name], head, place)

    def is_current(self, head: bytes) -> bool:
        """Tell whether what begins so is sealed with the first key."""
        return head.startswith(_MAGIC + self._first)

    def is_outdated(self, head: bytes) -> bool:
        """Tell whether what begins so is sealed with another key."""
        return head.startswith(_MAGIC) and not self.is_current(head)

    def wrapper(self, place: str) -> Callable[[bytes], bytes]:
        """Return what seals one record after the other, for a file that grows by them."""
        seal = self.seal(place)
        number = 0

        def wrap(record: bytes) -> bytes:
            nonlocal number
            head = b"" if number else seal.head
            sealed = seal.close(number, record)
            number += 1
            return head + _LENGTH.pack(len(sealed)) + sealed

        return wrap

    def unwrap(self, place: str, stored: bytes) -> bytes:
        """Return the whole records of a file, as far as they are there; a file that is not sealed as it is.

        Raises KeyMissingError.
        """
        seal = self.find(stored[:HEAD_BYTES], place)
        if seal is None:
            return stored
        records: list[bytes] = []
        at = HEAD_BYTES
        while (start := at + _LENGTH.size) <= len(stored):
            at = start + _LENGTH.unpack_from(stored, start - _LENGTH.size)[0]
            try:
                records.append(seal.open(len(records), stored[start:at]))
            except SealError:
                break  # here a crash has cut it off
        return b"".join(records)


def _derived(key: bytes, salt: bytes | None, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, purpose).derive(key)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
