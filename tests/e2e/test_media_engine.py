"""Engines in one loop, descriptions carried by hand: sound both ways, faults, loss, nothing left."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCPeerConnection

from media import engine, peer
from media.audio import FRAME_SAMPLES, Frame, level_dbfs
from media.opus import Encoder
from media.orders import (
    AnswerReady,
    AnswerReoffer,
    ApplyAnswer,
    AudioUp,
    Close,
    Closed,
    Failed,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    Mute,
    OfferReady,
    Order,
    SetHold,
)
from media.peer import Peer
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    C_TONE,
    DEADLINE,
    LOUD,
    Make,
    Memory,
    Tone,
    hears,
    hostile_packet,
    lossy,
    open_stations,
    pair,
    talk,
    tone_dbfs,
)

pytestmark = pytest.mark.e2e


@pytest.fixture
async def stations() -> AsyncIterator[Make]:
    async with open_stations() as make:
        yield make


async def test_each_hears_the_other(stations: Make) -> None:
    a, b, at_a, at_b = await pair(stations)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    stats = a.engine.stats("ab")
    assert stats is not None
    assert stats.packets_sent > 20
    assert stats.packets_received > 20
    assert stats.bytes_sent > 500
    assert stats.bytes_received > 500
    assert stats.audio_level_in == pytest.approx(-15.3, abs=1.5)
    assert stats.audio_level_out == pytest.approx(-15.3, abs=0.5)
    for station in (a, b):
        assert len(station.told(AudioUp, "ab")) == 1
        assert not station.told(Failed, "ab")


async def test_sound_goes_on_after_an_rtcp_bye(stations: Make) -> None:
    a, _, _, at_b = await pair(stations)
    a.engine._legs["ab"].opened._session.reports.stop()  # says it, as browsers do on hold
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))


async def test_a_tone_arrives_unbroken(stations: Make) -> None:
    _, _, at_a, _ = await pair(stations)
    sound = (await at_a.more(2.0)).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peak = int(np.argmax(spectrum))
    assert peak * 48_000 / len(sound) == pytest.approx(B_TONE, abs=1)


async def test_mute_both_ways(stations: Make) -> None:
    a, _, at_a, at_b = await pair(stations)
    a.engine.carry_out(Mute("ab", outgoing=True, incoming=False))
    await hears(at_b, only=None, others=())
    await hears(at_a, only=B_TONE, others=())
    a.engine.carry_out(Mute("ab", outgoing=False, incoming=True))
    await hears(at_a, only=None, others=())
    await hears(at_b, only=A_TONE, others=())
    a.engine.carry_out(Mute("ab", outgoing=False, incoming=False))
    await hears(at_a, only=B_TONE, others=())


async def test_sources_and_sinks_are_swapped_and_closed(stations: Make) -> None:
    a, _, _, at_b = await pair(stations)
    first, second, sink = Tone(C_TONE), Tone(600.0), Memory()
    a.engine.set_source("ab", first)
    await hears(at_b, only=C_TONE, others=(A_TONE,))
    a.engine.set_source("ab", second)
    assert first.closed == 1
    a.engine.set_sink("ab", sink)
    await hears(sink, only=B_TONE, others=())
    a.engine.set_source("ab", None)
    await hears(at_b, only=None, others=())
    a.engine.carry_out(Close("ab"))
    assert (second.closed, sink.closed) == (1, 1)
    late = Tone(1.0)
    a.engine.set_source("ab", late)
    assert late.closed == 1


class Faulty(Tone):
    def __init__(self, answer: Callable[[], Frame]) -> None:
        super().__init__(1.0)
        self._answer = answer

    def read(self) -> Frame:
        return self._answer()


class FaultySink(Memory):
    def write(self, frame: Frame) -> None:
        super().write(frame)
        raise RuntimeError("full")

    def close(self) -> None:
        super().close()
        raise RuntimeError("closed twice")


def fail() -> Frame:
    raise RuntimeError("unplugged")


@pytest.mark.parametrize(
    "answer",
    [fail, lambda: np.zeros(480, np.int16), lambda: np.zeros(FRAME_SAMPLES, np.float32)],
    ids=["raises", "short", "float"],
)
async def test_a_faulty_source_is_silence(
    stations: Make, answer: Callable[[], Frame], caplog: pytest.LogCaptureFixture
) -> None:
    a, _, _, at_b = await pair(stations)
    source = Faulty(answer)
    a.engine.set_source("ab", source)
    await hears(at_b, only=None, others=())
    assert source.closed == 1
    assert sum("source" in record.getMessage() for record in caplog.records) == 1


async def test_a_faulty_sink_is_let_go(stations: Make, caplog: pytest.LogCaptureFixture) -> None:
    a, _, _, at_b = await pair(stations)
    sink = FaultySink()
    a.engine.set_sink("ab", sink)
    await at_b.more(0.5)
    assert (len(sink.frames), sink.closed) == (1, 1)
    other = Memory()
    a.engine.set_sink("ab", other)
    await hears(other, only=B_TONE, others=())
    assert sum("sink failed and" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("loss", [0.05, 0.2])
async def test_loss_does_not_stall(
    stations: Make, monkeypatch: pytest.MonkeyPatch, seed: int, loss: float
) -> None:
    chance = random.Random(seed)
    lossy(monkeypatch, lambda data: [] if chance.random() < loss else [(0.0, data)])
    a, _, at_a, _ = await pair(stations)
    sound = await at_a.more(3.0)
    times = np.array(at_a.times)
    length = (len(times) - 1) * 0.02
    assert length == pytest.approx(times[-1] - times[0], abs=0.1)
    stats = a.engine.stats("ab")
    assert stats is not None
    assert stats.packets_lost > 0
    assert stats.jitter_buffer_delay < 0.1 * stats.jitter_buffer_emitted_count
    assert stats.concealed_samples > 0
    loud = [level_dbfs(frame) > -30 for frame in sound.reshape(-1, FRAME_SAMPLES)]
    assert np.mean(loud) > 0.93


async def test_duplicates_and_disorder_are_repaired(
    stations: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)

    def tamper(data: bytes) -> list[tuple[float, bytes]]:
        return [(chance.choice((0.0, 0.0, 0.025)), data)] + [(0.01, data)] * (chance.random() < 0.3)

    lossy(monkeypatch, tamper)
    a, _, at_a, _ = await pair(stations)
    await at_a.more(1.0)  # the delay finds its size

    async def concealed() -> int:
        """Return how many samples of the next second are made up."""
        before = a.engine.stats("ab")
        sound = await at_a.more(1.0)
        after = a.engine.stats("ab")
        assert before is not None and after is not None
        assert tone_dbfs(sound[-24_000:], B_TONE) > LOUD - 3
        return after.concealed_samples - before.concealed_samples

    async with asyncio.timeout(DEADLINE):  # a machine that stalls is late by more than the network
        while await concealed() >= 5 * FRAME_SAMPLES:
            pass


async def test_hostile_packets_end_no_call(
    stations: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    _, b, at_a, at_b = await pair(stations)
    encode, chance = Encoder.encode, random.Random(seed)
    monkeypatch.setattr(Encoder, "encode", lambda *of: hostile_packet(encode(*of), chance))
    await at_a.more(2.0)
    await at_b.more(0.5)
    monkeypatch.setattr(Encoder, "encode", encode)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    monkeypatch.setattr(Encoder, "encode", lambda *of: b"\xfb\x00")
    await at_b.more(0.3)
    b.engine.carry_out(Close("ab"))
    await b.news(Closed, "ab")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_call_closes_whatever_its_last_sound_does(
    stations: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Peer) -> None:
        raise RuntimeError("unforeseen")

    a, _, at_a, _ = await pair(stations)
    monkeypatch.setattr(Peer, "finish", refuse)
    a.engine.carry_out(Close("ab"))
    await a.news(Closed, "ab")
    assert at_a.closed == 1
    assert "unforeseen" in caplog.text


async def test_what_cannot_be_done_fails_with_a_word(
    stations: Make, caplog: pytest.LogCaptureFixture
) -> None:
    a = stations("a")
    orders: tuple[Order, ...] = (
        MakeAnswer("x", "no description at all"),
        ApplyAnswer("z", "v=0\r\n"),
        AnswerReoffer("x", "v=0\r\n"),
        MakeOffer("x"),  # open already
        SetHold("y", local=True, remote=False, offerer=True),
    )
    for order in orders:
        before = len(a.told(Failed, order.call_id))
        a.engine.carry_out(order)
        failed = await a.news(Failed, order.call_id, before + 1)
        assert isinstance(failed, Failed)
        assert failed.what.startswith(type(order).__name__)
    a.engine.carry_out(Close("x"))
    a.engine.carry_out(Close("x"))
    await a.news(Closed, "x")
    a.engine.carry_out(MakeOffer("x"))
    await a.engine.close()
    assert len(a.told(Closed, "x")) == 1
    assert not a.told(OfferReady, "x")


async def test_a_path_that_closes_is_lost(stations: Make) -> None:
    a, b, _, _ = await pair(stations)
    a.engine.carry_out(Close("ab"))
    await b.news(MediaLost, "ab")
    await a.news(Closed, "ab")
    b.engine.carry_out(Close("ab"))
    await b.news(Closed, "ab")
    assert len(b.told(MediaLost, "ab")) == 1
    assert not a.told(MediaLost, "ab")


async def test_a_path_that_falls_silent_is_lost_unless_held(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.05)
    a, b, at_a, _ = await pair(stations)
    a.engine.carry_out(SetHold("ab", local=False, remote=True, offerer=False))
    lossy(monkeypatch, lambda data: [])
    await at_a.more(0.6)
    assert not a.told(MediaLost, "ab")
    a.engine.carry_out(SetHold("ab", local=False, remote=False, offerer=False))
    await a.news(MediaLost, "ab")
    await b.news(MediaLost, "ab")


async def test_a_path_that_does_not_come_up_is_lost(stations: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.05)
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    b.engine.carry_out(MakeAnswer("ab", offer.sdp))  # and the answer never arrives
    await b.news(MediaLost, "ab")


@pytest.mark.parametrize("stage", ["nothing", "offered", "answered", "applied", "up"])
async def test_closing_at_any_stage_leaves_nothing(stations: Make, stage: str) -> None:
    tasks, threads, files = resources()
    a, b = stations("a"), stations("b")
    a.engine.set_source("ab", Tone(A_TONE))
    if stage != "nothing":
        a.engine.carry_out(MakeOffer("ab"))
        offer = await a.news(OfferReady, "ab")
        assert isinstance(offer, OfferReady)
        if stage != "offered":
            b.engine.carry_out(MakeAnswer("ab", offer.sdp))
            answer = await b.news(AnswerReady, "ab")
            assert isinstance(answer, AnswerReady)
            if stage != "answered":
                a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
                if stage == "up":
                    await a.news(AudioUp, "ab")
    await a.engine.close()
    await b.engine.close()
    assert resources() == (tasks, threads, files)


async def test_closing_does_not_wait_for_an_order_that_hangs(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(self: Peer) -> str:
        await asyncio.Event().wait()
        return ""

    before = resources()
    monkeypatch.setattr(Peer, "offer", hang)
    monkeypatch.setattr(engine, "ORDER_SECONDS", 0.2)
    a = stations("a")
    a.engine.carry_out(MakeOffer("ab"))
    failed = await a.news(Failed, "ab")
    assert isinstance(failed, Failed)
    assert "TimeoutError" in failed.what
    a.engine.carry_out(MakeOffer("cd"))
    await asyncio.wait_for(a.engine.close(), DEADLINE)
    for call_id in ("ab", "cd"):
        assert a.told(Closed, call_id)
    assert resources() == before


async def test_a_connection_that_does_not_close_holds_nobody_up(
    stations: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hung: list[RTCPeerConnection] = []

    async def hang(self: RTCPeerConnection) -> None:
        hung.append(self)
        await asyncio.Event().wait()

    a, _, at_a, _ = await pair(stations)
    close = RTCPeerConnection.close
    monkeypatch.setattr(RTCPeerConnection, "close", hang)
    monkeypatch.setattr(engine, "ORDER_SECONDS", 0.2)
    await asyncio.wait_for(a.engine.close(), DEADLINE)
    monkeypatch.undo()
    assert a.told(Closed, "ab")
    assert not a.told(Failed, "ab")
    assert at_a.closed == 1
    assert "Close: TimeoutError" in caplog.text
    await close(hung[0])


async def test_twenty_calls_leave_nothing(stations: Make) -> None:
    tasks, threads, files = resources()
    a, b = stations("a"), stations("b")
    for count in range(20):
        call_id = f"call {count}"
        await talk(a, b, call_id)
        a.engine.carry_out(Close(call_id))
        b.engine.carry_out(Close(call_id))
        await a.news(Closed, call_id)
        await b.news(Closed, call_id)
    assert resources() == (tasks, threads, files)


def resources() -> tuple[int, int, int]:
    """Return how many tasks, threads and file descriptors there are."""
    return len(asyncio.all_tasks()), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
