"""Opus through libopus: level, loss, bad packets."""

import ctypes.util
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from media import opus
from media.audio import FRAME_SAMPLES, SILENCE, Frame, level_dbfs
from media.opus import Decoder, Encoder, OpusError, Wishes, has_fec, parse_wishes
from media.rate import Target

pytestmark = pytest.mark.unit


def tone(count: int) -> list[Frame]:
    time = np.arange(count * FRAME_SAMPLES)
    wave = (8000 * np.sin(2 * np.pi * 300 * time / 48_000)).astype(np.int16)
    return list(wave.reshape(count, FRAME_SAMPLES))


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    encoder = Encoder()
    yield encoder
    encoder.close()


@pytest.fixture
def packets() -> Iterator[list[bytes]]:
    encoder = Encoder()
    encoder.set_rate(Target(48_000, expected_loss=10, fec=True))
    yield [encoder.encode(frame) for frame in tone(50)]
    encoder.close()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def test_a_tone_keeps_its_level(packets: list[bytes], decoder: Decoder) -> None:
    frames = [decoder.decode(packet) for packet in packets]
    assert all(frame.shape == (FRAME_SAMPLES,) and frame.dtype == np.int16 for frame in frames)
    assert level_dbfs(np.concatenate(frames[5:])) == pytest.approx(level_dbfs(tone(1)[0]), abs=1.0)


def voice(count: int) -> list[Frame]:
    """Return something that is no steady tone: a noisy hum whose pitch and strength move."""
    time = np.arange(count * FRAME_SAMPLES) / 48_000
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 3 * time)) / 48_000
    strength = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
    noise = np.random.default_rng(1).normal(0, 300, len(time))
    wave = strength * sum(4000 / n * np.sin(n * phase) for n in range(1, 12)) + noise
    return list(wave.astype(np.int16).reshape(count, FRAME_SAMPLES))


def size(packets: list[bytes]) -> float:
    return sum(map(len, packets)) / len(packets)


@pytest.mark.parametrize("bitrate", [16_000, 32_000, 64_000])
def test_the_bitrate_follows_the_target(encoder: Encoder, bitrate: int) -> None:
    frames = voice(100)
    for frame in frames[:20]:
        encoder.encode(frame)
    encoder.set_rate(Target(bitrate, 0, False))
    packets = [encoder.encode(frame) for frame in frames[20:]]
    assert size(packets) * 8 * 50 == pytest.approx(bitrate, rel=0.3)
    assert not any(map(has_fec, packets))


def test_fec_comes_and_goes_with_the_target(encoder: Encoder) -> None:
    frames = voice(90)
    shares = []
    for part, target in enumerate((Target(), Target(64_000, 10, True), Target())):
        encoder.set_rate(target)
        packets = [encoder.encode(frame) for frame in frames[30 * part : 30 * part + 30]]
        shares.append(sum(map(has_fec, packets[10:])) / 20)
    assert shares[0] == shares[2] == 0
    assert shares[1] > 0.5


def test_silence_costs_nothing_with_dtx_and_is_updated(encoder: Encoder) -> None:
    encoder.set_dtx(True)
    sizes = [len(encoder.encode(SILENCE)) for _ in range(100)]
    assert min(sizes[:5]) > 2
    assert sum(size <= 2 for size in sizes) > 60
    assert max(map(len, "".join("x" if size <= 2 else " " for size in sizes).split())) <= 20  # 400 ms
    encoder.set_dtx(False)
    encoder.encode(SILENCE)
    assert len(encoder.encode(SILENCE)) > 2


def test_cbr_keeps_packets_to_one_size(encoder: Encoder) -> None:
    encoder.set_format(cbr=True, max_playback_rate=48_000)
    assert len({len(encoder.encode(frame)) for frame in voice(40)[5:]}) == 1


NARROW, WIDE, SUPER = {*range(4), *range(16, 20)}, {*range(8, 12), *range(20, 24)}, {12, 13, *range(24, 28)}
FULL = {14, 15, *range(28, 32)}


@pytest.mark.parametrize(
    ("rate", "configs"), [(8_000, NARROW), (16_000, WIDE), (31_000, SUPER), (44_100, FULL)]
)
def test_a_low_playback_rate_limits_the_bandwidth(encoder: Encoder, rate: int, configs: set[int]) -> None:
    encoder.set_format(cbr=False, max_playback_rate=rate)
    assert {encoder.encode(frame)[0] >> 3 for frame in voice(40)} <= configs  # RFC 6716 §3.1


def test_wishes_are_read_from_format_parameters() -> None:
    assert parse_wishes({}) == Wishes()
    full = {
        "maxaveragebitrate": "20000",
        "maxplaybackrate": 16000,
        "useinbandfec": 1,
        "usedtx": "1",
        "cbr": "1",
    }
    assert parse_wishes(full) == Wishes(20_000, 16_000, fec=True, dtx=True, cbr=True)


@pytest.mark.parametrize("value", [None, "", "x", "-1", "1e4", "5999", 510_001, "9" * 40])
def test_malformed_wishes_are_none(value: object) -> None:
    assert parse_wishes({"maxaveragebitrate": value, "maxplaybackrate": value, "cbr": value}) == Wishes()


def test_a_lost_packet_is_recovered_from_the_next(packets: list[bytes], decoder: Decoder) -> None:
    lost = next(n for n in range(10, 49) if has_fec(packets[n + 1]))
    for packet in packets[:lost]:
        decoder.decode(packet)
    recovered = decoder.recover(packets[lost + 1])
    assert recovered.shape == (FRAME_SAMPLES,)
    assert level_dbfs(recovered) == pytest.approx(level_dbfs(tone(1)[0]), abs=3)


def test_concealment_goes_on_and_fades(packets: list[bytes], decoder: Decoder) -> None:
    for packet in packets[:30]:
        decoder.decode(packet)
    concealed = [decoder.conceal() for _ in range(50)]
    assert level_dbfs(concealed[0]) > -25
    assert level_dbfs(concealed[-1]) < -60


@pytest.mark.parametrize("packet", [b"", b"\xff", b"\xff\xff\xff", b"\xfb\x00"])
def test_what_is_not_opus_is_an_error(packet: bytes, decoder: Decoder) -> None:
    with pytest.raises(OpusError):
        decoder.decode(packet)


def test_closed_codecs_refuse() -> None:
    encoder, decoder = Encoder(), Decoder()
    for _ in range(2):
        encoder.close()
        decoder.close()
    with pytest.raises(OpusError, match="closed"):
        encoder.encode(tone(1)[0])
    with pytest.raises(OpusError, match="closed"):
        encoder.set_dtx(True)
    with pytest.raises(OpusError, match="closed"):
        decoder.conceal()


def test_bad_settings_are_an_error() -> None:
    with pytest.raises(OpusError, match="invalid argument"):
        Encoder().set_rate(Target(bitrate=0))


@pytest.fixture
def fresh_library() -> Iterator[None]:
    opus._library.cache_clear()
    yield
    opus._library.cache_clear()


def test_without_any_libopus_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_library: None
) -> None:
    monkeypatch.setattr(av, "__file__", str(tmp_path / "av" / "__init__.py"))
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(OpusError, match="install"):
        Encoder()


def test_a_broken_libopus_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_library: None
) -> None:
    real = next(opus._candidates())
    (tmp_path / "av.libs").mkdir()
    (tmp_path / "av.libs" / "libopus.so").write_bytes(b"not a library")
    monkeypatch.setattr(av, "__file__", str(tmp_path / "av" / "__init__.py"))
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: real)
    Encoder().close()
