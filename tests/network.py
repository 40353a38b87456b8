"""A network, a sender's clock and a listener's clock in virtual time: what a Playout makes of them.

Everything is seeded and nothing waits, so that half an hour of a call takes seconds.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from media.opus import Encoder
from media.playout import HEAD_START, Playout
from media.rate import Target
from media.receiver import on_grid

_WINDOW = 0.5


@dataclass(frozen=True)
class Arrival:
    """A packet, and when it comes."""

    time: float
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True)
class Network:
    """What happens to the packets; times in seconds, shares from 0 to 1."""

    loss: float = 0.0
    burst: float = 1.0  # mean length of a loss; more than 1 makes it a Gilbert model
    jitter: float = 0.0  # each packet is late by 0 to this, whatever that does to the order
    jitter_until: float = math.inf
    duplicates: float = 0.0
    drift_ppm: float = 0.0  # by how much the sender's clock is fast
    stalls: tuple[tuple[float, float], ...] = ()  # (start, end): what is sent meanwhile comes at the end
    transit: float = 0.001
    seed: int = 1

    def carry(
        self, packets: Sequence[bytes], sequence: int = 65_500, timestamp: int = 2**32 - 48_000
    ) -> list[Arrival]:
        """Return what arrives of packets sent every 20 ms of the sender's clock; empty ones are not sent."""
        chance = random.Random(self.seed)
        arrivals, lost = [], False
        for index, payload in enumerate(packets):
            sent = index * FRAME_SECONDS / (1 + self.drift_ppm * 1e-6)
            if not payload:
                continue
            sequence += 1
            stay = 1 - 1 / self.burst if lost else 0.0
            enter = self.loss / (self.burst * (1 - self.loss)) if self.burst > 1 else self.loss
            lost = chance.random() < (stay if lost and self.burst > 1 else enter)
            if lost:
                continue
            for _ in range(1 + (chance.random() < self.duplicates)):
                late = chance.uniform(0, self.jitter) if sent < self.jitter_until else 0.0
                late = max([late, *(end - sent for start, end in self.stalls if start <= sent < end)])
                stamp = (timestamp + index * FRAME_SAMPLES) & 0xFFFFFFFF
                arrivals.append(Arrival(sent + self.transit + late, sequence & 0xFFFF, stamp, payload))
        return sorted(arrivals, key=lambda arrival: arrival.time)


@dataclass
class Heard:
    """What came out: a frame each, and when."""

    frames: list[NDArray[np.int16]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def sound(self) -> NDArray[np.int16]:
        return np.concatenate(self.frames)


def packets_of(said: NDArray[np.int16], expected_loss: int, bitrate: int = 64_000) -> list[bytes]:
    """Return the Opus packets of a sound."""
    encoder = Encoder()
    encoder.set_rate(Target(bitrate, expected_loss, expected_loss > 0))
    frames = said[: len(said) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    packets = [encoder.encode(frame) for frame in frames]
    encoder.close()
    return packets


def listen(playout: Playout, arrivals: Sequence[Arrival], lag: float = 0.0005, seed: int = 0) -> Heard:
    """Play packets as a Receiver does, on a loop that is up to `lag` late; return what is heard."""
    heard, chance = Heard(), random.Random(seed)
    for due in _ticks(playout, arrivals):
        now = due + chance.uniform(0, lag)
        frame = playout.frame(now)
        if playout.decoded:
            heard.frames.append(frame.copy())
            heard.times.append(now)
    return heard


def _ticks(playout: Playout, arrivals: Sequence[Arrival]) -> Iterator[float]:
    due, coming = on_grid(arrivals[0].time + HEAD_START), 0
    while coming < len(arrivals):
        while coming < len(arrivals) and arrivals[coming].time <= due:
            one = arrivals[coming]
            playout.put(1, one.sequence, one.timestamp, one.payload, one.time)
            coming += 1
        yield due
        due += FRAME_SECONDS + playout.shift()


def latencies(heard: Heard, said: NDArray[np.int16], start: float = 0.0) -> list[tuple[float, float]]:
    """Return (time, seconds from a frame's hand-over to its being heard) for each half second with sound."""
    sound = heard.sound.astype(np.float32)
    spoken = said.astype(np.float32)
    size, reach, result = int(_WINDOW * SAMPLE_RATE), SAMPLE_RATE // 2, []
    for index in range(0, len(heard.frames) - size // FRAME_SAMPLES, size // FRAME_SAMPLES):
        at, time = index * FRAME_SAMPLES, heard.times[index] - start
        window = sound[at : at + size]
        middle = round(time * SAMPLE_RATE)
        low = max(0, middle - reach)
        reference = spoken[low : middle + size]
        if len(reference) < 2 * size or float(np.mean(window**2)) < 100.0:
            continue
        length = 1 << (len(reference) - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(reference, length) * np.conj(np.fft.rfft(window, length)), length)
        sums = np.concatenate(([0.0], np.cumsum(reference.astype(np.float64) ** 2)))
        energy = sums[size:] - sums[:-size]
        found = int(np.argmax(product[: len(energy)] / np.sqrt(energy + 1.0)))
        result.append((time, time - (low + found) / SAMPLE_RATE))
    return result
