"""Microphones and speakers of this machine, shared by all calls of a process (miniaudio)."""

import logging
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import miniaudio
import numpy as np
from msgspec import Struct

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame
from media.mixer import mix
from media.ring import Ring

log = logging.getLogger("callnode.media.devices")

Kind = Literal["Microphone", "Speaker"]

_PERIOD_MS = 20
_PERIODS = 6
_RING_SAMPLES = 8 * FRAME_SAMPLES
_PREFILL_SAMPLES = 2 * FRAME_SAMPLES
# A busy Python thread otherwise keeps the card's callback waiting 5 ms at a time, which is heard as holes.
_SWITCH_SECONDS = 0.0005


class AudioDevice(Struct, frozen=True):
    """A microphone or speaker; `id` stays the same as long as the device is plugged in."""

    id: str
    name: str
    kind: Kind
    is_system_default: bool


class MicrophoneSource:
    """Say what a microphone hears; `null` tells that there is no microphone and silence takes its place."""

    def __init__(self, stream: "_Stream") -> None:
        self._stream = stream
        self._ring = stream.attach()

    @property
    def null(self) -> bool:
        """Whether no real device is behind it."""
        return self._stream.null

    @property
    def underruns(self) -> int:
        """How often the microphone had nothing when a frame was due."""
        return self._ring.underruns

    def read(self) -> Frame:
        """Return the next 20 ms."""
        return self._ring.read(FRAME_SAMPLES)

    def close(self) -> None:
        """Let the microphone go; the last one to do so closes the device. May be called more than once."""
        self._stream.detach(self._ring)


class SpeakerSink:
    """Play to a speaker, mixed with what others play; `null` tells that there is no speaker."""

    def __init__(self, stream: "_Stream") -> None:
        self._stream = stream
        self._ring = stream.attach()

    @property
    def null(self) -> bool:
        """Whether no real device is behind it."""
        return self._stream.null

    @property
    def underruns(self) -> int:
        """How often the speaker was hungry while a frame was missing."""
        return self._ring.underruns

    def write(self, frame: Frame) -> None:
        """Play the next 20 ms."""
        self._ring.write(frame)

    def close(self) -> None:
        """Let the speaker go; the last one to do so closes the device. May be called more than once."""
        self._stream.detach(self._ring)


class Devices:
    """Find microphones and speakers, and open each at most once, however many calls use it.

    Opening and closing a device takes some tens of milliseconds. Without any device, sources and sinks are
    paced by a null device: microphones hear silence, speakers are mute, and a warning says so.
    """

    def __init__(self) -> None:
        self._streams: dict[tuple[Kind, str], _Stream] = {}

    def microphones(self) -> list[AudioDevice]:
        """Return the microphones there are now; none without a card or sound server."""
        return _found("Microphone")

    def speakers(self) -> list[AudioDevice]:
        """Return the speakers there are now; none without a card or sound server."""
        return _found("Speaker")

    def microphone(self, device: AudioDevice | str | None = None) -> MicrophoneSource:
        """Open a microphone, by id or part of its name; by default the system's.

        Raises ValueError, listing the choices, for an unknown one.
        """
        return MicrophoneSource(self._stream("Microphone", device))

    def speaker(self, device: AudioDevice | str | None = None) -> SpeakerSink:
        """Open a speaker, by id or part of its name; by default the system's.

        Raises ValueError, listing the choices, for an unknown one.
        """
        return SpeakerSink(self._stream("Speaker", device))

    @property
    def null(self) -> bool:
        """Whether a null device stands in for any that is open."""
        return any(stream.null for stream in self._streams.values() if stream.open)

    def close(self) -> None:
        """Close every device, whoever uses it; may be called more than once."""
        for stream in self._streams.values():
            stream.close()

    def _stream(self, kind: Kind, device: AudioDevice | str | None) -> "_Stream":
        found = _found(kind)
        chosen = _chosen(kind, device, found)
        key = (kind, chosen.id if chosen else "")
        if key not in self._streams:
            self._streams[key] = _Stream(kind, chosen.id if chosen else "")
        self._streams[key].start(null=not found)
        return self._streams[key]


class _Stream:
    """One open device and the rings of all who use it."""

    def __init__(self, kind: Kind, device_id: str) -> None:
        self._kind = kind
        self._device_id = device_id
        self._device: Any = None
        # Replaced as a whole, never changed: the card's thread may be going through it.
        self._rings: tuple[Ring, ...] = ()
        self.null = False

    @property
    def open(self) -> bool:
        return self._device is not None

    def attach(self) -> Ring:
        ring = Ring(_RING_SAMPLES, _PREFILL_SAMPLES)
        self._rings = (*self._rings, ring)
        return ring

    def detach(self, ring: Ring) -> None:
        self._rings = tuple(other for other in self._rings if other is not ring)
        if not self._rings:
            self.close()

    def start(self, *, null: bool) -> None:
        if self.open:
            return
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        if not null:
            try:
                self._device = self._opened([])
            except miniaudio.MiniaudioError as error:
                log.warning("the %s cannot be opened: %s", self._kind.lower(), error)
        self.null = not self.open
        if self.null:
            log.warning("there is no %s; going on without", self._kind.lower())
            self._device = self._opened([miniaudio.Backend.NULL])

    def close(self) -> None:
        if self.open:
            self._device.close()
            self._device = None

    def _opened(self, backends: list[Any]) -> Any:
        # The id must live until the device is open.
        device_id = None if backends or not self._device_id else _native_id(self._device_id)
        options = {
            "nchannels": 1,
            "sample_rate": SAMPLE_RATE,
            "buffersize_msec": _PERIOD_MS,
            "callback_periods": _PERIODS,
            "device_id": device_id,
            "backends": backends,
            "app_name": "callnode",
        }
        capture = self._kind == "Microphone"
        device = miniaudio.CaptureDevice(**options) if capture else miniaudio.PlaybackDevice(**options)
        callback = self._capture() if capture else self._play()
        next(callback)
        try:
            device.start(callback)
        except miniaudio.MiniaudioError:
            device.close()
            raise
        return device

    def _capture(self) -> Generator[None, bytearray, None]:
        while True:
            samples = np.frombuffer((yield), np.int16)
            for ring in self._rings:
                ring.write(samples)

    def _play(self) -> Generator[bytes, int, None]:
        sound = b""
        while True:
            count = yield sound
            sound = mix([ring.read(count) for ring in self._rings], count).tobytes()


def _found(kind: Kind) -> list[AudioDevice]:
    ffi, lib = miniaudio.ffi, miniaudio.lib
    context = ffi.new("ma_context*")
    if lib.ma_context_init(ffi.NULL, 0, ffi.NULL, context) != lib.MA_SUCCESS:
        return []
    try:
        if context.backend == lib.ma_backend_null or (
            context.backend == lib.ma_backend_alsa and not any(Path("/dev/snd").glob("pcm*"))
        ):
            # ALSA names devices even where there is no card, and complains on stderr when they are opened.
            return []
        infos, count = ffi.new("ma_device_info**"), ffi.new("ma_uint32*")
        none = (ffi.NULL, ffi.NULL)
        wanted = (none, (infos, count)) if kind == "Microphone" else ((infos, count), none)
        if lib.ma_context_get_devices(context, *wanted[0], *wanted[1]) != lib.MA_SUCCESS:
            return []
        return [
            AudioDevice(
                id=_public_id(info.id),
                name=ffi.string(info.name).decode(errors="replace"),
                kind=kind,
                is_system_default=bool(info.isDefault),
            )
            for info in (infos[0][at] for at in range(count[0]))
        ]
    finally:
        lib.ma_context_uninit(context)


def _chosen(kind: Kind, device: AudioDevice | str | None, found: list[AudioDevice]) -> AudioDevice | None:
    if device is None:
        return None
    wanted = device.id if isinstance(device, AudioDevice) else device
    same = [one for one in found if one.id == wanted]
    named = [one for one in found if isinstance(device, str) and device.lower() in one.name.lower()]
    if not (same or named):
        choices = ", ".join(repr(one.name) for one in found) or "none at all"
        raise ValueError(f"there is no {kind.lower()} {wanted!r}; there are: {choices}")
    return (same or named)[0]


def _public_id(native: Any) -> str:
    """Return a device id as text: itself where it is text (PulseAudio, ALSA), else hexadecimal."""
    raw = bytes(miniaudio.ffi.buffer(miniaudio.ffi.addressof(native))).rstrip(b"\0")
    text = raw.decode("ascii", errors="replace")
    return (
        text if text.isascii() and text.isprintable() and not text.startswith("hex:") else "hex:" + raw.hex()
    )


def _native_id(public: str) -> Any:
    raw = bytes.fromhex(public[4:]) if public.startswith("hex:") else public.encode()
    native = miniaudio.ffi.new("ma_device_id*")
    miniaudio.ffi.memmove(native, raw, len(raw))
    return native
