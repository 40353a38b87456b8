"""Where each packet of a call belongs in its recording: the sound in order, and as long as it was. Pure."""

from typing import NamedTuple

from media.audio import SAMPLE_RATE
from media.opus_packet import fill, packet_samples
from media.rtp import signed

PATIENCE = 0.6  # seconds that what follows a missing packet is kept back for it
QUIET = 0.1  # seconds without a packet at the end that are a pause, not packets on their way

_AHEAD = SAMPLE_RATE  # samples before its time that a packet may claim to be; then its sender's clock jumped
_BEHIND = 2 * SAMPLE_RATE  # the same after its time: the network may hold packets back
_FLOOD = 10 * SAMPLE_RATE  # more sound than there was time for it
_MAX_HELD = 512
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100  # RFC 3550 appendix A.1


class _Packet(NamedTuple):
    elapsed: float
    timestamp: int
    payload: bytes
    samples: int


class Timeline:
    """Put packets in order, and fill the time in which there were none; `elapsed` is seconds since its begin.

    Within a stream, RTP timestamps tell where a packet belongs. A new stream, or one whose timestamps jump,
    goes on when its first packet came. A packet is kept back, 0.6 s at most, while one before it is missing.
    """

    def __init__(self) -> None:
        self.samples = 0  # placed so far
        self.malformed = 0
        self.discarded = 0  # too late, twice, or too many
        self._held: dict[int, _Packet] = {}  # in the order of their arrival
        self._ssrc: int | None = None
        self._left: int | None = None  # the stream before
        self._begun = 0.0
        self._next = 0
        self._stray: int | None = None  # two packets in a row from long ago are a sender that begins anew
        self._anchor: tuple[int, int] | None = None  # an RTP timestamp, and its place in samples
        self._heard = 0.0
        self._before: bytes | None = None

    def put(
        self, elapsed: float, ssrc: int, sequence: int, timestamp: int, payload: bytes
    ) -> list[tuple[bytes, int]]:
        """Take a packet and return the packets, with their durations in samples, that now follow."""
        samples = packet_samples(payload)
        if not samples:
            self.malformed += 1
            return []
        if ssrc == self._left and elapsed < self._begun + PATIENCE:
            self.discarded += 1
            return []
        placed: list[tuple[bytes, int]] = []
        step = signed(sequence - self._next, 16)
        restarted = step < -_MAX_MISORDER and sequence == self._stray
        self._stray = (sequence + 1) & 0xFFFF
        if ssrc != self._ssrc or restarted or step > _MAX_DROPOUT:
            placed = self._flush()
            if ssrc != self._ssrc:
                self._left, self._ssrc, self._begun = self._ssrc, ssrc, elapsed
            self._anchor = None
            self._next, step = sequence, 0
        number = self._next + step
        if step < 0 or number in self._held:
            self.discarded += 1
            return placed
        self._heard = elapsed
        self._held[number] = _Packet(elapsed, timestamp, payload, samples)
        while self._held and (self._next in self._held or self._given_up(elapsed)):
            self._release(placed)
        return placed

    def end(self, elapsed: float) -> list[tuple[bytes, int]]:
        """Return what was kept back, and the pause at the end if there was one."""
        placed = self._flush()
        if elapsed - self._heard > QUIET:
            self._fill(round(elapsed * SAMPLE_RATE), placed)
        return placed

    def _given_up(self, elapsed: float) -> bool:
        """Return whether the missing packet is waited for no longer."""
        oldest = next(iter(self._held.values()))
        return elapsed - oldest.elapsed >= PATIENCE or len(self._held) > _MAX_HELD

    def _flush(self) -> list[tuple[bytes, int]]:
        placed: list[tuple[bytes, int]] = []
        while self._held:
            self._release(placed)
        return placed

    def _release(self, placed: list[tuple[bytes, int]]) -> None:
        """Place the next packet that is there."""
        if self._next not in self._held:
            self._next = min(self._held)
        packet = self._held.pop(self._next)
        self._next += 1
        position = self._position(packet)
        if position > packet.elapsed * SAMPLE_RATE + _FLOOD:
            self.discarded += 1
            return
        self._anchor = packet.timestamp, position
        self._fill(position, placed)
        placed.append((packet.payload, packet.samples))
        self.samples += packet.samples
        self._before = packet.payload

    def _position(self, packet: _Packet) -> int:
        clock = round(packet.elapsed * SAMPLE_RATE) - packet.samples
        if self._anchor is not None:
            timestamp, position = self._anchor
            position += signed(packet.timestamp - timestamp, 32)
            if position >= self.samples and clock - _BEHIND <= position <= clock + _AHEAD:
                return position
        return max(self.samples, clock)

    def _fill(self, position: int, placed: list[tuple[bytes, int]]) -> None:
        if position > self.samples:
            filled = fill(position - self.samples, self._before)
            self.samples += sum(samples for _, samples in filled)
            placed += filled
