"""Offers, answers and candidates: early, late, broken, of browsers and of plain aiortc."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from media import peer, speech
from media.engine import IceServer
from media.orders import (
    AddCandidate,
    AnswerReady,
    ApplyAnswer,
    AudioUp,
    DtmfReceived,
    Failed,
    MakeAnswer,
    MakeOffer,
    MediaLost,
    OfferReady,
    ReofferReady,
    SendDtmf,
    SetHold,
)
from media.source import NumpySource, load
from tests.e2e.media_pair import (
    A_TONE,
    B_TONE,
    LOUD,
    Make,
    Memory,
    Station,
    Tone,
    carry_reoffer,
    hears,
    lossy,
    open_stations,
    pair,
    stock_answer,
    tone_dbfs,
)

pytestmark = pytest.mark.e2e

SPEECH = Path(speech.__file__).parent / "bob.flac"


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
        assert [line for line in lines if line.startswith("a=rtpmap:")] == [
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:110 telephone-event/48000",
            "a=rtpmap:126 telephone-event/8000",
        ]
        assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in lines
        assert "a=fmtp:110 0-15" in lines
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


def edited(sdp: str, edit: Callable[[str], str | None]) -> str:
    """Return a description with every line edited, or left out."""
    lines = [line for line in map(edit, sdp.splitlines()) if line is not None]
    return "\r\n".join(lines) + "\r\n"


def as_other_types(line: str) -> str | None:
    """Renumber keypad digits, and know none of 48000 Hz."""
    if line.startswith("m=audio"):
        return line.replace(" 96 110 126", " 96 101")
    if ":110 " in line:
        return None
    return line.replace(":126 ", ":101 ")


def without_events(line: str) -> str | None:
    if line.startswith("m=audio"):
        return line.replace(" 96 110 126", " 96")
    return None if ":110 " in line or ":126 " in line else line


async def call(a: Station, b: Station, edit: Callable[[str], str | None]) -> tuple[str, str]:
    """Connect with an edited offer; return the offer as edited, and the answer."""
    a.engine.carry_out(MakeOffer("ab"))
    offer = await a.news(OfferReady, "ab")
    assert isinstance(offer, OfferReady)
    sdp = edited(offer.sdp, edit)
    b.engine.carry_out(MakeAnswer("ab", sdp))
    answer = await b.news(AnswerReady, "ab")
    assert isinstance(answer, AnswerReady)
    a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
    await a.news(AudioUp, "ab")
    await b.news(AudioUp, "ab")
    return sdp, answer.sdp


async def test_keypad_digits_go_both_ways(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    _, answer = await call(a, b, lambda line: line)
    assert "a=rtpmap:110 telephone-event/48000" in answer
    a.engine.carry_out(SendDtmf("ab", "1#"))
    b.engine.carry_out(SendDtmf("ab", "d"))
    await b.news(DtmfReceived, "ab", 2)
    await a.news(DtmfReceived, "ab", 1)
    digits = [
        [one.digit for one in end.told(DtmfReceived, "ab") if isinstance(one, DtmfReceived)] for end in (a, b)
    ]
    assert digits == [["D"], ["1", "#"]]
    for end in (a, b):  # they share the numbers of the sound
        stats = end.engine.stats("ab")
        assert stats is not None
        assert stats.packets_lost == 0


async def test_keypad_digits_take_the_payload_types_of_the_offer_and_keep_them(stations: Make) -> None:
    a, b = stations("a"), stations("b")
    _, answer = await call(a, b, as_other_types)
    assert "a=rtpmap:101 telephone-event/8000" in answer
    assert "telephone-event/48000" not in answer
    a.engine.carry_out(SetHold("ab", local=True, remote=False, offerer=True))
    b.engine.carry_out(SetHold("ab", local=False, remote=True, offerer=False))
    await carry_reoffer(a, b, "ab", 1)
    reoffer = a.told(ReofferReady, "ab")[0]
    assert isinstance(reoffer, ReofferReady)
    assert "a=rtpmap:101 telephone-event/8000" in reoffer.sdp
    assert "telephone-event/48000" not in reoffer.sdp
    a.engine.carry_out(SendDtmf("ab", "7"))
    digit = await b.news(DtmfReceived, "ab")
    assert isinstance(digit, DtmfReceived)
    assert (digit.digit, round(digit.duration, 2)) == ("7", 0.1)


async def test_keypad_digits_are_heard_where_events_are_unknown(stations: Make) -> None:
    a, b, at_b = stations("a"), stations("b"), Memory()
    b.engine.set_sink("ab", at_b)
    await call(a, b, without_events)
    a.engine.carry_out(SendDtmf("ab", "1111111111"))
    await at_b.until(lambda: min(tone_dbfs(at_b.sound()[-2880:], hertz) for hertz in (697, 1209)) > -25)
    assert not b.told(DtmfReceived, "ab")


async def test_what_is_no_digit_is_an_error_that_ends_nothing(
    stations: Make, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = stations("a"), stations("b")
    await call(a, b, lambda line: line)
    a.engine.carry_out(SendDtmf("ab", "12x"))
    a.engine.carry_out(SendDtmf("ab", "5"))
    await b.news(DtmfReceived, "ab")
    assert "keypad" in caplog.text
    assert not a.told(Failed, "ab")


async def test_a_digit_whose_end_is_lost_is_told_all_the_same(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = stations("a"), stations("b")
    await call(a, b, lambda line: line)
    digits = 0

    def tamper(data: bytes) -> list[tuple[float, bytes]]:
        nonlocal digits
        digits += data[1] & 0x7F == 110
        return [] if digits > 3 and data[1] & 0x7F == 110 else [(0.0, data)]

    lossy(monkeypatch, tamper)
    a.engine.carry_out(SendDtmf("ab", "9"))
    digit = await b.news(DtmfReceived, "ab")
    assert isinstance(digit, DtmfReceived)
    assert (digit.digit, round(digit.duration, 2)) == ("9", 0.06)


@pytest.mark.parametrize(
    "parameters",
    [
        "minptime=10;useinbandfec=0;maxaveragebitrate=20000;cbr=1",
        "minptime=; useinbandfec=0; maxaveragebitrate=20000; maxplaybackrate=x; cbr=1;",  # as RFC 7587 writes
    ],
)
async def test_what_the_other_end_wants_is_sent(stations: Make, parameters: str) -> None:
    a, b, at_a = stations("a"), stations("b"), Memory()
    a.engine.set_sink("ab", at_a)
    b.engine.set_source("ab", Tone(B_TONE))
    wants = f"a=fmtp:96 {parameters}"
    await call(a, b, lambda line: wants if line.startswith("a=fmtp:96") else line)
    sizes: set[int] = set()
    a.engine._legs["ab"].ends.packet = lambda *packet: sizes.add(len(packet[3]))  # type: ignore[method-assign]
    await at_a.more(0.5)
    assert sizes == {50}  # 20 kbit/s
    stats = b.engine.stats("ab")
    assert stats is not None
    assert (stats.target_bitrate, stats.fec) == (20_000, False)


async def test_loss_switches_fec_on_and_the_other_end_recovers(
    stations: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    a, b, at_a, _ = await pair(stations)
    b.engine.set_source("ab", NumpySource(load(SPEECH), loop=True))
    before = b.engine.stats("ab")
    assert before is not None
    assert (before.fec, before.expected_loss, before.target_bitrate) == (False, 0, 64_000)
    lost: set[bytes] = set()

    def tamper(data: bytes) -> list[tuple[float, bytes]]:
        if data in lost or chance.random() < 0.1:
            lost.add(data)  # when it is sent again, too
            return []
        return [(0.0, data)]

    lossy(monkeypatch, tamper)
    async with asyncio.timeout(20):
        while True:
            await at_a.more(0.2)
            there, here = b.engine.stats("ab"), a.engine.stats("ab")
            assert there is not None
            assert here is not None
            used = here.fec_packets_received - here.fec_packets_discarded
            if there.fec and there.retransmitted_packets_sent > 0 and used > 3:
                break
    assert there.expected_loss >= 10
    assert there.target_bitrate >= 40_000
    assert there.remote_fraction_lost is not None
    assert there.round_trip_time is not None
    assert here.packets_lost > 0


async def test_silence_is_a_pause_and_no_loss_of_the_path(
    stations: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(peer, "WATCH_SECONDS", 0.1)
    a, b, at_a, _ = await pair(stations)
    b.engine.set_source("ab", None)
    await hears(at_a, only=None, others=())
    start, length = b.engine.stats("ab"), 3.0
    await at_a.more(length)
    end = b.engine.stats("ab")
    assert start is not None
    assert end is not None
    assert end.packets_sent - start.packets_sent < length * 25
    assert not a.told(MediaLost, "ab")
    b.engine.set_source("ab", Tone(B_TONE))
    await hears(at_a, only=B_TONE, others=())
