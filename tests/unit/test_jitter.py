"""The jitter buffer: order, loss, lateness, bounds; simulated networks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.jitter import (
    MAX_DROPOUT,
    MAX_MISORDER,
    MAX_SPAN,
    PATIENCE,
    WINDOW,
    Idle,
    JitterBuffer,
    Late,
    Lost,
    Merged,
    Packet,
    Release,
)

pytestmark = pytest.mark.unit

SSRC = 7


def name(sequence: int) -> bytes:
    return str(sequence).encode()


def put(buffer: JitterBuffer, *sequences: int, ssrc: int = SSRC, now: float = 0.0) -> None:
    for sequence in sequences:
        buffer.put(ssrc, sequence & 0xFFFF, name(sequence), now)


def take(buffer: JitterBuffer, count: int) -> list[Release]:
    return [buffer.take(0.0) for _ in range(count)]


def packets(*sequences: int) -> list[Release]:
    return [Packet(name(sequence)) for sequence in sequences]


def test_nothing_is_idle() -> None:
    assert JitterBuffer().take(0.0) == Idle()


def test_order_is_restored_and_duplicates_are_counted() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 3, 2, 3, 4)
    assert take(buffer, 4) == packets(1, 2, 3, 4)
    assert buffer.duplicates == 1
    assert len(buffer) == 0


def test_sequence_numbers_wrap() -> None:
    buffer = JitterBuffer()
    put(buffer, 65534, 65535, 65536, 65537)
    assert take(buffer, 4) == packets(65534, 65535, 65536, 65537)
    assert buffer.lost == 0


def test_a_lost_packet_is_told_with_the_one_after_it() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 3, 4)
    assert take(buffer, 3) == [Packet(b"1"), Lost(b"3"), Packet(b"3")]
    assert buffer.lost == 1


def test_of_two_lost_packets_only_the_second_has_the_one_after_it() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 4)
    assert take(buffer, 4) == [Packet(b"1"), Lost(None), Lost(b"4"), Packet(b"4")]


def test_a_late_packet_is_waited_for_and_played() -> None:
    buffer = JitterBuffer()
    put(buffer, 1)
    assert take(buffer, 2) == [Packet(b"1"), Late()]
    put(buffer, 2)
    assert take(buffer, 1) == packets(2)
    assert buffer.lost == 0


def test_a_packet_after_its_slot_is_dropped() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 3)
    take(buffer, 3)
    put(buffer, 2)
    assert buffer.late == 1
    assert take(buffer, 1) == [Late()]


def test_the_first_loss_costs_one_slot_and_no_delay() -> None:
    buffer = JitterBuffer()
    put(buffer, 1)
    assert take(buffer, 2) == [Packet(b"1"), Late()]  # 2 is lost
    put(buffer, 3)
    assert take(buffer, 1) == packets(3)
    assert buffer.lost == 1


def test_after_a_loss_one_packet_more_is_kept_for_fec_and_let_go_later() -> None:
    buffer = JitterBuffer()
    released: list[Release] = []
    for sequence in range(1, 4 * WINDOW):
        if sequence not in (5, 10, 15):
            put(buffer, sequence)
        released += take(buffer, 1)
    assert [release for release in released if isinstance(release, Lost)] == [Lost(b"11"), Lost(b"16")]
    assert released[-1] == Packet(name(4 * WINDOW - 1))  # again without a packet in between
    assert sum(isinstance(release, Merged) for release in released) == 1


def test_lateness_grows_the_delay_and_calm_shrinks_it() -> None:
    buffer = JitterBuffer()
    released: list[Release] = []
    last = 3 * WINDOW
    for slot in range(last):
        if slot < 20:
            put(buffer, slot)
        elif slot >= 24:  # three packets late once, then steady
            put(buffer, *(range(20, 25) if slot == 24 else (slot,)))
        released += take(buffer, 1)
    assert released[20:24] == [Late()] * 4
    assert released[24] == packets(20)[0]
    assert sum(isinstance(release, Merged) for release in released) == 4
    assert released[-1] == Packet(name(last - 1))
    assert buffer.lost == buffer.late == 0


def test_spare_time_is_also_given_back_by_lost_packets() -> None:
    buffer = JitterBuffer()
    put(buffer, 0, 1, 2)
    for slot in range(WINDOW):
        assert buffer.take(0.0) == Packet(name(slot))
        if slot + 3 != WINDOW + 1:
            put(buffer, slot + 3)
    assert take(buffer, 2) == packets(WINDOW, WINDOW + 2)
    assert buffer.lost == 1


def test_a_pause_is_idle_and_ends_at_once() -> None:
    buffer = JitterBuffer()
    put(buffer, 1)
    assert take(buffer, PATIENCE + 3) == [Packet(b"1"), *[Late()] * PATIENCE, Idle(), Idle()]
    put(buffer, 2)
    assert take(buffer, 1) == packets(2)
    assert buffer.lost == 0


def test_another_ssrc_starts_anew() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 2, 3)
    take(buffer, 1)
    put(buffer, 40_000, ssrc=8)
    assert take(buffer, 1) == packets(40_000)
    assert buffer.lost == 0


@pytest.mark.parametrize("jump", [MAX_DROPOUT + 1, -MAX_MISORDER - 2, 30_000])
def test_a_big_jump_starts_anew(jump: int) -> None:
    buffer = JitterBuffer()
    put(buffer, 20_000)
    take(buffer, 1)
    put(buffer, 20_000 + jump)
    assert take(buffer, 1) == packets(20_000 + jump)
    assert buffer.lost == 0


def test_a_burst_is_cut_to_the_newest() -> None:
    buffer = JitterBuffer()
    put(buffer, 0)
    take(buffer, 1)
    put(buffer, *range(1, 40))
    assert take(buffer, 1) == packets(39)
    assert buffer.dropped == 38
    assert len(buffer) == 0


def test_a_burst_into_a_pause_is_bounded() -> None:
    buffer = JitterBuffer()
    put(buffer, *range(500))
    assert len(buffer) == MAX_SPAN
    assert take(buffer, MAX_SPAN) == packets(*range(500 - MAX_SPAN, 500))


def test_the_delay_is_measured() -> None:
    buffer = JitterBuffer()
    for sequence in range(200):
        put(buffer, sequence, now=sequence * 0.02)
        buffer.take(sequence * 0.02 + 0.015)
    assert buffer.delay == pytest.approx(0.015, abs=0.001)


def test_draining_returns_in_order_what_is_left_and_what_is_lost() -> None:
    buffer = JitterBuffer()
    put(buffer, 1, 2)
    take(buffer, 1)
    put(buffer, 6, 4)
    assert buffer.drain(0.0) == [*packets(2), Lost(b"4"), *packets(4), Lost(b"6"), *packets(6)]
    assert (buffer.lost, len(buffer)) == (2, 0)
    assert buffer.drain(0.0) == []
    assert take(buffer, 1) == [Late()]


def test_draining_fills_no_time_twice() -> None:
    buffer = JitterBuffer()
    put(buffer, 1)
    assert take(buffer, 2) == [*packets(1), Late()]
    put(buffer, 3, 5)
    assert buffer.drain(0.0) == [*packets(3), Lost(b"5"), *packets(5)]


def test_draining_what_has_not_begun_to_play() -> None:
    buffer = JitterBuffer()
    assert buffer.drain(0.0) == []
    put(buffer, 7, 9, 8)
    assert buffer.drain(0.0) == packets(7, 8, 9)
    take(buffer, PATIENCE + 1)
    put(buffer, 20, 22)
    assert buffer.drain(0.0) == [*packets(20), Lost(b"22"), *packets(22)]


def test_draining_is_bounded() -> None:
    buffer = JitterBuffer()
    put(buffer, 0)
    take(buffer, 1)
    put(buffer, *range(1, 40))
    assert buffer.drain(0.0) == packets(*range(40 - MAX_SPAN, 40))
    assert buffer.dropped == 39 - MAX_SPAN


def played(release: Release) -> list[int]:
    match release:
        case Packet(payload):
            return [int(payload)]
        case Merged(first, second):
            return [int(first), int(second)]
        case _:
            return []


def simulate(seed: int, loss: float, jitter: float, count: int = 3000) -> tuple[JitterBuffer, list[Release]]:
    """Send a packet every 20 ms over a network, and take one every 20 ms."""
    chance = random.Random(seed)
    arrivals = sorted(
        (n * 0.02 + chance.random() * jitter, n) for n in range(count) if n == 0 or chance.random() >= loss
    )
    buffer, released, at = JitterBuffer(), [], 0
    for slot in range(count):
        now = arrivals[0][0] + 0.01 + slot * 0.02
        while at < len(arrivals) and arrivals[at][0] <= now:
            buffer.put(SSRC, arrivals[at][1] & 0xFFFF, name(arrivals[at][1]), arrivals[at][0])
            at += 1
        released.append(buffer.take(now))
    return buffer, released


@pytest.mark.parametrize(("loss", "jitter"), [(0, 0.005), (0.05, 0), (0.2, 0), (0, 0.05), (0.05, 0.05)])
def test_a_network_costs_hardly_more_than_it_loses(seed: int, loss: float, jitter: float) -> None:
    buffer, released = simulate(seed, loss, jitter)
    heard = [number for release in released for number in played(release)]
    assert heard == sorted(set(heard))
    assert len(heard) > 3000 * (1 - loss) * 0.97 - 30
    assert buffer.delay < 0.04 + jitter
    assert not any(isinstance(release, Idle) for release in released)


def test_half_of_what_is_lost_at_5_percent_can_be_recovered(seed: int) -> None:
    _, released = simulate(seed, 0.05, 0.0)
    recovered = sum(isinstance(release, Lost) and release.following is not None for release in released)
    assert recovered > 60  # of some 150


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 0xFFFF), st.integers(0, 3)), max_size=300))
def test_whatever_comes_it_stays_bounded_and_in_order(events: list[tuple[int, int, int]]) -> None:
    buffer = JitterBuffer()
    for ssrc, sequence, takes in events:
        buffer.put(ssrc, sequence, b"x", 0.0)
        for _ in range(takes):
            buffer.take(0.0)
        assert len(buffer) <= MAX_DROPOUT + 1
    for _ in range(len(buffer) + PATIENCE + MAX_DROPOUT):
        last = buffer.take(0.0)
    assert last == Idle()
    assert len(buffer) == 0


@given(st.lists(st.integers(0, 40), max_size=200))
def test_a_shuffled_stream_never_plays_twice_or_backwards(offsets: list[int]) -> None:
    buffer, heard = JitterBuffer(), []
    for step, offset in enumerate(offsets):
        put(buffer, 1000 + step + offset)
        heard += played(buffer.take(0.0))
    assert heard == sorted(set(heard))
