"""Hold, take-over and hang-up between engines, judged by what each end hears."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from media.audio import FRAME_SAMPLES, Frame, level_dbfs
from media.orders import (
    AnswerReoffer,
    ApplyAnswer,
    AudioUp,
    Close,
    Closed,
    Failed,
    Happening,
    MakeOffer,
    MediaLost,
    Mute,
    OfferReady,
    ReofferAnswered,
    ReofferReady,
    SetHold,
    TakeOver,
)
from media.playout import Playout
from media.receiver import Receiver
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


async def test_an_offer_made_again_may_be_answered_twice(stations: Make) -> None:
    a, b, at_a, at_b = await pair(stations)
    a.engine.carry_out(SetHold("ab", local=False, remote=False, offerer=True))
    offer = await a.news(ReofferReady, "ab")
    assert isinstance(offer, ReofferReady)
    for count in (1, 2):
        b.engine.carry_out(AnswerReoffer("ab", offer.sdp))
        answer = await b.news(ReofferAnswered, "ab", count)
        assert isinstance(answer, ReofferAnswered)
        a.engine.carry_out(ApplyAnswer("ab", answer.sdp))
    await hears(at_a, only=B_TONE, others=())
    await hears(at_b, only=A_TONE, others=())
    assert not a.told(Failed, "ab") and not b.told(Failed, "ab")


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
    frames = at_b.frames[start:]
    last_of_a = max(at for at, frame in enumerate(frames) if tone_dbfs(frame, A_TONE) > -30)
    first_of_c = next(at for at, frame in enumerate(frames) if tone_dbfs(frame, C_TONE) > -30)
    assert 0 <= first_of_c - last_of_a <= 5  # both in the frame of the cross-fade; 100 ms
    assert len(frames) - 1 <= (at_b.times[-1] - at_b.times[start]) / 0.02 + 2
    around = frames[max(0, last_of_a - 10) : first_of_c + 10]
    steps = np.abs(np.diff(np.concatenate(around).astype(np.int32)))
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
    assert tone_dbfs(at_b.frames[before], A_TONE) > LOUD - 3
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
    playout = station.engine._legs[call_id].opened._receiver._playout
    put = Playout.put
    closed: asyncio.Future[tuple[int, int, int]] = asyncio.get_running_loop().create_future()

    def put_and_close(self: Playout, ssrc: int, number: int, stamp: int, payload: bytes, now: float) -> None:
        put(self, ssrc, number, stamp, payload, now)
        if self is playout and not closed.done() and not self._concealed:  # a busy machine may conceal
            samples = len(self._rest) + FRAME_SAMPLES * len(self._buffer)
            before, held = len(sink.frames), -(-samples // FRAME_SAMPLES)
            station.engine.carry_out(Close(call_id))
            closed.set_result((before, held, len(sink.frames)))

    monkeypatch.setattr(Playout, "put", put_and_close)
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
    assert tone_dbfs(at_b.frames[before], C_TONE) > LOUD - 3  # the last is filled up by concealment
    await hears(at_b, only=A_TONE, others=(C_TONE,))


async def test_a_take_over_of_a_call_that_is_up_is_at_once(stations: Make) -> None:
    _, b, _, at_b = await pair(stations)
    c = stations("c")
    c.engine.set_source("bc", Tone(C_TONE))
    await talk(b, c, "bc")
    b.engine.carry_out(TakeOver("bc", "ab"))
    await hears(at_b, only=C_TONE, others=(A_TONE,))


class LastWord(Tone):
    """Say a chirp of 60 ms and hang up in the very read that returns its end."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        super().__init__(1.0)
        self.word = chirp()
        self._frames = list(self.word.reshape(-1, FRAME_SAMPLES))
        self._hang_up = hang_up

    def read(self) -> Frame:
        frame = self._frames.pop(0)
        if not self._frames:
            self._hang_up()
        return frame


def chirp() -> NDArray[np.int16]:
    time = np.arange(3 * FRAME_SAMPLES) / 48_000
    wave: NDArray[np.int16] = (8000 * np.sin(2 * np.pi * (300 + 15_000 * time) * time)).astype(np.int16)
    return wave


def close_when(station: Station, kind: type[Happening], call_id: str, sink: Memory) -> Callable[[], int]:
    """Close a call as soon as something happens; return how to ask how many frames were heard by then."""
    heard: list[int] = []
    log = station.engine._happened

    def happened(happening: Happening) -> None:
        if isinstance(happening, kind) and happening.call_id == call_id:
            station.engine.carry_out(Close(call_id))
            heard.append(len(sink.frames))
        log(happening)

    station.engine._happened = happened
    return lambda: heard[0]


@pytest.mark.parametrize("line", ["good", "jittery", "lossy"])
async def test_the_last_word_before_the_hang_up_is_heard(
    stations: Make, monkeypatch: pytest.MonkeyPatch, seed: int, line: str
) -> None:
    chance, bad = random.Random(seed), line != "good"

    def tamper(data: bytes) -> list[tuple[float, bytes]]:
        if bad and line == "lossy" and chance.random() < 0.1:
            return []
        return [(chance.choice((0.0, 0.04)) if bad and line == "jittery" else 0.0, data)]

    lossy(monkeypatch, tamper)
    a, b, at_a, at_b = await pair(stations)
    await at_b.more(1.0)  # a bad line makes the buffer hold more
    bad = False
    heard_by_then = close_when(b, MediaLost, "ab", at_b)  # comes on the path of the packets, behind the last
    voice = LastWord(lambda: a.engine.carry_out(Close("ab")))
    said = len(at_b.frames)
    a.engine.set_source("ab", voice)
    await a.news(Closed, "ab")
    heard_at_a = len(at_a.frames)
    await b.news(Closed, "ab")
    assert (voice.closed, at_a.closed, at_b.closed) == (1, 1, 1)
    assert len(at_b.frames) == heard_by_then()
    assert len(at_a.frames) == heard_at_a
    sound = np.concatenate(at_b.frames[max(0, said - 2) :]).astype(np.float64)
    word = voice.word.astype(np.float64)
    for end in (word[-FRAME_SAMPLES:], word[-312:]):  # 312: what the encoder looks ahead
        likeness = np.correlate(sound, end, "valid")
        at = int(np.argmax(likeness))
        assert likeness[at] > 0.9 * np.linalg.norm(end) * np.linalg.norm(sound[at : at + len(end)])
        assert level_dbfs(sound[at : at + len(end)].astype(np.int16)) > LOUD - 3


async def test_a_hang_up_while_muted_lets_nothing_through(stations: Make) -> None:
    a, _, at_a, _ = await pair(stations)
    a.engine.carry_out(Mute("ab", outgoing=False, incoming=True))
    await hears(at_a, only=None, others=())
    before = len(at_a.frames)
    a.engine.carry_out(Close("ab"))
    assert not np.any(at_a.frames[before:])
    assert at_a.closed == 1


class Finger(Memory):
    """Hang up at the first frame that is heard."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        super().__init__()
        self._hang_up = hang_up

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self._hang_up()


async def test_a_sink_that_hangs_up_is_not_called_within_its_call(stations: Make) -> None:
    a, _, _, _ = await pair(stations)
    finger = Finger(lambda: a.engine.carry_out(Close("ab")))
    a.engine.set_sink("ab", finger)
    await a.news(Closed, "ab")
    assert (len(finger.frames), finger.closed) == (1, 1)


async def test_packets_of_10_ms_are_drained_to_whole_frames() -> None:
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "s16", "mono"
    encoder.options = {"frame_duration": "10"}
    sound = AudioFrame.from_ndarray(chirp().reshape(1, -1), format="s16", layout="mono")
    sound.sample_rate = 48_000
    packets = [bytes(packet) for packet in encoder.encode(sound)][:5]
    sink, heard = Memory(), asyncio.Event()
    receiver = Receiver(sink.write, heard.set)
    for number, packet in enumerate(packets):
        receiver.receive(1, number, 480 * number, packet)
    async with asyncio.timeout(DEADLINE):
        await heard.wait()
    receiver.finish()
    played = len(sink.frames)
    assert played >= 3 and {len(frame) for frame in sink.frames} == {FRAME_SAMPLES}  # the rest is concealed
    receiver.receive(1, len(packets), 480 * len(packets), packets[0])
    receiver.finish()
    receiver.close()
    assert len(sink.frames) == played
