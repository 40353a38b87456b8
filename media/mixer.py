"""Several sounds in one: a plain mix, and a mix for a group in which each hears all the others. Pure."""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SILENCE, Frame
from media.fades import FADE_SAMPLES, Joined
from media.talking import Talking

_KNEE = round(0.7 * 32768)
_ROOM = 32767 - _KNEE

_MOST_WAITING = 10  # frames of a party that wait to be mixed
_ENOUGH_WAITING = 2
_PATIENCE = 10  # slots in a row with more than enough, until the oldest goes
_SLOTS = 2  # kept for those who read a little later than the first
_LOUDER_DB = 6.0  # that somebody must be to become the active speaker while another talks


def mix(frames: list[Frame], count: int) -> Frame:
    """Return the sum of frames of `count` samples; where it is loud, it bends instead of clipping."""
    if not frames:
        return np.zeros(count, np.int16)
    if len(frames) == 1:
        return frames[0]
    return soft_clip(np.sum(frames, axis=0, dtype=np.int32))


def soft_clip(sound: NDArray[np.int32]) -> Frame:
    """Return sound of any loudness as int16: as it is up to 0.7 of full scale, bent above."""
    if sound.max() <= _KNEE and sound.min() >= -_KNEE:
        return sound.astype(np.int16)
    size = np.abs(sound).astype(np.float32)
    bent = np.where(size > _KNEE, _KNEE + _ROOM * np.tanh((size - _KNEE) / _ROOM), size)
    return np.copysign(bent, sound).astype(np.int16)


class Gain:
    """How loud a sound is to be: 1 as it is, 0 not at all; a change takes at most 5 ms. At most 4 (12 dB)."""

    MOST = 4.0

    def __init__(self) -> None:
        self._volume = self._before = 1.0

    @property
    def volume(self) -> float:
        """The factor; setting it raises ValueError unless it is from 0 to 4."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        if not 0.0 <= volume <= self.MOST:
            raise ValueError(f"a volume is from 0 (silent) over 1 (as it is) to {self.MOST:g}, not {volume}")
        self._volume = volume

    def apply(self, frame: Frame) -> Frame:
        """Return the frame so loud."""
        if self._before == self._volume == 1.0:
            return frame
        sound = frame * np.float32(self._volume)
        if self._before != self._volume:
            count = min(FADE_SAMPLES, len(frame))  # a card may ask for less
            ramp = np.linspace(self._before, self._volume, count, dtype=np.float32)
            sound[:count] = frame[:count] * ramp
            self._before = self._volume
        return soft_clip(sound.astype(np.int32))


class Mixer:
    """A group: each party says frames and hears the sum of the others.

    Time moves on, by a slot of 20 ms, when a party reads that has read the newest slot. All parties are
    read and written on one clock. What comes late is faded out and in again, and then waits a little longer.
    `changed` is called whenever others are the `speakers`: those who talk, the dominant one first.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.parties: tuple[Party, ...] = ()
        self.active_speaker: Party | None = None
        self.speakers: tuple[Party, ...] = ()
        self._changed = changed
        self._slot = 0
        self._totals: deque[NDArray[np.int32]] = deque(maxlen=_SLOTS)

    def join(self) -> "Party":
        """Take a new party in."""
        party = Party(self)
        self.parties = (*self.parties, party)
        return party

    def _hear(self, party: "Party") -> Frame:
        behind = self._slot - party._slot
        if behind > len(party._contributed):  # it is new, or has missed some
            behind, party._hears = min(1, len(party._contributed)), object()
        if behind == 0:
            self._move_on()
            behind = 1
        party._slot = self._slot - behind + 1
        others = soft_clip(self._totals[-behind] - party._contributed[-behind])
        return party._heard.join(party._hears, others)

    def _move_on(self) -> None:
        total = np.zeros(FRAME_SAMPLES, np.int32)
        for party in self.parties:
            total += party._contribute()
        self.parties = tuple(party for party in self.parties if not party._gone)
        self._totals.append(total)
        self._slot += 1
        self._choose_speaker()

    def _choose_speaker(self) -> None:
        talking = [party for party in self.parties if party.speaking]
        loudest = max(talking, key=lambda party: party.level, default=None)
        now = self.active_speaker
        if loudest is None or now not in talking or loudest.level > now.level + _LOUDER_DB:
            self.active_speaker = loudest
        before, first = self.speakers, self.active_speaker
        rest = tuple(party for party in talking if party is not first)
        self.speakers = rest if first is None else (first, *rest)
        if before != self.speakers:
            self._changed()


class Party:
    """One of a group: `sink` is written what it says, `source` is read what it hears; closing them leaves."""

    def __init__(self, mixer: Mixer) -> None:
        self.sink = PartySink(self)
        self.source = PartySource(self)
        self._mixer = mixer
        self._talking = Talking()
        self._waiting: deque[Frame] = deque()
        self._said = Joined()
        self._heard = Joined()
        self._says: object = None  # the unbroken run of frames that is being said
        self._hears: object = None  # the unbroken run of slots that is being heard
        self._patience = _PATIENCE
        self._slot = mixer._slot - _SLOTS - 1
        self._contributed: deque[Frame] = deque(maxlen=_SLOTS)

    @property
    def level(self) -> float:
        """Return the level of what it has said in the last 100 ms, in dBFS."""
        return self._said.level

    @property
    def speaking(self) -> bool:
        """Return whether it talks."""
        return self._talking.speaking

    def leave(self) -> None:
        """Say and hear nothing more; may be called more than once."""
        self.sink.close()
        self.source.close()

    @property
    def _gone(self) -> bool:
        return self.sink.closed and self.source.closed and self._says is None

    def _say(self, frame: Frame) -> None:
        self._waiting.append(frame.copy())
        if len(self._waiting) > _MOST_WAITING:
            while len(self._waiting) > 1:
                self._skip()

    def _skip(self) -> None:
        self._waiting.popleft()
        self._says = None
        self._patience = _PATIENCE

    def _contribute(self) -> Frame:
        self._patience = self._patience - 1 if len(self._waiting) > _ENOUGH_WAITING else _PATIENCE
        if not self._patience:
            self._skip()
        if self._waiting:
            self._says = self._says or object()
            frame = self._said.join(self._says, self._waiting.popleft())
        else:
            self._says = None
            frame = self._said.join(None, SILENCE)
        self._talking.hear(frame)
        self._contributed.append(frame)
        return frame


class PartySink:
    """Say into the group; a Sink."""

    def __init__(self, party: Party) -> None:
        self.closed = False
        self._party = party

    def write(self, frame: Frame) -> None:
        """Say the next 20 ms."""
        if not self.closed:
            self._party._say(frame)

    def close(self) -> None:
        """Say nothing more; may be called more than once."""
        self.closed = True


class PartySource:
    """Hear the others of the group; a Source."""

    def __init__(self, party: Party) -> None:
        self.closed = False
        self._party = party

    def read(self) -> Frame:
        """Return the next 20 ms."""
        return SILENCE if self.closed else self._party._mixer._hear(self._party)

    def close(self) -> None:
        """Hear nothing more; may be called more than once."""
        self.closed = True
