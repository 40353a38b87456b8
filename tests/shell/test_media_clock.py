"""The clocks of sending and receiving: pace, stalls of the loop, packet lengths, pauses, bad packets."""

import asyncio
import time
from fractions import Fraction

import pytest
from av import AudioFrame, AudioResampler, CodecContext
from av.audio.codeccontext import AudioCodecContext

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame, level_dbfs
from media.opus import Encoder
from media.receiver import Receiver
from tests.e2e.media_pair import Memory, Tone, tone_dbfs

pytestmark = pytest.mark.shell

HERTZ = 500.0


def opus_packets(milliseconds: int, count: int) -> list[bytes]:
    """Return packets of a length that is not ours."""
    codec = CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", SAMPLE_RATE
    codec.options = {"frame_duration": str(milliseconds)}
    codec.open()
    resampler = AudioResampler("s16", "mono", SAMPLE_RATE, frame_size=SAMPLE_RATE * milliseconds // 1000)
    source, packets = Tone(HERTZ), []
    for index in range(count * milliseconds // 20 + 4):
        frame = AudioFrame.from_ndarray(source.read().reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, index * FRAME_SAMPLES
        frame.time_base = Fraction(1, SAMPLE_RATE)
        for piece in resampler.resample(frame):
            packets += [bytes(packet) for packet in codec.encode(piece)]
    return packets[:count]


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60, 120])
async def test_packets_of_any_length_become_frames_of_20_ms(milliseconds: int) -> None:
    memory, up = Memory(), []
    receiver = Receiver(memory.write, lambda: up.append(True))
    loop = asyncio.get_running_loop()
    for index, packet in enumerate(opus_packets(milliseconds, 1200 // milliseconds)):
        loop.call_later(
            index * milliseconds / 1000, receiver.receive, 1, index, index * milliseconds * 48, packet
        )
    await memory.more(0.4)
    assert tone_dbfs(await memory.more(0.6), HERTZ) > -17
    assert up == [True]
    receiver.close()
    receiver.close()


async def test_a_pause_is_heard_as_silence() -> None:
    memory, encoder, source = Memory(), Encoder(), Tone(HERTZ)
    receiver = Receiver(memory.write, lambda: None)
    for sequence in range(5):
        receiver.receive(1, sequence, 960 * sequence, encoder.encode(source.read()))
    await memory.more(0.5)
    assert level_dbfs(await memory.more(0.1)) == -96.0
    receiver.receive(1, 5, 960 * 5, encoder.encode(source.read()))
    await memory.until(lambda: level_dbfs(memory.frames[-1]) > -40)
    receiver.close()
    encoder.close()


async def test_what_is_not_opus_makes_no_sound_and_no_end(caplog: pytest.LogCaptureFixture) -> None:
    memory, encoder, source, up = Memory(), Encoder(), Tone(HERTZ), []
    receiver = Receiver(memory.write, lambda: up.append(True))
    receiver.receive(1, 0, 960 * 0, b"")
    receiver.receive(1, 1, 960 * 1, b"\xff\xff")
    receiver.receive(1, 2, 960 * 2, b"\xff")
    receiver.receive(1, 3, 960 * 3, encoder.encode(source.read()))
    await memory.until(lambda: len(memory.frames) >= 1)
    assert up == [True]
    assert len(caplog.records) == 1
    receiver.close()
    receiver.receive(1, 4, 960 * 4, b"\xff")
    encoder.close()


async def test_an_unforeseen_error_costs_one_frame() -> None:
    memory, encoder, source = Memory(), Encoder(), Tone(HERTZ)
    raised: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))

    def write(frame: Frame) -> None:
        memory.write(frame)
        if len(memory.frames) == 1:
            raise RuntimeError("unforeseen")

    receiver = Receiver(write, lambda: None)
    receiver.receive(1, 0, 960 * 0, encoder.encode(source.read()))
    await memory.until(lambda: len(memory.frames) >= 3)
    assert len(raised) == 1
    receiver.receive(1, 1, 960 * 1, encoder.encode(source.read()))
    receiver.finish()
    receiver.close()
    encoder.close()


async def test_a_stalled_loop_makes_up_for_what_it_did_not_play() -> None:
    memory, encoder, source = Memory(), Encoder(), Tone(HERTZ)
    receiver = Receiver(memory.write, lambda: None)
    receiver.receive(1, 0, 960 * 0, encoder.encode(source.read()))
    await memory.until(lambda: len(memory.frames) >= 1)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    await memory.more(0.6)  # what is made up for comes a few milliseconds apart
    assert (len(memory.frames) - 1) * 0.02 > memory.times[-1] - memory.times[0] - 0.15
    assert receiver.frames_late >= 10
    receiver.close()
    encoder.close()
