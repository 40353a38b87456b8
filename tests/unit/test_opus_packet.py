"""What is read from Opus packets and put in the place of missing ones."""

import random

import pytest

from media.opus_packet import SILENT_PACKET, fill, packet_samples

pytestmark = pytest.mark.unit


def toc(config: int, code: int = 0, stereo: bool = False) -> bytes:
    return bytes((config << 3 | stereo << 2 | code,))


def test_the_configuration_says_how_long_a_frame_is() -> None:
    silk, hybrid, celt = [480, 960, 1920, 2880], [480, 960], [120, 240, 480, 960]
    for stereo in (False, True):
        lengths = [packet_samples(toc(config, 0, stereo) + b"x") for config in range(32)]
        assert lengths == silk * 3 + hybrid * 2 + celt * 4


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (toc(1), 960),  # nothing was sent
        (toc(1) + bytes(1275), 960),
        (toc(1) + bytes(1276), 0),
        (toc(1, 1) + bytes(10), 1920),
        (toc(1, 1) + bytes(11), 0),
        (toc(1, 1) + bytes(2552), 0),
        (toc(1, 2) + bytes((3, 0, 0, 0, 9)), 1920),
        (toc(1, 2) + bytes((3, 0, 0)), 0),
        (toc(1, 2), 0),
        (toc(1, 2) + bytes((252,)), 0),
        (toc(1, 2) + bytes((252, 1)) + bytes(256), 1920),
        (toc(1, 2) + bytes((252, 1)) + bytes(255), 0),
        (toc(1, 2) + bytes((1,)) + bytes(1277), 0),
        (toc(1, 3), 0),
        (toc(1, 3) + bytes((0,)), 0),
        (toc(1, 3) + bytes((3,)) + bytes(9), 2880),
        (toc(1, 3) + bytes((3,)) + bytes(8), 0),
        (toc(1, 3) + bytes((7,)) + bytes(7), 0),  # 140 ms
        (toc(28, 3) + bytes((48,)) + bytes(48), 5760),
        (toc(1, 3) + bytes((2,)) + bytes(2 * 1276), 0),
        (toc(1, 3) + bytes((0x42, 2, 5, 6, 0, 0)), 1920),  # 2 bytes of padding
        (toc(1, 3) + bytes((0x42, 2, 5, 0, 0)), 0),
        (toc(1, 3) + bytes((0x42, 3, 5)), 0),
        (toc(1, 3) + bytes((0x42, 255, 1)) + bytes(2 + 255), 1920),
        (toc(1, 3) + bytes((0x42, 255, 1)) + bytes(2 + 254), 0),
        (toc(1, 3) + bytes((0x42, 255)), 0),
        (toc(1, 3) + bytes((0x42,)), 0),
        (toc(1, 3) + bytes((0x83, 1, 2)) + bytes(1 + 2 + 5), 2880),
        (toc(1, 3) + bytes((0x83, 1, 2)) + bytes(2), 0),
        (toc(1, 3) + bytes((0x82, 1)) + bytes(1 + 1276), 0),
        (toc(1, 3) + bytes((0x82,)), 0),
        (toc(28, 3) + bytes((48 | 0x40, *[255] * 250)) + bytes(61_500), 0),
        (SILENT_PACKET, 960),
    ],
)
def test_malformed_packets_have_no_duration(packet: bytes, samples: int) -> None:
    assert packet_samples(packet) == samples


def test_any_bytes_are_a_packet_or_not() -> None:
    chance = random.Random(3)
    for _ in range(20_000):
        samples = packet_samples(chance.randbytes(chance.randrange(0, 12)))
        assert samples % 120 == 0 and 0 <= samples <= 5760


def test_a_gap_is_concealed_and_then_silent() -> None:
    before = toc(9, 3, stereo=True) + bytes(20)
    concealed = toc(9, 0, stereo=True), 960
    assert fill(960, before) == [concealed]
    assert fill(4 * 960 + 130, before) == [concealed] * 3 + [(SILENT_PACKET, 960), (b"\xe0\xff\xfe", 120)]
    assert fill(119, before) == []
    assert [samples for _, samples in fill(960 + 840, None)] == [960, 480, 240, 120]
    # 60 ms of SILK are too long for a gap of 20 ms.
    assert fill(960, toc(11) + b"x") == [(SILENT_PACKET, 960)]


def test_what_fills_is_as_long_as_it_says() -> None:
    for config in range(32):
        for samples in range(0, 20_000, 120):
            filled = fill(samples, toc(config, 1) + bytes(2))
            assert sum(length for _, length in filled) == samples
            assert all(packet_samples(packet) == length for packet, length in filled)
