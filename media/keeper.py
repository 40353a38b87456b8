"""Keep every source and sink on the best card there is: the wished one, the default, or the null device.

Runs in a thread of its own (media.devices): opening, closing and looking for cards takes milliseconds.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from media.audio import SILENCE, Frame
from media.cards import AudioDevice, Card, CardError, Kind, cards
from media.processing import AudioProcessing, Processor, is_headphones
from media.streams import Feed, MicrophoneStream, SpeakerStream

log = logging.getLogger("callnode.media.devices")

Role: TypeAlias = Literal["microphone", "speaker", "ring"]
Cause: TypeAlias = Literal["selected", "failed", "removed", "returned", "default changed", "missing"]

WATCHDOG_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_LATE_SECONDS = 0.2
_SCAN_SECONDS = 2.0
_HURRIED_SCAN_SECONDS = 0.5  # while something is not where it is wished to be
_BAN_SECONDS = 1.0  # doubled with every failure soon after the one before
_LONGEST_BAN_SECONDS = 8.0
_HEALTHY_SECONDS = 10.0


class AudioDevicesUpdated(Struct, frozen=True):
    """The event `audio_devices_updated`: what was plugged in and unplugged."""

    added: tuple[AudioDevice, ...]
    removed: tuple[AudioDevice, ...]


class AudioDeviceSwitched(Struct, frozen=True):
    """The event `audio_device_switched`: running sound goes on on another device; None is the null device.

    `role` is what the device is used for; the id of the device where one was asked for by name.
    """

    kind: Kind
    role: str
    old: AudioDevice | None
    new: AudioDevice | None
    cause: Cause


DeviceEvent: TypeAlias = AudioDevicesUpdated | AudioDeviceSwitched
_Key: TypeAlias = tuple[Kind, str | None]  # an id, "" for the system's default, None for the null device


class End:
    """What the sources and sinks of devices have in common."""

    def __init__(self, kind: Kind, wish: str, *, explicit: bool, released: Callable[["End"], None]) -> None:
        self.kind: Kind = kind
        self.wish = wish  # a role, or an id where `explicit`
        self.explicit = explicit
        self.closed = False
        self.stream: MicrophoneStream | SpeakerStream | None = None
        self.feed = Feed()
        self._released = released
        self._placed = threading.Event()
        self._past = [0, 0]

    @property
    def null(self) -> bool:
        """Whether no real device is behind it; not before the first was sought."""
        stream = self.stream
        return stream is not None and stream.card is not None and stream.card.device_id is None

    @property
    def underruns(self) -> int:
        """How often sound was missing when it was due."""
        return self._past[0] + self.feed.ring.underruns

    @property
    def dropped(self) -> int:
        """How many samples went unheard because they came too fast."""
        return self._past[1] + self.feed.ring.dropped

    @property
    def latency(self) -> float:
        """Seconds that sound waits between the card and the event loop."""
        return self.feed.level

    def wait_open(self, seconds: float = 2.0) -> bool:
        """Wait until a device is open, and return whether one is; not for the event loop's thread."""
        return self._placed.wait(seconds)

    def close(self) -> None:
        """Let the device go; the last one to do so closes it. May be called more than once."""
        if not self.closed:
            self.closed = True
            self._released(self)

    def place(self, stream: MicrophoneStream | SpeakerStream) -> None:
        """Go over to another stream."""
        self._past = [self.underruns, self.dropped]
        self.feed = Feed()
        self.stream = stream
        self._placed.set()


class MicrophoneSource(End):
    """Say what a microphone hears; silence until it is open."""

    @property
    def speech_probability(self) -> float:
        """How likely it is, from 0 to 1, that the microphone hears a voice; 0 without processing."""
        processor = self.stream.processor if isinstance(self.stream, MicrophoneStream) else None
        return 0.0 if processor is None else processor.speech_probability

    @property
    def has_sounded(self) -> bool:
        """Whether the card has ever brought anything but zeros."""
        return isinstance(self.stream, MicrophoneStream) and self.stream.sounded is not None

    @property
    def silent_seconds(self) -> float:
        """For how long the card has brought nothing but zeros, as one does that is muted at its switch."""
        stream = self.stream
        if not isinstance(stream, MicrophoneStream):
            return 0.0
        return time.monotonic() - (stream.opened if stream.sounded is None else stream.sounded)

    def read(self) -> Frame:
        """Return the next 20 ms."""
        stream = self.stream
        if self.closed or not isinstance(stream, MicrophoneStream):
            return SILENCE
        return stream.read(self.feed)


class SpeakerSink(End):
    """Play to a speaker, mixed with what others play; nothing is heard until it is open."""

    def write(self, frame: Frame) -> None:
        """Play the next 20 ms."""
        if self.stream is not None and not self.closed:
            self.feed.write(frame)


class Wishes(Struct, frozen=True):
    """What the application wants: devices by role, volumes, and the processing of microphones."""

    selected: Mapping[str, AudioDevice | None]
    volumes: Mapping[Kind, float]
    processing: AudioProcessing | None = None


class _Use(Struct, frozen=True):
    key: _Key
    wish: str
    device: AudioDevice | None


class _Ban(Struct, frozen=True):
    until: float
    seconds: float


class Keeper:
    """The open cards, and who is on which; `told` is called with what happens since `known` were there."""

    def __init__(self, told: Callable[[DeviceEvent], None], known: list[AudioDevice] | None = None) -> None:
        self.found: list[AudioDevice] | None = None
        self._known = known
        self._told = told
        self._streams: dict[_Key, MicrophoneStream | SpeakerStream] = {}
        self._opened: dict[_Key, float] = {}
        self._bans: dict[_Key, _Ban] = {}
        self._uses: dict[tuple[Kind, str], _Use] = {}
        self._scan_due = 0.0
        self._due = math.inf
        self._woken = -math.inf
        self._processing: dict[_Key, tuple[AudioProcessing | None, bool]] = {}

    def tend(self, ends: Iterable[End], wishes: Wishes) -> float:
        """Do what is to be done now; return in how many seconds to look again."""
        now = time.monotonic()
        if now - self._due > _LATE_SECONDS:
            self._woken = now  # the whole process stood still, so that cards were silent proves nothing
        late = [key for key, stream in self._streams.items() if _silent(stream, now, self._woken)]
        for key in late:
            self._ban(key, now)
        if late or now >= self._scan_due:
            self._scan()
        ends = [end for end in ends if not end.closed]
        settled = all([self._serve(end, wishes, now) for end in ends])
        pause = _SCAN_SECONDS if settled else _HURRIED_SCAN_SECONDS
        self._scan_due = min(self._scan_due, now + pause)
        self._share(ends, wishes)
        self._close_all({key for key, stream in self._streams.items() if not stream.feeds} | set(late))
        real = any(device_id is not None for _, device_id in self._streams)
        pause = min(_LOOK_SECONDS if real else _HURRIED_SCAN_SECONDS, max(0.0, self._scan_due - now))
        self._due = time.monotonic() + pause
        return pause

    def close(self) -> None:
        """Close every card."""
        self._close_all(set(self._streams))

    def _scan(self) -> None:
        before = self._known if self.found is None else self.found
        self.found = cards()
        self._scan_due = time.monotonic() + _SCAN_SECONDS
        if before is None:
            return
        now_ids, ids = {(d.kind, d.id) for d in self.found}, {(d.kind, d.id) for d in before}
        added = tuple(d for d in self.found if (d.kind, d.id) not in ids)
        removed = tuple(d for d in before if (d.kind, d.id) not in now_ids)
        if added or removed:
            self._bans.clear()
            for device in added:
                log.info("%s plugged in: %s", device.kind.lower(), device.name)
            for device in removed:
                log.info("%s unplugged: %s", device.kind.lower(), device.name)
            self._told(AudioDevicesUpdated(added, removed))

    def _serve(self, end: End, wishes: Wishes, now: float) -> bool:
        """Put an end on the best card that opens; return whether that is the one it wishes."""
        wish = _wished(end, wishes)
        there = [d for d in self.found or () if d.kind == end.kind]
        choices: list[str | None] = [None]
        if there:
            choices.insert(0, "")
        if any(device.id == wish for device in there) and wish:
            choices.insert(0, wish)
        for choice in choices:
            key: _Key = (end.kind, choice)
            stream = self._stream(key, now)
            if stream is not None:
                self._report(end, key, wish, there)
                if end.stream is not stream:
                    end.place(stream)
                return choice == wish
        return False

    def _stream(self, key: _Key, now: float) -> MicrophoneStream | SpeakerStream | None:
        ban = self._bans.get(key)
        if ban is not None and now < ban.until:
            return None
        if key not in self._streams:
            kind, device_id = key
            try:
                self._streams[key] = _opened(kind, device_id)
            except CardError as error:
                log.warning("the %s cannot be opened: %s", kind.lower(), error)
                self._ban(key, now)
                return None
            self._opened[key] = now
        return self._streams[key]

    def _ban(self, key: _Key, now: float) -> None:
        before = self._bans.get(key)
        recent = before is not None and now - self._opened.get(key, now) < _HEALTHY_SECONDS
        seconds = min(2 * before.seconds, _LONGEST_BAN_SECONDS) if before and recent else _BAN_SECONDS
        self._bans[key] = _Ban(now + seconds, seconds)

    def _report(self, end: End, key: _Key, wish: str, there: list[AudioDevice]) -> None:
        device = _device(key, there)
        name = (end.kind, end.wish)
        before = self._uses.get(name)
        self._uses[name] = _Use(key, wish, device)
        if before is None:
            if device is None:
                self._switched(end, None, None, "missing")
            return
        if (before.device and before.device.id) == (device and device.id):
            return
        ids = {one.id for one in there}
        cause: Cause = "returned"
        if before.wish != wish:
            cause = "selected"
        elif there and before.device is not None and before.device.id not in ids:
            cause = "removed"
        elif before.key in self._bans or not there:
            cause = "failed"
        elif before.key == key:
            cause = "default changed"
        self._switched(end, before.device, device, cause)

    def _switched(self, end: End, old: AudioDevice | None, new: AudioDevice | None, cause: Cause) -> None:
        kind = end.kind.lower()
        if cause == "missing":
            log.warning("there is no %s; going on without", kind)
        else:
            level = logging.WARNING if cause in ("failed", "removed") else logging.INFO
            before, after = old.name if old else "none", new.name if new else "none, going on without"
            log.log(level, "the %s is another one (%s): was %s, is %s", kind, cause, before, after)
        self._told(AudioDeviceSwitched(end.kind, end.wish, old, new, cause))

    def _share(self, ends: list[End], wishes: Wishes) -> None:
        """Tell the streams whom they serve, and let the microphones know what the speaker plays."""
        for name in set(self._uses) - {(end.kind, end.wish) for end in ends}:
            del self._uses[name]
        talking = [end.stream for end in ends if end.kind == "Speaker" and end.wish == "speaker"]
        talking += [end.stream for end in ends if end.kind == "Speaker"]
        microphones = {key: s for key, s in self._streams.items() if isinstance(s, MicrophoneStream)}
        for (kind, _), stream in self._streams.items():
            stream.gain.volume = wishes.volumes[kind]
            feeds = tuple(end.feed for end in ends if end.stream is stream)
            if feeds != stream.feeds:
                stream.feeds = feeds
            if isinstance(stream, SpeakerStream):
                heard = bool(talking) and stream is talking[0]
                stream.taps = tuple(one.far for one in microphones.values()) if heard else ()
        self._process(microphones, wishes)

    def _process(self, microphones: Mapping[_Key, MicrophoneStream], wishes: Wishes) -> None:
        options, headphones = wishes.processing, is_headphones(self._speaker_name(wishes))
        for key, stream in microphones.items():
            if self._processing.get(key) == (options, headphones):
                continue
            self._processing[key] = (options, headphones)
            if options is None:
                stream.processor = None
            elif stream.processor is None:
                stream.processor = Processor(options, headphones=headphones)
            else:
                stream.processor.configure(options, headphones=headphones)

    def _speaker_name(self, wishes: Wishes) -> str:
        used = self._uses.get(("Speaker", "speaker"))
        if used is not None and used.device is not None:
            return used.device.name
        selected = wishes.selected.get("speaker")
        default = _device(("Speaker", ""), [d for d in self.found or () if d.kind == "Speaker"])
        device = selected or default
        return "" if device is None else device.name

    def _close_all(self, keys: set[_Key]) -> None:
        for key in keys:
            stream = self._streams.pop(key)
            self._processing.pop(key, None)
            if stream.card is not None:
                stream.card.close()
            if isinstance(stream, MicrophoneStream) and stream.processor is not None:
                stream.processor.close()


def _opened(kind: Kind, device_id: str | None) -> MicrophoneStream | SpeakerStream:
    stream: MicrophoneStream | SpeakerStream
    if kind == "Microphone":
        stream = MicrophoneStream()
        stream.card = Card(kind, device_id, stream.heard)
    else:
        stream = SpeakerStream()
        stream.card = Card(kind, device_id, stream.wanted)
    return stream


def _silent(stream: MicrophoneStream | SpeakerStream, now: float, woken: float) -> bool:
    card = stream.card
    if card is None or card.device_id is None:
        return False
    return now - max(card.last, woken) > WATCHDOG_SECONDS


def _wished(end: End, wishes: Wishes) -> str:
    if end.explicit:
        return end.wish
    device = wishes.selected.get(end.wish)
    if device is None and end.wish == "ring":
        device = wishes.selected.get("speaker")
    return "" if device is None else device.id


def _device(key: _Key, there: Iterable[AudioDevice]) -> AudioDevice | None:
    _, device_id = key
    if device_id is None:
        return None
    return next((d for d in there if (d.id == device_id if device_id else d.is_system_default)), None)
