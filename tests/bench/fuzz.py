"""Hostile packets into a live call: malformed RTP, RTCP and Opus, from strangers and from the other end.

They come in where the datagrams of the network do. Everything is drawn from a seed.
"""

import asyncio
import gc
import random
import resource
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pylibsrtp
from aiortc.rtcdtlstransport import RTCDtlsTransport
from msgspec import Struct
from numpy.typing import NDArray

from media.audio import SILENCE
from media.measure import correlation
from media.speech import speech
from tests.bench.hostile import acceptable_rtcp, acceptable_rtp, forged, hostile_rtcp, hostile_rtp
from tests.bench.parties import Callnode, Party

FORGED_SHARE, PROTECTED_SHARE = 0.1, 0.4  # of the packets
BATCH = 25  # packets between two turns of the event loop
REMEMBERED = 64  # real packets to be spoilt
CHECKPOINTS = 10
LISTENING_SECONDS = 2.0
RECOVERY_SECONDS = 30.0
GOOD = 0.8  # correlation of what is heard with what was said
DEADLINE = 30.0
Sound = NDArray[np.int16]

COMPONENT = 1  # of ICE: RTP and RTCP together


class Findings(Struct):
    """What came of it: the reproducers of what escaped, memory at each tenth, the sound afterwards."""

    packets: int
    loop_errors: list[str]
    tasks_before: int
    tasks_after: int = 0
    survived: int = 0  # before a transport closed
    passed: int = 0  # through SRTP itself
    seconds: float = 0.0
    slowest_ms: float = 0.0  # that one packet took
    escaped: dict[str, str] = {}  # what, by which packet (hexadecimal)
    memory: list[int] = []  # bytes traced
    resident: list[int] = []  # bytes of the process, libraries and all, at most so far
    correlations: list[float] = []  # of both ends, with what the other one said
    recovery_seconds: float = 0.0  # until the sound was good, or given up

    @property
    def growth(self) -> int:
        """Return by how many bytes memory grew from the second tenth to the last."""
        return _growth(self.memory)

    @property
    def resident_growth(self) -> int:
        """Return the same of the whole process."""
        return _growth(self.resident)


def _growth(memory: list[int]) -> int:
    return memory[-1] - memory[1] if len(memory) > 1 else 0


def _most_resident() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Tap:
    """In the place of a transport's SRTP session: lets hostile packets pass, remembers real ones."""

    def __init__(self, transport: RTCDtlsTransport, other: RTCDtlsTransport) -> None:
        self.transport = transport
        self.rtp: deque[bytes] = deque(maxlen=REMEMBERED)
        self.rtcp: deque[bytes] = deque(maxlen=REMEMBERED)
        self._session = transport._rx_srtp
        self._keys = _sender_like(other)
        self.passed = 0  # hostile packets that came through SRTP itself
        self._made = 0
        self._vouched: set[bytes] = set()
        self._protected: set[bytes] = set()
        setattr(transport, "_rx_srtp", self)  # noqa: B010  it is no Session for mypy

    @property
    def ready(self) -> bool:
        """Return whether there are real packets of both kinds to be spoilt."""
        return len(self.rtp) > 20 and len(self.rtcp) > 0

    def make(self, chance: random.Random) -> tuple[bytes, bytes]:
        """Return a hostile packet and its datagram: without the keys, with them, or as if SRTP let all pass.

        The last is also for what libsrtp refuses to protect.
        """
        real, of_reports = chance.choice(self.rtp), chance.random() < 0.3
        packet = (
            hostile_rtcp(chance, chance.choice(self.rtcp), real) if of_reports else hostile_rtp(chance, real)
        )
        self._made += 1
        way = chance.random()
        if way < FORGED_SHARE:
            packet = forged(chance, packet)
            return packet, packet
        if way < FORGED_SHARE + PROTECTED_SHARE:
            packet = (
                acceptable_rtcp(chance, packet)
                if of_reports
                else acceptable_rtp(chance, packet, real, self._made)
            )
            with suppress(pylibsrtp.Error, ValueError):  # malformed as a whole, or too long
                datagram = (self._keys.protect_rtcp if of_reports else self._keys.protect)(packet)
                self._protected.add(datagram)
                return packet, datagram
        self._vouched.add(packet)
        return packet, packet

    def arrive(self, datagram: bytes) -> None:
        """Let a datagram come from the network."""
        pair = self.transport.transport._connection._nominated[COMPONENT]
        pair.protocol.datagram_received(datagram, pair.remote_addr)

    def forget(self) -> None:
        """Forget the packets that have come, and those that went another way than SRTP's."""
        self._vouched.clear()
        self._protected.clear()

    def unprotect(self, data: bytes) -> bytes:
        return data if data in self._vouched else self._kept(self.rtp, data, self._session.unprotect(data))

    def unprotect_rtcp(self, data: bytes) -> bytes:
        return (
            data if data in self._vouched else self._kept(self.rtcp, data, self._session.unprotect_rtcp(data))
        )

    def _kept(self, packets: deque[bytes], data: bytes, packet: bytes) -> bytes:
        if data in self._protected:
            self.passed += 1
        else:
            packets.append(packet)
        return packet


def _sender_like(transport: RTCDtlsTransport) -> pylibsrtp.Session:
    """Return a session with the keys a transport sends by, and counters of its own."""
    sessions = transport._rx_srtp, transport._tx_srtp
    transport._setup_srtp()
    copy = transport._tx_srtp
    transport._rx_srtp, transport._tx_srtp = sessions
    return copy


async def fuzz(
    packets: int,
    seed: int,
    party: type[Party] = Callnode,
    progress: Callable[[int], None] = lambda sent: None,
) -> Findings:
    """Throw packets at both ends of a live call, and then listen whether it is well."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    loop_errors: list[str] = []
    loop.set_exception_handler(lambda _, context: loop_errors.append(str(context)[:500]))
    a, b = party(), party()
    tracemalloc.start()
    try:
        await a.apply("x", await b.answer("x", await a.offer("x")))
        voices = {"a": speech("alice"), "b": speech("bob")}
        for end, voice in zip((a, b), voices.values(), strict=True):
            end.calls["x"].mouth.say(voice, loop=True)
        async with asyncio.timeout(DEADLINE):
            await a.calls["x"].ear.sound.wait()
            await b.calls["x"].ear.sound.wait()
            one, other = _transports()
            taps = [Tap(one, other), Tap(other, one)]
            while not all(tap.ready for tap in taps):
                await asyncio.sleep(0.1)
        findings = Findings(packets, loop_errors, len(asyncio.all_tasks()))
        start = time.monotonic()
        await _throw(taps, chance, findings, progress, (a, b))
        findings.seconds = time.monotonic() - start
        findings.passed = sum(tap.passed for tap in taps)
        tracemalloc.stop()  # it makes everything slow
        await _recover(findings, ((a, voices["b"]), (b, voices["a"])))
        findings.tasks_after = len(asyncio.all_tasks())
        return findings
    finally:
        tracemalloc.stop()
        await a.close()
        await b.close()
        loop.set_exception_handler(None)


def _transports() -> list[RTCDtlsTransport]:
    """Return the connected transports of this process."""
    return [one for one in gc.get_objects() if isinstance(one, RTCDtlsTransport) and one.state == "connected"]


async def _throw(
    taps: list[Tap],
    chance: random.Random,
    findings: Findings,
    progress: Callable[[int], None],
    ends: tuple[Party, Party],
) -> None:
    batch: list[bytes] = []
    for sent in range(findings.packets):
        tap = chance.choice(taps)
        packet, datagram = tap.make(chance)
        batch.append(packet)
        begun = time.perf_counter()
        try:
            tap.arrive(datagram)
        except Exception as error:
            findings.escaped.setdefault(f"{type(error).__name__}: {error}"[:200], packet.hex()[:400])
        findings.slowest_ms = max(findings.slowest_ms, (time.perf_counter() - begun) * 1000)
        findings.survived = sent + 1
        if len(batch) == BATCH:
            await asyncio.sleep(0)
            progress(sent)
            if any(tap.transport.state != "connected" for tap in taps):
                several = " ".join(one.hex() for one in batch)
                findings.escaped[f"a transport closed after {sent + 1} packets, by one of these"] = several
                break
            batch.clear()
            for tap in taps:
                tap.forget()
        if (sent + 1) % max(1, findings.packets // CHECKPOINTS) == 0:
            for end in ends:  # their times are no part of what is measured
                call = end.calls["x"]
                del call.mouth.times[:], call.ear.times[:]
            await asyncio.sleep(0.2)  # what is held must have had time to be played
            gc.collect()
            findings.memory.append(tracemalloc.get_traced_memory()[0])
            findings.resident.append(_most_resident())


async def _recover(findings: Findings, ears: tuple[tuple[Party, Sound], ...]) -> None:
    """Listen until both ends hear the other one well again: a buffer grown deep shrinks by playing faster."""
    start = time.monotonic()
    while True:
        for end, _ in ears:
            end.calls["x"].ear.frames = []
        await asyncio.sleep(LISTENING_SECONDS)
        heard = [np.concatenate([SILENCE, *(end.calls["x"].ear.frames or [])]) for end, _ in ears]
        findings.recovery_seconds = time.monotonic() - start
        findings.correlations = [
            await asyncio.to_thread(correlation, one, said)
            for one, (_, said) in zip(heard, ears, strict=True)
        ]
        if min(findings.correlations) >= GOOD or findings.recovery_seconds > RECOVERY_SECONDS:
            return
