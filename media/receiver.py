"""The incoming sound of a peer connection: packets, in any order, to a frame every 20 ms."""

import asyncio
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SILENCE, Frame
from media.jitter import Idle, JitterBuffer, Late, Lost, Merged, Packet, Release
from media.opus import Decoder, OpusError, has_fec

_log = logging.getLogger("callnode.media")

HEAD_START = 0.010  # seconds between the first packet and its slot: the lateness that costs nothing
MAX_CATCH_UP = 25  # slots played at once after a stall of the loop, so that recordings keep their length

_Sound = NDArray[np.int16]


class Receiver:
    """Play what is received: one frame to `write` every 20 ms from the first packet until closed.

    Lost and late packets are recovered or concealed; pauses of the other end are silence.
    """

    def __init__(self, write: Callable[[Frame], None], first_audio: Callable[[], None]) -> None:
        self.jitter = JitterBuffer()
        self.concealed_samples = 0
        self.fec_packets_received = 0
        self.bytes_received = 0
        self.frames_late = 0
        self.last_packet: float | None = None  # loop time
        self._write = write
        self._first_audio = first_audio
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._decoded = False
        self._complained = False
        self._playing = False
        self._closed = False
        self._packet_samples = FRAME_SAMPLES
        self._rest: _Sound = SILENCE[:0]

    def receive(self, ssrc: int, sequence: int, payload: bytes) -> None:
        """Take one Opus packet from the network."""
        if self._closed or not payload:
            return
        now = self._loop.time()
        self.last_packet = now
        self.bytes_received += len(payload)
        self.jitter.put(ssrc, sequence, payload, now)
        if self._timer is None:
            self._due = now + HEAD_START
            self._timer = self._loop.call_at(self._due, self._tick)

    def finish(self) -> None:
        """Play at once what is held, and then no more; nothing when called from within playing."""
        if self._closed:
            return
        self._stop()
        if self._playing or not self._decoded:
            return
        sounds = [self._rest, *(self._sound(release) for release in self.jitter.drain(self._loop.time()))]
        if missing := -sum(map(len, sounds)) % FRAME_SAMPLES:
            sounds.append(self._decoder.conceal(missing))
        for frame in np.concatenate(sounds).reshape(-1, FRAME_SAMPLES):
            self._write(frame)

    def close(self) -> None:
        """Stop playing; may be called more than once."""
        self._stop()
        self._decoder.close()

    def _stop(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        behind = int((now - self._due) / FRAME_SECONDS)
        self.frames_late += behind
        self._due += max(0, behind - MAX_CATCH_UP) * FRAME_SECONDS
        try:
            while self._due <= now and not self._closed:
                self._due += FRAME_SECONDS
                self._play(now)
        finally:  # one bad frame must not end the sound of the call
            if not self._closed:
                self._timer = self._loop.call_at(self._due, self._tick)

    def _play(self, now: float) -> None:
        self._playing = True
        try:
            frame = self._frame(now)
            if self._decoded:
                self._write(frame)
        finally:
            self._playing = False

    def _frame(self, now: float) -> Frame:
        while len(self._rest) < FRAME_SAMPLES:
            sound = self._sound(self.jitter.take(now))
            self._rest = np.concatenate((self._rest, sound)) if len(self._rest) else sound
        frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
        return frame

    def _sound(self, release: Release) -> _Sound:
        match release:
            case Packet(payload):
                return self._decode(payload)
            case Merged(first, second):
                return _crossfade(self._decode(first), self._decode(second))
            case Lost(following) if following is not None and has_fec(following):
                return self._recover(following)
            case Lost() | Late():
                return self._conceal()
            case Idle():
                return SILENCE

    def _decode(self, payload: bytes) -> _Sound:
        try:
            sound = self._decoder.decode(payload)
        except OpusError as error:
            self._complain(error)
            return self._conceal()
        self._packet_samples = len(sound)
        if not self._decoded:
            self._decoded = True
            self._first_audio()
        return sound

    def _recover(self, following: bytes) -> _Sound:
        try:
            sound = self._decoder.recover(following, self._packet_samples)
        except OpusError as error:
            self._complain(error)
            return self._conceal()
        self.fec_packets_received += 1
        return sound

    def _complain(self, error: OpusError) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("packets that are not Opus are concealed: %s", error)

    def _conceal(self) -> _Sound:
        self.concealed_samples += self._packet_samples
        return self._decoder.conceal(self._packet_samples)


def _crossfade(first: _Sound, second: _Sound) -> _Sound:
    """Return two sounds of one length faded into the time of one."""
    if len(first) != len(second):
        return second
    rise = np.arange(len(first), dtype=np.float32) / len(first)
    return (first * (1.0 - rise) + second * rise).astype(np.int16)
