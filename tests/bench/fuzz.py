"""Hostile packets into a live call: malformed RTP, RTCP and Opus, as an authenticated peer could send them.

They come in like datagrams from the network, and SRTP lets them pass. Everything is drawn from a seed.
"""

import asyncio
import gc
import random
import struct
import time
import tracemalloc
from collections import deque
from collections.abc import Callable

import numpy as np
from aiortc.rtcdtlstransport import RTCDtlsTransport
from msgspec import Struct
from numpy.typing import NDArray

from media.audio import SILENCE
from media.measure import correlation
from media.speech import speech
from tests.bench.parties import Callnode, Party

BATCH = 25  # packets between two turns of the event loop
REMEMBERED = 64  # real packets to be spoilt
CHECKPOINTS = 10
LISTENING_SECONDS = 2.0
RECOVERY_SECONDS = 15.0
GOOD = 0.8  # correlation of what is heard with what was said
DEADLINE = 30.0
Sound = NDArray[np.int16]

COMPONENT = 1  # of ICE: RTP and RTCP together


class Findings(Struct):
    """What came of it: the reproducers of what escaped, memory at each tenth, the sound afterwards."""

    packets: int
    survived: int  # before a transport closed
    seconds: float
    escaped: dict[str, str]  # what, by which packet (hexadecimal)
    loop_errors: list[str]
    memory: list[int]  # bytes traced
    tasks_before: int
    tasks_after: int
    correlations: list[float]  # of both ends, with what the other one said
    slowest_ms: float  # that one packet took
    recovery_seconds: float  # until the sound was good, or given up

    @property
    def growth(self) -> int:
        """Return by how many bytes memory grew from the second tenth to the last."""
        return self.memory[-1] - self.memory[1] if len(self.memory) > 1 else 0


class Tap:
    """In the place of a transport's SRTP session: lets hostile packets pass, remembers real ones."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self.transport = transport
        self.rtp: deque[bytes] = deque(maxlen=REMEMBERED)
        self.rtcp: deque[bytes] = deque(maxlen=REMEMBERED)
        self._session = transport._rx_srtp
        self._hostile: set[bytes] = set()
        setattr(transport, "_rx_srtp", self)  # noqa: B010  it is no Session for mypy

    @property
    def ready(self) -> bool:
        """Return whether there are real packets of both kinds to be spoilt."""
        return len(self.rtp) > 20 and len(self.rtcp) > 0

    def inject(self, packet: bytes) -> None:
        """Let a packet come from the network as if SRTP vouched for it."""
        self._hostile.add(packet)
        self.transport.transport._connection.data_received(packet, COMPONENT)

    def forget(self) -> None:
        """Forget the packets that have come, and those that went another way than SRTP's."""
        self._hostile.clear()

    def unprotect(self, data: bytes) -> bytes:
        return data if data in self._hostile else _kept(self.rtp, self._session.unprotect(data))

    def unprotect_rtcp(self, data: bytes) -> bytes:
        return data if data in self._hostile else _kept(self.rtcp, self._session.unprotect_rtcp(data))


def _kept(packets: deque[bytes], packet: bytes) -> bytes:
    packets.append(packet)
    return packet


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
            taps = [Tap(transport) for transport in _transports()]
            while not all(tap.ready for tap in taps):
                await asyncio.sleep(0.1)
        findings = Findings(packets, 0, 0.0, {}, loop_errors, [], len(asyncio.all_tasks()), 0, [], 0.0, 0.0)
        start = time.monotonic()
        await _throw(taps, chance, findings, progress, (a, b))
        findings.seconds = time.monotonic() - start
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
        if chance.random() < 0.7:
            packet = hostile_rtp(chance, chance.choice(tap.rtp))
        else:
            packet = hostile_rtcp(chance, chance.choice(tap.rtcp), chance.choice(tap.rtp))
        batch.append(packet)
        begun = time.perf_counter()
        try:
            tap.inject(packet)
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


def hostile_rtp(chance: random.Random, real: bytes) -> bytes:
    """Return what may come in the place of a real RTP packet (RFC 3550 §5.1)."""
    return chance.choice(_RTP)(chance, real)


def hostile_rtcp(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    """Return what may come in the place of a real RTCP packet (RFC 3550 §6, RFC 4585 §6.1)."""
    return chance.choice(_RTCP)(chance, real, rtp)


def _random(chance: random.Random, real: bytes) -> bytes:
    return chance.randbytes(chance.randrange(300))


def _mutated(chance: random.Random, real: bytes) -> bytes:
    spoilt = bytearray(real)
    for _ in range(chance.randrange(1, 9)):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _truncated(chance: random.Random, real: bytes) -> bytes:
    return real[: chance.randrange(len(real) + 1)]


def _wrong_version(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] & 0x3F | chance.choice((0, 1, 3)) << 6,)) + real[1:]


def _extended(chance: random.Random, real: bytes) -> bytes:
    profile = chance.choice((0xBEDE, 0x1000, 0x100F, chance.randrange(65536)))
    words = chance.choice((0, 1, 4, 300, 65535, chance.randrange(65536)))
    content = chance.randbytes(4 * min(words, chance.choice((0, 1, 4, 300))))
    return bytes((real[0] | 0x10,)) + real[1:12] + struct.pack("!HH", profile, words) + content + real[12:]


def _padded(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] | 0x20,)) + real[1:] + bytes((chance.randrange(256),))


def _contributing(chance: random.Random, real: bytes) -> bytes:
    return bytes((real[0] & 0xF0 | chance.randrange(16),)) + real[1:]


def _jumped(chance: random.Random, real: bytes) -> bytes:
    sequence, timestamp, source = struct.unpack("!HII", real[2:12])
    if chance.random() < 0.6:
        sequence = (sequence + chance.choice((1, 40, 3000, 32768, chance.randrange(65536)))) & 0xFFFF
    if chance.random() < 0.6:
        step = chance.choice((1, 960, 48_000, 1 << 31, chance.randrange(1 << 32)))
        timestamp = (timestamp + step) & 0xFFFFFFFF
    if chance.random() < 0.4:
        source = chance.randrange(1 << 32)
    return real[:2] + struct.pack("!HII", sequence, timestamp, source) + real[12:]


def _opus(chance: random.Random, real: bytes) -> bytes:
    """Return a well-formed packet, soon to be played, of garbage in place of Opus (RFC 6716 §3)."""
    sequence, timestamp = struct.unpack("!HI", real[2:8])
    ahead = chance.randrange(1, REMEMBERED * 2)
    header = struct.pack("!HI", (sequence + ahead) & 0xFFFF, (timestamp + 960 * ahead) & 0xFFFFFFFF)
    many = bytes((chance.randrange(256) | 3, chance.randrange(256)))  # code 3: any number of frames
    payload = chance.choice((b"", b"\xff", many, many + chance.randbytes(40), chance.randbytes(1500)))
    return bytes((0x80,)) + real[1:2] + header + real[8:12] + payload


def _other_type(chance: random.Random, real: bytes) -> bytes:
    """Return a packet of another payload type, such as telephone-event (RFC 4733 §2.3)."""
    kind = chance.choice((101, 110, 126, chance.randrange(128))) | chance.choice((0, 0x80))
    return real[:1] + bytes((kind,)) + real[2:12] + chance.randbytes(chance.choice((0, 1, 3, 4, 8, 100)))


def _same(chance: random.Random, real: bytes) -> bytes:
    return real


_RTP: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _random, _mutated, _truncated, _wrong_version, _extended, _padded, _contributing, _jumped, _opus,
    _other_type, _same,
)  # fmt: skip


def _rtcp_spoilt(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return chance.choice((_random, _mutated, _truncated, _wrong_version, _padded))(chance, real)


def _rtcp_made(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    """Return a packet of a known type with a count and a length that may lie, and garbage inside."""
    kind, count = chance.randrange(200, 208), chance.randrange(32)
    content = chance.randbytes(4 * chance.randrange(40))
    if chance.random() < 0.5:
        content = rtp[8:12] + content  # about, or by, the real source
    words = len(content) // 4 if chance.random() < 0.6 else chance.randrange(65536)
    return struct.pack("!BBH", 0x80 | count, kind, words) + content


def _rtcp_compound(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return b"".join(
        chance.choice((real, _rtcp_made(chance, real, rtp), _rtcp_spoilt(chance, real, rtp)))
        for _ in range(chance.randrange(2, 12))
    )


def _goodbye(chance: random.Random, real: bytes, rtp: bytes) -> bytes:
    return struct.pack("!BBH", 0x81, 203, 1) + rtp[8:12]


_RTCP: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _rtcp_spoilt, _rtcp_made, _rtcp_made, _rtcp_compound, _goodbye,
)  # fmt: skip
