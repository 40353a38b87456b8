"""Reports both ways between two ends: losses, round trip, names, what is malformed."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
)

from media.rate import Report
from media.rtcp import Reports
from tests.e2e.media_pair import DEADLINE

pytestmark = pytest.mark.shell


class End:
    """One end: what it sent, and what it was told."""

    def __init__(self, ssrc: int) -> None:
        self.sent: list[bytes] = []
        self.told: list[Report] = []
        self.news = asyncio.Event()
        self.other: End | None = None
        self.reports = Reports(ssrc, self._send, self._reported)

    def _send(self, data: bytes) -> None:
        self.sent.append(data)
        if self.other is not None:
            self.other.reports.receive(data)

    def _reported(self, report: Report) -> None:
        self.told.append(report)
        self.news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not reached():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    a, b = End(1), End(2)
    a.other, b.other = b, a
    yield a, b
    a.reports.stop()
    b.reports.stop()


def parsed(data: bytes) -> list[AnyRtcpPacket]:
    return RtcpPacket.parse(data)


async def test_losses_and_round_trips_are_reported(ends: tuple[End, End]) -> None:
    a, b = ends
    a.reports.start("a's name")
    b.reports.start(None)
    for number in range(10):
        a.reports.sent(960 * number, 100)
        if number != 5:
            stream = b.reports.received(1, number)
            stream.arrived(960 * number, 0.02 * number)
    await a.until(lambda: len(a.told) >= 1)
    first = a.told[0]
    assert (round(first.fraction_lost, 2), first.packets_lost) == (0.1, 1)
    await a.until(lambda: a.told[-1].round_trip_time is not None)
    assert a.told[-1].round_trip_time == pytest.approx(0.0, abs=0.05)
    sender, names, *rest = parsed(a.sent[-1])
    assert isinstance(sender, RtcpSrPacket)
    assert (sender.sender_info.packet_count, sender.sender_info.octet_count, rest) == (10, 1000, [])
    assert isinstance(names, RtcpSdesPacket)
    assert names.chunks[0].items == [(1, b"a's name")]
    receiver, names = parsed(b.sent[-1])
    assert isinstance(receiver, RtcpRrPacket)
    assert isinstance(names, RtcpSdesPacket)


async def test_a_loss_brings_the_report_forward(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 100.0)
    a, b = ends
    b.reports.start(None)
    b.reports.received(1, 1)
    await a.until(lambda: len(a.told) == 1)  # the first comes soon
    b.reports.received(1, 3)
    await a.until(lambda: len(a.told) == 2)
    assert a.told[1].fraction_lost == 0.5


async def test_a_replaced_stream_is_counted_anew(ends: tuple[End, End]) -> None:
    _, b = ends
    assert b.reports.received(1, 1) is b.reports.received(1, 2)
    assert b.reports.received(5, 9).received == 1
    assert b.reports.packets_received == 3
    b.reports.received(5, 11)
    last = b.reports.received(1, 7)
    assert (last.lost, last.lost_in_all) == (0, 1)


async def test_the_clock_of_keypad_digits_is_not_that_of_the_reports(ends: tuple[End, End]) -> None:
    a, _ = ends
    a.reports.start(None)
    a.reports.sent(1_000_000, 100)
    a.reports.sent(None, 4)
    a.reports.sent(2_000_000, 100)
    a.reports.sent(None, 4)
    a.reports.stop()
    report = parsed(a.sent[0])[0]
    assert isinstance(report, RtcpSrPacket)
    assert report.sender_info.packet_count == 4
    assert 0 <= report.sender_info.rtp_timestamp - 2_000_000 < 48_000


async def test_bye_is_said_once_and_not_heeded(ends: tuple[End, End]) -> None:
    a, b = ends
    a.reports.stop()
    assert a.sent == []
    a.reports.start(None)
    a.reports.stop()
    a.reports.stop()
    assert len(a.sent) == 1
    assert isinstance(parsed(a.sent[0])[-1], RtcpByePacket)
    b.reports.receive(a.sent[0])


async def test_what_is_malformed_or_of_others_is_ignored(ends: tuple[End, End], seed: int) -> None:
    chance, (a, _) = random.Random(seed), ends
    for packet_type in range(200, 208):
        for _ in range(200):
            body = chance.randbytes(4 * chance.randrange(8))
            header = bytes((0x80 | chance.randrange(64), packet_type)) + (len(body) // 4).to_bytes(2, "big")
            a.reports.receive(header + body)
    a.reports.receive(b"")
    a.reports.receive(b"\x80")
    a.told.clear()
    block = RtcpReceiverInfo(
        ssrc=9, fraction_lost=1, packets_lost=1, highest_sequence=1, jitter=0, lsr=0, dlsr=0
    )
    a.reports.receive(bytes(RtcpRrPacket(ssrc=2, reports=[block])))
    assert a.told == []
    block.ssrc, block.lsr = 1, 12_345  # a stamp we never gave
    a.reports.receive(bytes(RtcpRrPacket(ssrc=2, reports=[block])))
    assert len(a.told) == 1
    assert a.told[0].round_trip_time is None
