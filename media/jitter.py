"""The jitter buffer: packets in as the network brings them, and what to play of them when. Pure.

Times are counted in samples (48 kHz). The transit of a packet is its arrival minus its RTP timestamp; each of
the two clocks has an origin of its own, so only differences of transits mean anything, and a drift of the
clocks is a transit that moves. A packet is played once its slack, the transit it would have if it came just
now, reaches the target: what nearly all packets of the last seconds needed. A lost packet needs the one after
it, if that carries its sound a second time (FEC), or is followed by it, sent again; looking ahead is paid for
only where losses are frequent, by two packets where they come in bursts.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from media.rtp import signed

SAMPLE_RATE = 48_000
MILLISECOND = SAMPLE_RATE // 1000

START = 10 * MILLISECOND  # delay to begin with, beyond that of the fastest packet
FLOOR = 5 * MILLISECOND  # delay however steady the network is
MARGIN = 1 * MILLISECOND
CEILING = 300 * MILLISECOND  # delay however bad the network is, or however false its timestamps
TOLERANCE = 5 * MILLISECOND  # by which the slack may miss the target before time is filled to make it up
LATE_SHARE = 0.01  # of packets may come after their time
LOST_SHARE = 0.0055  # of packets may stay lost although the one after them carries them
STEADY = 10 * MILLISECOND  # that one packet in ten may be late
BURST = 1.5  # packets missing at once, on average, from which on losses come in bursts
LONE = 2  # losses of one packet, counted beforehand: two lost by chance are no burst
NEW = 2  # bursts that are waited for although nothing was sent again yet: the sender is only just told
UNSEEN = 4  # packets to come may outdo n known ones by 4 / (4 + n) of the spread
TOGETHER = 4 * MILLISECOND  # between packets that come at once
MEMORY = 3 * SAMPLE_RATE  # of sound whose transits are remembered
LOSS_MEMORY = 10 * SAMPLE_RATE
MAX_HELD = 400 * MILLISECOND  # beyond it the oldest packets are dropped
MAX_PACKETS = 200
IDLE = 1 * SAMPLE_RATE  # without a packet
RESTART = 2 * SAMPLE_RATE  # a change of transit that no network makes
SLICE = 120  # samples, 2.5 ms: all lengths of Opus are multiples of it
MAX_SAMPLES = 120 * MILLISECOND  # the longest packet, RFC 6716 §3.2.5
DTX_BYTES = 2  # a packet of so many bytes says that nothing is said
MAX_DROPOUT = 3000  # RFC 3550 appendix A.1
MAX_MISORDER = 100


class Packet(Struct, frozen=True):
    """A packet; `timestamp` and `sequence` are extended, so that they never wrap, `arrival` is in samples."""

    timestamp: int
    sequence: int
    payload: bytes
    arrival: int
    fec: bool = False  # whether it carries the one before it a second time

    @property
    def pause(self) -> bool:
        """Return whether it is one of a pause (DTX)."""
        return len(self.payload) <= DTX_BYTES


class Recover(Struct, frozen=True):
    """So many samples are lost; `following` carries them a second time."""

    following: bytes
    samples: int


class Conceal(Struct, frozen=True):
    """So many samples are lost."""

    samples: int


class Late(Struct, frozen=True):
    """What comes next is not there yet: fill the time, and tell `filled`."""


class Pause(Struct, frozen=True):
    """The other end says nothing for now."""


class Idle(Struct, frozen=True):
    """No stream is running."""


Release: TypeAlias = Packet | Recover | Conceal | Late | Pause | Idle

_LATE, _PAUSE, _IDLE = Late(), Pause(), Idle()


class Transits:
    """The transits of the last seconds, and the target that follows from them."""

    def __init__(self) -> None:
        self.target = 0
        self._recent: deque[tuple[int, int]] = deque()  # transit, samples of sound
        self._sorted: list[int] = []
        self._remembered = 0  # samples
        self._passed = 0  # samples
        self._samples = SLICE  # of the last packet
        # What had passed by then; the transit of what made good the loss, or the packets missing at once.
        self._lost: deque[tuple[int, int]] = deque(maxlen=MAX_PACKETS)
        self._gaps: deque[tuple[int, int]] = deque(maxlen=MAX_PACKETS)

    @property
    def delay(self) -> int:
        """Return the target beyond the fastest packet."""
        return self.target - self._sorted[0] if self._sorted else 0

    def came(self, transit: int, samples: int) -> None:
        """Take note of a packet."""
        self._recent.append((transit, samples))
        insort(self._sorted, transit)
        self._count(samples)
        self._aim()

    def followed(self, samples: int) -> None:
        """Take note of a packet that came with the one before: one stall of the network made both late."""
        if self._recent:
            transit, before = self._recent[-1]
            self._recent[-1] = transit, before + samples
            self._count(samples)

    def missed(self, packets: int) -> None:
        """Take note that so many packets in a row had not come when the one after them did."""
        self._gaps.append((self._passed, packets))
        if self._sorted:
            self._aim()  # at once: the time that the burst leaves is to be filled

    def lost(self, transit: int) -> None:
        """Take note of a lost packet that one with such a transit carried, or was, a second time."""
        self._lost.append((self._passed, transit))

    def _count(self, samples: int) -> None:
        self._remembered += samples
        self._passed += samples
        self._samples = samples
        while self._remembered > MEMORY and len(self._recent) > 1:
            old, length = self._recent.popleft()
            del self._sorted[bisect_left(self._sorted, old)]
            self._remembered -= length
        for noted in (self._lost, self._gaps):
            while noted and self._passed - noted[0][0] > LOSS_MEMORY:
                noted.popleft()

    def move_to(self, transit: int) -> None:
        """Let the fastest packet have had this transit: the clocks have jumped, the network is the same."""
        if self._sorted:
            by = transit - self._sorted[0]
            self._recent = deque((old + by, samples) for old, samples in self._recent)
            self._sorted = [old + by for old in self._sorted]
            self._lost = deque(((passed, old + by) for passed, old in self._lost), MAX_PACKETS)
            self.target += by

    def _aim(self) -> None:
        fastest, needed, count = self._sorted[0], self._exceeded_by(LATE_SHARE), len(self._sorted)
        needed += max(0, needed - self._sorted[count // 2]) * UNSEEN // (UNSEEN + count)
        lost_share = len(self._lost) * self._samples / min(self._passed, LOSS_MEMORY)
        if self._bursty and self._lost:  # the packet that carries the lost one came when it was sent again
            needed = max(needed, max(transit for _, transit in self._lost) + self._samples)
        elif self._bursty and len(self._gaps) <= NEW:
            needed += 2 * self._samples
        elif lost_share > LOST_SHARE:
            needed = max(needed, self._exceeded_by(LOST_SHARE / lost_share) + self._samples)
        least = FLOOR if self._passed > SAMPLE_RATE // 2 else START
        self.target = min(max(needed + MARGIN, fastest + least), fastest + CEILING)

    @property
    def steady(self) -> bool:
        """Return whether packets keep their order but for those that are sent again."""
        return not self._sorted or self._exceeded_by(0.1) - self._sorted[0] < STEADY

    @property
    def _bursty(self) -> bool:
        gaps = [packets for _, packets in self._gaps]
        return self.steady and sum(gaps) + LONE >= BURST * (len(gaps) + LONE)

    def _exceeded_by(self, share: float) -> int:
        count = len(self._sorted)
        return self._sorted[max(0, count - 1 - max(1, int(share * count)))]


class JitterBuffer:
    """Order, wait for, give up and count the packets of one RTP stream at a time."""

    def __init__(self, has_fec: Callable[[bytes], bool]) -> None:
        self.discarded = 0  # packets that came too late, or were dropped to catch up
        self.fec_received = 0  # packets that carried the one before them a second time
        self.fec_discarded = 0  # the same, of which that was not needed
        self.excess = 0  # samples by which the slack was beyond the target when last a packet was due
        self.samples = 20 * MILLISECOND  # of the last packet played
        self._has_fec = has_fec
        self._transits = Transits()
        self._held: dict[int, Packet] = {}
        self._ssrc: int | None = None
        self._newest = Packet(0, 0, b"", 0)
        self._last = self._newest  # that came
        self._playing = False
        self._pausing = False
        self._cursor = 0  # timestamp of what is played next
        self._sequence = 0  # of what was played last
        self._filled = 0  # samples filled while waiting for the cursor
        self._done: deque[int] = deque(maxlen=MAX_PACKETS)  # timestamps of what was played or discarded
        self._carrier = -1  # number of the packet that last made good the one before it
        self._passed_over: deque[int] = deque(maxlen=MAX_PACKETS)  # numbers that no sound has

    def __len__(self) -> int:
        return len(self._held)

    @property
    def target_delay(self) -> int:
        """Return the delay aimed at, in samples beyond the fastest packet."""
        return self._transits.delay

    def put(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take in a packet, with 32, 16 and 32 bits of its header; `now` in seconds of a monotonic clock."""
        arrival = int(now * SAMPLE_RATE)
        place = self._place(sequence, timestamp, arrival) if ssrc == self._ssrc else None
        stamp, number = place or (timestamp, sequence)
        packet = Packet(stamp, number, payload, arrival, self._has_fec(payload))
        if place is None:
            self._newest = packet
            self._begin(ssrc, arrival - timestamp)
        before, self._last = self._last, packet
        late = self._playing and packet.timestamp < self._cursor
        if packet.timestamp in self._held or (late and packet.timestamp in self._done):
            return  # a second time
        self.fec_received += packet.fec
        if not packet.pause:
            if packet.timestamp > self._newest.timestamp and arrival - self._newest.arrival < TOGETHER:
                self._transits.followed(self.samples)
            elif (
                packet.sequence + 1 == before.sequence
                and arrival - before.arrival < TOGETHER
                and self._transits.steady
            ):  # sent again with the one after it
                self._transits.lost(arrival - packet.timestamp)
            else:
                self._transits.came(arrival - packet.timestamp, self.samples)
        if late:
            self._finish(packet)
            return
        self._held[packet.timestamp] = packet
        if packet.timestamp > self._newest.timestamp:
            missed = self._sounds_between(self._newest.sequence, packet.sequence)
            if missed > 0:
                self._transits.missed(missed)
            self._newest = packet
        while len(self._held) > MAX_PACKETS or self._newest.timestamp - min(self._held) > MAX_HELD:
            self._drop_oldest()

    def pass_over(self, ssrc: int, sequence: int) -> None:
        """Take note of a packet that shares the numbers of the sound but is none: a digit (RFC 4733)."""
        number = self._newest.sequence + signed(sequence - self._newest.sequence, 16)
        if ssrc == self._ssrc and number not in self._passed_over:
            self._passed_over.append(number)

    def take(self, now: float) -> Release:
        """Return what to play next, and step behind it."""
        clock = int(now * SAMPLE_RATE)
        while self._held:
            packet = self._held.pop(self._cursor, None) if self._playing else None
            if packet is not None:
                excess = clock - self._cursor - self._transits.target
                self._cursor += self.samples
                self._sequence = packet.sequence
                if self._unheard(self.samples, excess) and self._in_time():
                    self._filled -= self.samples
                    self._finish(packet)
                    continue
                self._finish(packet, played=True)
                self.excess = excess
                self._pausing = packet.pause
                self._filled = 0
                return packet
            release = self._missing(clock)
            if release is not None:
                return release
        return self._starve(clock)

    def ready(self) -> bool:
        """Return whether the next packet is there."""
        return self._playing and self._cursor in self._held

    def decoded(self, samples: int) -> None:
        """Tell how long the packet is that was taken last."""
        self._cursor += samples - self.samples
        self.samples = samples

    def filled(self, samples: int) -> None:
        """Tell how much time was filled because a packet is late."""
        self._filled += samples

    def _place(self, sequence: int, timestamp: int, arrival: int) -> tuple[int, int] | None:
        """Return the extended timestamp and number of a packet, none if a stream begins with it."""
        newest = self._newest
        ahead = signed(sequence - newest.sequence, 16)
        later = signed(timestamp - newest.timestamp, 32)
        moved = arrival - newest.arrival - later
        idle = not self._playing and not self._held
        if idle or not -MAX_MISORDER <= ahead <= MAX_DROPOUT or abs(moved) > RESTART:
            return None
        return newest.timestamp + later, newest.sequence + ahead

    def _begin(self, ssrc: int, transit: int) -> None:
        for packet in self._held.values():
            self._finish(packet)
        self._held.clear()
        self._done.clear()
        self._carrier = -1
        self._passed_over.clear()
        self._ssrc = ssrc
        self._playing = self._pausing = False
        self._transits.move_to(transit)

    def _drop_oldest(self) -> None:
        dropped = self._held.pop(min(self._held))
        self._finish(dropped)
        if self._playing:
            self._cursor, self._sequence = min(self._held), dropped.sequence

    def _finish(self, packet: Packet, *, played: bool = False) -> None:
        """Take note of a packet that was played, or else discarded."""
        self.discarded += not played
        self._done.append(packet.timestamp)
        self.fec_discarded += packet.fec and packet.sequence != self._carrier

    def _starve(self, clock: int) -> Release:
        if clock - self._last.arrival > IDLE:
            self._playing = False
        if not self._playing:
            return _IDLE
        others = any(number > self._newest.sequence for number in self._passed_over)
        return _PAUSE if self._pausing or others else _LATE

    def _missing(self, clock: int) -> Release | None:
        """Return what to play while the first packet held is not the next, none to look again."""
        first = self._held[min(self._held)]
        gap = first.timestamp - self._cursor
        count = self._sounds_between(self._sequence, first.sequence)
        if self._playing and gap < 0:  # the one before lasts into it
            self._finish(self._held.pop(first.timestamp))
            return None
        if not self._playing or count <= 0 or not SLICE <= gap // count <= 2 * self.samples:
            return self._resume(first, clock)
        samples = min(gap // count // SLICE * SLICE, MAX_SAMPLES)
        excess = clock - self._cursor - self._transits.target
        recoverable = count == 1 and first.fec
        unheard = self._unheard(samples, excess)
        if not unheard and not recoverable and excess < -TOLERANCE:
            return _LATE
        if recoverable:
            self._transits.lost(first.arrival - first.timestamp)
        self._cursor += samples
        self._sequence += 1
        while self._sequence in self._passed_over:
            self._sequence += 1
        if unheard:
            self._filled -= samples
            return None
        self.excess = excess
        if not recoverable:
            return Conceal(samples)
        self._carrier = first.sequence
        return Recover(first.payload, samples)

    def _sounds_between(self, before: int, after: int) -> int:
        """Return how many packets between two numbers may be sound."""
        between = after - before - 1
        return between and between - sum(before < number < after for number in self._passed_over)

    def _unheard(self, samples: int, excess: int) -> bool:
        """Return whether the time of so many samples was filled while waiting for them."""
        return self._filled >= samples and excess >= samples - TOLERANCE

    def _in_time(self) -> bool:
        """Return whether the next packet came in time; in a stall of the network it came late, too."""
        packet = self._held.get(self._cursor)
        return packet is not None and packet.arrival - packet.timestamp <= self._transits.target

    def _resume(self, first: Packet, clock: int) -> Release | None:
        """Go on after a pause, with a delay that is right from the first sound on."""
        pause = not self._playing or first.timestamp - self._cursor >= self.samples
        if pause and clock - first.timestamp < self._transits.target - TOLERANCE:
            return _PAUSE
        self._playing = True
        self._cursor = first.timestamp
        self._sequence = first.sequence - 1
        self._filled = 0
        return None
