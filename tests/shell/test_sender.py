"""The outgoing sound: pace, the common grid, what is late, pauses, keypad digits, the last frame."""

import asyncio
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, FRAME_SECONDS, SILENCE, Frame
from media.dtmf import EventReceiver
from media.opus import Decoder, Wishes, has_fec
from media.rate import Target
from media.rtp import SILENT, VOICE
from media.sender import Sender
from tests.e2e.media_pair import DEADLINE, LOUD, Tone, tone_dbfs

pytestmark = pytest.mark.shell

DTX = Wishes(fec=True, dtx=True)
EVENT_TYPE = 110


class Sent:
    """A packet as a Sender hands it out, and when."""

    def __init__(self, kind: int | None, timestamp: int, payload: bytes, marker: bool, level: int) -> None:
        self.kind, self.timestamp, self.payload = kind, timestamp, payload
        self.marker, self.level = marker, level
        self.time = asyncio.get_running_loop().time()


class Wire:
    """Make senders, and remember what they send."""

    def __init__(self) -> None:
        self.senders: list[Sender] = []
        self.packets: list[list[Sent]] = []
        self._news = asyncio.Event()

    def sender(self, read: Callable[[], Frame], wishes: Wishes = DTX, event_rate: int = 0) -> Sender:
        log: list[Sent] = []
        self.packets.append(log)

        def send(*packet: object) -> None:
            log.append(Sent(*packet))  # type: ignore[arg-type]
            self._news.set()

        sender = Sender(read, send)
        sender.configure(wishes, EVENT_TYPE, event_rate)
        self.senders.append(sender)
        return sender

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def count(self, packets: int, number: int = 0) -> list[Sent]:
        await self.until(lambda: len(self.packets[number]) >= packets)
        return self.packets[number]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    for sender in wire.senders:
        sender.close()
        sender.close()


async def test_the_first_frame_goes_at_once_and_the_others_in_time(wire: Wire) -> None:
    sender = wire.sender(Tone(440.0).read)
    sender.start()
    assert len(wire.packets[0]) == 1
    sender.start()
    assert len(wire.packets[0]) == 1
    packets = await wire.count(12)
    steps = np.diff([packet.timestamp for packet in packets])
    assert all(step > 0 and step % FRAME_SAMPLES == 0 for step in steps)
    assert sum(steps) / 48_000 == pytest.approx(packets[-1].time - packets[0].time, abs=0.04)
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert all(packet.level == 15 | VOICE for packet in packets)


async def test_where_packets_are_lost_a_pause_is_said_twice(wire: Wire) -> None:
    sender = wire.sender(lambda: SILENCE)
    sender.set_target(Target(fec=True))
    sender.start()

    def said() -> list[int]:
        return [packet.timestamp for packet in wire.packets[0] if len(packet.payload) <= 2]

    await wire.until(lambda: len(said()) == 3)
    first, second, third = said()
    assert second - first <= (1 + sender.frames_late) * FRAME_SAMPLES
    assert third - second > 10 * FRAME_SAMPLES


async def test_all_senders_of_a_process_come_to_send_at_the_same_moments(wire: Wire) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(5):
        wire.sender(Tone(440.0).read).start()
        await asyncio.sleep(0.007)
    await wire.until(lambda: all(len(packets) > 40 for packets in wire.packets))
    assert len({sender._timer.when() for sender in wire.senders if sender._timer}) <= 2  # one has just sent
    when = max(sender._timer.when() for sender in wire.senders if sender._timer)
    assert when / FRAME_SECONDS == pytest.approx(round(when / FRAME_SECONDS), abs=1e-6)
    assert when - loop.time() < 0.05


async def test_what_is_late_is_skipped(wire: Wire) -> None:
    sender = wire.sender(Tone(440.0).read)
    sender.start()
    await wire.count(3)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    await wire.count(4)
    before = len(wire.packets[0])
    packets = await wire.count(before + 3)
    steps = np.diff([packet.timestamp for packet in packets]) // FRAME_SAMPLES
    assert max(steps) >= 12
    assert sum(steps - 1) == sender.frames_late
    waits = np.diff([packet.time for packet in packets])
    assert np.sum(waits < 0.002) <= 1  # no burst


async def test_a_pause_is_told_and_then_only_updated(wire: Wire) -> None:
    tone = Tone(440.0)
    frames = iter([*(tone.read() for _ in range(3)), *[SILENCE] * 70])
    sender = wire.sender(lambda: next(frames, tone.read()))
    sender.start()
    packets = await wire.count(3 + 10 + 4 + 5)
    started = [packet.timestamp for packet in packets[1:] if packet.marker]
    small = [packet for packet in packets if len(packet.payload) <= 2]
    assert 1 <= len(small) <= 8
    steps = np.diff([packet.timestamp for packet in packets]) // FRAME_SAMPLES
    assert max(steps) <= 21 + sender.frames_late  # 400 ms
    assert max(steps) > 10
    after_gaps = [after.timestamp for after, step in zip(packets[1:], steps, strict=True) if step > 1]
    assert started
    assert set(started) <= set(after_gaps)
    assert len(after_gaps) - len(started) <= sender.frames_late
    assert packets[-1].level == 15 | VOICE
    assert packets[-1].timestamp - packets[0].timestamp >= 70 * FRAME_SAMPLES


async def test_silence_is_sent_from_the_first_frame_on_and_always_to_who_wants_no_dtx(wire: Wire) -> None:
    for wishes in (DTX, Wishes()):
        wire.sender(lambda: SILENCE, wishes).start()
    await wire.count(40, 1)
    with_dtx, without = wire.packets
    assert len(with_dtx[0].payload) > 2
    assert with_dtx[0].level == SILENT
    assert len(with_dtx) < 25
    assert all(len(packet.payload) > 2 for packet in without)


async def test_a_tone_is_never_taken_for_a_pause(wire: Wire) -> None:
    wire.sender(Tone(440.0).read).start()
    packets = await wire.count(40)
    assert all(len(packet.payload) > 2 for packet in packets)


async def test_targets_are_held_to_what_the_other_end_wants(wire: Wire) -> None:
    sender = wire.sender(Tone(440.0).read, Wishes(max_bitrate=20_000, fec=False, cbr=True))
    sender.set_target(Target(64_000, 10, True))
    assert sender.target == Target(20_000, 10, False)
    sender.start()
    packets = await wire.count(10)
    assert {len(packet.payload) for packet in packets} == {50}
    assert not any(has_fec(packet.payload) for packet in packets)
    sender.configure(Wishes(fec=True))
    assert sender.target == Target(64_000, 10, True)


@pytest.mark.parametrize("rate", [48_000, 8_000])
async def test_keypad_digits_are_events_in_the_place_of_sound(wire: Wire, rate: int) -> None:
    sender, receiver = wire.sender(Tone(440.0).read, event_rate=rate), EventReceiver(rate)
    sender.start()
    sender.press("1")
    sender.press("d")
    packets = await wire.count(32)
    events = [packet for packet in packets if packet.kind == EVENT_TYPE]
    assert len(events) == 2 * (5 + 2)  # the last of each three times
    told = [event for packet in events if (event := receiver.receive(packet.timestamp, packet.payload))]
    assert [event.digit for event in told] == ["1", "D"]
    assert all(event.duration == pytest.approx(0.1) for event in told)
    assert sum(packet.marker for packet in events) == 2
    sound = [packet.timestamp for packet in packets if packet.kind is None]
    assert np.diff(sound).max() >= 6 * FRAME_SAMPLES
    with pytest.raises(ValueError, match="keypad"):
        sender.press("x")


async def test_keypad_digits_are_tones_where_events_are_unknown(wire: Wire) -> None:
    sender, decoder = wire.sender(Tone(440.0).read), Decoder()
    sender.press("1")
    sender.press("5")
    sender.start()
    packets = await wire.count(16 + 6)
    frames = [decoder.decode(packet.payload) for packet in packets]
    one, five, after = (
        np.concatenate(frames[1:4]),
        np.concatenate(frames[9:12]),
        np.concatenate(frames[18:22]),
    )
    for sound, tones in ((one, (697, 1209)), (five, (770, 1336))):
        assert min(tone_dbfs(sound, hertz) for hertz in tones) > -30
        assert tone_dbfs(sound, 440) < -35
    assert tone_dbfs(after, 440.0) > LOUD - 2
    with pytest.raises(ValueError, match="keypad"):
        sender.press("x")
    decoder.close()


async def test_finishing_sends_one_packet_more_at_once(wire: Wire) -> None:
    sender = wire.sender(Tone(440.0).read)
    sender.finish()  # nothing was begun
    sender.start()
    await wire.count(3)
    before = len(wire.packets[0])
    sender.finish()
    sender.finish()
    assert len(wire.packets[0]) == before + 1
    sender.start()
    await asyncio.sleep(0.06)
    assert len(wire.packets[0]) == before + 1


async def test_a_source_that_hangs_up_is_heard_to_its_end(wire: Wire) -> None:
    reads = 0

    def read() -> Frame:
        nonlocal reads
        reads += 1
        if reads == 3:
            sender.finish()
        return SILENCE

    sender = wire.sender(read)
    sender.start()
    packets = await wire.count(4)
    await asyncio.sleep(0.06)
    assert len(packets) == reads == 4
    assert packets[3].time - packets[2].time < 0.01
