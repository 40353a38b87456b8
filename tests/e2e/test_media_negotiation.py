"""Offers, answers and candidates: early, late, broken, of browsers and of plain aiortc."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from media.engine import IceServer
from media.orders import (
    AddCandidate,
    AnswerReady,
    ApplyAnswer,
    AudioUp,
    Failed,
    MakeAnswer,
    MakeOffer,
    OfferReady,
    ReofferReady,
    SetHold,
)
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    LOUD,
    Make,
    Memory,
    Station,
    Tone,
    open_stations,
    stock_answer,
    tone_dbfs,
)

pytestmark = pytest.mark.e2e


@pytest.fixture
async def stations() -> AsyncIterator[Make]:
    async with open_stations() as make:
        yield make


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


async def test_an_offer_without_opus_fails(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    b.engine.carry_out(MakeAnswer("ab", as_chromium(offer.sdp).replace("opus/", "other/")))
    failed = await b.news(Failed, "ab")
    assert isinstance(failed, Failed)
    assert "Opus" in failed.what


async def test_descriptions_without_a_fingerprint_fail(stations: Make) -> None:
    def spoilt(sdp: str) -> str:
        return "\r\n".join(line for line in sdp.splitlines() if "fingerprint" not in line) + "\r\n"

    a, b = stations("a"), stations("b")
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    b.engine.carry_out(MakeAnswer("other", spoilt(offer.sdp)))
    b.engine.carry_out(MakeAnswer("ab", offer.sdp))
    answer = await b.news(AnswerReady, "ab")
    assert isinstance(answer, AnswerReady)
    a.engine.carry_out(ApplyAnswer("ab", spoilt(answer.sdp)))
    for failed in (await a.news(Failed, "ab"), await b.news(Failed, "other")):
        assert isinstance(failed, Failed)
        assert "fingerprint" in failed.what
