"""The media path beside bare aiortc, in one process over loopback, in the same run.

`python -m tests.bench.media_bench` prints the rows as JSON; it takes some 40 s.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame
from media.engine import Engine
from media.orders import (
    AnswerReady,
    ApplyAnswer,
    AudioUp,
    Close,
    Happening,
    MakeAnswer,
    MakeOffer,
    OfferReady,
)
from media.sink import NumpySink

SETUPS = 12
ONSETS = 10
CALLS = 4
CPU_SECONDS = 4.0
CPU_ROUNDS = 3
DEADLINE = 10.0

Row = dict[str, Any]


class Beeper:
    """Say silence, and one frame of tone when asked; know when it was handed over."""

    def __init__(self) -> None:
        self.handed_over = 0.0
        self.steady = False  # whether the tone never ends
        self._due = False
        phase = 2 * np.pi * 1000 * np.arange(FRAME_SAMPLES) / SAMPLE_RATE
        self._beep: Frame = (12_000 * np.sin(phase)).astype(np.int16)

    def beep(self) -> None:
        self._due = True

    def read(self) -> Frame:
        if not self._due and not self.steady:
            return SILENCE
        self._due = False
        self.handed_over = time.perf_counter()
        return self._beep

    def close(self) -> None:
        pass


class Ear:
    """Know when the first loud sample is due to be played, and keep what is heard if there is where."""

    def __init__(self) -> None:
        self.frames = 0
        self.first = asyncio.Event()
        self.heard: NumpySink | None = None
        self.onset: asyncio.Future[float] | None = None

    def write(self, frame: Frame) -> None:
        self.frames += 1
        self.first.set()
        if self.heard is not None:
            self.heard.write(frame)
        if self.onset is not None and not self.onset.done():
            loud = np.flatnonzero(np.abs(frame) > 3000)
            if len(loud):
                self.onset.set_result(time.perf_counter() + float(loud[0]) / SAMPLE_RATE)

    def close(self) -> None:
        pass


class Call:
    """A call that is up, in either implementation: what its first end says, what each end hears."""

    def __init__(self) -> None:
        self.beeper, self.ear, self.other_ear = Beeper(), Ear(), Ear()

    async def both_hear(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.ear.first.wait()
            await self.other_ear.first.wait()


@asynccontextmanager
async def callnode_call() -> AsyncIterator[Call]:
    """Open a call between two engines; it is up when both have decoded a frame."""
    call, inbox = Call(), asyncio.Queue[tuple[str, Happening]]()
    a = Engine(lambda happening: inbox.put_nowait(("a", happening)))
    b = Engine(lambda happening: inbox.put_nowait(("b", happening)))
    a.set_source("x", call.beeper)
    a.set_sink("x", call.other_ear)
    b.set_source("x", Beeper())
    b.set_sink("x", call.ear)
    a.carry_out(MakeOffer("x"))
    up = 0
    async with asyncio.timeout(DEADLINE):
        while up < 2:
            match await inbox.get():
                case "a", OfferReady(sdp=sdp):
                    b.carry_out(MakeAnswer("x", sdp))
                case "b", AnswerReady(sdp=sdp):
                    a.carry_out(ApplyAnswer("x", sdp))
                case _, AudioUp():
                    up += 1
    try:
        yield call
    finally:
        b.carry_out(Close("x"))
        await a.close()
        await b.close()


class _StockTrack(AudioStreamTrack):
    def __init__(self, source: Beeper) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> AudioFrame:
        paced = await super().recv()
        frame = AudioFrame.from_ndarray(self._source.read().reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = (paced.pts or 0) * 6  # the base class counts at 8 kHz
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


@asynccontextmanager
async def aiortc_call(call: Call | None = None) -> AsyncIterator[Call]:
    """Open a call between two peer connections as aiortc's examples do, without any server."""
    call = call or Call()
    a, b = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    listening: list[asyncio.Task[None]] = []

    async def listen(track: MediaStreamTrack, ear: Ear) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, AudioFrame)
            ear.write(frame.to_ndarray()[0, ::2].astype(np.int16))

    def hear(ear: Ear) -> Callable[[MediaStreamTrack], None]:
        return lambda track: listening.append(asyncio.create_task(listen(track, ear)))

    a.on("track", hear(call.other_ear))
    b.on("track", hear(call.ear))
    a.addTrack(_StockTrack(call.beeper))
    b.addTrack(_StockTrack(Beeper()))
    await a.setLocalDescription(await a.createOffer())
    await b.setRemoteDescription(RTCSessionDescription(a.localDescription.sdp, "offer"))
    await b.setLocalDescription(await b.createAnswer())
    await a.setRemoteDescription(RTCSessionDescription(b.localDescription.sdp, "answer"))
    await call.both_hear()
    try:
        yield call
    finally:
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)
        await a.close()
        await b.close()


Open = Callable[[], AbstractAsyncContextManager[Call]]


async def setup_ms(open_call: Open) -> float:
    """Return the time from asking for an offer to a decoded frame at both ends."""
    start = time.perf_counter()
    async with open_call():
        return (time.perf_counter() - start) * 1000


async def delay_ms(open_call: Open) -> float:
    """Return the median time from a sound handed to one end to its first sample played at the other."""
    delays: list[float] = []
    async with open_call() as call:
        for _ in range(ONSETS):
            await asyncio.sleep(0.3)
            call.ear.onset = asyncio.get_running_loop().create_future()
            call.beeper.beep()
            async with asyncio.timeout(DEADLINE):
                heard = await call.ear.onset
            delays.append((heard - call.beeper.handed_over) * 1000)
    return median(delays)


async def cpu_seconds(open_call: Open) -> float:
    """Return the processor time of one minute of one call, both ends, while several run."""
    calls = [open_call() for _ in range(CALLS)]
    opened = [await call.__aenter__() for call in calls]
    used, start = time.process_time(), time.perf_counter()
    await asyncio.sleep(CPU_SECONDS)
    used, length = time.process_time() - used, time.perf_counter() - start
    assert all(call.ear.frames > 0.8 * length / FRAME_SECONDS for call in opened)
    for call in calls:
        await call.__aexit__(None, None, None)
    return used / CALLS * 60 / length


async def rows() -> list[Row]:
    """Measure everything, callnode and bare aiortc by turns."""
    result = []
    for name, measure, unit, rounds in (
        ("media: set-up to first decoded frame at both ends", setup_ms, "ms", SETUPS),
        ("media: one-way delay, sound in to sound out", delay_ms, "ms", 1),
        ("media: CPU per call-minute, both ends", cpu_seconds, "s", CPU_ROUNDS),
    ):
        pairs = [(await measure(callnode_call), await measure(aiortc_call)) for _ in range(rounds)]
        value, baseline = (median(column) for column in zip(*pairs, strict=True))
        result.append(
            {
                "name": name,
                "value": round(value, 2),
                "unit": unit,
                "baseline": round(baseline, 2),
                "ratio": round(value / baseline, 3),
                "higher_is_better": False,
            }
        )
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rows()), indent=2))
