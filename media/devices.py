"""Microphones and speakers of this machine, shared by all its calls, whatever becomes of the cards."""

import contextlib
import logging
import threading
from collections.abc import Callable

from media.cards import AudioDevice as AudioDevice
from media.cards import Kind as Kind
from media.cards import choose
from media.device_ends import End, MicrophoneSource, SpeakerSink
from media.keeper import AudioDevicesUpdated, AudioDeviceSwitched, DeviceEvent, Keeper, Role, Wishes
from media.processing import AudioProcessing
from media.scanner import Scanner

__all__ = [
    "AudioDevice",
    "AudioDeviceSwitched",
    "AudioDevicesUpdated",
    "DeviceEvent",
    "Devices",
    "Kind",
    "MicrophoneSource",
    "Role",
    "SpeakerSink",
]

log = logging.getLogger("callnode.media.devices")

_PAUSE_AFTER_ERROR = 1.0
_CLOSE_SECONDS = 2.0
_MARGIN_SECONDS = 0.1
_KINDS: dict[Role, Kind] = {"microphone": "Microphone", "speaker": "Speaker", "ring": "Speaker"}


class Devices:
    """Find microphones and speakers, and open each at most once, however many calls use it.

    A source or sink without a device of its own follows what is selected for its role, at first the
    system's default. When a device fails or disappears, what uses it goes on on the default one or another,
    without any on a paced null device (microphones hear silence, speakers are mute), and back when it
    returns; `told` is called with each such event, from another thread.

    All but `close` return at once, or after 0.5 s where the sound server hangs: a thread opens and closes the
    cards, while there is something to do.
    """

    def __init__(self, told: Callable[[DeviceEvent], None] = lambda _: None) -> None:
        self._told = told
        self._changed = threading.Condition()
        self._scanner = Scanner()
        self._dirty = False
        self._watched = False
        self._thread: threading.Thread | None = None
        self._keeper: Keeper | None = None
        self._shown: list[AudioDevice] | None = None  # what the application knows of while nobody looks
        self._ends: list[End] = []
        self._selected: dict[str, AudioDevice | None] = {}
        self._volumes: dict[Kind, float] = {"Microphone": 1.0, "Speaker": 1.0}
        self._processing: AudioProcessing | None = None

    def microphones(self) -> list[AudioDevice]:
        """Return the microphones there are; none without a card or sound server."""
        return [device for device in self._found() if device.kind == "Microphone"]

    def speakers(self) -> list[AudioDevice]:
        """Return the speakers there are; none without a card or sound server."""
        return [device for device in self._found() if device.kind == "Speaker"]

    def microphone(self, device: AudioDevice | str | None = None) -> MicrophoneSource:
        """Open a microphone, by id or part of its name; by default the selected one, and follow it.

        Raises ValueError, listing the choices, for an unknown one.
        """
        wish = "microphone" if device is None else self._choose("Microphone", device).id
        source = MicrophoneSource("Microphone", wish, explicit=device is not None, released=self._release)
        self._add(source)
        return source

    def speaker(self, device: AudioDevice | str | None = None, *, ring: bool = False) -> SpeakerSink:
        """Open a speaker, by id or part of its name; by default the selected one, to `ring` or to talk.

        Raises ValueError, listing the choices, for an unknown one.
        """
        role = "ring" if ring else "speaker"
        wish = role if device is None else self._choose("Speaker", device).id
        sink = SpeakerSink("Speaker", wish, explicit=device is not None, released=self._release)
        self._add(sink)
        return sink

    def select(self, role: Role, device: AudioDevice | str | None) -> AudioDevice | None:
        """Let all that follows this role go over to a device; None is the system's default.

        For ringing, None is what is selected to talk. Raises ValueError, listing the choices.
        """
        chosen = None if device is None else self._choose(_KINDS[role], device)
        with self._changed:
            self._selected[role] = chosen
            self._wake()
        return chosen

    def selected(self, role: Role) -> AudioDevice | None:
        """Return what is selected for a role; None is the system's default, and for ringing the speaker."""
        return self._selected.get(role)

    def volume(self, kind: Kind) -> float:
        """Return the volume of all microphones or speakers, 1.0 as they are."""
        return self._volumes[kind]

    def set_volume(self, kind: Kind, volume: float) -> None:
        """Make all microphones or speakers louder or softer; raises ValueError unless it is from 0 to 4."""
        if not 0.0 <= volume <= 4.0:
            raise ValueError(f"a volume is from 0 (silent) over 1 (as it is) to 4, not {volume}")
        with self._changed:
            self._volumes[kind] = volume
            self._wake()

    def process(self, options: AudioProcessing | None) -> None:
        """Process what microphones hear, from now on; None leaves it as it is."""
        with self._changed:
            self._processing = options
            self._wake()

    def watch(self, watched: bool) -> None:
        """Look for devices plugged in and unplugged even while none is open, or no more."""
        with self._changed:
            self._watched = watched
            self._wake()

    @property
    def null(self) -> bool:
        """Whether a null device stands in for any that is open."""
        return any(end.null for end in self._ends)

    def close(self) -> None:
        """Close every device, whoever uses it, and wait for it, 2 s at most; may be called more than once."""
        with self._changed:
            for end in self._ends:
                end.closed = True
            self._ends.clear()
            self._watched = False
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join(_CLOSE_SECONDS)

    def _found(self) -> list[AudioDevice]:
        keeper = self._keeper
        if keeper is not None and keeper.found is not None:
            return list(keeper.found)
        return self._look()

    def _look(self) -> list[AudioDevice]:
        found = self._scanner.scan()
        if found is not None:
            self._shown = found
        return list(self._shown or ())

    def _choose(self, kind: Kind, device: AudioDevice | str) -> AudioDevice:
        with contextlib.suppress(ValueError):
            return choose(kind, device, self._found())
        return choose(kind, device, self._look())  # it may have just been plugged in

    def _add(self, end: End) -> None:
        with self._changed:
            self._ends.append(end)
            self._wake()

    def _release(self, end: End) -> None:
        with self._changed:
            if end in self._ends:
                self._ends.remove(end)
            self._wake()

    @property
    def _idle(self) -> bool:
        return not (self._ends or self._watched)

    def _wake(self) -> None:
        """Let the thread look at once, and start it if it is needed; called with the lock held."""
        self._dirty = True
        self._changed.notify_all()
        if self._thread is None and not self._idle:
            self._thread = threading.Thread(target=self._run, name="sound cards", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        keeper = self._keeper = Keeper(self._told, self._scanner, self._shown)
        pause = 0.0
        while True:
            with self._changed:
                if not self._dirty:
                    self._changed.wait(pause)
                if self._idle:
                    break
                self._dirty = False
                ends = list(self._ends)
                wishes = Wishes(dict(self._selected), dict(self._volumes), self._processing)
            try:
                pause = keeper.tend(ends, wishes)
            except Exception:
                log.exception("the sound cards cannot be looked after")
                pause = _PAUSE_AFTER_ERROR
        if keeper.found is not None:
            self._shown = keeper.found
        self._keeper = None
        keeper.close(_CLOSE_SECONDS - _MARGIN_SECONDS)
        with self._changed:
            self._thread = None
            if not self._idle:  # somebody came meanwhile
                self._wake()
