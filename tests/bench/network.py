"""A bad network, the same for everybody: the fate of each packet is drawn beforehand, from a seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aioice.ice import StunProtocol
from msgspec import Struct

from media.audio import FRAME_SAMPLES

LOST = -1.0


class Network(Struct, frozen=True):
    """What a network does: `loss` is the share of packets lost, alone or in bursts of `burst` on average."""

    name: str
    loss: float = 0.0
    burst: float = 1.0
    jitter_ms: float = 0.0

    def fates(self, packets: int, seed: int) -> list[float]:
        """Return the delay in ms of each packet, uniform up to `jitter_ms` (so they overtake), or LOST.

        Bursts are Gilbert's model: a good state and a bad one in which every packet is lost.
        """
        chance = random.Random(seed)
        fates, bad = [], False
        for _ in range(packets):
            if self.burst > 1:
                into_bad = self.loss / (self.burst * (1 - self.loss))
                bad = chance.random() < (1 - 1 / self.burst if bad else into_bad)
            else:
                bad = chance.random() < self.loss
            delay = chance.uniform(0, self.jitter_ms)
            fates.append(LOST if bad else delay)
        return fates


def is_rtp(datagram: bytes) -> bool:
    """Return whether a datagram is RTP: neither STUN, nor DTLS, nor RTCP (RFC 7983, RFC 5761 §4)."""
    return len(datagram) >= 12 and 127 < datagram[0] < 192 and not 192 <= datagram[1] <= 223


@contextmanager
def impaired(fate_of: Callable[[int], float]) -> Iterator[None]:
    """Lose or delay the RTP packets sent by this process; `fate_of` takes the RTP timestamp."""
    send: Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]] = StunProtocol.send_data

    async def send_data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        delay = fate_of(int.from_bytes(data[4:8], "big")) if is_rtp(data) else 0.0
        if delay > 0:
            # A transport that closes meanwhile drops what is sent.
            asyncio.get_running_loop().call_later(delay / 1000, self.transport.sendto, data, addr)
        elif delay == 0:
            await send(self, data, addr)

    setattr(StunProtocol, "send_data", send_data)  # noqa: B010  mypy refuses to assign to a method
    try:
        yield
    finally:
        setattr(StunProtocol, "send_data", send)  # noqa: B010


class Fates:
    """Deal drawn fates to the packets of the frames read since `begin`; others go through.

    A packet is known by its timestamp: silence that is not sent must not shift the fates of what follows.
    """

    def __init__(self) -> None:
        self.met = 0
        self.lost = 0
        self._fates: list[float] = []
        self._last = 0
        self._origin: int | None = None

    def begin(self, fates: list[float]) -> None:
        """Deal from the next frame on."""
        self._fates = fates
        self._origin = self._last + FRAME_SAMPLES
        self.met = self.lost = 0

    def of(self, timestamp: int) -> float:
        """Return the delay in ms of a packet, or LOST; one sent again shares the fate of that before it."""
        again = (self._last - timestamp) & 0xFFFFFFFF == FRAME_SAMPLES
        if again:
            timestamp = self._last
        self._last = timestamp
        if self._origin is None:
            return 0.0
        index = ((timestamp - self._origin) & 0xFFFFFFFF) // FRAME_SAMPLES
        if index >= len(self._fates):
            return 0.0
        fate = self._fates[index]
        self.met += not again
        self.lost += fate == LOST and not again
        return fate
