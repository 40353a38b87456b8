"""What one open card hears or plays for all calls: from its thread to the event loop and back, in its time.

A microphone: card, ring, processor, resampler, a ring for each source. A speaker: a ring for each sink,
mixed, resampler, card. The card's thread does no more than copy, mix and resample: some 0.1 ms every 20 ms.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame
from media.cards import PERIOD_SECONDS, Card
from media.drift import Resampler, Rhythm, Steering
from media.mixer import Gain, mix
from media.processing import Processor
from media.ring import Ring

log = logging.getLogger("callnode.media.devices")

BLOCK_SAMPLES = 480  # what a processor takes
_RING_SAMPLES = 10 * FRAME_SAMPLES
_CARD_RING_SAMPLES = SAMPLE_RATE // 2
_LEAST_BLOCK = 48

Clock: TypeAlias = Callable[[], float]


class Feed:
    """One call's side of a card: its ring, and how its writer comes."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.ring = Ring(_RING_SAMPLES)
        self.rhythm = Rhythm(FRAME_SECONDS)
        self.level = 0.0  # seconds that wait at a read

    def write(self, frame: Frame) -> None:
        """Give a frame to a speaker; called by the sink only."""
        self.ring.write(frame)
        self.rhythm.beat(self._clock())


class Stream:
    """What microphones and speakers have in common: a card, and the feeds of those who use it."""

    def __init__(self) -> None:
        self.card: Card | None = None
        self.gain = Gain()
        # Replaced as a whole, never changed: another thread may be going through it.
        self.feeds: tuple[Feed, ...] = ()
        self._steering = Steering()
        self._resampler = Resampler()

    @property
    def works(self) -> bool:
        """Whether the card has called back."""
        return self.card is not None and self.card.works

    @property
    def missed(self) -> int:
        """How many holes the card has made."""
        return 0 if self.card is None else self.card.missed

    def _observe(self, feed: Feed, level: float, wanted: float, now: float) -> None:
        feed.level = level / SAMPLE_RATE
        if feed.ring.flowing and self._steering.observe(level, wanted, now):
            feed.ring.keep(round(wanted))


class MicrophoneStream(Stream):
    """What a microphone hears; whoever reads first moves on what has come, for all."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self.far = Ring(_CARD_RING_SAMPLES)  # what the speaker plays meanwhile
        self.processor: Processor | None = None
        self.opened = clock()
        self.sounded: float | None = None  # when the card last brought anything but zeros
        self._card = Ring(_CARD_RING_SAMPLES)
        self._card_rhythm = Rhythm(PERIOD_SECONDS["Microphone"])
        self._ragged = 0  # samples that may wait for the rest of their block

    def heard(self, samples: Frame, now: float) -> None:
        """Take what the card brings; called in its thread."""
        if samples.any():
            self.sounded = now
        self._card.write(samples)
        self._card_rhythm.beat(now)

    def read(self, feed: Feed) -> Frame:
        """Return the next 20 ms; called on the event loop."""
        now = self._clock()
        since = self._card_rhythm.since(now) * SAMPLE_RATE
        self._pump()
        wanted = self._steering.wanted(self._card_rhythm, FRAME_SAMPLES + self._ragged)
        self._observe(feed, len(feed.ring) + len(self._card) + since, wanted, now)
        return feed.ring.read(FRAME_SAMPLES, round(wanted - since) - len(self._card))

    def _pump(self) -> None:
        count = len(self._card) // BLOCK_SAMPLES * BLOCK_SAMPLES
        if not count:
            return
        sound = self._card.read(count)
        self._ragged = BLOCK_SAMPLES if len(self._card) % BLOCK_SAMPLES else self._ragged
        if self.processor is not None:
            sound = self._processed(self.processor, sound)
        sound = self.gain.apply(sound)
        sound = self._resampler.process(sound, self._steering.ratio)
        for feed in self.feeds:
            feed.ring.write(sound)

    def _processed(self, processor: Processor, sound: Frame) -> Frame:
        try:
            if played := len(self.far) // BLOCK_SAMPLES * BLOCK_SAMPLES:
                processor.far(self.far.read(played))
            return processor.near(sound)
        except Exception:
            log.exception("the sound of the microphone goes on unprocessed")
            self.processor = None
            return sound


class SpeakerStream(Stream):
    """What a speaker plays: the sum of all sinks."""

    def __init__(self) -> None:
        super().__init__()
        self.taps: tuple[Ring, ...] = ()  # told what is played
        self._ready: Frame = SILENCE[:0]

    def wanted(self, count: int, now: float) -> Frame:
        """Return what the card is to play next; called in its thread."""
        for feed in self.feeds:
            level = len(feed.ring) + len(self._ready) + feed.rhythm.since(now) * SAMPLE_RATE
            self._observe(feed, level, self._steering.wanted(feed.rhythm, count), now)
        while (missing := count - len(self._ready)) > 0:
            sound = self._mixed(max(missing, _LEAST_BLOCK), now)
            sound = self._resampler.process(sound, self._steering.ratio)
            self._ready = np.concatenate((self._ready, sound)) if len(self._ready) else sound
        sound, self._ready = self._ready[:count], self._ready[count:]
        sound = self.gain.apply(sound)
        for tap in self.taps:
            tap.write(sound)
        return sound

    def _mixed(self, count: int, now: float) -> Frame:
        sounds = []
        for feed in self.feeds:
            since = feed.rhythm.since(now) * SAMPLE_RATE
            sounds.append(feed.ring.read(count, round(self._steering.wanted(feed.rhythm, count) - since)))
        return mix(sounds, count)
