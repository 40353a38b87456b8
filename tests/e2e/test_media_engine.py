"""Engines in one loop, descriptions carried by hand: sound both ways, hold, take-over, loss, nothing left."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from aioice.ice import StunProtocol

from media import peer
from media.audio import FRAME_SAMPLES, Frame, level_dbfs
from media.engine import IceServer
from media.orders import (
    AddCandidate,
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
    ReofferReady,
    SetHold,
    TakeOver,
)
from tests.e2e.media_pair import (
    Memory,
    Station,
    Tone,
    carry_reoffer,
    connect,
    stock_answer,
    talk,
    tone_dbfs,
)

pytestmark = pytest.mark.e2e

A_TONE, B_TONE, C_TONE = 440.0, 1000.0, 1700.0
LOUD, QUIET = -16.5, -55.0  # a Tone is at -15.3 dBFS


@pytest.fixture
async def stations() -> AsyncIterator[Callable[[str], Station]]:
    made: list[Station] = []

    def make(name: str) -> Station:
        made.append(Station(name))
        return made[-1]

    yield make
    for station in made:
        await station.engine.close()


Make = Callable[[str], Station]


async def pair(stations: Make, call_id: str = "ab") -> tuple[Station, Station, Memory, Memory]:
    """Return two stations that talk, each with a tone, and what each hears."""
    a, b, at_a, at_b = stations("a"), stations("b"), Memory(), Memory()
    for station, hertz, sink in ((a, A_TONE, at_a), (b, B_TONE, at_b)):
        station.engine.set_source(call_id, Tone(hertz))
        station.engine.set_sink(call_id, sink)
    await talk(a, b, call_id)
    await at_a.more(0.3)
    await at_b.more(0.1)
    return a, b, at_a, at_b


async def hears(sink: Memory, *, only: float | None, others: tuple[float, ...]) -> None:
    """Wait until the sound has changed to what it should be, and assert that it then holds no other tone."""
    async with asyncio.timeout(10):
        while True:
            sound = await sink.more(0.3)
            if level_dbfs(sound) < QUIET if only is None else tone_dbfs(sound, only) > LOUD:
                break
    sound = await sink.more(0.3)
    if only is None:
        assert level_dbfs(sound) < QUIET
    else:
        assert tone_dbfs(sound, only) > LOUD
    for other in others:
        assert tone_dbfs(sound, other) < QUIET


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


@pytest.mark.parametrize("holder", [0, 1])
async def test_hold_and_resume(stations: Make, holder: int) -> None:
    a, b, at_a, at_b = await pair(stations)

    async def hold(a_holds: bool, b_holds: bool, count: int) -> None:
        a.engine.carry_out(SetHold("ab", local=a_holds, remote=b_holds, offerer=True))
        b.engine.carry_out(SetHold("ab", local=b_holds, remote=a_holds, offerer=False))
        await carry_reoffer(a, b, "ab", count)

    await hold(holder == 0, holder == 1, 1)
    await hears(at_a, only=None, others=())
    await hears(at_b, only=None, others=())
    await hold(True, True, 2)
    await hears(at_a, only=None, others=())
    await hold(False, True, 3)
    await hears(at_b, only=None, others=())
    await hold(False, False, 4)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    offers = a.told(ReofferReady, "ab")
    directions = [
        next(line for line in offer.sdp.splitlines() if line in DIRECTIONS)
        for offer in offers
        if isinstance(offer, ReofferReady)
    ]
    first = "a=sendonly" if holder == 0 else "a=recvonly"
    assert directions == [first, "a=inactive", "a=recvonly", "a=sendrecv"]


DIRECTIONS = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")


async def test_a_hold_during_a_reoffer_waits_for_its_answer(stations: Make) -> None:
    a, b, at_a, _ = await pair(stations)
    a.engine.carry_out(SetHold("ab", local=True, remote=False, offerer=True))
    a.engine.carry_out(SetHold("ab", local=False, remote=False, offerer=True))
    await carry_reoffer(a, b, "ab", 1)
    await carry_reoffer(a, b, "ab", 2)
    await hears(at_a, only=B_TONE, others=())
    assert not a.told(Failed, "ab")


async def test_take_over_without_gap_or_overlap(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c, at_c = stations("c"), Memory()
    c.engine.set_source("bc", Tone(C_TONE))
    c.engine.set_sink("bc", at_c)
    voice = b.engine._legs["ab"].ends.source
    assert isinstance(voice, Tone)
    b.engine.carry_out(TakeOver("bc", "ab"))
    start = len(at_b.frames)
    await talk(b, c, "bc")
    await hears(at_b, only=C_TONE, others=(A_TONE,))
    await hears(at_c, only=B_TONE, others=())
    frames, times = at_b.frames[start:], np.array(at_b.times[start:])
    from_a = [tone_dbfs(frame, A_TONE) > -30 for frame in frames]
    from_c = [tone_dbfs(frame, C_TONE) > -30 for frame in frames]
    switch = from_c.index(True)
    assert all(from_a[: switch - 1])
    assert not any(from_a[switch + 1 :])
    assert sum(level_dbfs(frame) < -40 for frame in frames[: switch + 5]) <= 5  # 100 ms
    assert len(frames) - 1 <= (times[-1] - times[0]) / 0.02 + 2
    steps = np.abs(np.diff(np.concatenate(frames).astype(np.int32)))
    assert steps.max() < 2500  # a sine of 1700 Hz steps by 1780; a click by up to 16000
    b.engine.carry_out(Close("ab"))
    await b.news(Closed, "ab")
    assert (voice.closed, at_b.closed) == (0, 0)
    await hears(at_b, only=C_TONE, others=())


async def test_until_take_over_the_new_call_is_silent_and_unheard(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c, at_c = stations("c"), Memory()
    c.engine.set_sink("bc", at_c)
    own_source, own_sink = Tone(A_TONE), Memory()
    b.engine.set_source("bc", own_source)
    b.engine.set_sink("bc", own_sink)
    b.engine.carry_out(TakeOver("bc", "ab"))
    await connect(b, c, "bc")
    await c.news(AudioUp, "bc")
    assert (own_source.closed, own_sink.closed, own_sink.frames) in ((0, 0, []), (1, 1, []))
    await b.news(AudioUp, "bc")
    assert (own_source.closed, own_sink.closed, own_sink.frames) == (1, 1, [])
    await hears(at_c, only=B_TONE, others=(A_TONE,))
    assert at_b.closed == 0


async def test_a_closed_take_over_gives_back(stations: Make) -> None:
    _, b, at_a, at_b = await pair(stations)
    c = stations("c")
    c.engine.set_source("bc", Tone(C_TONE))
    b.engine.carry_out(TakeOver("bc", "ab"))
    await talk(b, c, "bc")
    await hears(at_b, only=C_TONE, others=(A_TONE,))
    b.engine.carry_out(Close("bc"))
    await hears(at_b, only=A_TONE, others=(C_TONE,))
    await hears(at_a, only=B_TONE, others=())
    assert at_b.closed == 0


async def test_a_take_over_that_never_came_leaves_the_old_call_alone(stations: Make) -> None:
    _, b, at_a, at_b = await pair(stations)
    b.engine.carry_out(TakeOver("bc", "ab"))
    b.engine.carry_out(MakeOffer("bc"))
    await b.news(OfferReady, "bc")
    b.engine.carry_out(Close("bc"))
    await b.news(Closed, "bc")
    await hears(at_a, only=B_TONE, others=())
    await hears(at_b, only=A_TONE, others=())


async def test_source_and_sink_outlive_the_old_call_until_the_take_over(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c, at_c = stations("c"), Memory()
    c.engine.set_source("bc", Tone(C_TONE))
    c.engine.set_sink("bc", at_c)
    b.engine.carry_out(TakeOver("bc", "ab"))
    b.engine.carry_out(Close("ab"))
    await b.news(Closed, "ab")
    assert at_b.closed == 0
    await talk(b, c, "bc")
    await hears(at_b, only=C_TONE, others=())
    await hears(at_c, only=B_TONE, others=())
    b.engine.carry_out(Close("bc"))
    assert at_b.closed == 1


async def test_a_take_over_of_a_call_that_is_up_is_at_once(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c = stations("c")
    c.engine.set_source("bc", Tone(C_TONE))
    await talk(b, c, "bc")
    b.engine.carry_out(TakeOver("bc", "ab"))
    await hears(at_b, only=C_TONE, others=(A_TONE,))


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
    assert stats.jitter_buffer_delay < 0.1
    assert stats.concealed_samples + stats.fec_packets_received * FRAME_SAMPLES > 0
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
    before = a.engine.stats("ab")
    sound = await at_a.more(2.0)
    after = a.engine.stats("ab")
    assert before is not None
    assert after is not None
    assert after.concealed_samples - before.concealed_samples < 10 * FRAME_SAMPLES
    assert tone_dbfs(sound[-24_000:], B_TONE) > LOUD - 3


async def test_candidates_may_come_early_late_or_broken(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    lines = offer.sdp.splitlines()
    candidates = [line.removeprefix("a=") for line in lines if line.startswith("a=candidate:")]
    bare = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    assert any(" 127.0.0.1 " in candidate for candidate in candidates)
    b.engine.carry_out(AddCandidate("ab", "candidate:nonsense", "0", 0))
    for candidate in candidates:
        b.engine.carry_out(AddCandidate("ab", candidate, "0", 0))
    b.engine.carry_out(MakeAnswer("ab", "\r\n".join(bare) + "\r\n"))
    b.engine.carry_out(AddCandidate("ab", "", "0", 0))
    b.engine.carry_out(AddCandidate("ab", "candidate:nonsense", None, None))
    answer = await b.news(AnswerReady, "ab")
    assert isinstance(answer, AnswerReady)
    a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
    await a.news(AudioUp, "ab")
    await b.news(AudioUp, "ab")
    assert not b.told(Failed, "ab")


async def test_an_mdns_candidate_does_not_delay_the_answer(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    line = "a=candidate:1 1 udp 2113937151 0a1b2c3d-0000-4000-8000-000000000001.local 50000 typ host"
    sdp = offer.sdp.replace("a=end-of-candidates", line)
    start = asyncio.get_running_loop().time()
    b.engine.carry_out(MakeAnswer("ab", sdp))
    answer = await b.news(AnswerReady, "ab")
    assert asyncio.get_running_loop().time() - start < 0.9  # resolving takes 1 s
    assert isinstance(answer, AnswerReady)
    a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
    await b.news(AudioUp, "ab")


async def test_a_server_that_does_not_answer_does_not_delay_the_offer() -> None:
    station = Station(
        "a", [IceServer(("stun:127.0.0.1:9",)), IceServer(("turn:127.0.0.1:9",), "u", "secret")]
    )
    start = asyncio.get_running_loop().time()
    station.engine.carry_out(MakeOffer("ab"))
    await station.news(OfferReady, "ab")
    assert asyncio.get_running_loop().time() - start < 3.0  # aioice alone waits 5 s
    await station.engine.close()


def test_a_credential_is_never_shown() -> None:
    assert "secret" not in repr(IceServer(("turn:x",), "u", "secret"))


CHROMIUM_AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:13 CN/8000",
    "a=rtpmap:110 telephone-event/48000",
    "a=rtpmap:126 telephone-event/8000",
)


def as_chromium(sdp: str) -> str:
    """Return an offer of ours with Chromium's payload types and header extension ids."""
    kept = [line for line in sdp.splitlines() if not line.startswith(("a=rtpmap", "a=fmtp", "a=extmap"))]
    audio = [
        *CHROMIUM_AUDIO,
        "a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    ]
    at = next(index for index, line in enumerate(kept) if line.startswith("m=audio"))
    port = kept[at].split()[1]
    audio[0] = audio[0].replace(" 9 ", f" {port} ", 1)
    return "\r\n".join([*kept[:at], *audio, *kept[at + 1 :]]) + "\r\n"


async def test_a_chromium_offer_fixes_the_ids_of_later_reoffers(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    assert "useinbandfec=1" in offer.sdp
    b.engine.carry_out(MakeAnswer("ab", as_chromium(offer.sdp)))
    answer = await b.news(AnswerReady, "ab")
    assert isinstance(answer, AnswerReady)
    a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
    b.engine.carry_out(SetHold("ab", local=True, remote=False, offerer=True))
    reoffer = await b.news(ReofferReady, "ab")
    assert isinstance(reoffer, ReofferReady)
    for sdp in (answer.sdp, reoffer.sdp):
        lines = sdp.splitlines()
        assert sum(line.startswith("a=rtpmap:") for line in lines) == 1
        assert "a=rtpmap:111 opus/48000/2" in lines
        assert "a=fmtp:111 minptime=10;useinbandfec=1" in lines
        assert "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid" in lines
        assert "a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level" in lines


async def test_a_stock_peer_hears_and_is_heard(stations: Make) -> None:
    a, at_a = stations("a"), Memory()
    a.engine.set_sink("ab", at_a)
    a.engine.set_source("ab", Tone(A_TONE))
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    async with stock_answer(offer.sdp, B_TONE) as (answer, hear):
        a.engine.carry_out(ApplyAnswer("ab", answer))
        await a.news(AudioUp, "ab")
        await at_a.more(0.3)
        assert tone_dbfs(await at_a.more(0.5), B_TONE) > LOUD - 3  # aiortc spreads mono over two channels
        assert tone_dbfs(await hear(0.5), A_TONE) > LOUD


async def test_what_cannot_be_done_fails_with_a_word(
    stations: Make, caplog: pytest.LogCaptureFixture
) -> None:
    a = stations("a")
    orders: tuple[Order, ...] = (
        MakeAnswer("x", "no description at all"),
        ApplyAnswer("x", "v=0\r\n"),
        AnswerReoffer("x", "v=0\r\n"),
        MakeOffer("x"),  # open already
        SetHold("y", local=True, remote=False, offerer=True),
    )
    for count, order in enumerate(orders):
        a.engine.carry_out(order)
        failed = await a.news(Failed, order.call_id, count + 1 if order.call_id == "x" else 1)
        assert isinstance(failed, Failed)
        assert failed.what.startswith(type(order).__name__)
    a.engine.carry_out(Close("x"))
    a.engine.carry_out(Close("x"))
    await a.news(Closed, "x")
    a.engine.carry_out(MakeOffer("x"))
    await a.engine.close()
    assert len(a.told(Closed, "x")) == 1
    assert not a.told(OfferReady, "x")


async def test_an_offer_without_opus_fails(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    b.engine.carry_out(MakeAnswer("ab", as_chromium(offer.sdp).replace("opus/", "other/")))
    failed = await b.news(Failed, "ab")
    assert isinstance(failed, Failed)
    assert "Opus" in failed.what


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
