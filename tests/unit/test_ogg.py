"""Pages of Ogg, read back by a reader that goes by RFC 3533 alone."""

import random
import struct
from dataclasses import dataclass

import pytest

from media.ogg import PRE_SKIP, OggOpus

pytestmark = pytest.mark.unit


@dataclass
class Page:
    flags: int
    granule: int
    serial: int
    number: int
    packets: list[bytes]


def slow_crc(data: bytes) -> int:
    """Return the checksum bit by bit: polynomial 0x04c11db7, from 0, nothing mirrored or inverted."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def read(data: bytes) -> list[Page]:
    pages = []
    while data:
        magic, version, flags, granule, serial, number, crc, count = struct.unpack_from("<4sBBqIIIB", data)
        assert (magic, version) == (b"OggS", 0)
        lacing = data[27 : 27 + count]
        size = 27 + count + sum(lacing)
        page, data = data[:size], data[size:]
        assert len(page) == size and slow_crc(page[:22] + bytes(4) + page[26:]) == crc
        packets, begin, end = [], 27 + count, 27 + count
        for segment in lacing:
            end += segment
            if segment < 255:
                packets.append(page[begin:end])
                begin = end
        assert begin == size, "a packet goes on in the next page"
        pages.append(Page(flags, granule, serial, number, packets))
    return pages


def test_the_head_is_as_the_rfc_has_it() -> None:
    head, tags = read(OggOpus(7, {"title": "Grüße", "artist": "a"}).head())
    assert (head.flags, head.granule, head.serial, head.number) == (2, 0, 7, 0)
    assert head.packets == [b"OpusHead\x01\x01" + struct.pack("<HIhB", PRE_SKIP, 48_000, 0, 0)]
    assert (tags.flags, tags.granule, tags.serial, tags.number) == (0, 0, 7, 1)
    comments = (b"callnode", None, "title=Grüße".encode(), b"artist=a")
    texts = [struct.pack("<I", 2 if text is None else len(text)) + (text or b"") for text in comments]
    assert tags.packets == [b"OpusTags" + b"".join(texts)]


def test_packets_come_back_in_pages_of_a_second_at_most() -> None:
    chance = random.Random(1)
    ogg = OggOpus(0xFFFFFFFF, {})
    packets = [
        (chance.randbytes(size), 960) for size in (1, 254, 255, 256, 510, 61_440, 3) for _ in range(20)
    ]
    data = ogg.head() + b"".join(ogg.pages(packets)) + b"".join(ogg.pages([])) + ogg.end(b"last")
    pages = read(data)
    assert [page.number for page in pages] == list(range(len(pages)))
    assert [page.flags for page in pages] == [2, *[0] * (len(pages) - 2), 4]
    body = pages[2:-1]
    assert [packet for page in body for packet in page.packets] == [packet for packet, _ in packets]
    played = 0
    for page in body:
        assert 0 < len(page.packets) <= 50
        played += 960 * len(page.packets)
        assert page.granule == played
    assert (pages[-1].packets, pages[-1].granule) == ([b"last"], ogg.samples + PRE_SKIP)
    assert ogg.samples == 960 * len(packets)


def test_silence_fills_whole_pages() -> None:
    ogg = OggOpus(0, {})
    pages = read(b"".join(ogg.pages([(b"\xf8\xff\xfe", 960)] * 120)))
    assert [len(page.packets) for page in pages] == [50, 50, 20]
