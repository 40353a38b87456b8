"""The voicemail recorder: crash-safe Ogg Opus, its duration and waveform, repair and export."""

import logging
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame, level_dbfs
from media.ogg import OggOpus
from media.opus_packet import SILENT_PACKET
from media.sink import AudioWriter, sync
from media.source import decode
from media.timeline import Timeline
from media.writer import Writer

log = logging.getLogger("callnode.media.recorder")

SOUND_DBFS = -45.0
SOUND_SECONDS = 0.3
LOUDNESS_DBFS = -20.0  # at which recordings are played
MOST_GAIN_DB = 30.0

_BATCH_SECONDS = 0.2
_MAX_BATCH = 10


class Profile:
    """What is known of a recording without keeping it: how long it is, its waveform, whether it holds sound.

    `heard_speech` is energy-based: in all at least 0.3 s of 20 ms frames are above -45 dBFS RMS. A click or a
    quiet room is below it; music, or any other sound, counts too.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._loud = 0
        self._peaks: list[int] = []
        self._power = 0.0  # of the frames above SOUND_DBFS, summed over their samples

    def add(self, frame: Frame) -> None:
        """Take the next frame into account."""
        self._samples += len(frame)
        level = level_dbfs(frame)
        if level > SOUND_DBFS:
            self._loud += len(frame)
            self._power += len(frame) * 10 ** (level / 10)
        self._peaks.append(max(int(frame.max()), -int(frame.min())))

    @property
    def duration(self) -> float:
        """Seconds of sound, counted in samples."""
        return self._samples / SAMPLE_RATE

    @property
    def heard_speech(self) -> bool:
        """Whether enough of it is loud enough to be a message."""
        return self._loud >= SOUND_SECONDS * SAMPLE_RATE

    @property
    def gain_db(self) -> float:
        """Decibels that bring what is not silence to -20 dBFS RMS; its peaks, but for clicks, stay whole."""
        if not self._loud:
            return 0.0
        wanted = LOUDNESS_DBFS - 10 * math.log10(self._power / self._loud)
        headroom = 20 * math.log10(32768 / max(1.0, float(np.percentile(self._peaks, 99))))
        return round(min(wanted, max(0.0, headroom), MOST_GAIN_DB), 1)

    def peaks(self, count: int) -> list[int]:
        """Return the waveform as `count` peaks of 0 to 255, evenly spread over the duration."""
        if not self._peaks:
            return [0] * count
        peaks = np.array(self._peaks)
        edges = np.arange(count) * len(peaks) // count
        tops = np.maximum.reduceat(peaks, edges)
        return [int(top) * 255 // 32768 for top in tops]


class OggRecorder:
    """Record a call into `part` without decoding it: its Opus packets, in Ogg, playable at any moment.

    The recording is as long as the time from the start to `stop`: what was lost, held back or never sent is
    concealed for 60 ms, then silence. A thread of its own writes, 5 times a second; killed at any time, less
    than a second of sound is lost. When writing fails, what was written stays, the rest is let go, and
    `error` says why. `tags` are metadata, such as title and artist; `wrap` makes of what is written at a time
    what is kept of it; `clock` returns seconds. Raises OSError when `part` cannot be made.
    """

    def __init__(
        self,
        part: Path,
        *,
        tags: Mapping[str, str] | None = None,
        wrap: Callable[[bytes], bytes] = bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = part
        self._wrap = wrap
        self._clock = clock
        self._begun = clock()
        self._stopped: float | None = None
        self._timeline = Timeline()
        self._ogg = OggOpus(random.getrandbits(32), tags or {})
        self._batch: list[tuple[float, int, int, int, bytes]] = []
        self._size = 0
        self._written = 0
        self._file = part.open("wb", buffering=0)
        try:
            self._append(self._ogg.head())
        except OSError:
            self._file.close()
            raise
        self._writer = Writer(part.name, self._write, self._close)

    @property
    def error(self) -> OSError | None:
        """Why writing stopped, if it did."""
        return self._writer.error

    @property
    def duration(self) -> float:
        """Seconds of sound in the file."""
        return self._written / SAMPLE_RATE

    def write(self, frame: Frame) -> None:
        """Do nothing: packets are recorded, not what is decoded of them."""

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take a packet; it is on its way to the disk within 0.2 s, or 0.8 s if one before it is missing."""
        if self._stopped is not None or self.error:
            return
        elapsed = self._clock() - self._begun
        batch = self._batch
        batch.append((elapsed, ssrc, sequence, timestamp, payload))
        if elapsed - batch[0][0] >= _BATCH_SECONDS or len(batch) == _MAX_BATCH:
            self._batch = []
            self._writer.put(batch)

    def stop(self) -> None:
        """Let the recording end here; returns at once, may be called more than once."""
        if self._stopped is None:
            self._stopped = self._clock() - self._begun
            self._writer.put(self._batch)
            self._writer.end()

    def close(self) -> None:
        """Stop, and wait until all of it is on the disk; may be called more than once."""
        self.stop()
        self._writer.close()

    def finish(self, final: Path) -> None:
        """Close, and give the recording its final name in one step; raises OSError if that fails.

        Waits for the disk: call it from a worker thread where a loop must not wait.
        """
        self.close()
        self.path.replace(final)
        sync(final.parent)

    def _write(self, batch: list[tuple[float, int, int, int, bytes]]) -> None:
        self._place([packet for arrived in batch for packet in self._timeline.put(*arrived)])

    def _close(self) -> None:
        timeline = self._timeline
        with self._file:
            try:
                if self._stopped is not None and self.error is None:
                    self._place(timeline.end(self._stopped))
                    if self._written:
                        self._append(self._ogg.end(SILENT_PACKET))
            finally:
                os.fsync(self._file.fileno())
        if timeline.malformed or timeline.discarded:
            log.info(
                "%s: %d packets malformed, %d late, twice or too many",
                *(self.path.name, timeline.malformed, timeline.discarded),
            )

    def _place(self, packets: Sequence[tuple[bytes, int]]) -> None:
        for page in self._ogg.pages(packets):
            self._append(page)
            self._written = self._ogg.samples

    def _append(self, page: bytes) -> None:
        """Write a page wholly or not at all; raises OSError."""
        page = self._wrap(page)
        done = 0
        try:
            while done < len(page):
                done += self._file.write(page[done:])
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._size)
            raise
        self._size += done


def profile(sound: Path | BinaryIO) -> Profile:
    """Return the profile of a recorded file; raises OSError, with its name, if it cannot be read."""
    found = Profile()
    rest: NDArray[np.int16] = np.zeros(0, np.int16)
    with closing(decode(sound)) as chunks:
        for chunk in chunks:
            rest = np.concatenate((rest, chunk))
            whole = len(rest) // FRAME_SAMPLES * FRAME_SAMPLES
            for frame in rest[:whole].reshape(-1, FRAME_SAMPLES):
                found.add(frame)
            rest = rest[whole:]
    if len(rest):
        found.add(rest)
    return found


def repair(
    part: Path,
    final: Path,
    *,
    unwrap: Callable[[bytes], bytes] = bytes,
    wrap: Callable[[bytes], bytes] = bytes,
) -> float | None:
    """Make a playable file of a part that a crash left, and return its duration in seconds.

    `unwrap` makes sound of what was kept of the part, `wrap` of sound what is to be kept. The part is gone
    afterwards. If no sound is in it, it is kept with `.bad` added to its name, and None is returned. Cut off
    by another crash, it can be run again. Raises OSError, with the part as it was, if the part is missing, is
    of another kind of sound, or the disk fails.
    """
    sound = unwrap(part.read_bytes())
    try:
        duration = profile(BytesIO(sound)).duration
    except OSError as error:
        log.warning("%s: %s", part, error)
        duration = 0.0
    if duration == 0.0:
        part.replace(part.with_name(part.name + ".bad"))
        return None
    whole = final.with_name(final.name + ".repair")
    try:
        whole.write_bytes(wrap(_copied(sound)))
        sync(whole)
        whole.replace(final)
    except FFmpegError as error:
        raise OSError(f"cannot repair {part}: {error}") from error
    finally:
        whole.unlink(missing_ok=True)
    sync(final.parent)
    part.unlink()
    return duration


def _copied(sound: bytes) -> bytes:
    whole = BytesIO()
    with av.open(BytesIO(sound), "r") as source, av.open(whole, "w", format="ogg") as target:
        recorded = source.streams.audio[0]
        stream = target.add_stream_from_template(recorded)
        target.metadata.update({**source.metadata, **recorded.metadata})
        packets = source.demux(recorded)
        while (packet := _next(packets)) is not None:
            packet.stream = stream
            target.mux(packet)
    return whole.getvalue()


def _next(packets: "Iterator[av.Packet[AudioStream]]") -> "av.Packet[AudioStream] | None":
    """Return the next packet with sound in it, None at the end or where the part breaks off."""
    try:
        return next((packet for packet in packets if packet.dts is not None), None)
    except FFmpegError:
        return None


def export(source: Path | BinaryIO, target: Path) -> None:
    """Write a recording as another kind of file: WAV, FLAC, MP3 or Ogg Opus, by the suffix of `target`.

    Raises ValueError for another suffix, OSError when one of the files cannot be read or written; a half
    written target is removed.
    """
    with closing(decode(source)) as chunks:
        writer = AudioWriter(target, tags=chunks.tags)
        try:
            for chunk in chunks:
                writer.write(chunk)
            writer.close()
        except OSError:
            with suppress(OSError):
                writer.close()
            target.unlink(missing_ok=True)
            raise
