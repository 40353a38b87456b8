"""Hold and take-over between engines, judged by what each end hears."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from media.audio import level_dbfs
from media.jitter import JitterBuffer
from media.orders import (
    AudioUp,
    Close,
    Closed,
    Failed,
    MakeOffer,
    OfferReady,
    ReofferReady,
    SetHold,
    TakeOver,
)
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    C_TONE,
    DEADLINE,
    LOUD,
    Make,
    Memory,
    Station,
    Tone,
    carry_reoffer,
    connect,
    hears,
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
    before = len(at_b.frames)
    b.engine.carry_out(Close("ab"))
    assert len(at_b.frames) == before  # what the old call still holds is not heard
    await b.news(Closed, "ab")
    assert (voice.closed, at_b.closed) == (0, 0)
    await hears(at_b, only=C_TONE, others=(A_TONE,))


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


async def test_source_and_sink_outlive_the_old_call_until_the_take_over(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, b, _, at_b = await pair(stations)
    c, at_c = stations("c"), Memory()
    c.engine.set_source("bc", Tone(C_TONE))
    c.engine.set_sink("bc", at_c)
    b.engine.carry_out(TakeOver("bc", "ab"))
    before, held, after = await close_at_a_packet(monkeypatch, b, "ab", at_b)
    await b.news(Closed, "ab")
    assert len(at_b.frames) == after == before + held  # all that A said is heard, before anything of C
    assert tone_dbfs(at_b.frames[-1], A_TONE) > LOUD - 3
    assert at_b.closed == 0
    await talk(b, c, "bc")
    await hears(at_b, only=C_TONE, others=())
    await hears(at_c, only=B_TONE, others=())
    b.engine.carry_out(Close("bc"))
    assert at_b.closed == 1


async def close_at_a_packet(
    monkeypatch: pytest.MonkeyPatch, station: Station, call_id: str, sink: Memory
) -> tuple[int, int, int]:
    """Close a call when its next packet has come; return frames heard before, packets held, frames after."""
    buffer = station.engine._legs[call_id].opened._receiver.jitter
    put = JitterBuffer.put
    closed: asyncio.Future[tuple[int, int, int]] = asyncio.get_running_loop().create_future()

    def put_and_close(self: JitterBuffer, ssrc: int, sequence: int, payload: bytes, now: float) -> None:
        put(self, ssrc, sequence, payload, now)
        if self is buffer and not closed.done():
            before, held = len(sink.frames), len(buffer)
            station.engine.carry_out(Close(call_id))
            closed.set_result((before, held, len(sink.frames)))

    monkeypatch.setattr(JitterBuffer, "put", put_and_close)
    async with asyncio.timeout(DEADLINE):
        return await closed


async def test_what_a_call_still_holds_is_heard_before_its_sink_is_given_back(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, b, _, at_b = await pair(stations)
    c = stations("c")
    c.engine.set_source("bc", Tone(C_TONE))
    b.engine.carry_out(TakeOver("bc", "ab"))
    await talk(b, c, "bc")
    await hears(at_b, only=C_TONE, others=(A_TONE,))
    before, held, after = await close_at_a_packet(monkeypatch, b, "bc", at_b)
    assert after == before + held
    assert tone_dbfs(at_b.frames[after - 1], C_TONE) > LOUD - 3
    await hears(at_b, only=A_TONE, others=(C_TONE,))


async def test_a_take_over_of_a_call_that_is_up_is_at_once(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c = stations("c")
    c.engine.set_source("bc", Tone(C_TONE))
    await talk(b, c, "bc")
    b.engine.carry_out(TakeOver("bc", "ab"))
    await hears(at_b, only=C_TONE, others=(A_TONE,))
