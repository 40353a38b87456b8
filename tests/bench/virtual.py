"""A call in virtual time: callnode's own sender, reports and receiver, or aiortc's codecs and buffer.

All is seeded and nothing waits, so that neither the machine nor its load has a say in the figures.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import numpy as np
from aiortc.codecs.opus import OpusDecoder, OpusEncoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from av import AudioFrame
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame
from media.opus import Wishes
from media.rate import Rate, Report
from media.receiver import Receiver
from media.rtcp import Reports
from media.sender import Sender
from tests.bench.material import tone
from tests.bench.network import LOST, Fates
from tests.bench.parties import Ear, Mouth
from tests.bench.processes import Heard

SETTLING = 1.0  # seconds of a tone before
TRANSIT = 0.0003  # seconds, at the least
LAG = 0.0005  # seconds, at the most, that a loop wakes up late
GRID = 0.005  # seconds: two machines share no grid, so the sender's is off by a part of it

T = TypeVar("T")


class _Clock(selectors.SelectSelector):
    """Skip the time in which nothing happens."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.now = 0.0
        self._chance = chance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("nothing will ever happen")
        if timeout and not ready:
            self.now += timeout + self._chance.uniform(0, LAG)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: _Clock) -> None:
        self._skipping = clock
        super().__init__(clock)

    def time(self) -> float:
        return self._skipping.now


def in_virtual_time(main: Coroutine[Any, Any, T], seed: int) -> T:
    """Run a coroutine on a loop that never waits; what it does must not touch sockets or threads."""
    random.seed(seed)
    with asyncio.Runner(loop_factory=lambda: _Loop(_Clock(random.Random(seed)))) as runner:
        return runner.run(main)


async def callnode(said: NDArray[np.int16], fates: list[float]) -> Heard:
    """Say samples to callnode's receiver by its sender, which the reports steer, through a network."""
    loop = asyncio.get_running_loop()
    mouth, ear, network, rate = Mouth(loop.time), Ear(loop.time), Fates(), Rate()
    receiver = Receiver(ear.write, lambda: None)
    skew = random.uniform(0, GRID)
    before, arrived = (0, 0, b""), set[int]()

    def send(kind: int | None, timestamp: int, payload: bytes, marker: bool, level: int) -> None:
        nonlocal before
        packet = (before[0] + 1) & 0xFFFF, timestamp & 0xFFFFFFFF, payload
        near.sent(timestamp, len(payload))
        carry(*packet)
        if sender.target.repeat and before[1] + FRAME_SAMPLES == packet[1]:
            carry(*before)
        before = packet

    def carry(number: int, timestamp: int, payload: bytes) -> None:
        if (fate := network.of(timestamp)) != LOST:
            loop.call_later(skew + TRANSIT + fate / 1000, arrive, number, timestamp, payload)

    def arrive(number: int, timestamp: int, payload: bytes) -> None:
        if number in arrived:
            return  # SRTP drops it
        arrived.add(number)
        far.received(1, number).arrived(timestamp, loop.time())
        receiver.receive(1, number, timestamp, payload)

    def adapt(report: Report) -> None:
        sender.set_target(rate.report(report, loop.time()))

    near = Reports(1, lambda data: loop.call_later(TRANSIT, far.receive, data), adapt)
    far = Reports(2, lambda data: loop.call_later(TRANSIT, near.receive, data), lambda report: None)
    sender = Sender(mouth.read, send)
    sender.configure(Wishes(fec=True, dtx=True))
    near.start("near")
    far.start("far")
    sender.start()
    await asyncio.sleep(SETTLING)
    ear.frames, ear.times[:] = [], ear.times[:0]
    network.begin(fates)
    mouth.say(said, loop=False)
    await asyncio.sleep(len(said) / SAMPLE_RATE + SETTLING)
    sender.close()
    receiver.close()
    return _heard(said, [at + skew for at in mouth.times], ear.times, ear.frames, fates)


async def stock(said: NDArray[np.int16], fates: list[float]) -> Heard:
    """Say samples through aiortc's encoder, jitter buffer and decoder, set as its sender and receiver do."""
    settling = tone()
    before = len(settling) // FRAME_SAMPLES
    frames = np.concatenate((settling, said)).reshape(-1, FRAME_SAMPLES)
    encoder, decoder, buffer = OpusEncoder(), OpusDecoder(), JitterBuffer(capacity=16, prefetch=4)
    arrivals = []
    for index, (frame, fate) in enumerate(zip(frames, [0.0] * before + fates, strict=True)):
        for payload in encoder.encode(_av(frame, index))[0]:
            if fate != LOST:
                arrivals.append((index * FRAME_SECONDS + TRANSIT + fate / 1000, index, payload))
    times, sounds = [], []
    for at, index, payload in sorted(arrivals):
        packet = RtpPacket(sequence_number=index & 0xFFFF, timestamp=index * FRAME_SAMPLES)
        setattr(packet, "_data", payload)  # noqa: B010  as its receiver does
        if (ready := buffer.add(packet)[1]) is not None:
            for decoded in decoder.decode(ready):
                assert isinstance(decoded, AudioFrame)
                times.append(at)
                sounds.append(decoded.to_ndarray()[0, ::2].astype(np.int16))
    said_times = [(before + index) * FRAME_SECONDS for index in range(len(fates))]
    return _heard(said, said_times, times, sounds, fates)


CONVERSE: dict[str, Callable[[NDArray[np.int16], list[float]], Coroutine[Any, Any, Heard]]] = {
    "callnode": callnode,
    "stock": stock,
}


def _av(frame: Frame, index: int) -> AudioFrame:
    made = AudioFrame.from_ndarray(frame.reshape(1, -1), format="s16", layout="mono")
    made.sample_rate, made.pts = SAMPLE_RATE, index * FRAME_SAMPLES
    return made


def _heard(
    said: NDArray[np.int16],
    said_times: Sequence[float],
    times: Sequence[float],
    frames: list[Frame],
    fates: list[float],
) -> Heard:
    return Heard(
        said_times=np.array(said_times)[: len(said) // FRAME_SAMPLES],
        times=np.array(times),
        samples=np.concatenate(frames),
        packets=len(fates),
        lost=fates.count(LOST),
        late_frames=0,
        worst_ms=0.0,
    )
