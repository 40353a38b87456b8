"""The jitter buffer: order, delay, loss, pauses, jumps, bounds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.jitter import (
    CEILING,
    IDLE,
    MAX_HELD,
    MAX_PACKETS,
    MILLISECOND,
    SAMPLE_RATE,
    Conceal,
    Idle,
    JitterBuffer,
    Late,
    Packet,
    Pause,
    Recover,
    Release,
    Transits,
)

pytestmark = pytest.mark.unit

FRAME = 20 * MILLISECOND
PAUSE = b"\x78"


def voice(index: int) -> bytes:
    return b"packet %d" % index


class Line:
    """A buffer at the end of a network; times in milliseconds, packets of 20 ms by their index."""

    def __init__(self, *, fec: bool = False, first: int = 0, stamp: int = 0) -> None:
        self.buffer = JitterBuffer(lambda payload: fec)
        self.first, self.stamp = first, stamp
        self.ssrc = 7
        self.given_up = 0

    def put(self, *indices: int, at: float | None = None, late: float = 0.0, payload: bytes = b"") -> None:
        """Let packets arrive, each when it is sent and so much later, or all at one time."""
        for index in indices:
            self.buffer.put(
                self.ssrc,
                (self.first + index) & 0xFFFF,
                (self.stamp + FRAME * index) & 0xFFFFFFFF,
                payload or voice(index),
                (index * 20 + late if at is None else at) / 1000,
            )

    def take(self, at: float) -> Release:
        release = self.buffer.take(at / 1000)
        self.given_up += isinstance(release, Recover | Conceal)
        return release

    def run(self, last: int, *, begin: int = 0, lost: tuple[int, ...] = (), lag: float = 12) -> list[Release]:
        """Carry packets, and play one release after each; return what is played."""
        releases = []
        for index in range(begin, last):
            if index not in lost:
                self.put(index)
            release = self.take(index * 20 + lag)
            if isinstance(release, Late):
                self.buffer.filled(FRAME)
            releases.append(release)
        return releases


def payloads(releases: list[Release]) -> list[bytes]:
    return [release.payload for release in releases if isinstance(release, Packet)]


def test_nothing_is_idle() -> None:
    line = Line()
    assert line.take(0) == Idle()
    assert not line.buffer.ready()
    assert line.buffer.target_delay == 0


def test_a_steady_network_costs_little_delay_and_nothing_else() -> None:
    line = Line()
    releases = line.run(200)
    assert payloads(releases) == [voice(index) for index in range(200)]
    assert line.buffer.target_delay <= 6 * MILLISECOND
    assert (line.given_up, line.buffer.discarded, len(line.buffer)) == (0, 0, 0)
    assert line.buffer.excess >= 0


def test_numbers_and_timestamps_wrap() -> None:
    line = Line(first=65_530, stamp=2**32 - 5 * FRAME)
    assert payloads(line.run(20)) == [voice(index) for index in range(20)]
    assert line.given_up == 0


def test_what_comes_first_waits_for_its_time() -> None:
    line = Line()
    line.put(0)
    assert line.take(1) == Pause()
    assert isinstance(line.take(11), Packet)


def test_order_is_restored_and_what_comes_twice_is_left_out() -> None:
    line = Line()
    line.put(0)
    assert isinstance(line.take(12), Packet)
    line.put(2, 1, 2, at=41)
    line.put(0, at=42)
    assert payloads([line.take(44), line.take(61)]) == [voice(1), voice(2)]
    assert line.buffer.discarded == 0


def test_a_lost_packet_is_recovered_from_the_one_after_it() -> None:
    line = Line(fec=True)
    line.run(100)
    line.put(101)
    assert line.take(2021) == Recover(voice(101), FRAME)
    assert payloads([line.take(2041)]) == [voice(101)]
    assert (line.buffer.fec_received, line.buffer.fec_discarded) == (101, 100)
    line.put(100)
    assert (line.buffer.fec_received, line.buffer.fec_discarded) == (102, 101)


def test_frequent_losses_are_worth_a_packet_of_delay() -> None:
    line = Line(fec=True)
    line.run(200)
    before = line.buffer.target_delay
    releases = line.run(1100, begin=200, lost=tuple(range(200, 1100, 10)))
    assert before + FRAME - 5 * MILLISECOND <= line.buffer.target_delay <= before + FRAME
    assert sum(isinstance(release, Recover) for release in releases) >= 85
    line.run(2200, begin=1100, lag=32)
    assert line.buffer.target_delay == before


@pytest.mark.parametrize("missing", [1, 2])
def test_packets_sent_again_with_the_next_make_good_what_is_lost(missing: int) -> None:
    line = Line(fec=True)
    line.run(200)
    releases = []
    for index in range(200, 1100):
        if index % 20 >= missing:
            line.put(index)
        if index % 20 == missing:
            line.put(index - 1, at=index * 20)
        if index >= 200 + missing:
            releases.append(line.take(index * 20 + 12))
    wanted = missing * FRAME
    assert wanted <= line.buffer.target_delay <= wanted + 5 * MILLISECOND
    assert sum(isinstance(release, Recover) for release in releases) == 45 * (missing - 1)
    assert len(payloads(releases)) == 900 - missing - 45 * (missing - 1)


@pytest.mark.parametrize(("missing", "wait"), [(2, 0), (3, 2)])
def test_a_first_burst_is_answered_before_anything_is_sent_again(missing: int, wait: int) -> None:
    line = Line()
    line.run(200)
    line.put(200 + missing)
    assert wait * FRAME < line.buffer.target_delay <= wait * FRAME + 5 * MILLISECOND


def test_bursts_after_which_nothing_is_sent_again_are_waited_for_no_more() -> None:
    line = Line()
    delays = []
    for begin in (0, 100, 200):
        line.run(begin + 97, begin=begin)
        line.put(begin + 100)
        delays.append(line.buffer.target_delay)
    assert delays[0] > 2 * FRAME < delays[1]
    assert delays[2] <= 5 * MILLISECOND


def test_a_stream_that_begins_with_a_pause_has_no_delay_to_lengthen() -> None:
    line = Line()
    line.put(0, 3, payload=PAUSE)
    assert line.buffer.target_delay == 0


def test_without_its_sound_in_the_next_one_a_lost_packet_is_concealed() -> None:
    line = Line()
    line.run(50)
    line.put(51, 52, at=1041)
    assert line.take(1042) == Conceal(FRAME)
    assert payloads([line.take(1043), line.take(1044)]) == [voice(51), voice(52)]


def test_two_lost_packets_are_concealed_one_by_one() -> None:
    line = Line(fec=True)
    line.run(50)
    line.put(52, at=1041)
    assert [line.take(1045), line.take(1065)] == [Conceal(FRAME), Recover(voice(52), FRAME)]


def test_time_filled_while_a_packet_is_late_is_not_filled_again() -> None:
    line = Line()
    line.run(50)
    for at in (1012, 1032):
        assert line.take(at) == Late()
        line.buffer.filled(FRAME)
    line.put(51, at=1040)  # 50 is lost, and its time is over
    assert payloads([line.take(1052)]) == [voice(51)]


def test_a_packet_whose_time_was_filled_is_left_out_if_the_next_one_is_in_time() -> None:
    line = Line()
    line.run(50)
    assert line.take(1012) == Late()
    line.buffer.filled(FRAME)
    line.put(50, at=1020)
    line.put(51)
    assert payloads([line.take(1032)]) == [voice(51)]
    assert line.buffer.discarded == 1


def test_a_stall_of_the_network_leaves_nothing_out() -> None:
    line = Line()
    line.run(50)
    for at in (1012, 1032, 1052):
        assert line.take(at) == Late()
        line.buffer.filled(FRAME)
    line.put(50, 51, 52, at=1060)
    assert payloads([line.take(1072 + 20 * index) for index in range(3)]) == [voice(50), voice(51), voice(52)]
    assert line.buffer.discarded == 0


def test_a_packet_that_is_early_for_the_delay_is_waited_for() -> None:
    line = Line()
    line.run(50)
    line.put(51, at=1005)
    assert line.take(985) == Late()


def test_a_packet_that_comes_after_it_was_given_up_is_discarded() -> None:
    line = Line()
    line.run(50)
    line.put(51, at=1041)
    assert line.take(1042) == Conceal(FRAME)
    line.put(50, at=1044)
    assert line.buffer.discarded == 1
    line.put(50, at=1045)  # a second time
    assert line.buffer.discarded == 1


def test_jitter_makes_the_delay_longer_and_steadiness_shorter() -> None:
    chance = random.Random(1)
    line = Line()
    line.run(100)
    for index in range(100, 400):
        line.put(index, late=chance.uniform(0, 50))
        line.take(index * 20 + 60)
    assert 40 * MILLISECOND < line.buffer.target_delay < 60 * MILLISECOND
    line.run(800, begin=400, lag=60)
    assert line.buffer.target_delay <= 6 * MILLISECOND


def test_the_delay_has_an_end_however_late_packets_are() -> None:
    line = Line()
    line.run(100)
    for index in range(100, 150):
        line.put(index, late=1500)
    assert line.buffer.target_delay == CEILING


def test_the_fewer_packets_are_known_the_more_is_allowed_for_those_to_come() -> None:
    few, many = Transits(), Transits()
    for index in range(100):
        if index < 10:
            few.came(index % 10 * 4 * MILLISECOND, FRAME)
        many.came(index % 10 * 4 * MILLISECOND, FRAME)
    latest = 36 * MILLISECOND
    assert latest < many.delay < latest + 3 * MILLISECOND
    assert few.delay > 32 * MILLISECOND + 3 * MILLISECOND  # one packet may be later


def test_packets_that_come_together_are_one_delay() -> None:
    line = Line()
    line.run(200)
    for index in range(200, 205):  # a stall of 80 ms, once
        line.put(index, at=205 * 20)
    assert line.buffer.target_delay < 20 * MILLISECOND
    alone = Transits()
    alone.followed(FRAME)
    assert alone.delay == 0
    alone.move_to(5)
    assert alone.delay == 0


def test_a_pause_is_not_a_loss_and_ends_with_the_right_delay() -> None:
    line = Line()
    line.run(50)
    line.put(50, payload=PAUSE)
    packet = line.take(1012)
    assert isinstance(packet, Packet)
    assert packet.pause
    assert line.take(1032) == Pause()
    line.put(70, at=1400)  # the numbers go on where they were
    line.buffer.put(7, 51, FRAME * 80, voice(80), 1.6)
    assert line.given_up == 0


def test_after_a_pause_sound_goes_on_when_it_is_due() -> None:
    line = Line()
    line.run(50)
    line.put(50, payload=PAUSE)
    line.take(1012)
    for number, index in ((51, 70), (52, 71)):
        line.buffer.put(7, number, FRAME * index, voice(index), index * 0.02)
    assert line.take(1395) == Pause()
    assert payloads([line.take(1412), line.take(1432)]) == [voice(70), voice(71)]
    assert line.given_up == 0


def test_a_gap_in_time_that_is_none_in_numbers_is_a_pause() -> None:
    line = Line()
    line.run(50)
    assert line.take(1012) == Late()
    line.buffer.put(7, 50, FRAME * 60, voice(60), 1.2)
    assert line.take(1195) == Pause()
    assert payloads([line.take(1212)]) == [voice(60)]
    assert line.given_up == 0


def test_keypad_digits_are_no_loss_though_they_use_up_numbers() -> None:
    line = Line(first=65_500)
    releases, number = line.run(34), 65_534
    for digit in range(4):  # five packets each, the last of them with the sound after it
        index = 34 + 6 * digit
        for step in range(5):
            line.buffer.pass_over(7, number & 0xFFFF)
            line.buffer.pass_over(7, number & 0xFFFF)  # twice
            number += 1
            if step < 4:
                releases.append(line.take((index + step) * 20 + 12))
        for at in (index + 4, index + 5):
            line.buffer.put(7, number & 0xFFFF, FRAME * at, voice(at), at * 0.02)
            number += 1
            releases.append(line.take(at * 20 + 12))
    played = [*range(34), *(34 + 6 * digit + at for digit in range(4) for at in (4, 5))]
    assert payloads(releases) == [voice(index) for index in played]
    assert [release for release in releases if not isinstance(release, Packet)] == [Pause()] * 16
    assert line.buffer.target_delay <= 6 * MILLISECOND


def test_what_is_lost_beside_keypad_digits_is_made_good() -> None:
    line = Line(fec=True)
    line.run(50)
    line.buffer.pass_over(8, 52)  # of another source
    for number in (50, 53):
        line.buffer.pass_over(7, number)
    line.buffer.put(7, 54, FRAME * 52, voice(52), 1.041)  # 51 and 52, the sound meanwhile, are lost
    assert [line.take(1045), line.take(1065)] == [Conceal(FRAME), Recover(voice(52), FRAME)]
    assert payloads([line.take(1085)]) == [voice(52)]


def test_keypad_digits_are_no_bursts_of_loss() -> None:
    line = Line(fec=True)
    line.run(200)
    before, number = line.buffer.target_delay, 200
    for index in range(200, 1100):
        if index % 10 == 5:
            for _ in range(4):
                line.buffer.pass_over(7, number)
                number += 1
        if index % 10 != 0:  # one by one they are lost, and the packet after one of them is late
            late = 0.009 if index == 801 else 0.0
            line.buffer.put(7, number, FRAME * index, voice(index), index * 0.02 + late)
        number += 1
        line.take(index * 20 + 12)
    assert line.buffer.target_delay <= before + FRAME


def test_without_packets_the_stream_is_idle_and_begins_again() -> None:
    line = Line()
    line.run(50)
    assert line.take(1500) == Late()
    assert line.take(990 + 1000 * IDLE / SAMPLE_RATE + 20) == Idle()
    line.put(200)
    assert payloads([line.take(4012)]) == [voice(200)]


def test_another_source_takes_over() -> None:
    line = Line()
    line.run(50)
    line.put(50, 51, 52)
    line.ssrc = 8
    line.put(53, 54)
    assert line.buffer.discarded == 3
    assert payloads([line.take(1112), line.take(1132)]) == [voice(53), voice(54)]


@pytest.mark.parametrize("jump", [(20_000, 0, 0.0), (-500, 0, 0.0), (0, 10 * SAMPLE_RATE, 0.0)])
def test_a_jump_of_the_header_begins_a_stream(jump: tuple[int, int, float]) -> None:
    numbers, samples, _ = jump
    line = Line(first=1000, stamp=50_000_000)
    line.run(50)
    for index in (50, 51):
        number, stamp = 1000 + index + numbers, 50_000_000 + FRAME * index + samples
        line.buffer.put(7, number & 0xFFFF, stamp, voice(index), index * 0.02)
    heard = [line.take(1012 + 5 * step) for step in range(8)]
    assert payloads(heard) == [voice(50), voice(51)]
    assert line.given_up == 0


def test_packets_of_another_length_follow_each_other() -> None:
    line = Line()
    for index in range(10):
        line.buffer.put(7, index, index * 3 * FRAME, voice(index), index * 0.06)
        assert payloads([line.take(index * 60 + 12)]) == [voice(index)]
        line.buffer.decoded(3 * FRAME)
    assert line.buffer.samples == 3 * FRAME
    assert line.given_up == 0


def test_a_packet_that_lasts_into_the_next_one_swallows_it() -> None:
    line = Line()
    line.put(0, 1, 2)
    assert payloads([line.take(12)]) == [voice(0)]
    line.buffer.decoded(FRAME + 480)
    assert line.take(45) == Conceal(480)
    assert payloads([line.take(55)]) == [voice(2)]
    assert line.buffer.discarded == 1


def test_what_nobody_takes_is_bounded() -> None:
    line = Line()
    line.put(0)
    assert payloads([line.take(12)]) == [voice(0)]
    for index in range(1, 400):
        line.put(index)
    assert len(line.buffer) <= MAX_HELD // FRAME + 1
    assert line.buffer.discarded == 399 - len(line.buffer)
    oldest = line.take(8000)
    assert isinstance(oldest, Packet)
    assert oldest.payload == voice(400 - len(line.buffer) - 1)
    short = Line()
    for index in range(300):
        short.buffer.put(7, index, index, voice(index), 0.0)
    assert len(short.buffer) <= MAX_PACKETS


def test_whether_the_next_one_is_there() -> None:
    line = Line()
    line.run(10)
    assert not line.buffer.ready()
    line.put(10)
    assert line.buffer.ready()


Chunk = st.tuples(
    st.integers(0, 2),  # SSRC
    st.one_of(st.integers(0, 40), st.integers(0, 0xFFFF)),
    st.one_of(st.integers(0, 40).map(lambda index: index * FRAME), st.integers(0, 0xFFFFFFFF)),
    st.sampled_from([PAUSE, b"voice", b"more voice", b""]),  # nothing: a packet that is no sound
    st.floats(0, 0.5),  # seconds until it comes
    st.integers(0, 4),  # times something is taken afterwards
    st.sampled_from([120, 480, 960, 2880, 5760]),
)


@given(st.lists(Chunk, max_size=60), st.booleans())
def test_whatever_comes_all_is_accounted_for(
    chunks: list[tuple[int, int, int, bytes, float, int, int]], fec: bool
) -> None:
    buffer = JitterBuffer(lambda payload: fec)
    now, put, played = 0.0, 0, 0
    for ssrc, number, stamp, payload, later, takes, samples in chunks:
        now += later
        if payload:
            before = buffer.discarded + len(buffer)
            buffer.put(ssrc, number, stamp, payload, now)
            new = buffer.discarded + len(buffer) - before
            assert new in (0, 1)  # 0: a second time
            put += new
        else:
            buffer.pass_over(ssrc, number)
        for _ in range(takes):
            match buffer.take(now):
                case Packet():
                    played += 1
                    buffer.decoded(samples)
                case Recover(_, length) | Conceal(length):
                    assert 0 < length <= 5760
                case Late():
                    buffer.filled(960)
        assert buffer.fec_discarded <= buffer.fec_received == (fec and put)
        assert put == played + buffer.discarded + len(buffer)
        assert len(buffer) <= MAX_PACKETS
        assert buffer.target_delay >= 0
