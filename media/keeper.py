"""Keep every source and sink on the best card: the wished one, the default, any other, or the null device.

Runs in a thread of its own (media.devices), which a sound server that hangs does not hold up for long. What
sounds goes over to a card when that has shown that it works, and stays where it is until then.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import Literal, TypeAlias

from msgspec import Struct

from media.cards import AudioDevice, Card, Kind
from media.device_ends import End
from media.processing import AudioProcessing, Processor, is_headphones
from media.scanner import PATIENCE_SECONDS, Scanner, errand
from media.streams import MicrophoneStream, SpeakerStream

log = logging.getLogger("callnode.media.devices")

Role: TypeAlias = Literal["microphone", "speaker", "ring"]
Cause: TypeAlias = Literal["selected", "failed", "removed", "returned", "default changed", "missing"]

WATCHDOG_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_TRIAL_LOOK_SECONDS = 0.01
_LATE_SECONDS = 0.2
_SCAN_SECONDS = 1.0  # a scan takes 1 ms of CPU
_HURRIED_SCAN_SECONDS = 0.5  # while something is not where it is wished to be
_BAN_SECONDS = 1.0  # doubled with every failure soon after the one before
_LONGEST_BAN_SECONDS = 8.0
_HEALTHY_SECONDS = 10.0
_TRIAL_SECONDS = 2.0  # for a card to call once it is open, as a wireless one may take
_HOPE_SECONDS = 0.5  # for it to be waited for before the next best one is tried too
_SILENT_SECONDS = 1.2  # for sound to be nowhere before it goes to the null device


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
_Stream: TypeAlias = MicrophoneStream | SpeakerStream
_Key: TypeAlias = tuple[Kind, str | None]  # an id, "" for the system's default, None for the null device


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


class _Trial(Struct, frozen=True):
    opening: Future[_Stream]
    begun: float


class Keeper:
    """The open cards, and who is on which; `told` is called with what happens since `known` were there."""

    def __init__(
        self, told: Callable[[DeviceEvent], None], scanner: Scanner, known: list[AudioDevice] | None = None
    ) -> None:
        self.found: list[AudioDevice] | None = None
        self._known = known
        self._told = told
        self._scanner = scanner
        self._streams: dict[_Key, _Stream] = {}
        self._trials: dict[_Key, _Trial] = {}
        self._asked: set[_Key] = set()  # the trials that somebody waits for
        self._tried: dict[_Key, float] = {}
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
        ends = [end for end in ends if not end.closed]
        gone = self._take_late(ends, now)
        if gone or now >= self._scan_due:
            self._scan()
        self._asked.clear()
        settled = all([self._serve(end, wishes, now) for end in ends])
        pause = _SCAN_SECONDS if settled else _HURRIED_SCAN_SECONDS
        self._scan_due = min(self._scan_due, now + pause)
        self._share(ends, wishes)
        gone += [self._streams.pop(key) for key, each in [*self._streams.items()] if not each.feeds]
        _close(gone, [self._trials.pop(key) for key in self._trials.keys() - self._asked])
        self._due = time.monotonic() + (pause := self._pause(now))
        return pause

    def close(self) -> None:
        """Close every card, or leave it to a sound server that hangs to let them go."""
        _close(self._streams.values(), self._trials.values())
        self._streams.clear()
        self._trials.clear()

    def _pause(self, now: float) -> float:
        if any(self._hopes(key, now) for key in self._trials):
            return _TRIAL_LOOK_SECONDS
        real = self._trials or any(device_id is not None for _, device_id in self._streams)
        return min(_LOOK_SECONDS if real else _HURRIED_SCAN_SECONDS, max(0.0, self._scan_due - now))

    def _take_late(self, ends: list[End], now: float) -> list[_Stream]:
        """Take out the cards that call no more, and whom they served with them."""
        late = {key for key, stream in self._streams.items() if _silent(stream, now, self._woken)}
        for key in late:
            self._ban(key, now)
        streams = [self._streams.pop(key) for key in late]
        for end in ends:
            if end.stream in streams:
                end.place(None)
        return streams

    def _scan(self) -> None:
        before = self._known if self.found is None else self.found
        found = self._scanner.scan()
        self._scan_due = time.monotonic() + _SCAN_SECONDS
        if found is None and any(device_id is not None for _, device_id in self._streams):
            return  # the sound server is slow, but its cards go on
        self.found = found or []
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
        """Put an end on the best card that works; return whether that is the one it wishes."""
        selected = _selected(end, wishes)
        wish = end.wish if end.explicit else "" if selected is None else selected.id
        there = [d for d in self.found or () if d.kind == end.kind]
        for choice in _choices(wish, there):
            key: _Key = (end.kind, choice)
            stream = self._stream(key, now)
            if stream is not None:
                self._report(end, key, wish, selected, there)
                if end.stream is not stream:
                    end.place(stream)
                return choice == wish
            if self._hopes(key, now) and (end.stream is not None or now - end.since < _SILENT_SECONDS):
                return False
        return False

    def _stream(self, key: _Key, now: float) -> _Stream | None:
        """Return a card that works; None if it does not, or not yet."""
        if key in self._streams:
            return self._streams[key]
        if key[1] is None:
            return self._streams.setdefault(key, _opened(*key))
        ban = self._bans.get(key)
        if ban is not None and now < ban.until:
            return None
        self._asked.add(key)
        if key not in self._trials:
            self._tried[key] = now
            self._trials[key] = _Trial(errand(partial(_opened, *key)), now)
            return None
        opening = self._trials[key].opening
        if not opening.done():
            return None
        if (error := opening.exception()) is not None:
            log.warning("the %s cannot be opened: %s", key[0].lower(), error)
            del self._trials[key]
            self._ban(key, now)
            return None
        stream = opening.result()
        assert stream.card is not None
        if stream.card.works:
            self._streams[key] = stream
            del self._trials[key]
            return stream
        if now - stream.card.opened > _TRIAL_SECONDS:
            self._ban(key, now)
            self._asked.discard(key)
        return None

    def _hopes(self, key: _Key, now: float) -> bool:
        return key in self._trials and now - self._trials[key].begun < _HOPE_SECONDS

    def _ban(self, key: _Key, now: float) -> None:
        before = self._bans.get(key)
        recent = before is not None and now - self._tried.get(key, now) < _HEALTHY_SECONDS
        seconds = min(2 * before.seconds, _LONGEST_BAN_SECONDS) if before and recent else _BAN_SECONDS
        self._bans[key] = _Ban(now + seconds, seconds)

    def _report(
        self, end: End, key: _Key, wish: str, selected: AudioDevice | None, there: list[AudioDevice]
    ) -> None:
        device = _device(key, there)
        name = (end.kind, end.wish)
        before = self._uses.get(name)
        self._uses[name] = _Use(key, wish, device)
        ids = {one.id for one in there}
        if before is None or before.wish != wish:
            wished = _device((end.kind, wish), there) or selected
            if wished is not None and device is not None and wished.id != device.id:
                self._switched(end, wished, device, "failed" if wished.id in ids else "removed")
                return
        if before is None:
            if device is None:
                self._switched(end, None, None, "missing")
            return
        if (before.device and before.device.id) == (device and device.id):
            return
        cause: Cause = "returned"
        if before.wish != wish:
            cause = "selected"
        elif self.found and before.device is not None and before.device.id not in ids:
            cause = "removed"
        elif before.key not in self._streams or not self.found:
            cause = "failed"
        elif before.key == key or before.key[1] == wish:
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
        self._processing = {key: done for key, done in self._processing.items() if key in microphones}
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


def _opened(kind: Kind, device_id: str | None) -> _Stream:
    stream: _Stream
    if kind == "Microphone":
        stream = MicrophoneStream()
        stream.card = Card(kind, device_id, stream.heard)
    else:
        stream = SpeakerStream()
        stream.card = Card(kind, device_id, stream.wanted)
    return stream


def _close(streams: Collection[_Stream], trials: Collection[_Trial]) -> None:
    closing = [errand(partial(_closed, stream)) for stream in streams]
    closing += [errand(partial(_given_up, trial)) for trial in trials]
    wait(closing, PATIENCE_SECONDS)


def _closed(stream: _Stream) -> None:
    if stream.card is not None:
        stream.card.close()
    if isinstance(stream, MicrophoneStream) and stream.processor is not None:
        stream.processor.close()


def _given_up(trial: _Trial) -> None:
    _closed(trial.opening.result())


def _silent(stream: _Stream, now: float, woken: float) -> bool:
    card = stream.card
    if card is None or card.device_id is None:
        return False
    return now - max(card.last, woken) > WATCHDOG_SECONDS


def _selected(end: End, wishes: Wishes) -> AudioDevice | None:
    if end.explicit:
        return None
    device = wishes.selected.get(end.wish)
    return wishes.selected.get("speaker") if device is None and end.wish == "ring" else device


def _choices(wish: str, there: list[AudioDevice]) -> list[str | None]:
    """Return what to try, the best first: ids, "" for the system's default, None for the null device."""
    default = next((device for device in there if device.is_system_default), None)
    others = [device.id for device in there if device.is_real and device is not default]
    choices: list[str | None] = [wish] if any(device.id == wish for device in there) else []
    if others if default is None else default.is_real and default.id != wish:
        choices.append("")
    return list(dict.fromkeys([*choices, *others, None]))


def _device(key: _Key, there: Iterable[AudioDevice]) -> AudioDevice | None:
    _, device_id = key
    if device_id is None:
        return None
    if device_id:
        return next((device for device in there if device.id == device_id), None)
    return next((device for device in there if device.is_system_default and device.is_real), None)
