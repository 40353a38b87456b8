"""Keep every source and sink on the best card: the wished one, the default, any other, or the null device.

Runs in a thread of its own (media.devices), which a sound server that hangs does not hold up for long. What
sounds goes over to a card when that has shown that it works, and stays where it is until then.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import Literal, TypeAlias

from msgspec import Struct

from media.cards import AudioDevice, Card, CardError, Kind
from media.device_ends import End
from media.processing import AudioProcessing, Processor, is_headphones
from media.scanner import PATIENCE_SECONDS, Scanner
from media.streams import MicrophoneStream, SpeakerStream
from media.threads import in_a_thread
from media.trials import TRIAL_SECONDS, Trials

log = logging.getLogger("callnode.media.devices")

Role: TypeAlias = Literal["microphone", "speaker", "ring"]
Cause: TypeAlias = Literal["selected", "failed", "removed", "returned", "default changed", "missing"]

WATCHDOG_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_TRIAL_LOOK_SECONDS = 0.01
_LATE_SECONDS = 0.2
_SCAN_SECONDS = 1.0  # a scan takes 1 ms of CPU
_HURRIED_SCAN_SECONDS = 0.5  # while something is not where it is wished to be
_HOPE_SECONDS = 0.5  # for a card to be waited for before what sounded is tried on the next best one


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
        self._trials = Trials[_Key, _Stream](lambda key: in_a_thread(partial(_opened, *key)))
        self._closing: list[Future[None]] = []
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
        closing = self._close(gone)
        if gone or now >= self._scan_due:
            self._scan()
            now = time.monotonic()
        wanted = set[_Key]()
        settled = all([self._serve(end, wishes, now, wanted) for end in ends])
        pause = _SCAN_SECONDS if settled else _HURRIED_SCAN_SECONDS
        self._scan_due = min(self._scan_due, now + pause)
        self._share(ends, wishes)
        unused = [self._streams.pop(key) for key, each in [*self._streams.items()] if not each.feeds]
        closing += self._close(unused, self._trials.give_up(wanted))
        wait(closing, PATIENCE_SECONDS)
        self._due = time.monotonic() + (pause := self._pause(now))
        return pause

    def close(self, seconds: float) -> None:
        """Close every card, or leave it after so long to a sound server that hangs to let them go."""
        self._close(self._streams.values(), self._trials.give_up())
        self._streams.clear()
        wait(self._closing, seconds)

    def _close(
        self, streams: Iterable[_Stream], openings: Iterable[Future[_Stream]] = ()
    ) -> list[Future[None]]:
        closing = [in_a_thread(partial(_closed, stream)) for stream in streams]
        closing += [in_a_thread(partial(_given_up, opening)) for opening in openings]
        self._closing = [each for each in self._closing if not each.done()] + closing
        return closing

    def _pause(self, now: float) -> float:
        if self._trials.young(now, _HOPE_SECONDS):
            return _TRIAL_LOOK_SECONDS
        real = bool(self._trials) or any(device_id is not None for _, device_id in self._streams)
        return min(_LOOK_SECONDS if real else _HURRIED_SCAN_SECONDS, max(0.0, self._scan_due - now))

    def _take_late(self, ends: list[End], now: float) -> list[_Stream]:
        """Take out the cards that call no more, and whom they served with them."""
        late = {key for key, stream in self._streams.items() if _silent(stream, now, self._woken)}
        for key in late:
            self._trials.ban(key, now)
        streams = [self._streams.pop(key) for key in late]
        for end in ends:
            if end.stream in streams:
                end.place(None)
        return streams

    def _scan(self) -> None:
        found = self._scanner.scan()
        self._scan_due = time.monotonic() + _SCAN_SECONDS
        if found is None:
            return  # what hangs with the sound server is seen by its cards
        before = self._known if self.found is None else self.found
        self.found = found
        if before is None:
            return
        now_ids, ids = {(d.kind, d.id) for d in self.found}, {(d.kind, d.id) for d in before}
        added = tuple(d for d in self.found if (d.kind, d.id) not in ids)
        removed = tuple(d for d in before if (d.kind, d.id) not in now_ids)
        if added or removed:
            self._trials.forgive()
            for device in added:
                log.info("%s plugged in: %s", device.kind.lower(), device.name)
            for device in removed:
                log.info("%s unplugged: %s", device.kind.lower(), device.name)
            self._told(AudioDevicesUpdated(added, removed))

    def _serve(self, end: End, wishes: Wishes, now: float, wanted: set[_Key]) -> bool:
        """Put an end on the best card that works; return whether that is the one it wishes.

        Adds to `wanted` what it would rather be on.
        """
        patient = end.stream is not None or now - end.since < TRIAL_SECONDS
        if self.found is None and patient:
            return False
        selected = _selected(end, wishes)
        wish = end.wish if end.explicit else "" if selected is None else selected.id
        there = [d for d in self.found or () if d.kind == end.kind]
        keys: list[_Key] = [(end.kind, choice) for choice in _choices(wish, there)]
        for at, key in enumerate(keys):
            better, choice = keys[:at], key[1]
            longest = TRIAL_SECONDS if patient else _HOPE_SECONDS
            if choice is None and self._trials.young(now, longest, better):
                break
            # Where a server that hung goes on, its cards open in any order.
            least = _HOPE_SECONDS if end.null and self._trials.running(better) else 0.0
            stream = self._stream(key, now, least)
            if stream is not None:
                wanted.update(better)
                device = _device(key, there)
                self._report(end, key, wish, selected, device, there)
                if end.stream is not stream:
                    end.place(stream)
                end.device = device
                return choice == wish
            # Who did not sound yet waits for the best ones: another may be heard by the whole room.
            first = not end.sounded and (at == 0 or choice == "")
            if patient and self._trials.young(now, TRIAL_SECONDS if first else _HOPE_SECONDS, [key]):
                break
        wanted.update(keys)
        return False

    def _stream(self, key: _Key, now: float, least: float) -> _Stream | None:
        """Return a card that works; None if it does not, or not yet."""
        stream = self._streams.get(key)
        if stream is None:
            stream = _opened(*key) if key[1] is None else self._trials.take(key, now, least)
        if stream is not None:
            self._streams[key] = stream
        return stream

    def _report(
        self,
        end: End,
        key: _Key,
        wish: str,
        selected: AudioDevice | None,
        device: AudioDevice | None,
        there: list[AudioDevice],
    ) -> None:
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
    stream: _Stream = MicrophoneStream() if kind == "Microphone" else SpeakerStream()
    turn = stream.heard if isinstance(stream, MicrophoneStream) else stream.wanted
    try:
        stream.card = Card(kind, device_id, turn)
    except CardError as error:
        log.warning("the %s cannot be opened: %s", kind.lower(), error)
        raise
    return stream


def _closed(stream: _Stream) -> None:
    if stream.card is not None:
        stream.card.close()
    if isinstance(stream, MicrophoneStream) and stream.processor is not None:
        stream.processor.close()


def _given_up(opening: Future[_Stream]) -> None:
    _closed(opening.result())


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
    if default is None and others:
        choices.append("")
    if default is not None and default.is_real and default.id != wish:
        choices.append("")
    return list(dict.fromkeys([*choices, *others, None]))


def _device(key: _Key, there: Iterable[AudioDevice]) -> AudioDevice | None:
    _, device_id = key
    if device_id is None:
        return None
    if device_id:
        return next((device for device in there if device.id == device_id), None)
    return next((device for device in there if device.is_system_default and device.is_real), None)
