"""Keypad digits: what is sent for them, and that each is told once whatever the network does."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import DIGITS, Event, EventPacket, EventReceiver, EventSender, parse_digits

pytestmark = pytest.mark.unit

RATES = (48_000, 8_000)


def packets(digits: str, rate: int = 48_000, timestamp: int = 1000) -> list[EventPacket | None]:
    """Return what is sent in 200 ms per digit and one slot more."""
    sender = EventSender(rate)
    for digit in digits:
        sender.start(digit, timestamp)
    return [sender.next() for _ in range(10 * len(digits) + 1)]


def sent(digits: str, rate: int = 48_000, timestamp: int = 1000) -> list[tuple[int, bytes]]:
    """Return what is on the wire."""
    return [
        (packet.timestamp, packet.payload)
        for packet in packets(digits, rate, timestamp)
        if packet is not None
    ]


def told(stream: list[tuple[int, bytes]], rate: int = 48_000) -> list[Event]:
    receiver = EventReceiver(rate)
    events = [receiver.receive(*packet) for packet in stream]
    events.append(receiver.flush())
    assert receiver.flush() is None
    return [event for event in events if event is not None]


def test_a_digit_is_five_packets_three_ends_and_a_pause() -> None:
    first = [
        EventPacket(b"\x05\x0a" + (960 * count).to_bytes(2, "big"), 1000, count == 1, False)
        for count in range(1, 5)
    ]
    ends = [EventPacket(b"\x05\x8a\x12\xc0", 1000, False, over) for over in (False, True, True)]
    found = packets("5#")
    assert found[:8] == [*first, *ends, None]
    assert found[8] == EventPacket(b"\x0b\x0a\x03\xc0", 1000 + 8 * 960, True, False)
    assert found[15:] == [None] * 6


def test_a_digit_during_the_pause_waits_for_its_end() -> None:
    sender = EventSender(8_000)
    sender.start("1", 0xFFFFFFFF)
    first = [sender.next() for _ in range(6)]
    sender.start("2", 77)
    later = [sender.next() for _ in range(3)]
    assert first[0] == EventPacket(b"\x01\x0a\x00\xa0", 0xFFFFFFFF, True, False)
    assert later[1:] == [None, EventPacket(b"\x02\x0a\x00\xa0", 8 * 160 - 1, True, False)]


@pytest.mark.parametrize("rate", RATES)
@given(digits=st.text(alphabet=DIGITS, min_size=1, max_size=20), timestamp=st.integers(0, 2**32 - 1))
def test_what_is_sent_is_told(rate: int, digits: str, timestamp: int) -> None:
    assert told(sent(digits, rate, timestamp), rate) == [Event(digit, 0.1) for digit in digits]


@given(
    digits=st.text(alphabet=DIGITS, min_size=1, max_size=10),
    timestamp=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 2**32),
)
def test_each_digit_is_told_once_over_a_bad_network(digits: str, timestamp: int, seed: int) -> None:
    """Of each digit at least one packet comes; packets are lost, doubled, and up to 60 ms late."""
    chance = random.Random(seed)
    stream = sent(digits, timestamp=timestamp)
    kept = []
    for start in range(0, len(stream), 7):
        digit = [packet for packet in stream[start : start + 7] if chance.random() < 0.5]
        kept += digit or [chance.choice(stream[start : start + 7])]
    moved = [(at + 3 * chance.random(), packet) for at, packet in enumerate(kept)]
    doubled = [(at + chance.random(), packet) for at, packet in moved if chance.random() < 0.2]
    order = [packet for _, packet in sorted(moved + doubled)]
    # A digit whose every packet comes after one of the next digit is late; such is not counted here.
    firsts = {packet[0]: at for at, packet in reversed(list(enumerate(order)))}
    in_time = [
        found for found in firsts if all(firsts[other] > firsts[found] for other in after(found, firsts))
    ]
    assert len(told(order)) == len(in_time)


def after(timestamp: int, among: dict[int, int]) -> list[int]:
    return [other for other in among if 0 < (other - timestamp) % 2**32 < 2**31]


def test_a_digit_whose_end_is_lost_is_told_by_the_next_or_by_silence() -> None:
    stream = sent("12")
    receiver = EventReceiver(48_000)
    assert [receiver.receive(*packet) for packet in stream[:4]] == [None] * 4
    assert receiver.receive(*stream[-1]) == Event("1", 0.08)
    assert receiver.flush() == Event("2", 0.1)
    assert receiver.receive(*stream[-1]) is None
    assert receiver.receive(*stream[0]) is None  # late, and told
    assert receiver.flush() is None


def test_a_key_held_down_for_seconds_is_one_digit() -> None:
    """RFC 4733 §2.5.1.3: a duration of 16 bits is continued by another segment."""
    stream = [(1000, b"\x07\x0a" + (960 * count).to_bytes(2, "big")) for count in range(1, 68)]
    stream += [(1000, b"\x07\x0a\xff\xff"), (1000 + 0xFFFF, b"\x07\x0a\x03\xc0")]
    stream += [(1000, b"\x07\x0a\xff\xff"), (1000 + 0xFFFF, b"\x07\x8a\x25\x80")]
    assert told(stream) == [Event("7", (0xFFFF + 9600) / 48_000)]


def test_another_stream_is_not_taken_for_late() -> None:
    assert told(sent("1", timestamp=2_000_000) + sent("2", timestamp=1000)) == [
        Event("1", 0.1),
        Event("2", 0.1),
    ]
    assert told(sent("1", timestamp=200_000) + sent("2", timestamp=1000)) == [Event("1", 0.1)]


@pytest.mark.parametrize("payload", [b"", b"\x05\x8a\x12", b"\x05\x8a\x12\xc0\x00", b"\x10\x8a\x12\xc0"])
def test_what_is_no_digit_is_ignored(payload: bytes) -> None:
    assert told([(1000, payload)]) == []


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=6)), max_size=50))
def test_nothing_received_does_harm(stream: list[tuple[int, bytes]]) -> None:
    for event in told(stream):
        assert event.digit in DIGITS and event.duration >= 0


def test_digits_are_checked() -> None:
    assert parse_digits("0123456789*#abcD") == "0123456789*#ABCD"
    with pytest.raises(ValueError, match="'!E' is not on a keypad: give digits of 0-9"):
        parse_digits("1E!")
    with pytest.raises(ValueError, match="there are no digits"):
        parse_digits("")
    for wrong in ("", "12", "x"):
        with pytest.raises(ValueError):
            EventSender(48_000).start(wrong, 0)
