"""From packets, in any order, to a frame whenever one is due: jitter buffer, Opus decoder, time-stretch."""

import logging
from collections import deque

import numpy as np
from msgspec import Struct

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.fades import met
from media.jitter import (
    MILLISECOND,
    SLICE,
    START,
    Conceal,
    Idle,
    JitterBuffer,
    Late,
    Packet,
    Pause,
    Recover,
    Release,
)
from media.opus import Decoder, OpusError, has_fec
from media.stretch import SHORTEST, Sound, best_join, lengthen, shorten

_log = logging.getLogger("callnode.media")

HEAD_START = START / SAMPLE_RATE  # seconds between the first packet and the first frame
STEP = 5 * MILLISECOND  # by which the time of a frame is moved
REACH = 10 * MILLISECOND  # by which it is moved in all, so that what plays the frames never runs dry
FADED = 100 * MILLISECOND  # of concealment, after which libopus plays no more than the noise behind a voice
LOOKS = 5  # frames whose least excess counts: a loop that is late only ever adds to it
# Samples too many, from which on: frames between two stretches, and how alike the joined places must be.
PACES = ((4800, 1, 0.0), (1920, 2, 0.4), (0, 4, 0.7))


class Counters(Struct):
    """What the receive path has done so far, named as in W3C webrtc-stats.

    Delays are seconds, summed over the samples of `jitter_buffer_emitted_count`.
    """

    packets_discarded: int = 0  # late or dropped to catch up
    jitter_buffer_delay: float = 0.0
    jitter_buffer_target_delay: float = 0.0
    jitter_buffer_emitted_count: int = 0
    total_samples_received: int = 0
    concealed_samples: int = 0
    silent_concealed_samples: int = 0
    concealment_events: int = 0
    inserted_samples_for_deceleration: int = 0
    removed_samples_for_acceleration: int = 0
    fec_packets_received: int = 0  # that carried the one before them a second time
    fec_packets_discarded: int = 0  # of these, of which it was not needed


class Playout:
    """Play one stream of packets at a time; frames are asked for every 20 ms, moved by `shift`.

    The delay has two parts: the time of the frames against that of the packets, to 5 ms, and whole packets,
    which come and go by periods of the voice.
    """

    def __init__(self) -> None:
        self.decoded = False  # whether any packet was
        self._counters = Counters()
        self._buffer = JitterBuffer(has_fec)
        self._decoder = Decoder()
        self._rest: Sound = SILENCE[:0]  # decoded, not yet played
        self._shift = 0
        self._phase = 0  # sum of all shifts
        self._excesses: deque[int] = deque(maxlen=LOOKS)
        self._since_stretch = 0
        self._concealed = 0  # samples in a row, up to now
        self._last: tuple[int, int] = (0, 0)  # the end of what was concealed
        self._complained = False

    @property
    def counters(self) -> Counters:
        """Return what was done so far."""
        counters, buffer = self._counters, self._buffer
        counters.packets_discarded = buffer.discarded
        counters.fec_packets_received = buffer.fec_received
        counters.fec_packets_discarded = buffer.fec_discarded
        return counters

    def put(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take in an Opus packet, with 32, 16 and 32 bits of its header, at a time in seconds."""
        if payload:
            self._buffer.put(ssrc, sequence, timestamp, payload, now)

    def pass_over(self, ssrc: int, sequence: int) -> None:
        """Take note of a packet of the stream that is no sound, as keypad digits are."""
        self._buffer.pass_over(ssrc, sequence)

    def frame(self, now: float) -> Frame:
        """Return the next frame; silence where no stream is running."""
        rest, due = self._rest, False
        while (have := len(rest)) < FRAME_SAMPLES:
            release = self._buffer.take(now)
            due = isinstance(release, Packet | Recover)
            sound = self._sound(release, FRAME_SAMPLES - have, now)
            rest = np.concatenate((rest, sound)) if have else sound
        if due:
            rest = self._adjusted(rest, now)
        self._rest = rest[FRAME_SAMPLES:]
        self._counters.total_samples_received += FRAME_SAMPLES
        return rest[:FRAME_SAMPLES]

    def shift(self) -> float:
        """Return how many seconds later than in 20 ms the next frame had better come; ask once a frame."""
        shift, self._shift = self._shift, 0
        return shift / SAMPLE_RATE

    def drain(self, now: float) -> list[Frame]:
        """Return at once all that is held, the last frame filled up; then it is empty."""
        sounds = [self._rest]
        while self._buffer:
            sounds.append(self._sound(self._buffer.take(now + 10.0), FRAME_SAMPLES, now))
        if missing := -sum(map(len, sounds)) % FRAME_SAMPLES:
            sounds.append(self._decoder.conceal(-(-missing // SLICE) * SLICE)[:missing])
        self._rest = SILENCE[:0]
        return list(np.concatenate(sounds).reshape(-1, FRAME_SAMPLES))

    def close(self) -> None:
        """Free the decoder; may be called more than once."""
        self._decoder.close()

    def _adjusted(self, rest: Sound, now: float) -> Sound:
        """Return the sound, stretched if that brings the delay nearer to its target; or move the frames."""
        self._since_stretch += 1
        self._excesses.append(self._buffer.excess)
        if len(self._excesses) < LOOKS:
            return rest
        excess, samples = min(self._excesses), self._buffer.samples
        step = min(samples, FRAME_SAMPLES)  # of what the delay can be lessened by leaving out sound
        self._move(excess, step)
        if excess < self._phase - REACH - MILLISECOND:
            return self._longer(rest)
        waste = len(rest) - FRAME_SAMPLES - max(0, samples - FRAME_SAMPLES)
        if excess >= step or (waste >= SHORTEST and excess >= 0):
            return self._shorter(rest, waste + excess // step * step, now)
        return rest

    def _move(self, excess: int, step: int) -> None:
        by = 0
        if excess < -MILLISECOND and self._phase < REACH:
            by = STEP
        elif excess > 0 and excess % step > STEP:
            if self._phase > -REACH:
                by = -STEP
            elif excess < step:  # later instead, until there is a packet to leave out
                by = -(excess - step) // STEP * STEP + STEP
        if by:
            self._shift = by
            self._phase += by
            self._excesses.clear()

    def _longer(self, rest: Sound) -> Sound:
        _, pause, likeness = PACES[-1]
        if self._since_stretch < pause:
            return rest
        self._since_stretch = 0
        join = best_join(rest, FRAME_SAMPLES)
        if join is None or join.likeness < likeness:
            return rest
        self._excesses.clear()
        self._counters.inserted_samples_for_deceleration += join.period
        return lengthen(rest, join)

    def _shorter(self, rest: Sound, spare: int, now: float) -> Sound:
        pause, likeness = next(pace[1:] for pace in PACES if spare >= pace[0])
        if self._since_stretch < pause:
            return rest
        self._since_stretch = 0
        while len(rest) - FRAME_SAMPLES < min(spare, FRAME_SAMPLES) and self._buffer.ready():
            rest = np.concatenate((rest, self._sound(self._buffer.take(now), 0, now)))
        join = best_join(rest, min(spare, len(rest) - FRAME_SAMPLES))
        if join is None or join.likeness < likeness:
            return rest
        self._counters.removed_samples_for_acceleration += join.period
        return shorten(rest, join)

    def _sound(self, release: Release, wanted: int, now: float) -> Sound:
        match release:
            case Packet():
                return self._decode(release, now)
            case Recover(following, samples):
                return self._recover(following, samples)
            case Conceal(samples):
                return self._conceal(samples)
            case Late():
                samples = -(-wanted // SLICE) * SLICE
                self._buffer.filled(samples)
                return self._conceal(samples)
            case Pause():
                return self._conceal(wanted, silent=True)
            case Idle():
                self._counters.concealed_samples += wanted
                self._counters.silent_concealed_samples += wanted
                self._last = (0, 0)
                return SILENCE[:wanted]

    def _decode(self, packet: Packet, now: float) -> Sound:
        try:
            sound = self._decoder.decode(packet.payload)
        except OpusError as error:
            self._complain(error)
            return self._conceal(self._buffer.samples)
        self._buffer.decoded(len(sound))
        self.decoded = True
        sound = self._resumed(sound)
        counters = self._counters
        counters.jitter_buffer_delay += len(sound) * (now - packet.arrival / SAMPLE_RATE)
        counters.jitter_buffer_target_delay += len(sound) * self._buffer.target_delay / SAMPLE_RATE
        counters.jitter_buffer_emitted_count += len(sound)
        return sound

    def _recover(self, following: bytes, samples: int) -> Sound:
        try:
            sound = self._decoder.recover(following, samples)
        except OpusError as error:
            self._complain(error)
            return self._conceal(samples)
        return self._resumed(sound)

    def _resumed(self, sound: Sound) -> Sound:
        """Return a sound that meets what was concealed before it, if there was any, without a step."""
        if not self._concealed:
            return sound
        self._concealed = 0
        before, last = self._last
        return met(sound, 2 * last - before - int(sound[0]))

    def _conceal(self, samples: int, *, silent: bool = False) -> Sound:
        counters = self._counters
        counters.concealment_events += not self._concealed
        self._concealed += samples
        counters.concealed_samples += samples
        counters.silent_concealed_samples += (
            samples if silent else min(samples, max(0, self._concealed - FADED))
        )
        sound = self._decoder.conceal(-(-samples // SLICE) * SLICE)[:samples]
        self._last = int(sound[-2:][0]), int(sound[-1])
        return sound

    def _complain(self, error: OpusError) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("packets that are not Opus are concealed: %s", error)
