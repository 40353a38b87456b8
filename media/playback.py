"""A recording as a Source that can be paused, sought in, and played faster at the same pitch."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as EndOfFile
from av.filter import Graph
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.source import load

SLOWEST, FASTEST = 1.0, 2.0

Sound = NDArray[np.int16]


def open_playback(sounds: Sequence[Path | BinaryIO], gain_db: float = 0.0) -> "Playback":
    """Return the playback of one file, or of several one after the other.

    It reads them wholly, so call it from a worker thread. Raises OSError, with its name, for one that cannot
    be read as sound.
    """
    return Playback(np.concatenate([load(sound) for sound in sounds]), gain_db)


class Playback:
    """Say samples (int16, mono, 48 kHz) louder by `gain_db`, then silence.

    `finished` turns true, and `on_finished` is called, in the read that returns the last of it; after a seek
    it may do so again. Positions and the duration are seconds of the recording, at whatever speed.
    """

    def __init__(self, samples: Sound, gain_db: float = 0.0) -> None:
        self.on_finished: Callable[[], None] | None = None
        self.finished = False
        self.paused = False
        self._samples = samples
        self._gain = np.float32(10 ** (gain_db / 20))
        self._speed = 1.0
        self._stretch: _Stretch | None = None
        self._taken = 0  # samples handed on
        self._ahead: Sound = np.zeros(0, np.int16)  # stretched, not yet said

    @property
    def duration(self) -> float:
        """Return how long the recording is."""
        return len(self._samples) / SAMPLE_RATE

    @property
    def position(self) -> float:
        """Return how far it is."""
        if self.finished:
            return self.duration
        held = self._stretch.held * self._speed if self._stretch is not None else 0.0
        return max(0.0, self._taken - held - len(self._ahead) * self._speed) / SAMPLE_RATE

    @property
    def speed(self) -> float:
        """Return how fast it is played, 1 to 2."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Play 1 to 2 times as fast from here on, at the same pitch; raises ValueError for another speed."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"the speed is from {SLOWEST:g} to {FASTEST:g}, not {speed:g}")
        at = self.position
        self._speed = speed
        if not self.finished:
            self.seek(at)

    def seek(self, position: float) -> None:
        """Go on from another position; before the beginning is the beginning, beyond the end the end."""
        self._taken = round(min(max(0.0, position), self.duration) * SAMPLE_RATE)
        self._ahead = np.zeros(0, np.int16)
        self._stretch = None if self._speed == 1.0 else _Stretch(self._speed)
        self.finished = False

    def read(self) -> Frame:
        """Return the next 20 ms."""
        if self.paused or self.finished:
            return SILENCE
        frame = self._next()
        if self._taken >= len(self._samples) and not self._left():
            self._stretch = None
            self.finished = True
            if self.on_finished is not None:
                self.on_finished()
        if len(frame) < FRAME_SAMPLES:
            frame = np.concatenate((frame, SILENCE[len(frame) :]))
        if self._gain == 1.0:
            return frame
        louder: Frame = np.clip(np.rint(frame * self._gain), -32768, 32767).astype(np.int16)
        return louder

    def close(self) -> None:
        """Say nothing more; `on_finished` is not called."""
        self.on_finished = None
        self.finished = True
        self._stretch = None

    def _next(self) -> Sound:
        if self._stretch is None:
            return self._take()
        while len(self._ahead) < FRAME_SAMPLES and not self._stretch.ended:
            self._ahead = np.concatenate((self._ahead, self._stretch.put(self._take())))
        frame, self._ahead = self._ahead[:FRAME_SAMPLES], self._ahead[FRAME_SAMPLES:]
        return frame

    def _take(self) -> Sound:
        taken = self._samples[self._taken : self._taken + FRAME_SAMPLES]
        self._taken += len(taken)
        return taken

    def _left(self) -> bool:
        return self._stretch is not None and (len(self._ahead) > 0 or not self._stretch.ended)


class _Stretch:
    """FFmpeg's atempo: WSOLA, which drops whole periods."""

    def __init__(self, speed: float) -> None:
        self.ended = False
        self._speed = speed
        self._given = self._got = 0
        self._graph = Graph()
        rate = Fraction(1, SAMPLE_RATE)
        self._in = self._graph.add_abuffer(
            sample_rate=SAMPLE_RATE, format="s16", layout="mono", time_base=rate
        )
        tempo = self._graph.add("atempo", str(speed))
        self._out = self._graph.add("abuffersink")
        self._in.link_to(tempo)
        tempo.link_to(self._out)
        self._graph.configure()

    @property
    def held(self) -> float:
        """Return how many samples are still to come of what was put in."""
        return max(0.0, self._given / self._speed - self._got)

    def put(self, samples: Sound) -> Sound:
        """Put samples in, none for the end, and return what comes out."""
        if len(samples):
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._given
            self._given += len(samples)
            self._in.push(frame)
        else:
            self.ended = True
            self._in.push(None)
        found = []
        try:
            while True:
                out = self._out.pull()
                assert isinstance(out, av.AudioFrame)
                found.append(out.to_ndarray()[0])
        except (NothingYet, EndOfFile):
            pass
        stretched: Sound = np.concatenate(found) if found else np.zeros(0, np.int16)
        self._got += len(stretched)
        return stretched
