"""Packets as a hostile peer could send them: malformed RTP, RTCP and Opus, made of real ones, from a seed."""

import random
import struct
from collections.abc import Callable

AHEAD = 60  # packets: what comes so early will be played
SOURCES = tuple(range(1000, 1016))  # SSRCs


def hostile_rtp(chance: random.Random, real: bytes) -> bytes:
    """Return what may come in the place of a real RTP packet (RFC 3550 §5.1)."""
    return chance.choice(_RTP)(chance, real)


def hostile_rtcp(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    """Return what may come in the place of a real RTCP packet (RFC 3550 §6, RFC 4585 §6.1)."""
    return chance.choice(_RTCP)(chance, real, rtp)


def forged(chance: random.Random, packet: bytes) -> bytes:
    """Return what somebody without the keys may send: any bytes, of any length that UDP takes."""
    if chance.random() < 0.8:
        return packet
    return bytes((0x80, chance.randrange(256))) + chance.randbytes(chance.choice((9, 10, 1490, 1499, 3000)))


def acceptable_rtp(chance: random.Random, packet: bytes, real: bytes, number: int) -> bytes:
    """Return a packet whose sequence number SRTP accepts: soon after a real one, or `number` of others."""
    if chance.random() < 0.7:
        source = chance.choice(SOURCES).to_bytes(4, "big")
    else:
        number, source = int.from_bytes(real[2:4], "big") + chance.randrange(AHEAD), real[8:12]
    return packet[:2] + (number & 0xFFFF).to_bytes(2, "big") + packet[4:8] + source + packet[12:]


def acceptable_rtcp(chance: random.Random, packet: bytes) -> bytes:
    """Return a packet of another source, so that the counter of the real one's SRTCP goes on."""
    return packet[:4] + chance.choice(SOURCES).to_bytes(4, "big") + packet[8:]


def _random(chance: random.Random, real: bytes) -> bytes:
    return chance.randbytes(chance.randrange(300))


def _mutated(chance: random.Random, real: bytes) -> bytes:
    spoilt = bytearray(real)
    for _ in range(chance.randrange(1, 9)):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _truncated(chance: random.Random, real: bytes) -> bytes:
    return real[: chance.randrange(len(real) + 1)]


def _wrong_version(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] & 0x3F | chance.choice((0, 1, 3)) << 6,)) + real[1:]


def _extended(chance: random.Random, real: bytes) -> bytes:
    profile = chance.choice((0xBEDE, 0x1000, 0x100F, chance.randrange(65536)))
    words = chance.choice((0, 1, 4, 300, 65535, chance.randrange(65536)))
    content = chance.randbytes(4 * min(words, chance.choice((0, 1, 4, 300))))
    return bytes((real[0] | 0x10,)) + real[1:12] + struct.pack("!HH", profile, words) + content + real[12:]


def _padded(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] | 0x20,)) + real[1:] + bytes((chance.randrange(256),))


def _contributing(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] & 0xF0 | chance.randrange(16),)) + real[1:]


def _jumped(chance: random.Random, real: bytes) -> bytes:
    sequence, timestamp, source = struct.unpack("!HII", real[2:12])
    if chance.random() < 0.6:
        sequence = (sequence + chance.choice((1, 40, 3000, 32768, chance.randrange(65536)))) & 0xFFFF
    if chance.random() < 0.6:
        step = chance.choice((1, 960, 48_000, 1 << 31, chance.randrange(1 << 32)))
        timestamp = (timestamp + step) & 0xFFFFFFFF
    if chance.random() < 0.4:
        source = chance.choice(SOURCES)
    return real[:2] + struct.pack("!HII", sequence, timestamp, source) + real[12:]


def _opus(chance: random.Random, real: bytes) -> bytes:
    """Return a well-formed packet, soon to be played, of garbage in place of Opus (RFC 6716 §3)."""
    sequence, timestamp = struct.unpack("!HI", real[2:8])
    ahead = chance.randrange(1, AHEAD)
    header = struct.pack("!HI", (sequence + ahead) & 0xFFFF, (timestamp + 960 * ahead) & 0xFFFFFFFF)
    many = bytes((chance.randrange(256) | 3, chance.randrange(256)))  # code 3: any number of frames
    payload = chance.choice((b"", b"\xff", many, many + chance.randbytes(40), chance.randbytes(1500)))
    return bytes((0x80,)) + real[1:2] + header + real[8:12] + payload


def _other_type(chance: random.Random, real: bytes) -> bytes:
    """Return a packet of another payload type, such as telephone-event (RFC 4733 §2.3)."""
    kind = chance.choice((101, 110, 126, chance.randrange(128))) | chance.choice((0, 0x80))
    return real[:1] + bytes((kind,)) + real[2:12] + chance.randbytes(chance.choice((0, 1, 3, 4, 8, 100)))


def _same(chance: random.Random, real: bytes) -> bytes:
    return real


_RTP: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _random, _mutated, _truncated, _wrong_version, _extended, _padded, _contributing, _jumped, _opus,
    _other_type, _same,
)  # fmt: skip


def _rtcp_spoilt(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return chance.choice((_random, _mutated, _truncated, _wrong_version, _padded))(chance, real)


def _rtcp_made(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    """Return a packet of a known type with a count and a length that may lie, and garbage inside."""
    kind, count = chance.randrange(200, 208), chance.randrange(32)
    content = chance.randbytes(4 * chance.randrange(40))
    if chance.random() < 0.5:
        content = rtp[8:12] + content  # about, or by, the real source
    elif chance.random() < 0.5:
        content = chance.choice(SOURCES).to_bytes(4, "big") + rtp[8:12] + content
    words = len(content) // 4 if chance.random() < 0.6 else chance.randrange(65536)
    return struct.pack("!BBH", 0x80 | count, kind, words) + content


def _rtcp_compound(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return b"".join(
        chance.choice((real, _rtcp_made(chance, real, rtp), _rtcp_spoilt(chance, real, rtp)))
        for _ in range(chance.randrange(2, 12))
    )


def _goodbye(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return struct.pack("!BBH", 0x81, 203, 1) + rtp[8:12]


_RTCP: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _rtcp_spoilt, _rtcp_made, _rtcp_made, _rtcp_compound, _goodbye,
)  # fmt: skip
