"""Two kinds of endpoint under one face: callnode's engine, and aiortc as its examples use it."""

import asyncio
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, cycle, repeat
from typing import TypeAlias

import numpy as np
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame, Sink, level_dbfs
from media.engine import Engine
from media.orders import (
    AnswerReady,
    ApplyAnswer,
    Close,
    Closed,
    Failed,
    Happening,
    MakeAnswer,
    MakeOffer,
    OfferReady,
)
from tests.bench.material import tone

SOUND_DBFS = -50.0
LATE_SECONDS = 0.010
HELD_SECONDS = 0.040

Clock: TypeAlias = Callable[[], float]


class Mouth:
    """Say a soft tone, then what it is told to, and know when each frame was handed over."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.times = array("d")
        self._clock = clock
        self._frames: Iterator[Frame] = cycle(_frames(tone()))

    def say(self, samples: NDArray[np.int16], *, loop: bool) -> None:
        """Say the whole frames of these samples, and then silence, or the same again."""
        self.times = array("d")
        frames = _frames(samples)
        self._frames = cycle(frames) if loop else chain(frames, repeat(SILENCE))

    def read(self) -> Frame:
        self.times.append(self._clock())
        return next(self._frames)

    def close(self) -> None:
        pass


def _frames(samples: NDArray[np.int16]) -> list[Frame]:
    return list(samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES))


class Ear:
    """Know when sound first came and when each frame came, and keep the frames if asked."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.first = 0.0
        self.sound = asyncio.Event()
        self.times = array("d")
        self.frames: list[Frame] | None = None
        self.also: Sink | None = None

    def write(self, frame: Frame) -> None:
        now = self._clock()
        self.times.append(now)
        if self.frames is not None:
            self.frames.append(frame.copy())
        if self.also is not None:
            self.also.write(frame)
        if not self.first and level_dbfs(frame) > SOUND_DBFS:
            self.first = now
            self.sound.set()

    def close(self) -> None:
        pass


def lateness(times: "array[float]") -> tuple[int, float]:
    """Return how many frames came over 10 ms late for a player that holds at most 40 ms, and the worst."""
    late, worst, due = 0, 0.0, times[0] if times else 0.0
    for at in times:
        worst = max(worst, at - due)
        if at - due > LATE_SECONDS:
            late += 1
            due = at
        due = min(due, at + HELD_SECONDS) + FRAME_SECONDS
    return late, worst


class Call:
    """One call of a party: what it says and what it hears."""

    def __init__(self) -> None:
        self.mouth, self.ear = Mouth(), Ear()


class Party(ABC):
    """An endpoint with any number of calls."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}

    @abstractmethod
    async def offer(self, call_id: str) -> str:
        """Return the offer of a new call."""

    @abstractmethod
    async def answer(self, call_id: str, offer: str) -> str:
        """Return the answer to the offer of a new call."""

    @abstractmethod
    async def apply(self, call_id: str, answer: str) -> None:
        """Take the answer to an offer."""

    @abstractmethod
    async def hang_up(self, call_id: str) -> None:
        """Close one call."""

    async def close(self) -> None:
        """Close every call."""
        for call_id in list(self.calls):
            await self.hang_up(call_id)


class Callnode(Party):
    """callnode's media engine, by its public face."""

    def __init__(self) -> None:
        super().__init__()
        self._engine = Engine(self._happened)
        self._awaited: dict[str, asyncio.Future[Happening]] = {}

    async def offer(self, call_id: str) -> str:
        self._open(call_id)
        made = await self._carry_out(MakeOffer(call_id))
        assert isinstance(made, OfferReady), made
        return made.sdp

    async def answer(self, call_id: str, offer: str) -> str:
        self._open(call_id)
        made = await self._carry_out(MakeAnswer(call_id, offer))
        assert isinstance(made, AnswerReady), made
        return made.sdp

    async def apply(self, call_id: str, answer: str) -> None:
        self._engine.carry_out(ApplyAnswer(call_id, answer))

    async def hang_up(self, call_id: str) -> None:
        del self.calls[call_id]
        await self._carry_out(Close(call_id))

    async def close(self) -> None:
        await super().close()
        await self._engine.close()

    def _open(self, call_id: str) -> None:
        call = self.calls[call_id] = Call()
        self._engine.set_source(call_id, call.mouth)
        self._engine.set_sink(call_id, call.ear)

    async def _carry_out(self, order: MakeOffer | MakeAnswer | Close) -> Happening:
        awaited: asyncio.Future[Happening] = asyncio.get_running_loop().create_future()
        self._awaited[order.call_id] = awaited
        self._engine.carry_out(order)
        return await awaited

    def _happened(self, happening: Happening) -> None:
        awaited = self._awaited.get(happening.call_id)
        if (
            awaited
            and not awaited.done()
            and isinstance(happening, OfferReady | AnswerReady | Closed | Failed)
        ):
            awaited.set_result(happening)


class Stock(Party):
    """aiortc with nothing added."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: dict[str, RTCPeerConnection] = {}
        self._listening: dict[str, asyncio.Task[None]] = {}

    async def offer(self, call_id: str) -> str:
        connection = self._open(call_id)
        await connection.setLocalDescription(await connection.createOffer())
        return connection.localDescription.sdp

    async def answer(self, call_id: str, offer: str) -> str:
        connection = self._open(call_id)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def apply(self, call_id: str, answer: str) -> None:
        await self._connections[call_id].setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def hang_up(self, call_id: str) -> None:
        del self.calls[call_id]
        if (listening := self._listening.pop(call_id, None)) is not None:
            listening.cancel()
            await asyncio.wait([listening])
        await self._connections.pop(call_id).close()

    def _open(self, call_id: str) -> RTCPeerConnection:
        call = self.calls[call_id] = Call()
        connection = self._connections[call_id] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.on("track", lambda track: self._heard(call_id, track))
        connection.addTrack(_Track(call.mouth))
        return connection

    def _heard(self, call_id: str, track: MediaStreamTrack) -> None:
        self._listening[call_id] = asyncio.create_task(_listen(track, self.calls[call_id].ear))


class _Track(AudioStreamTrack):
    def __init__(self, mouth: Mouth) -> None:
        super().__init__()
        self._mouth = mouth

    async def recv(self) -> AudioFrame:
        paced = await super().recv()
        frame = AudioFrame.from_ndarray(self._mouth.read().reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = (paced.pts or 0) * 6  # the base class counts at 8 kHz
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


async def _listen(track: MediaStreamTrack, ear: Ear) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        assert isinstance(frame, AudioFrame)
        ear.write(frame.to_ndarray()[0, ::2].astype(np.int16))
