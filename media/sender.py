"""The outgoing sound of a call: a frame every 20 ms from its source to a packet on its path."""

import asyncio
import random
from collections.abc import Callable
from math import copysign
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame
from media.dtmf import EventSender, parse_digits
from media.opus import Encoder, Wishes
from media.rate import Target
from media.rtp import SILENT, audio_level
from media.tones import dtmf_tone

_SLEW_SECONDS = 0.0005  # a frame, towards the common grid
QUIET = 70  # audio level (-dBov) from which on a pause may be left out
_SILENT_BYTES = 2  # a packet of no more says that a pause has begun
_REPEAT_FRAMES = 20  # 400 ms, after which a pause is said again (RFC 7587 section 3.1.3)

# Payload type (none is that of Opus), RTP timestamp, payload, marker, audio level as RFC 6464 packs it.
Send: TypeAlias = Callable[[int | None, int, bytes, bool, int], None]


class Sender:
    """Send what `read` returns every 20 ms on the loop's clock; what is late is skipped, never sent at once.

    The first frame goes when it starts. The moments of the others drift to multiples of 20 ms of the loop's
    clock, so that all calls of a process share their wake-ups.
    """

    def __init__(self, read: Callable[[], Frame], send: Send) -> None:
        self.frames_late = 0
        self.target = self._wanted = Target()  # what is sent, and what would be if the other end let us
        self._read = read
        self._send = send
        self._encoder = Encoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ended = False
        self._busy = False
        self._timestamp = random.getrandbits(32)
        self._dtx = False
        self._silent = False  # the last frame that was encoded
        self._pausing = False
        self._unsaid = 0  # frames of the pause since it was said
        self._marker = True  # the next packet is the first of a talk spurt, RFC 3551 §4.1
        self._wishes = Wishes()
        self._event_type = 0
        self._event_rate = 0
        self._events: EventSender | None = None
        self._keypad: NDArray[np.int16] = np.empty(0, np.int16)

    def configure(self, wishes: Wishes, event_type: int = 0, event_rate: int = 0) -> None:
        """Heed what the other end wants, and how it takes keypad digits as events: rate 0 is not at all."""
        self._wishes = wishes
        self._encoder.set_format(cbr=wishes.cbr, max_playback_rate=wishes.max_playback_rate)
        self.set_target(self._wanted)
        if event_rate != self._event_rate:
            self._events = EventSender(event_rate) if event_rate else None
        self._event_type, self._event_rate = event_type, event_rate

    def set_target(self, target: Target) -> None:
        """Send so much, so protected, as far as the other end wants it."""
        self._wanted = target
        bitrate = min(target.bitrate, self._wishes.max_bitrate)
        fec = target.fec and self._wishes.fec
        repeat = target.repeat and 2 * bitrate <= self._wishes.max_bitrate
        self.target = Target(bitrate, target.expected_loss, fec, repeat)
        self._encoder.set_rate(self.target)

    def press(self, digits: str) -> None:
        """Send keypad digits, one after the other, as events, or as tones where the other end takes none.

        Raises ValueError for what is not on a keypad.
        """
        if self._events is None:
            self._keypad = np.concatenate((self._keypad, dtmf_tone(digits)))
            return
        for digit in parse_digits(digits):
            self._events.start(digit, self._event_time)

    def start(self) -> None:
        """Send the first frame now and the others in time; nothing if called again."""
        if self._timer is None and not self._ended:
            self._due = self._loop.time()
            self._tick()

    def finish(self) -> None:
        """Send one packet more at once, the last: it brings the 6.5 ms that the encoder looks ahead."""
        if self._timer is not None and not self._ended:
            self._stop()
            if not self._busy:
                self._next()

    def close(self) -> None:
        """Send no more and free the encoder; may be called more than once."""
        self._stop()
        self._encoder.close()

    @property
    def _event_time(self) -> int:
        return self._timestamp * self._event_rate // SAMPLE_RATE

    def _stop(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        missed = int((self._loop.time() - self._due) / FRAME_SECONDS)
        if missed > 0:
            self.frames_late += missed
            self._due += missed * FRAME_SECONDS
            self._timestamp += missed * FRAME_SAMPLES
        self._due = _next_moment(self._due)
        self._timer = self._loop.call_at(self._due, self._tick)
        self._busy = True
        try:
            self._next()
        finally:
            self._busy = False
        if self._ended:  # by what was read
            self._next()

    def _next(self) -> None:
        frame = self._read()
        event = self._events.next() if self._events is not None else None
        if event is not None:
            self._send(self._event_type, event.timestamp, event.payload, event.marker, SILENT)
            if not event.over:
                self._timestamp += FRAME_SAMPLES
                return
        if len(self._keypad):
            frame = np.zeros(FRAME_SAMPLES, np.int16)
            tone, self._keypad = self._keypad[:FRAME_SAMPLES], self._keypad[FRAME_SAMPLES:]
            frame[: len(tone)] = tone
        if frame is SILENCE and self._pausing and self._unsaid < _REPEAT_FRAMES:
            self._unsaid += 1  # encoding it is most of what a call costs that says nothing
            self._marker = True
            self._timestamp += FRAME_SAMPLES
            return
        level = audio_level(frame)
        self._allow_dtx(self._wishes.dtx and level & SILENT >= QUIET)
        payload = self._encoder.encode(frame)
        # As in libwebrtc: the packet that begins a pause is sent, twice where packets are lost, for none
        # that follows soon makes it good; those that repeat it are not.
        silent = len(payload) <= _SILENT_BYTES
        if silent and self._pausing and self._unsaid < _REPEAT_FRAMES:
            self._marker = True
            self._unsaid += 1
        else:
            self._send(None, self._timestamp, payload, self._marker, level)
            self._marker = False
            self._unsaid = 0
        self._pausing = silent and (self._silent or not self.target.fec)
        self._silent = silent
        self._timestamp += FRAME_SAMPLES

    def _allow_dtx(self, allowed: bool) -> None:
        # libopus takes tones for noise, and comfort noise in the place of noise that is heard costs quality.
        if allowed is not self._dtx:
            self._dtx = allowed
            self._encoder.set_dtx(allowed)


def _next_moment(moment: float) -> float:
    """Return the moment 20 ms later, drawn a little to the grid."""
    moment += FRAME_SECONDS
    aligned = round(moment / FRAME_SECONDS) * FRAME_SECONDS
    return (
        aligned
        if abs(aligned - moment) < _SLEW_SECONDS
        else moment + copysign(_SLEW_SECONDS, aligned - moment)
    )
