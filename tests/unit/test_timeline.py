"""Where packets are placed in a recording: order, loss, pauses, other streams, floods."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.opus_packet import SILENT_PACKET, packet_samples
from media.timeline import PATIENCE, Timeline

pytestmark = pytest.mark.unit

RATE = 48_000
Placed = list[tuple[bytes, int]]


def voice(number: int, config: int = 9) -> bytes:
    """Return a packet that is unlike what fills gaps."""
    return bytes((config << 3, 1, number >> 8 & 0xFF, number & 0xFF))


class Call:
    """A sender of one packet each 20 ms, whose packets may be changed before they come."""

    def __init__(self, ssrc: int = 1, sequence: int = 65_500, timestamp: int = 2**32 - 5000) -> None:
        self.timeline = Timeline()
        self.placed: Placed = []
        self.sent = 0
        self.ssrc = ssrc
        self.first = sequence, timestamp

    def packet(self, number: int, at: float | None = None, stamp: int | None = None, size: int = 960) -> None:
        """Let packet `number` come 20 ms after it began to be said."""
        sequence, timestamp = self.first
        stamp = timestamp + number * size if stamp is None else stamp
        at = (number + 1) * size / RATE if at is None else at
        place = self.timeline.put(
            at, self.ssrc, (sequence + number) & 0xFFFF, stamp & 0xFFFFFFFF, voice(number)
        )
        self.placed += place

    def packets(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.packet(number)

    def end(self, at: float) -> dict[int, int]:
        self.placed += self.timeline.end(at)
        assert sum(samples for _, samples in self.placed) == self.timeline.samples
        return self.where()

    def where(self) -> dict[int, int]:
        """Return at what sample each packet is."""
        found: dict[int, int] = {}
        position = 0
        for packet, samples in self.placed:
            assert packet_samples(packet) == samples
            if len(packet) == 4:
                number = packet[2] << 8 | packet[3]
                assert number not in found
                found[number] = position
            position += samples
        return found


def in_place(numbers: Iterable[int]) -> dict[int, int]:
    return {number: number * 960 for number in numbers}


def test_packets_in_order_are_placed_at_once() -> None:
    call = Call()
    for number in range(100):
        call.packet(number)
        assert len(call.placed) == number + 1
    assert call.end(2.0) == in_place(range(100))
    assert call.timeline.samples == 2 * RATE
    assert (call.timeline.malformed, call.timeline.discarded) == (0, 0)


def test_what_is_lost_is_filled() -> None:
    call = Call()
    call.packets(number for number in range(100) if number not in (10, 40, 41, 42, 43, 44))
    expected = in_place(number for number in range(100) if number not in (10, 40, 41, 42, 43, 44))
    assert call.end(2.0) == expected
    concealed = bytes((9 << 3,))
    assert call.placed[10] == (concealed, 960)
    assert [packet for packet, _ in call.placed[40:45]] == [concealed] * 3 + [SILENT_PACKET] * 2


def test_a_late_packet_is_placed_where_it_belongs() -> None:
    call = Call()
    call.packets([*range(10), *range(11, 40)])
    assert len(call.placed) == 10
    call.packet(10, at=0.8)
    assert len(call.placed) == 40
    assert call.end(0.8) == in_place(range(40))


def test_nothing_is_kept_back_longer_than_patience() -> None:
    call = Call()
    call.packets([*range(10), 11, 13])
    for number in range(14, 200):
        call.packet(number)
        newest = max(call.where())
        assert number - newest <= PATIENCE / 0.02 + 1
    call.packet(10, at=4.0)  # its place is filled
    assert call.end(4.0) == in_place(number for number in range(200) if number not in (10, 12))
    assert call.timeline.discarded == 1


def test_a_packet_that_comes_twice_is_placed_once() -> None:
    call = Call()
    call.packets([0, 0, 1, 3, 3, 2, 3, 4])
    assert call.end(0.1) == in_place(range(5))
    assert call.timeline.discarded == 3


def test_pauses_are_as_long_as_they_were() -> None:
    call = Call()
    call.packets(range(50))
    _, timestamp = call.first
    # DTX: the next number, a later time; 10 packets to the end.
    for number in range(50, 60):
        call.packet(number, at=3.02 + (number - 50) * 0.02, stamp=timestamp + 3 * RATE + (number - 50) * 960)
    where = call.end(3.2)
    assert [where[number] for number in (49, 50, 59)] == [49 * 960, 3 * RATE, 3 * RATE + 9 * 960]
    assert call.timeline.samples == 3 * RATE + 9600


def test_a_pause_at_the_begin_and_the_end_is_filled() -> None:
    call = Call()
    for number in range(10):
        call.packet(number, at=1.02 + number * 0.02)
    where = call.end(5.0)
    assert where[0] == RATE and call.timeline.samples == 5 * RATE
    empty = Timeline()
    assert sum(samples for _, samples in empty.end(2.0)) == empty.samples == 2 * RATE
    # What is on its way when the call ends is not waited for.
    short = Call()
    short.packets(range(10))
    short.end(0.2 + 0.09)
    assert short.timeline.samples == 9600


def test_another_stream_goes_on_by_the_clock() -> None:
    call = Call()
    call.packets(range(50))
    call.ssrc, call.first = 2, (9, 77)
    for number in range(50, 100):
        call.packet(number, at=1.52 + (number - 50) * 0.02)
    where = call.end(2.52)
    assert (where[49], where[50], where[99]) == (49 * 960, RATE * 3 // 2, RATE * 3 // 2 + 49 * 960)
    # What was on its way of the first is not placed in the second; much later it is a stream like any other.
    soon = Call()
    soon.packets(range(10))
    soon.ssrc = 2
    soon.packet(10)
    soon.ssrc = 1
    soon.packet(11)
    assert soon.timeline.discarded == 1
    soon.packet(50)
    assert 50 in soon.end(1.02)


@pytest.mark.parametrize("jump", [2**31 - 9, -(2**30), 10 * RATE, -(5 * RATE), -1000])
def test_timestamps_that_jump_go_on_by_the_clock(jump: int) -> None:
    call = Call()
    call.packets(range(50))
    _, timestamp = call.first
    for number in range(50, 100):
        call.packet(number, stamp=timestamp + number * 960 + jump)
    assert call.end(2.0) == in_place(range(100))


def test_timestamps_that_stand_still_in_a_hold() -> None:
    call = Call()
    call.packets(range(50))
    for number in range(50, 100):
        call.packet(number, at=(number + 1) * 0.02 + 30.0)
    where = call.end(32.0)
    assert where[50] == 31 * RATE and call.timeline.samples == 32 * RATE


def test_timestamps_that_never_move() -> None:
    call = Call()
    for number in range(100):
        call.packet(number, stamp=5)
    assert call.end(2.0) == in_place(range(100))


@pytest.mark.parametrize("step", [3001, 30_000])
def test_numbers_that_jump_begin_anew(step: int) -> None:
    call = Call()
    call.packets([*range(50), 51])
    sequence, timestamp = call.first
    call.first = sequence + step - 1, timestamp
    call.packets(range(52, 100))
    assert call.end(2.0) == in_place(number for number in range(100) if number != 50)


def test_numbers_that_go_back_begin_anew_with_the_second() -> None:
    call = Call()
    call.packets(range(50))
    sequence, timestamp = call.first
    call.first = sequence - 200, timestamp
    call.packets(range(50, 100))
    assert call.end(2.0) == in_place(number for number in range(100) if number != 50)
    assert call.timeline.discarded == 1


def test_a_burst_after_a_stall_of_the_network_is_placed_as_it_was_said() -> None:
    call = Call()
    call.packets(range(50))
    for number in range(50, 130):
        call.packet(number, at=2.6)
    call.packets(range(130, 200))
    assert call.end(4.0) == in_place(range(200))


def test_packets_of_other_lengths() -> None:
    call = Call()
    for number in range(20):
        call.placed += call.timeline.put((number + 1) * 0.06, 1, number, number * 2880, voice(number, 11))
    where = call.end(1.2)
    assert where == {number: number * 2880 for number in range(20)}


def test_a_malformed_packet_is_a_gap() -> None:
    call = Call()
    call.packets(range(10))
    for payload in (b"", b"\x03", bytes((9 << 3 | 3, 63)) + bytes(63)):
        assert call.timeline.put(0.2, 1, 0, 0, payload) == []
    call.packets(range(11, 20))
    assert call.end(0.4) == in_place(number for number in range(20) if number != 10)
    assert call.timeline.malformed == 3


def test_a_fraction_of_the_finest_packet_is_not_lost_for_good() -> None:
    call = Call()
    _, timestamp = call.first
    shift = 0
    for number in range(100):
        shift += 50 * (number % 10 == 9)
        call.packet(number, stamp=timestamp + number * 960 + shift)
    for number, position in call.end(2.0).items():
        assert abs(position - number * 960 - number // 10 * 50) < 200


def test_a_flood_is_bounded() -> None:
    timeline = Timeline()
    for number in range(20_000):
        timeline.put(1.0, number, number, number, voice(number))
    assert timeline.samples < 12 * RATE and timeline.discarded > 10_000
    held = Timeline()
    held.put(0.0, 1, 0, 0, voice(0))
    for number in range(2, 2000):
        held.put(0.01, 1, number, number * 960, voice(number))
    assert len(held._held) < 600


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.floats(0, 0.5))
def test_a_bad_network_moves_nothing(seed: int, loss: float, jitter: float) -> None:
    chance = random.Random(seed)
    kept = [number for number in range(200) if number == 0 or chance.random() >= loss]
    arrivals = sorted(
        ((number + 1) * 0.02 + chance.random() * jitter * (number > 0), number) for number in kept
    )
    call = Call(sequence=chance.randrange(65_536), timestamp=chance.randrange(2**32))
    for at, number in arrivals:
        call.packet(number, at=at)
    assert call.end(4.0 + jitter) == in_place(kept)


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_anything_at_all_is_bounded_by_the_clock(seed: int) -> None:
    chance = random.Random(seed)
    timeline, now, placed = Timeline(), 0.0, 0
    for _ in range(300):
        now += chance.choice((0, 0.001, 0.02, 3))
        step = chance.choice((1, 1, 1, 100, 2**15))
        found = timeline.put(
            now,
            chance.randrange(2),
            chance.randrange(step) & 0xFFFF,
            chance.choice((0, 960, 2**31)),
            chance.randbytes(chance.randrange(4)),
        )
        placed += sum(samples for _, samples in found)
    placed += sum(samples for _, samples in timeline.end(now))
    assert placed == timeline.samples
    assert (now - 2.0) * RATE < placed + 10 * RATE and placed <= (now + 11) * RATE
