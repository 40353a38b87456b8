"""The sources and sinks that a microphone and a speaker are to calls, whatever card is behind them."""

import threading
import time
from collections.abc import Callable

from media.audio import SILENCE, Frame
from media.cards import AudioDevice, Kind
from media.streams import Feed, MicrophoneStream, SpeakerStream


class End:
    """What the sources and sinks of devices have in common."""

    def __init__(self, kind: Kind, wish: str, *, explicit: bool, released: Callable[["End"], None]) -> None:
        self.kind: Kind = kind
        self.wish = wish  # a role, or an id where `explicit`
        self.explicit = explicit
        self.closed = False
        self.stream: MicrophoneStream | SpeakerStream | None = None
        self.device: AudioDevice | None = None  # what that is of; None also for the null device
        self.since = time.monotonic()  # when it went over to that
        self.sounded = False  # whether a real device has ever been behind it
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
    def is_real(self) -> bool:
        """Whether a real device is behind it."""
        return self.stream is not None and not self.null

    @property
    def underruns(self) -> int:
        """How often sound was missing when it was due, at the card or on the way to it."""
        return self._past[0] + self.feed.ring.underruns + self._missed

    @property
    def dropped(self) -> int:
        """How many samples went unheard because they came too fast."""
        return self._past[1] + self.feed.ring.dropped

    @property
    def latency(self) -> float:
        """Seconds that sound waits between the card and the event loop."""
        return self.feed.level

    def wait_open(self, seconds: float = 3.0) -> bool:
        """Wait until a device is open, and return whether one is; not for the event loop's thread."""
        return self._placed.wait(seconds)

    def close(self) -> None:
        """Let the device go; the last one to do so closes it. May be called more than once."""
        if not self.closed:
            self.closed = True
            self._released(self)

    def place(self, stream: MicrophoneStream | SpeakerStream | None) -> None:
        """Go over to another stream; without one it is silent."""
        underruns, dropped = self.underruns, self.dropped
        self.feed = Feed()
        self.stream = stream
        self.device = None
        self.since = time.monotonic()
        self.sounded = self.sounded or self.is_real
        self._past = [underruns - self._missed, dropped]
        if stream is not None:
            self._placed.set()

    @property
    def _missed(self) -> int:
        return 0 if self.stream is None else self.stream.missed


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
