"""Opus by libopus, mono 48 kHz: an encoder with in-band FEC, a decoder that conceals and recovers losses.

PyAV's decoder offers neither concealment nor FEC, so libopus is called directly: the one the PyAV wheel
carries, else the system's. API: https://opus-codec.org/docs/opus_api-1.5/ ; payload: RFC 6716, RFC 7587.
"""

import ctypes
import ctypes.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import av
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame
from media.rate import Target

_APPLICATION_VOIP = 2048
_SET_BITRATE = 4002
_SET_MAX_BANDWIDTH = 4004
_SET_VBR = 4006
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_SET_SIGNAL = 4024
_SIGNAL_VOICE = 3001
_BANDWIDTHS = {8_000: 1101, 12_000: 1102, 16_000: 1103, 24_000: 1104, 40_000: 1105}  # by sampling rate

# Of 0 to 10. The low one halves what encoding costs, for 0.09 PESQ-wb of 4.5; FEC, of few bits, needs more.
_COMPLEXITY, _FEC_COMPLEXITY = 1, 5
_MAX_PACKET_BYTES = 1275
_MAX_PACKET_SAMPLES = 5760  # 120 ms, the longest packet of RFC 6716 §3.2.5


class OpusError(Exception):
    """libopus refused a call, or is not to be found."""


class Wishes(Struct, frozen=True):
    """What the other end wants to receive, by its format parameters (RFC 7587 §6.1).

    Mono and packets of 20 ms it gets anyway.
    """

    max_bitrate: int = 510_000
    max_playback_rate: int = SAMPLE_RATE
    fec: bool = False
    dtx: bool = False
    cbr: bool = False


def parse_wishes(parameters: Mapping[str, object]) -> Wishes:
    """Return what format parameters say; what is unknown or malformed is as if it were not there."""

    def number(name: str, low: int, high: int) -> int:
        text = str(parameters.get(name, ""))
        return int(text) if text.isdecimal() and low <= int(text) <= high else high

    def flag(name: str) -> bool:
        return str(parameters.get(name)) == "1"

    return Wishes(
        max_bitrate=number("maxaveragebitrate", 6_000, 510_000),
        max_playback_rate=number("maxplaybackrate", 8_000, SAMPLE_RATE),
        fec=flag("useinbandfec"),
        dtx=flag("usedtx"),
        cbr=flag("cbr"),
    )


class Encoder:
    """Turn frames of 20 ms into Opus packets; with FEC they carry the frame before them a second time."""

    def __init__(self) -> None:
        self._lib = _library()
        error = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(SAMPLE_RATE, 1, _APPLICATION_VOIP, ctypes.byref(error))
        _check(self._lib, error.value)
        self._set(_SET_SIGNAL, _SIGNAL_VOICE)
        self.set_rate(Target())
        self._frame = np.empty(FRAME_SAMPLES, np.int16)
        self._frame_at = self._frame.ctypes.data
        self._packet = ctypes.create_string_buffer(_MAX_PACKET_BYTES)
        self._packet_at = ctypes.addressof(self._packet)

    def set_rate(self, target: Target) -> None:
        """Encode to a target from the next frame on."""
        self._set(_SET_BITRATE, target.bitrate)
        self._set(_SET_COMPLEXITY, _FEC_COMPLEXITY if target.fec else _COMPLEXITY)
        self._set(_SET_INBAND_FEC, int(target.fec))
        self._set(_SET_PACKET_LOSS_PERC, target.expected_loss)

    def set_dtx(self, on: bool) -> None:
        """Say in packets of 1 or 2 bytes, from 200 ms after, that there is nothing but background noise.

        Mind that a steady tone is noise to it, and much of music.
        """
        self._set(_SET_DTX, int(on))

    def set_format(self, *, cbr: bool, max_playback_rate: int) -> None:
        """Keep packets to one size, leave out what a sampling rate cannot hold."""
        self._set(_SET_VBR, int(not cbr))
        rate = max(known for known in _BANDWIDTHS if known <= max_playback_rate)
        self._set(_SET_MAX_BANDWIDTH, _BANDWIDTHS[rate])

    def encode(self, frame: Frame) -> bytes:
        """Return the packet of one frame (int16, 960 samples). Raises OpusError once closed."""
        if self._state is None:
            raise OpusError("the encoder is closed")
        self._frame[:] = frame
        size: int = self._lib.opus_encode(
            self._state, self._frame_at, FRAME_SAMPLES, self._packet_at, _MAX_PACKET_BYTES
        )
        return ctypes.string_at(self._packet_at, _check(self._lib, size))

    def _set(self, request: int, value: int) -> None:
        if self._state is None:
            raise OpusError("the encoder is closed")
        _check(self._lib, self._lib.opus_encoder_ctl(self._state, request, ctypes.c_int(value)))

    def close(self) -> None:
        """Free the encoder; may be called more than once."""
        state, self._state = self._state, None
        if state is not None:
            self._lib.opus_encoder_destroy(state)


class Decoder:
    """Turn Opus packets, and their absence, into mono sound at 48 kHz."""

    def __init__(self) -> None:
        self._lib = _library()
        error = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(SAMPLE_RATE, 1, ctypes.byref(error))
        _check(self._lib, error.value)
        self._samples = np.empty(_MAX_PACKET_SAMPLES, np.int16)
        self._samples_at = self._samples.ctypes.data

    def decode(self, packet: bytes) -> NDArray[np.int16]:
        """Return the sound of a packet, 2.5 to 120 ms as it says. Raises OpusError if it is malformed."""
        if not packet:
            raise OpusError("empty packet")
        return self._decode(packet, _MAX_PACKET_SAMPLES, fec=False)

    def recover(self, next_packet: bytes, samples: int = FRAME_SAMPLES) -> NDArray[np.int16]:
        """Return the lost sound before `next_packet` by the FEC in it, or concealed where there is none."""
        return self._decode(next_packet, samples, fec=True)

    def conceal(self, samples: int = FRAME_SAMPLES) -> NDArray[np.int16]:
        """Return a plausible continuation of what was decoded last; it fades out when repeated."""
        return self._decode(None, samples, fec=False)

    def close(self) -> None:
        """Free the decoder; may be called more than once."""
        state, self._state = self._state, None
        if state is not None:
            self._lib.opus_decoder_destroy(state)

    def _decode(self, packet: bytes | None, samples: int, *, fec: bool) -> NDArray[np.int16]:
        if self._state is None:
            raise OpusError("the decoder is closed")
        size = len(packet) if packet is not None else 0
        count = self._lib.opus_decode(self._state, packet, size, self._samples_at, samples, int(fec))
        return self._samples[: _check(self._lib, count)].copy()


def has_fec(packet: bytes) -> bool:
    """Return whether a packet carries the frame before it a second time (LBRR)."""
    return bool(_library().opus_packet_has_lbrr(packet, len(packet)) > 0)


def _check(lib: ctypes.CDLL, result: int) -> int:
    if result < 0:
        raise OpusError(lib.opus_strerror(result).decode())
    return result


def _candidates() -> Iterator[str]:
    package = Path(av.__file__).parent
    for folder in (package.parent / "av.libs", package / ".dylibs"):
        for path in sorted(folder.glob("libopus*")):
            yield str(path)
    system = ctypes.util.find_library("opus")
    if system:
        yield system


@cache
def _library() -> ctypes.CDLL:
    for name in _candidates():
        try:
            return _declare(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    raise OpusError(
        "no libopus from 1.4 on found: install the PyAV wheel (pip install av) or a newer one of the system"
    )


def _declare(lib: ctypes.CDLL) -> ctypes.CDLL:
    pointer, integer, data = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "opus_strerror": (data, [integer]),
        "opus_encoder_create": (pointer, [integer, integer, integer, pointer]),
        "opus_encoder_ctl": (integer, [pointer, integer]),  # variadic: the value is passed as c_int
        "opus_encode": (integer, [pointer, pointer, integer, pointer, integer]),
        "opus_encoder_destroy": (None, [pointer]),
        "opus_decoder_create": (pointer, [integer, integer, pointer]),
        "opus_decode": (integer, [pointer, data, integer, pointer, integer, integer]),
        "opus_decoder_destroy": (None, [pointer]),
        "opus_packet_has_lbrr": (integer, [data, integer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
