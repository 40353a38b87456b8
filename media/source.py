"""Things that can be said into a call: silence, a tone, samples, a file."""

import logging
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError, InvalidDataError
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame
from media.tones import Tone, hold_music, tone

log = logging.getLogger("callnode.media.source")

_FULL_SCALE = 32768.0


class SilenceSource:
    """Say nothing."""

    def read(self) -> Frame:
        """Return a silent frame."""
        return SILENCE

    def close(self) -> None:
        """Do nothing: nothing is held."""


class ToneSource:
    """Say a sine of `frequency_hz`, without a break of phase between frames; the level is RMS in dBFS."""

    def __init__(self, frequency_hz: float, level_dbfs: float = -12.0) -> None:
        self._amplitude = min(32767.0, _FULL_SCALE * 2**0.5 * 10 ** (level_dbfs / 20))
        self._step = 2 * np.pi * frequency_hz / SAMPLE_RATE
        self._ramp = self._step * np.arange(FRAME_SAMPLES)
        self._phase = 0.0

    def read(self) -> Frame:
        """Return the next 20 ms of the tone."""
        frame: Frame = np.rint(self._amplitude * np.sin(self._phase + self._ramp)).astype(np.int16)
        self._phase = (self._phase + FRAME_SAMPLES * self._step) % (2 * np.pi)
        return frame

    def close(self) -> None:
        """Do nothing: nothing is held."""


def music_on_hold() -> "NumpySource":
    """Open a soft piece of music, over and over, for whoever is held; it is made the first time: 0.1 s."""
    return NumpySource(hold_music(), loop=True)


def comfort_tone() -> "NumpySource":
    """Open two short beeps every 10 s, for whoever is held."""
    return NumpySource(tone(Tone.HOLD), loop=True)


class _Ending:
    """Know whether a source has said all it had, and tell once."""

    def __init__(self) -> None:
        self.finished = False
        self.on_finished: Callable[[], None] | None = None

    def _finish(self) -> None:
        if not self.finished:
            self.finished = True
            if self.on_finished is not None:
                self.on_finished()


class NumpySource(_Ending):
    """Say samples (int16, mono, 48 kHz, any length), then silence; with `loop`, over and over.

    `finished` turns true, and `on_finished` is called once, in the read that returns the last sample.
    Raises ValueError for an array of another type or shape.
    """

    def __init__(self, samples: NDArray[np.int16], *, loop: bool = False) -> None:
        super().__init__()
        if samples.ndim != 1 or samples.dtype != np.int16:
            raise ValueError(f"samples must be a 1-D int16 array, not {samples.ndim}-D {samples.dtype}")
        self._samples = samples
        self._loop = loop and len(samples) > 0
        self._at = 0

    def read(self) -> Frame:
        """Return the next 20 ms."""
        if self.finished:
            return SILENCE
        size = len(self._samples)
        if self._loop:
            frame: Frame = self._samples.take(range(self._at, self._at + FRAME_SAMPLES), mode="wrap")
            self._at = (self._at + FRAME_SAMPLES) % size
            return frame
        frame = self._samples[self._at : self._at + FRAME_SAMPLES]
        self._at += FRAME_SAMPLES
        if self._at >= size:
            self._finish()
        return _padded(frame)

    def close(self) -> None:
        """Say nothing more; `on_finished` is not called."""
        self.finished = True


class FileSource(_Ending):
    """Say a sound file of any kind FFmpeg opens, then silence; with `loop`, over and over.

    It is decoded a packet at a time as it is said. `finished` and `on_finished` are as in NumpySource.
    Raises OSError, with the file's name, when the file is missing or holds no sound.
    """

    def __init__(self, path: Path | str, *, loop: bool = False) -> None:
        super().__init__()
        self._path = Path(path)
        self._loop = loop
        self._decoded = decode(self._path)
        self._ahead: NDArray[np.int16] = next(self._decoded, np.zeros(0, np.int16))

    def read(self) -> Frame:
        """Return the next 20 ms."""
        if self.finished:
            return SILENCE
        # One sample more than a frame, so that the end is known in the read that returns it.
        while len(self._ahead) <= FRAME_SAMPLES and (more := self._decode()) is not None:
            self._ahead = np.concatenate((self._ahead, more))
        frame, self._ahead = self._ahead[:FRAME_SAMPLES], self._ahead[FRAME_SAMPLES:]
        if len(self._ahead) == 0:
            self._finish()
        return _padded(frame)

    def close(self) -> None:
        """Let the file go and say nothing more; `on_finished` is not called."""
        self.finished = True
        self._decoded.close()

    def _decode(self) -> NDArray[np.int16] | None:
        more = next(self._decoded, None)
        if more is None and self._loop:
            self._decoded = decode(self._path)
            more = next(self._decoded, None)
        return more


def load(sound: Path | str | BinaryIO) -> NDArray[np.int16]:
    """Return a whole sound file as int16, mono, 48 kHz; raises OSError, with its name, if it cannot."""
    chunks = list(decode(Path(sound) if isinstance(sound, str) else sound))
    return np.concatenate(chunks) if chunks else np.zeros(0, np.int16)


def decode(sound: Path | BinaryIO) -> "Decoded":
    """Open a sound file for decoding chunk by chunk; raises OSError, with its name, if it cannot."""
    name = str(sound) if isinstance(sound, Path) else "what was given"
    try:
        container = av.open(str(sound) if isinstance(sound, Path) else sound, "r")
    except (FFmpegError, OSError) as error:
        raise OSError(f"cannot open {name} as sound: {error.strerror}") from error
    if not container.streams.audio:
        container.close()
        raise OSError(f"cannot open {name} as sound: there is no sound in it")
    return Decoded(container, name)


class Decoded:
    """Iterate over the chunks of an open sound file: int16, mono, 48 kHz; `tags` are its metadata.

    Damaged packets are left out; where a file breaks off, it ends.
    """

    def __init__(self, container: InputContainer, name: str) -> None:
        self.tags = {**container.metadata, **container.streams.audio[0].metadata}
        self._container = container
        self._name = name
        self._chunks = self._decode()

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        return self

    def __next__(self) -> NDArray[np.int16]:
        return next(self._chunks)

    def close(self) -> None:
        """Let the file go; may be called more than once."""
        self._chunks.close()
        self._container.close()

    def _decode(self) -> Generator[NDArray[np.int16], None, None]:
        resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        with self._container as container:
            packets = container.demux(container.streams.audio[0])
            while True:
                try:
                    frames = next(packets).decode()
                except (StopIteration, EndOfFile):
                    break
                except InvalidDataError:
                    continue
                except FFmpegError as error:
                    log.warning("%s breaks off: %s", self._name, error.strerror)
                    break
                for frame in frames:
                    for chunk in resampler.resample(frame):
                        yield chunk.to_ndarray()[0]
            for chunk in resampler.resample(None):
                yield chunk.to_ndarray()[0]


def _padded(frame: Frame) -> Frame:
    if len(frame) == FRAME_SAMPLES:
        return frame
    padded = np.zeros(FRAME_SAMPLES, np.int16)
    padded[: len(frame)] = frame
    return padded
