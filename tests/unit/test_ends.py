"""The ends of a call: whose sound, when silence, joins that do not click, and faults that stay here."""

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, SILENCE, Frame, PacketSink
from media.ends import Ends

pytestmark = pytest.mark.unit

MAX_STEP = 20_000 // 240 + 2  # from full sound to none within 5 ms


class Constant:
    def __init__(self, value: int = 20_000) -> None:
        self.closed = 0
        self.heard: list[Frame] = []
        self._frame = np.full(FRAME_SAMPLES, value, np.int16)

    def read(self) -> Frame:
        return self._frame

    def write(self, frame: Frame) -> None:
        self.heard.append(frame)

    def close(self) -> None:
        self.closed += 1


def steps(frames: list[Frame]) -> int:
    return int(np.abs(np.diff(np.concatenate(frames).astype(np.int32))).max())


def test_without_ends_there_is_silence() -> None:
    ends = Ends()
    assert not ends.read().any()
    ends.write(SILENCE)
    ends.close()
    assert ends.level_in == ends.level_out == -96.0


def test_saying_starts_and_stops_without_a_click() -> None:
    ends, source = Ends(), Constant()
    said = [ends.read()]
    ends.set_source(source)
    said += [ends.read(), ends.read()]
    ends.muted = True
    said += [ends.read(), ends.read()]
    ends.muted, ends.local_hold = False, True
    said.append(ends.read())
    ends.local_hold = False
    said.append(ends.read())
    assert [frame[-1] for frame in said] == [0, 20_000, 20_000, 0, 0, 0, 20_000]
    assert steps(said) <= MAX_STEP


def test_hearing_is_silenced_without_a_click() -> None:
    ends, sink, frame = Ends(), Constant(), Constant().read()
    ends.set_sink(sink)
    for local, remote, muted in ((0, 0, 0), (1, 0, 0), (0, 0, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1)):
        ends.local_hold, ends.remote_hold, ends.incoming_muted = bool(local), bool(remote), bool(muted)
        ends.write(frame)
    assert [frame[-1] for frame in sink.heard] == [20_000, 0, 20_000, 0, 20_000, 0]
    assert steps(sink.heard) <= MAX_STEP


def test_ends_move_with_the_sound_they_were_in() -> None:
    old, new, both = Ends(), Ends(), Constant()
    replaced = Constant()
    old.set_source(both)
    old.set_sink(both)
    new.set_source(replaced)
    new.waiting = True
    old.write(both.read())
    new.write(both.read())
    assert not new.read().any()
    old.move_to(new)
    new.waiting = False
    new.write(Constant(-20_000).read())
    assert (both.closed, replaced.closed) == (0, 1)
    assert (old.source, old.sink, new.source, new.sink) == (None, None, both, both)
    assert steps(both.heard) <= 2 * MAX_STEP
    Ends().move_to(new)  # what is not there is not moved
    assert (new.source, new.sink) == (both, both)


def test_the_same_end_again_is_not_closed() -> None:
    ends, both = Ends(), Constant()
    for _ in range(2):
        ends.set_source(both)
        ends.set_sink(both)
    assert both.closed == 0
    ends.close()
    ends.close()
    assert both.closed == 2


class Broken(Constant):
    """Fail at everything."""

    def read(self) -> Frame:
        raise OSError("the device is gone")

    def write(self, frame: Frame) -> None:
        raise OSError("the disk is full")

    def close(self) -> None:
        super().close()
        raise OSError("not even that")


class Recording(Constant):
    """Take packets too."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[tuple[int, int, int, bytes]] = []

    def packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> None:
        if payload == b"bad":
            raise OSError("the disk is full")
        self.packets.append((ssrc, sequence, timestamp, payload))


def test_packets_are_for_a_sink_that_takes_them_and_may_hear() -> None:
    ends, sink = Ends(), Recording()
    assert isinstance(sink, PacketSink) and not isinstance(Constant(), PacketSink)
    ends.packet(1, 0, 0, b"nobody")
    ends.set_sink(Constant())
    ends.packet(1, 1, 960, b"no recorder")
    ends.set_sink(sink)
    ends.packet(1, 2, 1920, b"first")
    for name in ("local_hold", "remote_hold", "incoming_muted", "waiting"):
        setattr(ends, name, True)
        ends.packet(1, 3, 2880, b"not to be heard")
        setattr(ends, name, False)
    ends.packet(1, 4, 3840, b"second")
    assert sink.packets == [(1, 2, 1920, b"first"), (1, 4, 3840, b"second")]


def test_a_sink_that_fails_at_a_packet_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    ends, sink = Ends(), Recording()
    ends.set_sink(sink)
    for _ in range(2):
        ends.packet(1, 0, 0, b"bad")
    assert (ends.sink, sink.closed) == (None, 1)
    assert caplog.text.count("replaced by none") == 1


class Short(Constant):
    def read(self) -> Frame:
        return super().read()[:-1]


@pytest.mark.parametrize("source", [Broken(), Short()])
def test_a_faulty_source_is_let_go_and_silence_takes_over(
    source: Constant, caplog: pytest.LogCaptureFixture
) -> None:
    ends = Ends()
    ends.set_source(Constant())
    said = [ends.read()]
    ends.set_source(source)
    said += [ends.read(), ends.read()]
    assert [frame[-1] for frame in said] == [20_000, 0, 0]
    assert steps(said) <= MAX_STEP
    assert (ends.source, source.closed) == (None, 1)
    assert caplog.text.count("replaced by silence") == 1


def test_a_faulty_sink_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    ends, sink, good = Ends(), Broken(), Constant()
    ends.set_sink(sink)
    for _ in range(2):
        ends.write(SILENCE)
    assert (ends.sink, sink.closed) == (None, 1)
    assert caplog.text.count("replaced by none") == caplog.text.count("failed to close") == 1
    ends.set_sink(good)
    ends.write(good.read())
    assert good.heard[0][-1] == 20_000
