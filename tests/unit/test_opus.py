"""Opus through libopus: level, loss, bad packets."""

import ctypes.util
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from media import opus
from media.audio import FRAME_SAMPLES, Frame, level_dbfs
from media.opus import Decoder, Encoder, OpusError, has_fec

pytestmark = pytest.mark.unit


def tone(count: int) -> list[Frame]:
    time = np.arange(count * FRAME_SAMPLES)
    wave = (8000 * np.sin(2 * np.pi * 300 * time / 48_000)).astype(np.int16)
    return list(wave.reshape(count, FRAME_SAMPLES))


@pytest.fixture
def packets() -> Iterator[list[bytes]]:
    encoder = Encoder()
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


def test_packets_are_of_about_48_kbit(packets: list[bytes]) -> None:
    assert 20 <= sum(map(len, packets)) / len(packets) <= 180


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
        decoder.conceal()


def test_bad_settings_are_an_error() -> None:
    with pytest.raises(OpusError, match="invalid argument"):
        Encoder(complexity=11)


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
