"""Ogg Opus, written page by page: a file that is whole up to its last page, whenever it is cut off. Pure.

Pages: RFC 3533. Headers, granule positions, pre-skip and end: RFC 7845.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

PRE_SKIP = 312  # samples of 48 kHz that libopus's encoder looks ahead, which the decoder plays first

_FIRST, _LAST = 0x02, 0x04
_PAGE = struct.Struct(
    "<4sBBqIIIB"
)  # capture pattern, version, flags, granule, serial, number, checksum, segments
_CHECKSUM_AT = 22
_MAX_SEGMENTS = 255
_MAX_PAGE_SAMPLES = 48_000  # RFC 7845 section 4: a page should hold no more than a second
_VENDOR = b"callnode"
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggOpus:
    """Turn Opus packets into the bytes of an Ogg file, mono; `tags` are its metadata (RFC 7845 section 5.2).

    `serial` names the stream: any 32-bit number.
    """

    def __init__(self, serial: int, tags: Mapping[str, str]) -> None:
        self.samples = 0  # of all packets
        self._serial = serial
        self._tags = tags
        self._number = 0

    def head(self) -> bytes:
        """Return the two header pages, which begin the file."""
        opus_head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, PRE_SKIP, 48_000, 0, 0)
        comments = [f"{name}={value}".encode() for name, value in self._tags.items()]
        opus_tags = b"OpusTags" + _counted(_VENDOR) + struct.pack("<I", len(comments))
        opus_tags += b"".join(map(_counted, comments))
        return self._page([opus_head], 0, _FIRST) + self._page([opus_tags], 0)

    def pages(self, packets: Sequence[tuple[bytes, int]]) -> Iterator[bytes]:
        """Yield the pages of some packets: each of at most 61 440 bytes, with its duration in samples."""
        page: list[bytes] = []
        segments = samples = 0
        for packet, duration in packets:
            more = len(packet) // 255 + 1
            if page and (segments + more > _MAX_SEGMENTS or samples + duration > _MAX_PAGE_SAMPLES):
                yield self._page(page, self.samples)
                page, segments, samples = [], 0, 0
            page.append(packet)
            segments += more
            samples += duration
            self.samples += duration
        if page:
            yield self._page(page, self.samples)

    def end(self, packet: bytes) -> bytes:
        """Return the page that ends the file: one more packet, of which players play PRE_SKIP samples.

        What was in the packets before is thereby played to its last sample.
        """
        return self._page([packet], self.samples + PRE_SKIP, _LAST)

    def _page(self, packets: Sequence[bytes], granule: int, flags: int = 0) -> bytes:
        lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,)) for packet in packets)
        header = _PAGE.pack(b"OggS", 0, flags, granule, self._serial, self._number, 0, len(lacing))
        page = b"".join((header, lacing, *packets))
        self._number += 1
        checksum = struct.pack("<I", _crc(page))
        return page[:_CHECKSUM_AT] + checksum + page[_CHECKSUM_AT + 4 :]


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _crc(data: bytes) -> int:
    """Return the checksum of RFC 3533: zlib's, of mirrored bits, with neither start nor end inverted."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
