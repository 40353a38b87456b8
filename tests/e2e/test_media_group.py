"""Calls whose sound is led elsewhere: a group through a mixer, and what is heard on hold."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from media import peer
from media.mixer import Mixer
from media.orders import DtmfReceived, MediaLost, RemoteSpeaking, SendDtmf, SetHold, SpeakingWhileMuted
from media.orders import Mute as MuteOrder
from media.source import NumpySource
from media.speech import speech
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    C_TONE,
    DEADLINE,
    LOUD,
    QUIET,
    Make,
    Memory,
    Station,
    Tone,
    carry_reoffer,
    open_stations,
    pair,
    talk,
    tone_dbfs,
)

pytestmark = pytest.mark.e2e

H_TONE = 2500.0


@pytest.fixture
async def stations() -> AsyncIterator[Make]:
    async with open_stations() as make:
        yield make


async def hears_just(sink: Memory, *tones: float) -> None:
    """Wait until exactly these of the tones are heard."""
    wanted = [hertz in tones for hertz in (A_TONE, B_TONE, C_TONE, H_TONE)]
    async with asyncio.timeout(DEADLINE):
        while True:
            sound = await sink.more(0.3)
            levels = [tone_dbfs(sound, hertz) for hertz in (A_TONE, B_TONE, C_TONE, H_TONE)]
            if [level > LOUD - 1 for level in levels] == wanted and all(
                level < QUIET for level, heard in zip(levels, wanted, strict=True) if not heard
            ):
                return


async def test_three_calls_of_an_engine_are_a_group(stations: Make) -> None:
    bridge, mixer = stations("bridge"), Mixer()
    voices = {"a": A_TONE, "b": B_TONE, "c": C_TONE}
    ears: dict[str, Memory] = {}
    parties = {}
    for name, hertz in voices.items():
        far, ears[name] = stations(name), Memory()
        far.engine.set_source(name, Tone(hertz))
        far.engine.set_sink(name, ears[name])
        party = parties[name] = mixer.join()
        bridge.engine.set_source(name, party.source)
        bridge.engine.set_sink(name, party.sink)
        await talk(far, bridge, name)
    for name in voices:
        await hears_just(ears[name], *(hertz for other, hertz in voices.items() if other != name))
    loud = pytest.approx(-15.3, abs=1)  # in the last 100 ms, which a busy machine may have torn
    await ears["a"].until(lambda: all(party.level == loud for party in parties.values()))
    bridge.engine.set_source("c", None)
    bridge.engine.set_sink("c", None)
    await hears_just(ears["a"], B_TONE)
    await hears_just(ears["b"], A_TONE)
    await hears_just(ears["c"])
    assert mixer.parties == (parties["a"], parties["b"])


async def test_who_is_held_hears_the_hold_audio_of_the_holder(stations: Make) -> None:
    a, b, at_a, at_b = stations("a"), stations("b"), Memory(), Memory()
    for station, hertz, sink in ((a, A_TONE, at_a), (b, B_TONE, at_b)):
        station.engine._hold_audio = lambda: Tone(H_TONE)
        station.engine.set_source("ab", Tone(hertz))
        station.engine.set_sink("ab", sink)
    await talk(a, b, "ab")

    async def hold(a_holds: bool, b_holds: bool, count: int) -> None:
        a.engine.carry_out(SetHold("ab", local=a_holds, remote=b_holds, offerer=True))
        b.engine.carry_out(SetHold("ab", local=b_holds, remote=a_holds, offerer=False))
        await carry_reoffer(a, b, "ab", count)

    await hold(True, False, 1)
    await hears_just(at_b, H_TONE)
    await hears_just(at_a)
    await hold(True, True, 2)
    await hears_just(at_b)
    await hears_just(at_a)
    await hold(False, True, 3)
    await hears_just(at_a, H_TONE)
    await hears_just(at_b)
    await hold(False, False, 4)
    await hears_just(at_a, B_TONE)
    await hears_just(at_b, A_TONE)


@pytest.mark.parametrize("holders", ["one", "both"])
async def test_who_is_held_sends_nothing_and_is_not_taken_for_lost(
    stations: Make, monkeypatch: pytest.MonkeyPatch, holders: str
) -> None:
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.05)
    made = {name: stations(name) for name in "ab"}
    made["a"].engine._hold_audio = lambda: Tone(H_TONE)
    a, b, at_a, at_b = await pair(made.__getitem__)
    a.engine.carry_out(SetHold("ab", local=True, remote=holders == "both", offerer=True))
    b.engine.carry_out(SetHold("ab", local=holders == "both", remote=True, offerer=False))
    await carry_reoffer(a, b, "ab", 1)
    await hears_just(at_b, *([H_TONE] if holders == "one" else []))
    monkeypatch.setattr(peer, "SILENT_SECONDS", 0.5)
    before = packets_sent(a), packets_sent(b)
    b.engine.carry_out(SendDtmf("ab", "5"))
    await at_a.more(1.0)  # in which a pause is said twice
    assert packets_sent(b) == before[1]
    assert packets_sent(a) > before[0] if holders == "one" else packets_sent(a) == before[0]
    for station in (a, b):  # on again, though the other end does not know it yet
        station.engine.carry_out(SetHold("ab", local=False, remote=False, offerer=station is a))
    await at_a.more(0.6)
    assert not a.told(MediaLost, "ab")
    await carry_reoffer(a, b, "ab", 2)
    await hears_just(at_a, B_TONE)
    await hears_just(at_b, A_TONE)
    assert not a.told(DtmfReceived, "ab")
    for station in (a, b):  # what was not sent has no number
        stats = station.engine.stats("ab")
        assert stats is not None
        assert stats.packets_lost == 0


def packets_sent(station: Station) -> int:
    stats = station.engine.stats("ab")
    assert stats is not None
    return stats.packets_sent


async def test_volume_and_who_talks(stations: Make) -> None:
    a, b, at_b = stations("a"), stations("b"), Memory()
    a.engine.set_source("ab", NumpySource(speech("alice"), loop=True))
    b.engine.set_source("ab", Tone(B_TONE))
    b.engine.set_sink("ab", at_b)
    at_a = Memory()
    a.engine.set_sink("ab", at_a)
    await talk(a, b, "ab")
    assert await b.news(RemoteSpeaking, "ab") == RemoteSpeaking("ab", True)
    a.engine.carry_out(MuteOrder("ab", outgoing=True, incoming=False))
    assert await a.news(SpeakingWhileMuted, "ab") == SpeakingWhileMuted("ab", True)
    assert await b.news(RemoteSpeaking, "ab", 2) == RemoteSpeaking("ab", False)
    a.engine.carry_out(MuteOrder("ab", outgoing=False, incoming=False))
    assert await a.news(SpeakingWhileMuted, "ab", 2) == SpeakingWhileMuted("ab", False)
    await hears_just(at_a, B_TONE)
    a.engine.set_volume("ab", incoming=0.1)
    b.engine.set_volume("ab", outgoing=0.5)
    async with asyncio.timeout(DEADLINE):
        while not -43 < tone_dbfs(await at_a.more(0.2), B_TONE) < -40:  # -15.3 - 20 - 6
            pass
    with pytest.raises(ValueError, match="a volume is from 0"):
        a.engine.set_volume("ab", incoming=5)
    a.engine.set_volume("gone", incoming=0.5)
