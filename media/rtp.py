"""RTP packets to and from bytes, and what a receiver has to count (RFC 3550, RFC 8285, RFC 6464). Pure."""

from struct import Struct as Layout

import numpy as np
from msgspec import Struct

from media.audio import SAMPLE_RATE, Frame

SILENT = 127  # audio level, RFC 6464
VOICE = 0x80  # its flag
_VOICE_DBOV = 50  # what is louder than -50 dBov may be voice

_HEADER = Layout("!BBHLL")
_EXTENSION_HEADER = Layout("!HH")
_VERSION = 0x80
_PADDED, _EXTENDED, _CSRCS = 0x20, 0x10, 0x0F
_ONE_BYTE, _TWO_BYTE = 0xBEDE, 0x1000
_MAX_DROPOUT = 3000  # of RFC 3550 Appendix A.1
_MAX_MISORDER = 100
_JITTER_SHARE = 1 / 16  # RFC 3550 §6.4.1
_WRAP_SECONDS = 2**32 / SAMPLE_RATE


class RtpPacket(Struct, frozen=True, gc=False):
    """What a received packet says."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> RtpPacket | None:
    """Return a packet without its contributors, extensions and padding, or None if it is malformed."""
    if len(data) < 12:
        return None
    flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start, end = 12 + 4 * (flags & _CSRCS), len(data)
    if flags & _EXTENDED:
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if flags & _PADDED:
        end -= data[-1] or end
    if flags >> 6 != 2 or end < start:
        return None
    return RtpPacket(kind & 0x7F, sequence, timestamp, ssrc, data[start:end])


class Packer:
    """Make the packets of one stream, with the header extensions that both ends know; 0 is none."""

    def __init__(
        self, ssrc: int, sequence: int, *, level_id: int = 0, mid_id: int = 0, mid: str = ""
    ) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        values = [(level_id, b"\0")] if level_id else []
        if mid_id and mid:
            values.append((mid_id, mid.encode()))
        self._extensions = bytearray(_extensions(values))
        # Where the level goes: behind the header, the extensions' own and that of the first of them.
        self._level_at = (5 if self._extensions[:1] == b"\xbe" else 6) if level_id else 0
        self._flags = _VERSION | (_EXTENDED if values else 0)

    def pack(self, payload_type: int, timestamp: int, payload: bytes, *, marker: bool, level: int) -> bytes:
        """Return the next packet; `level` is that of RFC 6464: -dBov, and 128 added for voice."""
        if self._level_at:
            self._extensions[self._level_at] = level
        kind = payload_type | 0x80 if marker else payload_type
        header = _HEADER.pack(self._flags, kind, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return header + self._extensions + payload


def _extensions(values: list[tuple[int, bytes]]) -> bytes:
    if not values:
        return b""
    if all(number < 15 and 0 < len(value) <= 16 for number, value in values):
        profile = _ONE_BYTE
        body = b"".join(bytes((number << 4 | len(value) - 1,)) + value for number, value in values)
    else:
        profile = _TWO_BYTE
        body = b"".join(bytes((number, len(value))) + value for number, value in values)
    body += bytes(-len(body) % 4)
    return _EXTENSION_HEADER.pack(profile, len(body) // 4) + body


def audio_level(frame: Frame) -> int:
    """Return the level of a frame as RFC 6464 packs it: -dBov from 0 to 127, and 128 added for voice."""
    sound = frame.astype(np.float32)
    power = float(np.dot(sound, sound)) / (len(frame) * 32767.0**2)
    level = min(SILENT, max(0, round(-10.0 * float(np.log10(power))))) if power > 0 else SILENT
    return level | VOICE if level < _VOICE_DBOV else level


class Reception:
    """Count the packets of one received stream, as RTCP reports want it (RFC 3550 Appendix A).

    `lost_before` are those that were missing from the streams in whose place it came.
    """

    def __init__(self, ssrc: int, sequence: int, lost_before: int = 0) -> None:
        self.ssrc = ssrc
        self._lost_before = lost_before
        self.received = 0
        self.newest = sequence - 1  # extended by the wraps
        self.jitter = 0.0  # seconds
        self._transit: float | None = None
        self._first = sequence
        self._restart = -1  # that would show that the stream began anew
        self._newest_before, self._received_before = self.newest, 0

    def add(self, sequence: int) -> bool:
        """Count a packet; return whether one before it is missing."""
        ahead = (sequence - self.newest) & 0xFFFF
        if _MAX_DROPOUT < ahead < 0x10000 - _MAX_MISORDER:
            if sequence != self._restart:
                self._restart = (sequence + 1) & 0xFFFF
                return False
            self._lost_before, self.received = self.lost_in_all, 0
            self._first, self.newest = sequence, sequence - 1
            self._newest_before, self._received_before = self.newest, 0
            ahead = 1
        self.received += 1
        if ahead > _MAX_DROPOUT:
            return False
        self.newest += ahead
        return ahead > 1

    def arrived(self, timestamp: int, now: float) -> None:
        """Measure the jitter by a packet of sound; `timestamp` at 48 kHz, `now` in seconds."""
        transit = now - timestamp / SAMPLE_RATE
        if self._transit is not None:
            step = (transit - self._transit + _WRAP_SECONDS / 2) % _WRAP_SECONDS - _WRAP_SECONDS / 2
            self.jitter += (abs(step) - self.jitter) * _JITTER_SHARE
        self._transit = transit

    @property
    def lost(self) -> int:
        """Return how many packets are missing so far; duplicates make it too small."""
        return self.newest - self._first + 1 - self.received

    @property
    def lost_in_all(self) -> int:
        """Return how many are missing, those included that were before the stream or before it began anew."""
        return self._lost_before + self.lost

    def fraction_lost(self) -> int:
        """Return the share lost since it was last asked, in 256ths."""
        wanted = self.newest - self._newest_before
        lost = wanted - (self.received - self._received_before)
        self._newest_before, self._received_before = self.newest, self.received
        return min(255, (lost << 8) // wanted) if wanted > 0 and lost > 0 else 0


def signed(difference: int, bits: int) -> int:
    """Return a difference of numbers that wrap around as the nearer of its two readings."""
    half = 1 << bits - 1
    return (difference + half) % (2 * half) - half
