"""The sound cards of this machine: which there are, and one of them open (miniaudio)."""

import contextlib
import logging
import math
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal

import miniaudio
import numpy as np
from msgspec import Struct

from media.audio import SAMPLE_RATE, Frame

log = logging.getLogger("callnode.media.devices")

Kind = Literal["Microphone", "Speaker"]

# Measured on virtual cards: shorter periods of a speaker leave holes, those of a microphone none.
PERIOD_SECONDS: dict[Kind, float] = {"Microphone": 0.010, "Speaker": 0.020}
# Of it a sound server keeps one period for a speaker, and the card has as much again: measured on PulseAudio
# and PipeWire, more is silence. To hold more there is to be heard as much later.
_BUFFER_SECONDS = 0.120
_SERVED_SECONDS = 2 * PERIOD_SECONDS["Speaker"]
_WORKS_SECONDS = 0.010  # even a dead card takes what is played first
# A busy Python thread otherwise keeps the card's callback waiting 5 ms at a time, which is heard as holes.
_SWITCH_SECONDS = 0.0005


class AudioDevice(Struct, frozen=True):
    """A microphone or speaker; `id` stays the same as long as the device is plugged in."""

    id: str
    name: str
    kind: Kind
    is_system_default: bool

    @property
    def is_real(self) -> bool:
        """Whether it is one to talk by: no monitor of a speaker, no stand-in of a sound server for none."""
        return not (self.id.endswith(".monitor") or self.id == "auto_null")


class CardError(Exception):
    """A card cannot be opened."""


class Card:
    """An open microphone or speaker: a device's id, "" for the system's default, None for the null device.

    `turn` is called in the card's own thread, with what a microphone heard, or with how many samples a
    speaker wants, which it returns. `missed` counts the holes: the card called later than it had sound for.
    Raises CardError. Opening and closing take some tens of milliseconds, or as long as a sound server hangs.
    """

    def __init__(self, kind: Kind, device_id: str | None, turn: Callable[[Any, float], Frame | None]) -> None:
        self.kind = kind
        self.device_id = device_id
        self._first = math.inf  # when the card called
        self.last = -math.inf
        self.missed = 0
        self._turn = turn
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        make = miniaudio.CaptureDevice if kind == "Microphone" else miniaudio.PlaybackDevice
        self._device = make.__new__(make)
        try:
            self._device.__init__(
                nchannels=1,
                sample_rate=SAMPLE_RATE,
                buffersize_msec=round(PERIOD_SECONDS[kind] * 1000),
                callback_periods=round(_BUFFER_SECONDS / PERIOD_SECONDS[kind]),
                device_id=_native_id(device_id) if device_id else None,
                backends=[miniaudio.Backend.NULL] if device_id is None else [],
                app_name="callnode",
            )
            self._holds = self._seconds_held()
            callback = self._heard() if kind == "Microphone" else self._played()
            next(callback)
            self._device.start(callback)
        except miniaudio.MiniaudioError as error:
            self.close()
            raise CardError(str(error)) from error
        self.opened = time.monotonic()

    @property
    def works(self) -> bool:
        """Whether the card has called again since it was opened."""
        return self.last - self._first >= _WORKS_SECONDS

    def close(self) -> None:
        """Close the device, and the connection to the sound server, which miniaudio would keep."""
        context = getattr(self._device, "_context", None)
        self._device.close()
        if context is not None:
            self._device._context = None
            miniaudio.lib.ma_context_uninit(context)

    def _seconds_held(self) -> float:
        if self.device_id is None:
            return math.inf
        served = self.kind == "Speaker" and self._device.backend == "PulseAudio"
        return _SERVED_SECONDS if served else _BUFFER_SECONDS

    def _called(self) -> None:
        now = time.monotonic()
        self.missed += self.works and now - self.last > self._holds
        self._first = min(self._first, now)
        self.last = now

    def _heard(self) -> Generator[None, bytearray, None]:
        while True:
            data = yield
            self._called()
            with _told():
                self._turn(np.frombuffer(data, np.int16), self.last)

    def _played(self) -> Generator[bytes, int, None]:
        sound = b""
        while True:
            count = yield sound
            self._called()
            sound = bytes(2 * count)
            with _told():
                played = self._turn(count, self.last)
                assert played is not None
                sound = played.tobytes()


@contextlib.contextmanager
def _told() -> Generator[None, None, None]:
    # What is raised in a card's callback would end its sound for good, and without a word.
    try:
        yield
    except Exception:
        log.exception("a sound card's turn failed")


def cards() -> list[AudioDevice]:
    """Return the microphones and speakers there are now; takes milliseconds. None without card or server."""
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
        speakers, microphones = ffi.new("ma_device_info**"), ffi.new("ma_device_info**")
        counts = ffi.new("ma_uint32[2]")
        got = lib.ma_context_get_devices(context, speakers, counts, microphones, counts + 1)
        if got != lib.MA_SUCCESS:
            return []
        lists: tuple[tuple[Kind, Any, int], ...] = (
            ("Microphone", microphones, counts[1]),
            ("Speaker", speakers, counts[0]),
        )
        return [
            AudioDevice(
                id=_public_id(info.id),
                name=ffi.string(info.name).decode(errors="replace"),
                kind=kind,
                is_system_default=bool(info.isDefault),
            )
            for kind, infos, count in lists
            for info in (infos[0][at] for at in range(count))
        ]
    finally:
        lib.ma_context_uninit(context)


def choose(kind: Kind, wanted: AudioDevice | str, among: list[AudioDevice]) -> AudioDevice:
    """Return the device of a kind by id or part of its name; raises ValueError, listing the choices."""
    found = [one for one in among if one.kind == kind]
    key = wanted.id if isinstance(wanted, AudioDevice) else wanted
    same = [one for one in found if one.id == key]
    named = [one for one in found if isinstance(wanted, str) and wanted.lower() in one.name.lower()]
    if not (same or named):
        choices = ", ".join(repr(one.name) for one in found) or "none at all"
        raise ValueError(f"there is no {kind.lower()} {key!r}; there are: {choices}")
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
