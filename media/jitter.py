"""The jitter buffer: packets in as the network brings them, one release out every slot. Pure.

It keeps as little as the network allows. A packet that is late when its slot comes is concealed and waited
for, which adds one packet of delay; once the fullest need of a whole window leaves packets to spare, two are
merged into one slot, which takes it back. After a loss one packet more is kept for a while, so that the
forward error correction in the packet after the next lost one is there in time.
"""

from typing import TypeAlias

from msgspec import Struct

WINDOW = 250  # slots over which the spare is measured; 5 s of 20 ms packets
MAX_SPAN = 10  # packets of delay beyond which the oldest are dropped
PATIENCE = 10  # empty slots after which the stream is taken to pause (DTX, hold)
MERGE_INTERVAL = 10  # slots between two merges
MAX_DROPOUT = 3000  # RFC 3550 appendix A.1
MAX_MISORDER = 100


class Packet(Struct, frozen=True):
    """The next packet in order."""

    payload: bytes


class Merged(Struct, frozen=True):
    """Two packets in order, to be made into the time of one."""

    first: bytes
    second: bytes


class Lost(Struct, frozen=True):
    """The next packet is lost; `following` is the one after it, if it is there."""

    following: bytes | None


class Late(Struct, frozen=True):
    """The next packet is not there yet."""


class Idle(Struct, frozen=True):
    """No stream is running."""


Release: TypeAlias = Packet | Merged | Lost | Late | Idle

_LATE = Late()
_IDLE = Idle()


class JitterBuffer:
    """Order, wait for, give up and count the packets of one RTP stream at a time."""

    def __init__(self) -> None:
        self.late = 0  # packets that came after their slot
        self.lost = 0  # packets given up
        self.duplicates = 0
        self.dropped = 0  # packets thrown away to catch up
        self.delay = 0.0  # seconds a packet waits, smoothed
        self._packets: dict[int, tuple[bytes, float]] = {}
        self._ssrc: int | None = None
        self._playing = False
        self._next = 0  # sequence numbers are extended, so that they never wrap
        self._newest = -1
        self._waited = 0  # slots concealed while waiting for `_next`
        self._since_loss = WINDOW
        self._since_merge = 0
        self._slots = 0
        self._floor = MAX_SPAN
        self._spare = 0

    def __len__(self) -> int:
        return len(self._packets)

    def put(self, ssrc: int, sequence: int, payload: bytes, now: float) -> None:
        """Take a packet in; `sequence` is the 16 bits of its header, `now` seconds of a monotonic clock."""
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._begin(sequence)
        number = self._newest + ((sequence - self._newest + 0x8000) & 0xFFFF) - 0x8000
        if number - self._newest > MAX_DROPOUT or self._next - number > MAX_MISORDER:
            self._begin(sequence)
            number = sequence
        if number < self._next:
            self.late += 1
        elif number in self._packets:
            self.duplicates += 1
        else:
            self._packets[number] = (payload, now)
            self._newest = max(self._newest, number)
            if not self._playing and self._newest - min(self._packets) >= MAX_SPAN:
                self._skip_to(self._newest - MAX_SPAN + 1)

    def take(self, now: float) -> Release:
        """Return what this slot plays; call it once for each packet's worth of time."""
        if not self._playing:
            if not self._packets:
                return _IDLE
            self._start()
        wanted = 2 if self._since_loss < WINDOW else 1
        if self._span > MAX_SPAN:
            self._skip_to(self._newest - wanted + 1)
        self._measure(wanted)
        if self._span == 0:
            return self._wait()
        while self._next not in self._packets and self._span > wanted and self._waited + self._spare > 0:
            self._give_up_unheard()
        if self._next not in self._packets:
            return self._give_up()
        first = self._pop(now)
        self._waited = 0
        if self._spare and self._since_merge >= MERGE_INTERVAL and self._next in self._packets:
            self._spare -= 1
            self._since_merge = 0
            return Merged(first, self._pop(now))
        return Packet(first)

    def drain(self, now: float) -> list[Packet | Lost]:
        """Return at once what is left to play, the newest MAX_SPAN packets at most; then it is empty."""
        if self._packets and not self._playing:
            self._start()
        if self._span > MAX_SPAN:
            self._skip_to(self._newest - MAX_SPAN + 1)
        released: list[Packet | Lost] = []
        while self._span > 0:
            if self._next in self._packets:
                released.append(Packet(self._pop(now)))
            elif self._waited > 0:
                self._give_up_unheard()
            else:
                released.append(self._give_up())
        return released

    @property
    def _span(self) -> int:
        return self._newest - self._next + 1

    def _begin(self, sequence: int) -> None:
        self._packets.clear()
        self._playing = False
        self._next = sequence
        self._newest = sequence - 1
        self._since_loss = WINDOW

    def _start(self) -> None:
        self._playing = True
        self._waited = 0
        self._next = min(self._packets)
        self._measure_anew()

    def _measure_anew(self) -> None:
        self._slots = 0
        self._floor = MAX_SPAN
        self._spare = 0
        self._since_merge = 0

    def _measure(self, wanted: int) -> None:
        self._slots += 1
        self._since_loss += 1
        self._since_merge += 1
        self._floor = min(self._floor, self._span)
        if self._slots == WINDOW:
            spare = self._floor - wanted
            self._measure_anew()
            self._spare = max(0, spare)

    def _wait(self) -> Release:
        self._spare = 0
        self._waited += 1
        if self._waited > PATIENCE:
            self._playing = False
            return _IDLE
        return _LATE

    def _give_up(self) -> Lost:
        following = self._packets.get(self._next + 1)
        self._next += 1
        self.lost += 1
        self._since_loss = 0
        return Lost(following[0] if following else None)

    def _give_up_unheard(self) -> None:
        # Its time was already filled while waiting for it, or is time to spare.
        self._give_up()
        if self._waited:
            self._waited -= 1
        else:
            self._spare -= 1

    def _pop(self, now: float) -> bytes:
        payload, arrival = self._packets.pop(self._next)
        self._next += 1
        self.delay += (now - arrival - self.delay) / 16
        return payload

    def _skip_to(self, number: int) -> None:
        for old in [key for key in self._packets if key < number]:
            del self._packets[old]
            self.dropped += 1
        self._next = number
