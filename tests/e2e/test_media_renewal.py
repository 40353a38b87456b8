"""A path is made anew under the same call: what is heard before, meanwhile and after."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest
from aioice.ice import StunProtocol

from media import peer
from media.audio import FRAME_SECONDS, Frame
from media.measure import longest_silence
from media.orders import (
    AnswerReady,
    ApplyAnswer,
    AudioUp,
    Close,
    Closed,
    Failed,
    GoOver,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    Mute,
    OfferReady,
    PathBack,
    PathLost,
    PathReady,
    Renew,
    ReofferReady,
    SetHold,
)
from media.playout import Playout
from node import CallState
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    Make,
    Station,
    carry_reoffer,
    hears,
    open_stations,
    pair,
    two,
)
from tests.e2e.people import People, connect, until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def stations() -> AsyncIterator[Make]:
    async with open_stations() as make:
        yield make


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let no socket that has sent a packet so far send another one."""
    send: Callable[[StunProtocol, bytes, tuple[str, int]], Awaitable[None]] = StunProtocol.send_data
    seen: set[StunProtocol] = set()
    dead: set[StunProtocol] = set()

    async def send_data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
        seen.add(self)
        if self not in dead:
            await send(self, data, addr)

    monkeypatch.setattr(StunProtocol, "send_data", send_data)
    monkeypatch.setattr(peer, "WARN_SECONDS", 0.3)
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.05)
    return lambda: dead.update(seen)


async def renewed(a: Station, b: Station, told: type[AudioUp | PathBack]) -> None:
    """Make another path, and wait until both ends are told so."""
    a.engine.carry_out(Renew("ab"))
    await carry_reoffer(a, b, "ab", 1)
    for station in (a, b):
        await station.news(told, "ab")


async def test_a_first_path_that_never_came_up_holds_up_no_other(stations: Make) -> None:
    a, b, at_a, at_b = two(stations)
    a.engine.carry_out(MakeOffer("ab"))
    first = await a.news(OfferReady, "ab")
    assert isinstance(first, OfferReady)
    b.engine.carry_out(MakeAnswer("ab", first.sdp))
    await b.news(AnswerReady, "ab")  # which gets nowhere
    await renewed(a, b, AudioUp)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    assert not a.told(MediaLost, "ab") and not b.told(MediaLost, "ab")


async def test_a_lost_path_is_made_anew(stations: Make, cut: Callable[[], None]) -> None:
    a, b, at_a, at_b = await pair(stations)
    cut()
    await a.news(PathLost, "ab", 2)
    await b.news(PathLost, "ab")
    before = a.engine.stats("ab")
    await renewed(a, b, PathBack)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))
    after = a.engine.stats("ab")
    assert before is not None and after is not None  # sums are of both paths
    assert after.packets_received > before.packets_received + 20
    assert after.packets_sent > before.packets_sent + 20
    assert after.total_samples_received > before.total_samples_received + 20 * 960
    for station in (a, b):
        assert len(station.told(AudioUp, "ab")) == 1
        assert not station.told(Failed, "ab")
        assert not station.told(MediaLost, "ab")
    cut()  # and once more, this time with an offer that never gets anywhere before
    await a.news(PathLost, "ab", len(a.told(PathLost, "ab")) + 1)
    a.engine.carry_out(Renew("ab"))
    a.engine.carry_out(Renew("ab"))
    await carry_reoffer(a, b, "ab", 3)
    await hears(at_a, only=B_TONE, others=(A_TONE,))
    await hears(at_b, only=A_TONE, others=(B_TONE,))


async def test_another_path_is_gone_over_to_without_click_gap_or_repetition(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _, at_b = await pair(stations)
    start, joints, drained = len(at_b.frames), list[int](), list[Playout]()

    def drain(playout: Playout, now: float) -> list[Frame]:
        drained.append(playout)
        return []

    with monkeypatch.context() as patch:
        patch.setattr(Playout, "drain", drain)
        for count in (1, 2, 3, 4):
            a.engine.carry_out(Renew("ab"))
            await carry_reoffer(a, b, "ab", count)
            for station in (a, b):
                await station.news(PathReady, "ab", count)
            for station in (a, b):
                station.engine.carry_out(GoOver("ab"))
            await b.news(PathBack, "ab", count)
            joints.append(len(at_b.frames))
            await a.news(PathBack, "ab", count)
        assert drained == []  # the new path brings the same sound
    await at_b.more(0.5)
    sound, times = np.concatenate(at_b.frames[start:]), at_b.times[start:]
    assert longest_silence(sound) <= 0.1
    assert len(times) - 1 - (times[-1] - times[0]) / FRAME_SECONDS < 5
    for at in joints:
        around = np.concatenate(at_b.frames[at - 2 : at + 4]).astype(np.int32)
        assert np.abs(np.diff(around)).max() < 1000  # a sine of 440 Hz steps by 461; a click by up to 16000


async def test_mute_and_hold_outlive_the_path(stations: Make, cut: Callable[[], None]) -> None:
    a, b, at_a, at_b = await pair(stations)
    a.engine.carry_out(Mute("ab", outgoing=True, incoming=False))
    await hears(at_b, only=None, others=())
    cut()
    await a.news(PathLost, "ab")
    a.engine.carry_out(Renew("ab"))
    await carry_reoffer(a, b, "ab", 1)
    await hears(at_a, only=B_TONE, others=())
    await hears(at_b, only=None, others=())
    a.engine.carry_out(Mute("ab", outgoing=False, incoming=False))
    await hears(at_b, only=A_TONE, others=())
    for station, local in ((a, True), (b, False)):
        station.engine.carry_out(SetHold("ab", local=local, remote=not local, offerer=local))
    await carry_reoffer(a, b, "ab", 2)
    await hears(at_a, only=None, others=())
    cut()
    a.engine.carry_out(Renew("ab"))
    await carry_reoffer(a, b, "ab", 3)
    await a.news(PathBack, "ab", 2)
    for station in (a, b):
        station.engine.carry_out(SetHold("ab", local=False, remote=False, offerer=station is a))
    await carry_reoffer(a, b, "ab", 4)
    await hears(at_a, only=B_TONE, others=())
    await hears(at_b, only=A_TONE, others=())


async def test_hold_while_the_path_is_made_anew(stations: Make, cut: Callable[[], None]) -> None:
    a, b, at_a, at_b = await pair(stations)
    cut()
    a.engine.carry_out(Renew("ab"))
    for station, on in ((a, True), (b, True), (a, False), (b, False)):
        local = station is a and on
        station.engine.carry_out(
            SetHold("ab", local=local, remote=on and not local, offerer=station is a),
        )
    await carry_reoffer(a, b, "ab", 1)
    await carry_reoffer(a, b, "ab", 2)
    await a.news(PathBack, "ab")
    await hears(at_a, only=B_TONE, others=())
    await hears(at_b, only=A_TONE, others=())


async def test_a_path_closed_before_an_answer_came_is_made_anew(stations: Make) -> None:
    a, b, _, _ = await pair(stations)
    b.engine.carry_out(Close("ab"))
    await a.news(MediaLost, "ab")
    a.engine.carry_out(ApplyAnswer("ab", "v=0\r\n"))
    await a.news(PathLost, "ab")
    a.engine.carry_out(SetHold("ab", local=True, remote=False, offerer=True))
    offer = await a.news(ReofferReady, "ab")
    assert isinstance(offer, ReofferReady) and "a=sendonly" in offer.sdp
    assert not a.told(Failed, "ab")


async def test_a_path_that_comes_back_by_itself_is_told(
    stations: Make, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None]
) -> None:
    a, _, at_a, _ = await pair(stations)
    with monkeypatch.context() as away:

        async def send_data(self: StunProtocol, data: bytes, addr: tuple[str, int]) -> None:
            pass

        away.setattr(StunProtocol, "send_data", send_data)
        await a.news(PathLost, "ab")
    await a.news(PathBack, "ab")
    await hears(at_a, only=B_TONE, others=())


@pytest.mark.parametrize("stage", ["offered", "answered", "renewed"])
async def test_closing_while_a_path_is_renewed_leaves_nothing(
    stations: Make, cut: Callable[[], None], stage: str
) -> None:
    a, b, _, _ = await pair(stations)
    cut()
    await a.news(PathLost, "ab")
    a.engine.carry_out(Renew("ab"))
    if stage != "offered":
        await carry_reoffer(a, b, "ab", 1)
    if stage == "renewed":
        await a.news(PathBack, "ab")
    for station in (a, b):
        station.engine.carry_out(Close("ab"))
        await station.news(Closed, "ab")
    for station in (a, b):
        await station.engine.close()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.parametrize("leaves", ["caller", "callee"])
async def test_a_call_through_the_hub_goes_on_over_a_new_path(
    people: People, cut: Callable[[], None], leaves: str
) -> None:
    alice, bob = await people.join("alice"), await people.join("bob")
    ours, theirs = await connect(alice, bob)
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    cut()
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
    assert (ours.state, theirs.state) == (CallState.CONNECTED, CallState.CONNECTED)
    await (ours if leaves == "caller" else theirs).hang_up()
    await asyncio.gather(until(ours, CallState.DISCONNECTED), until(theirs, CallState.DISCONNECTED))
