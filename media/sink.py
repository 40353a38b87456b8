"""Things that can listen to a call: nothing, an array, a file, a meter, several at once."""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from numpy.typing import NDArray

from media.audio import FRAME_SECONDS, SAMPLE_RATE, Frame, PacketSink, Sink, level_dbfs
from media.writer import Writer

_CODECS = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame", ".ogg": "libopus", ".opus": "libopus"}
_OPUS = {"application": "voip", "frame_duration": "20"}
# Without both, FFmpeg holds back seconds of sound, which die with the process.
_OGG = {"page_duration": "200000", "flush_packets": "1"}
_BATCH = 10


class NullSink:
    """Let all sound go."""

    def write(self, frame: Frame) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


class NumpySink:
    """Collect what is heard; past `max_seconds` the oldest frames go."""

    def __init__(self, max_seconds: float = 3600.0) -> None:
        self._frames: deque[tuple[float, Frame]] = deque(maxlen=max(1, round(max_seconds / FRAME_SECONDS)))

    def write(self, frame: Frame) -> None:
        """Keep a copy of the frame and the time it came."""
        self._frames.append((time.monotonic(), frame.copy()))

    @property
    def frames(self) -> list[tuple[float, Frame]]:
        """What was heard: (time.monotonic(), frame) of each frame."""
        return list(self._frames)

    @property
    def samples(self) -> NDArray[np.int16]:
        """What was heard, as one array."""
        return np.concatenate([np.zeros(0, np.int16), *(frame for _, frame in self._frames)])

    def close(self) -> None:
        """Do nothing: what was heard stays."""


class MeterSink:
    """Call `on_level` with the RMS level in dBFS once every `period` seconds of sound."""

    def __init__(self, on_level: Callable[[float], None], period: float = 0.1) -> None:
        self._on_level = on_level
        self._frames = max(1, round(period / FRAME_SECONDS))
        self._heard: list[Frame] = []

    def write(self, frame: Frame) -> None:
        """Take the frame into account."""
        self._heard.append(frame)
        if len(self._heard) == self._frames:
            level = level_dbfs(np.concatenate(self._heard))
            self._heard.clear()
            self._on_level(level)

    def close(self) -> None:
        """Do nothing: nothing is held."""


class TeeSink:
    """Give every frame and packet to several sinks, and close them all."""

    def __init__(self, *sinks: Sink) -> None:
        self.sinks = sinks
        self._packet_sinks = [sink for sink in sinks if isinstance(sink, PacketSink)]

    @property
    def underruns(self) -> int:
        """How often sound was missing when it was due, at those of them that are speakers."""
        return sum(getattr(sink, "underruns", 0) for sink in self.sinks)

    def write(self, frame: Frame) -> None:
        """Give the frame to each sink, in order."""
        for sink in self.sinks:
            sink.write(frame)

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Give the packet to each sink that takes packets, in order."""
        for sink in self._packet_sinks:
            sink.packet(ssrc, sequence, timestamp, payload)

    def close(self) -> None:
        """Close each sink, even if another one's close fails."""
        with ExitStack() as stack:
            for sink in self.sinks:
                stack.callback(sink.close)


class AudioWriter:
    """Encode int16 mono 48 kHz samples into a file: WAV, FLAC, MP3 or Ogg Opus (32 kbit/s) by suffix.

    Raises ValueError for another suffix, OSError when the file cannot be written.
    """

    def __init__(self, path: Path, *, tags: Mapping[str, str] | None = None) -> None:
        suffix = path.suffix.lower()
        if suffix not in _CODECS:
            raise ValueError(f"cannot write sound to {path}: its name must end in {', '.join(_CODECS)}")
        codec = _CODECS[suffix]
        opus = codec == "libopus"
        self._path = path
        self._written = 0
        try:
            self._container = av.open(
                str(path), "w", format="ogg" if opus else suffix[1:], container_options=_OGG if opus else {}
            )
            self._container.metadata.update(tags or {})
            stream = self._container.add_stream(codec, rate=SAMPLE_RATE, options=_OPUS if opus else {})
            assert isinstance(stream, AudioStream)
            stream.layout = "mono"
            self._stream = stream
            if opus:
                stream.bit_rate = 32_000
            self._container.start_encoding()
        except FFmpegError as error:
            raise self._failure(error) from error

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples; raises OSError."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._written
        self._written += len(samples)
        self._mux(frame)

    def close(self) -> None:
        """Write what the encoder still holds, end the file and bring it to the disk; raises OSError."""
        try:
            self._mux(None)
        finally:
            try:
                self._container.close()
            except FFmpegError as error:
                raise self._failure(error) from error
        sync(self._path)

    def _mux(self, frame: av.AudioFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except FFmpegError as error:
            raise self._failure(error) from error

    def _failure(self, error: FFmpegError) -> OSError:
        return OSError(error.errno, f"cannot write sound: {error.strerror}", str(self._path))


class FileSink:
    """Write what is heard to a file: WAV, FLAC, MP3 or Ogg Opus by suffix.

    A thread of its own encodes and writes, so that a slow disk holds nobody up. When writing fails, what was
    written stays, the rest is let go, and `error` says why. Raises what AudioWriter raises at first.
    """

    def __init__(self, path: Path | str, *, tags: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self._file = AudioWriter(self.path, tags=tags)
        self._batch: list[Frame] = []
        self._taken = 0
        self._written = 0
        self._closed = False
        self._writer = Writer(self.path.name, self._write, self._file.close)

    @property
    def error(self) -> OSError | None:
        """Why writing stopped, if it did."""
        return self._writer.error

    @property
    def duration(self) -> float:
        """Seconds recorded so far; after an error, seconds recorded before it."""
        return (self._written if self.error else self._taken) / SAMPLE_RATE

    def write(self, frame: Frame) -> None:
        """Take a frame; it is on its way to the disk within 0.2 s."""
        if self._closed or self.error:
            return
        self._taken += len(frame)
        self._batch.append(frame.copy())
        if len(self._batch) == _BATCH:
            self._send()

    def close(self) -> None:
        """End the file and wait until all of it is on the disk; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._send()
        self._writer.close()

    def _send(self) -> None:
        if self._batch:
            self._writer.put(np.concatenate(self._batch))
        self._batch.clear()

    def _write(self, samples: NDArray[np.int16]) -> None:
        self._file.write(samples)
        self._written += len(samples)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk; raises OSError."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
