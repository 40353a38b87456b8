"""Two or more engines that exchange descriptions by hand, with tones to say and sinks that remember."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pytest
from aioice.ice import StunProtocol
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame, level_dbfs
from media.engine import Engine, IceServer
from media.orders import (
    AnswerReady,
    AnswerReoffer,
    ApplyAnswer,
    AudioUp,
    Happening,
    MakeAnswer,
    MakeOffer,
    OfferReady,
    ReofferAnswered,
    ReofferReady,
)

A_TONE, B_TONE, C_TONE = 440.0, 1000.0, 1700.0
LOUD, QUIET = -16.5, -55.0  # a Tone is at -15.3 dBFS
DEADLINE = 15.0  # seconds; generous, for loaded machines

Make: TypeAlias = Callable[[str], "Station"]


class Tone:
    """Say a sine of 8000 amplitude (-15.3 dBFS)."""

    def __init__(self, hertz: float) -> None:
        self.closed = 0
        self._step = 2 * np.pi * hertz / SAMPLE_RATE
        self._at = 0

    def read(self) -> Frame:
        phase = self._step * (self._at + np.arange(FRAME_SAMPLES))
        self._at += FRAME_SAMPLES
        frame: Frame = (8000 * np.sin(phase)).astype(np.int16)
        return frame

    def close(self) -> None:
        self.closed += 1


class Memory:
    """Remember every frame and when it came."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.times: list[float] = []
        self.closed = 0
        self._came = asyncio.Event()

    def write(self, frame: Frame) -> None:
        assert frame.shape == (FRAME_SAMPLES,)
        assert frame.dtype == np.int16
        self.frames.append(frame.copy())
        self.times.append(asyncio.get_running_loop().time())
        self._came.set()

    def close(self) -> None:
        self.closed += 1

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not reached():
                self._came.clear()
                await self._came.wait()

    async def more(self, seconds: float) -> NDArray[np.int16]:
        """Return the next seconds that come."""
        start = len(self.frames)
        wanted = start + round(seconds / FRAME_SECONDS)
        await self.until(lambda: len(self.frames) >= wanted)
        return np.concatenate(self.frames[start:wanted])

    def sound(self) -> NDArray[np.int16]:
        return np.concatenate(self.frames)


class Station:
    """An engine with a log of what happened."""

    def __init__(self, name: str, ice_servers: Sequence[IceServer] = ()) -> None:
        self.name = name
        self.log: list[Happening] = []
        self._news = asyncio.Event()
        self.engine = Engine(self._happened, ice_servers=ice_servers)

    def _happened(self, happening: Happening) -> None:
        self.log.append(happening)
        self._news.set()

    def told(self, kind: type[Happening], call_id: str) -> list[Happening]:
        return [one for one in self.log if isinstance(one, kind) and one.call_id == call_id]

    async def news(self, kind: type[Happening], call_id: str, count: int = 1) -> Happening:
        """Return the count-th happening of a kind."""
        async with asyncio.timeout(DEADLINE):
            while len(self.told(kind, call_id)) < count:
                self._news.clear()
                await self._news.wait()
        return self.told(kind, call_id)[count - 1]


async def connect(caller: Station, callee: Station, call_id: str) -> None:
    """Exchange offer and answer."""
    caller.engine.carry_out(MakeOffer(call_id))
    offer = await caller.news(OfferReady, call_id)
    assert isinstance(offer, OfferReady)
    callee.engine.carry_out(MakeAnswer(call_id, offer.sdp))
    answer = await callee.news(AnswerReady, call_id)
    assert isinstance(answer, AnswerReady)
    caller.engine.carry_out(ApplyAnswer(call_id, answer.sdp))


async def talk(caller: Station, callee: Station, call_id: str) -> None:
    """Connect and wait until both hear."""
    await connect(caller, callee, call_id)
    await caller.news(AudioUp, call_id)
    await callee.news(AudioUp, call_id)


async def carry_reoffer(offerer: Station, other: Station, call_id: str, count: int) -> None:
    """Carry the count-th re-offer over and its answer back."""
    offer = await offerer.news(ReofferReady, call_id, count)
    assert isinstance(offer, ReofferReady)
    answered = len(other.told(ReofferAnswered, call_id))
    other.engine.carry_out(AnswerReoffer(call_id, offer.sdp))
    answer = await other.news(ReofferAnswered, call_id, answered + 1)
    assert isinstance(answer, ReofferAnswered)
    offerer.engine.carry_out(ApplyAnswer(call_id, answer.sdp))


def tone_dbfs(sound: NDArray[np.int16], hertz: float) -> float:
    """Return the level of one frequency in dBFS, also of a tone whose phase jumps: one that was stretched."""
    window = np.hanning(FRAME_SAMPLES) / np.mean(np.hanning(FRAME_SAMPLES))
    wave = window * np.exp(-2j * np.pi * hertz * np.arange(FRAME_SAMPLES) / SAMPLE_RATE)
    power = np.mean(np.abs(sound.reshape(-1, FRAME_SAMPLES) @ wave / FRAME_SAMPLES) ** 2)
    return float(10 * np.log10(2 * power / 32768**2 + 1e-18))


class StockTone(AudioStreamTrack):
    """Say a tone the way any aiortc application does."""

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._tone = Tone(hertz)

    async def recv(self) -> AudioFrame:
        paced = await super().recv()
        frame = AudioFrame.from_ndarray(self._tone.read().reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = (paced.pts or 0) * 6  # the base class counts at 8 kHz
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


@asynccontextmanager
async def stock_answer(
    offer: str, hertz: float
) -> AsyncIterator[tuple[str, Callable[[float], Awaitable[NDArray[np.int16]]]]]:
    """Give the answer of a plain aiortc peer that says a tone, and a way to hear what it hears."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: list[MediaStreamTrack] = []
    pc.on("track", tracks.append)
    pc.addTrack(StockTone(hertz))
    await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await pc.setLocalDescription(await pc.createAnswer())

    async def hear(seconds: float) -> NDArray[np.int16]:
        sound = []
        for count in range(round(seconds / FRAME_SECONDS) + 20):
            frame = await tracks[0].recv()
            assert isinstance(frame, AudioFrame)
            if count >= 20:
                sound.append(frame.to_ndarray()[0, ::2])
        return np.concatenate(sound)

    try:
        yield pc.localDescription.sdp, hear
    finally:
        await pc.close()


@asynccontextmanager
async def open_stations() -> AsyncIterator[Make]:
    """Make stations by name, and close them all in the end."""
    made: list[Station] = []

    def make(name: str) -> Station:
        made.append(Station(name))
        return made[-1]

    try:
        yield make
    finally:
        for station in made:
            await station.engine.close()


def two(stations: Make, call_id: str = "ab") -> tuple[Station, Station, Memory, Memory]:
    """Return two stations that are yet to talk, each with a tone, and what each will hear."""
    a, b, at_a, at_b = stations("a"), stations("b"), Memory(), Memory()
    for station, hertz, sink in ((a, A_TONE, at_a), (b, B_TONE, at_b)):
        station.engine.set_source(call_id, Tone(hertz))
        station.engine.set_sink(call_id, sink)
    return a, b, at_a, at_b


async def pair(stations: Make, call_id: str = "ab") -> tuple[Station, Station, Memory, Memory]:
    """Return two stations that talk, each with a tone, and what each hears."""
    a, b, at_a, at_b = two(stations, call_id)
    await talk(a, b, call_id)
    await at_a.more(0.3)
    await at_b.more(0.1)
    return a, b, at_a, at_b


async def hears(sink: Memory, *, only: float | None, others: tuple[float, ...]) -> None:
    """Wait until the sound is for 0.6 s what it should be, and holds no other tone."""

    def right(sound: NDArray[np.int16]) -> bool:
        if only is None:
            return level_dbfs(sound) < QUIET
        return tone_dbfs(sound, only) > LOUD and all(tone_dbfs(sound, other) < QUIET for other in others)

    async with asyncio.timeout(DEADLINE):
        while not (right(await sink.more(0.3)) and right(await sink.more(0.3))):
            pass


def lossy(monkeypatch: pytest.MonkeyPatch, tamper: Callable[[bytes], list[tuple[float, bytes]]]) -> None:
    """Let `tamper` turn each RTP packet sent into packets, each with a delay in seconds."""
    send: Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]] = StunProtocol.send_data

    async def send_data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        rtp = 127 < data[0] < 192 and not 192 <= data[1] <= 223
        for delay, packet in tamper(data) if rtp else [(0.0, data)]:
            if delay:
                asyncio.get_running_loop().call_later(delay, self.transport.sendto, packet, addr)
            else:
                await send(self, packet, addr)

    monkeypatch.setattr(StunProtocol, "send_data", send_data)


def hostile_packet(good: bytes, chance: random.Random) -> bytes:
    """Return what a hostile peer may send in the place of a good Opus packet."""
    spoilt = bytearray(good)
    spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    no_frames = bytes((chance.randrange(256) | 3, chance.randrange(4) << 6))  # code 3, RFC 6716 §3.2.5
    choices = (b"\xfb\x00", no_frames, b"", b"\xff", good[: chance.randrange(len(good))], bytes(spoilt))
    return chance.choice((*choices, chance.randbytes(chance.randrange(1, 200))))
