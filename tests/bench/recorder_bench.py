"""Recording beside re-encoding and aiortc's MediaRecorder: processor time of one recording while N run.

All write Ogg Opus of the same calls, in real time, from one loop: ours the packets as they arrive; FileSink
and MediaRecorder the decoded frames, whose decoding is not counted. `python -m tests.bench.recorder_bench`
prints the rows as JSON; it takes some 120 s.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from aiortc.contrib.media import MediaRecorder
from aiortc.mediastreams import MediaStreamTrack

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame
from media.opus import Encoder
from media.recorder import OggRecorder
from media.sink import FileSink
from media.speech import speech

COUNTS = (1, 10, 50, 100)
SECONDS = 6.0

Row = dict[str, Any]


class Recording(Protocol):
    """One recording of any kind."""

    async def open(self) -> None: ...

    def take(self, number: int, frame: Frame, packet: bytes) -> None: ...

    async def close(self) -> None: ...


class _Packets:
    def __init__(self, path: Path) -> None:
        self._recorder = OggRecorder(path)

    async def open(self) -> None:
        pass

    def take(self, number: int, frame: Frame, packet: bytes) -> None:
        self._recorder.packet(1, number & 0xFFFF, number * FRAME_SAMPLES, packet)

    async def close(self) -> None:
        await asyncio.to_thread(self._recorder.close)


class _Frames:
    def __init__(self, path: Path) -> None:
        self._sink = FileSink(path)

    async def open(self) -> None:
        pass

    def take(self, number: int, frame: Frame, packet: bytes) -> None:
        self._sink.write(frame)

    async def close(self) -> None:
        await asyncio.to_thread(self._sink.close)


class _Track(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.frames: asyncio.Queue[av.AudioFrame] = asyncio.Queue()

    async def recv(self) -> av.AudioFrame:
        return await self.frames.get()


class _MediaRecorder:
    def __init__(self, path: Path) -> None:
        self._recorder = MediaRecorder(str(path))
        self._track = _Track()
        self._recorder.addTrack(self._track)

    async def open(self) -> None:
        await self._recorder.start()

    def take(self, number: int, frame: Frame, packet: bytes) -> None:
        # aiortc's decoder gives stereo
        decoded = av.AudioFrame.from_ndarray(frame.repeat(2).reshape(1, -1), format="s16", layout="stereo")
        decoded.sample_rate = SAMPLE_RATE
        decoded.pts = number * FRAME_SAMPLES
        decoded.time_base = Fraction(1, SAMPLE_RATE)
        self._track.frames.put_nowait(decoded)

    async def close(self) -> None:
        await self._recorder.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def cpu_ms(kind: Callable[[Path], Recording] | None, count: int) -> float:
    """Return milliseconds of processor time per second of one recording; of the clock alone for None."""
    said = speech("alice")
    frames = said[: len(said) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    with closing(Encoder()) as encoder:
        packets = [encoder.encode(frame) for frame in frames]
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        recordings = [kind(folder / f"{number}.ogg") for number in range(count)] if kind else []
        for recording in recordings:
            await recording.open()
        used, start = time.process_time(), loop.time()
        total = round(SECONDS / FRAME_SECONDS)
        for number in range(total):
            await asyncio.sleep(max(0.0, start + number * FRAME_SECONDS - loop.time()))
            at = number % len(packets)
            for recording in recordings:
                recording.take(number, frames[at], packets[at])
        for recording in recordings:
            await recording.close()
        used = time.process_time() - used
    return used * 1000 / SECONDS / count


async def rows() -> list[Row]:
    """Measure each kind with each number of recordings, by turns."""
    result = []
    for kind in KINDS:
        await cpu_ms(kind, 1)  # the first of a kind also loads what it needs
    for count in COUNTS:
        idle = await cpu_ms(None, count)
        ours, before, stock = [max(0.0, await cpu_ms(kind, count) - idle) for kind in KINDS]
        for name, baseline in (("re-encoding", before), ("aiortc MediaRecorder", stock)):
            result.append(
                {
                    "name": f"recorder: CPU per recorded second, {count} at once, beside {name}",
                    "value": round(ours, 3),
                    "unit": "ms",
                    "baseline": round(baseline, 3),
                    "ratio": round(ours / baseline, 3),
                    "higher_is_better": False,
                }
            )
    return result


KINDS: tuple[Callable[[Path], Recording], ...] = (_Packets, _Frames, _MediaRecorder)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(rows()), indent=2))
