"""RTP packets: what is built is parsed, what is malformed is refused; what a receiver counts."""

import random

import numpy as np
import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap
from aiortc.rtp import RtpPacket as Parsed

from media.audio import FRAME_SAMPLES, SILENCE
from media.rtp import SILENT, VOICE, Packer, Reception, RtpPacket, audio_level, parse, signed

pytestmark = pytest.mark.unit

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def test_a_plain_packet_goes_there_and_back() -> None:
    data = Packer(7, 0xFFFF).pack(111, 2**32 + 5, b"opus", marker=True, level=3)
    assert len(data) == 12 + 4
    assert data[1] == 0x80 | 111
    assert parse(data) == RtpPacket(111, 0xFFFF, 5, 7, b"opus")


def test_sequence_numbers_wrap() -> None:
    packer = Packer(7, 0xFFFF)
    packets = [parse(packer.pack(96, 0, b"", marker=False, level=0)) for _ in range(2)]
    assert [packet.sequence for packet in packets if packet] == [0xFFFF, 0]


@pytest.mark.parametrize(
    ("level_id", "mid_id", "mid"),
    [(2, 1, "0"), (0, 4, "audio"), (14, 0, ""), (14, 0, "0"), (15, 200, "0"), (3, 1, "a" * 17), (0, 0, "0")],
)
def test_another_implementation_reads_the_header_extensions(level_id: int, mid_id: int, mid: str) -> None:
    extensions = [
        RTCRtpHeaderExtensionParameters(id=number, uri=uri)
        for number, uri in ((mid_id, MID_URI), (level_id, LEVEL_URI))
        if number
    ]
    known = HeaderExtensionsMap()
    known.configure(RTCRtpParameters(headerExtensions=extensions))
    packer = Packer(7, 9, level_id=level_id, mid_id=mid_id, mid=mid)
    for level in (30 | VOICE, SILENT):
        packet = Parsed.parse(packer.pack(96, 960, b"opus", marker=False, level=level), known)
        assert packet.payload == b"opus"
        assert packet.extensions.mid == (mid if mid_id and mid else None)
        assert packet.extensions.audio_level == ((level >= VOICE, level & SILENT) if level_id else None)


def test_contributors_extensions_and_padding_are_left_out() -> None:
    header = bytes((0x80 | 0x20 | 0x10 | 2, 96)) + bytes((0, 1, 0, 0, 0, 2, 0, 0, 0, 3))
    data = header + b"c1c1c2c2" + bytes.fromhex("bede0001") + b"xxxx" + b"opus" + b"\0\0\3"
    assert parse(data) == RtpPacket(96, 1, 2, 3, b"opus")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),  # version 0
        b"\x81" + bytes(11),  # a contributor that is not there
        b"\x90" + bytes(11),  # an extension that is not there
        b"\x90" + bytes(13) + b"\0\1",  # shorter than it says
        b"\xa0" + bytes(12),  # padding of no length
        b"\xa0" + bytes(11) + b"\2",  # padding longer than what there is
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    assert parse(data) is None


def test_random_bytes_are_packets_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2000):
        data = bytes((0x80 | chance.randrange(64),)) + chance.randbytes(chance.randrange(60))
        packet = parse(data)
        assert packet is None or len(packet.payload) <= len(data) - 12


def test_the_audio_level_is_that_of_rfc_6464() -> None:
    full = np.full(FRAME_SAMPLES, 32767, np.int16)
    assert audio_level(SILENCE) == SILENT
    assert audio_level(full) == 0 | VOICE
    assert audio_level((full // 100).astype(np.int16)) == 40 | VOICE
    assert audio_level((full // 1000).astype(np.int16)) == 60
    assert audio_level(np.full(FRAME_SAMPLES, -32768, np.int16)) == 0 | VOICE


def received(*sequences: int) -> Reception:
    stream = Reception(1, sequences[0])
    for sequence in sequences:
        stream.add(sequence)
    return stream


def test_losses_are_counted_over_the_wrap() -> None:
    stream = received(0xFFFE, 0xFFFF, 2, 3)
    assert (stream.received, stream.lost, stream.newest) == (4, 2, 0x10003)
    assert stream.fraction_lost() == 2 * 256 // 6
    assert stream.fraction_lost() == 0
    stream.add(5)
    assert stream.fraction_lost() == 128


def test_what_comes_late_or_twice_is_not_lost() -> None:
    stream = received(1, 3, 2, 2)
    assert (stream.received, stream.lost) == (4, -1)
    assert stream.fraction_lost() == 0


def test_a_gap_is_told_at_once() -> None:
    stream = Reception(1, 10)
    assert [stream.add(sequence) for sequence in (10, 11, 13, 12, 14)] == [False, False, True, False, False]


def test_a_stream_that_begins_anew_is_counted_anew() -> None:
    stream = received(10, 11, 12, 30_000)  # a stray one
    assert (stream.received, stream.newest) == (3, 12)
    stream.add(30_001)
    assert (stream.received, stream.lost, stream.newest) == (1, 0, 30_001)
    assert stream.fraction_lost() == 0


def test_what_was_lost_before_a_stream_or_its_new_beginning_stays_lost() -> None:
    stream = Reception(1, 10, lost_before=7)
    for sequence in (10, 12, 30_000, 30_001, 30_004):
        stream.add(sequence)
    assert (stream.lost, stream.lost_in_all) == (2, 10)


def test_all_lost_is_255() -> None:
    stream = received(1)
    stream.fraction_lost()
    stream.add(1000)
    assert stream.fraction_lost() == 255


def test_jitter_is_smoothed_and_survives_the_wrap_of_timestamps() -> None:
    stream = Reception(1, 0)
    for number in range(200):
        stream.arrived((2**32 - 960 * 100 + 960 * number) % 2**32, 1000 + 0.02 * number)
    assert stream.jitter == pytest.approx(0, abs=1e-6)
    for number in range(200, 400):
        stream.arrived((2**32 - 960 * 100 + 960 * number) % 2**32, 1000 + 0.02 * number + 0.01 * (number % 2))
    assert stream.jitter == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize(
    ("difference", "near"), [(1, 1), (-1, -1), (0xFFFF, -1), (0x7FFF, 0x7FFF), (0x8000, -0x8000)]
)
def test_a_difference_of_numbers_that_wrap_is_the_nearer_one(difference: int, near: int) -> None:
    assert signed(difference, 16) == near
