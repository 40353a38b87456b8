"""The ends of a call: whose sound, when silence, joins that do not click, and faults that stay here."""

import numpy as np
import pytest

from media.audio import FRAME_SAMPLES, SILENCE, Frame, PacketSink
from media.ends import Ends
from media.fades import FADE_SAMPLES
from media.source import NumpySource
from media.speech import speech

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


class Broken(Constant):
    """Fail at everything."""

    def read(self) -> Frame:
        raise OSError("the device is gone")

    def write(self, frame: Frame) -> None:
        raise OSError("the disk is full")

    def close(self) -> None:
        super().close()
        raise OSError("not even that")


class Short(Constant):
    def read(self) -> Frame:
        return super().read()[:-1]


def steps(frames: list[Frame]) -> int:
    return int(np.abs(np.diff(np.concatenate(frames).astype(np.int32))).max())


def test_without_ends_there_is_silence() -> None:
    ends = Ends()
    assert not ends.read().any()
    ends.write(SILENCE, ends)
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
        ends.write(frame, ends)
    assert [frame[-1] for frame in sink.heard] == [20_000, 0, 20_000, 20_000, 20_000, 0]
    assert steps(sink.heard) <= MAX_STEP


@pytest.mark.parametrize("muted", [False, True])
def test_who_is_held_hears_the_hold_audio_and_nothing_else(muted: bool) -> None:
    opened: list[Constant] = []

    def hold_audio() -> Constant:
        opened.append(Constant(-10_000))
        return opened[-1]

    holder, held = Ends(hold_audio), Ends(hold_audio)
    for ends in (holder, held):
        ends.set_source(Constant())
        ends.set_sink(Constant())
    holder.muted = held.muted = muted
    heard: list[tuple[int, int]] = []
    said: list[Frame] = []
    for holds in ((False, False), (True, False), (True, False), (True, True), (False, True), (False, False)):
        holder.local_hold, holder.remote_hold = holds
        held.remote_hold, held.local_hold = holds
        said.append(holder.read())
        held.write(said[-1], held)
        holder.write(held.read(), holder)
        heard.append((int(hears(held)[-1]), int(hears(holder)[-1])))
    voice = 0 if muted else 20_000
    assert heard == [(voice, voice), (-10_000, 0), (-10_000, 0), (0, 0), (0, -10_000), (voice, voice)]
    assert steps(said) <= 1.5 * MAX_STEP
    assert [one.closed for one in opened] == [1, 1]
    held.local_hold = True
    held.read()
    held.close()
    assert [one.closed for one in opened] == [1, 1, 1]


def hears(ends: Ends) -> Frame:
    assert isinstance(ends.sink, Constant)
    return ends.sink.heard[-1]


def test_hold_audio_that_fails_is_silence(caplog: pytest.LogCaptureFixture) -> None:
    def none() -> Constant:
        raise OSError("no music")

    for hold_audio in (none, Broken):
        ends = Ends(hold_audio)
        ends.local_hold = True
        assert not any(ends.read().any() for _ in range(3))
    assert caplog.text.count("there is no hold audio") == caplog.text.count("replaced by silence") == 1


def test_volumes_go_with_source_and_sink() -> None:
    old, new, both = Ends(), Ends(), Constant(8_000)
    old.set_source(both)
    old.set_sink(both)
    old.outgoing.volume, old.incoming.volume = 0.5, 2.0
    old.write(both.read(), old)
    assert (old.read()[-1], both.heard[-1][-1]) == (4_000, 16_000)
    old.move_to(new)
    new.write(both.read(), new)
    assert (new.read()[-1], both.heard[-1][-1]) == (4_000, 16_000)
    assert old.outgoing.volume == old.incoming.volume == 1.0


def test_who_talks_is_told() -> None:
    told: list[tuple[str, bool]] = []
    ends = Ends(
        speaking=lambda on: told.append(("there", on)),
        speaking_while_muted=lambda on: told.append(("muted", on)),
    )
    said = NumpySource(speech("bob"), loop=True)
    ends.set_source(said)

    def pass_time() -> None:
        for _ in range(50):
            ends.read()
            ends.write(said.read(), ends)

    pass_time()
    assert told == [("there", True)]
    ends.muted = True
    pass_time()
    ends.muted = False
    pass_time()
    assert told[1:] == [("muted", True), ("muted", False)]
    ends.muted = ends.remote_hold = True
    pass_time()
    assert told[3:] == [("there", False)]


def test_a_sound_that_takes_over_does_so_at_its_first_sample() -> None:
    """In a transfer: what the old call says last is heard, and the new one from the next frame on."""
    old, new, ear = Ends(), Ends(), Constant()
    old.set_sink(ear)
    new.waiting = True
    before = speech("alice")[48_000 : 48_000 + 5 * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    after = speech("bob")[48_000 : 48_000 + 5 * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    for frame in before:
        new.write(after[0], new)  # not yet
        old.write(frame, old)
    old.move_to(new)
    new.waiting = False
    for frame in after:
        new.write(frame, new)
        old.write(before[0], old)  # no longer
    heard = np.concatenate(ear.heard)
    wanted = np.concatenate((*before, *after))
    different = np.flatnonzero(heard != wanted)
    start = len(before) * FRAME_SAMPLES
    assert len(heard) == len(wanted)
    assert set(different) <= {*range(FADE_SAMPLES), *range(start, start + FADE_SAMPLES)}
    own = max(steps([*before]), steps([*after]))
    assert steps([heard[start - FRAME_SAMPLES : start + FRAME_SAMPLES]]) <= own + MAX_STEP


def test_another_path_of_the_call_is_heard_without_a_click() -> None:
    ends, sink = Ends(), Constant()
    ends.set_sink(sink)
    for path, value in (("first", 20_000), ("first", 20_000), ("second", -20_000), ("second", -20_000)):
        ends.write(Constant(value).read(), path)
    assert [frame[-1] for frame in sink.heard] == [20_000, 20_000, -20_000, -20_000]
    assert steps(sink.heard) <= 2 * MAX_STEP
    assert np.array_equal(sink.heard[3], Constant(-20_000).read())  # faded only where the paths meet


def test_ends_move_with_the_sound_they_were_in() -> None:
    old, new, both = Ends(), Ends(), Constant()
    replaced = Constant()
    old.set_source(both)
    old.set_sink(both)
    new.set_source(replaced)
    new.waiting = True
    old.write(both.read(), old)
    new.write(both.read(), new)
    assert not new.read().any()
    old.move_to(new)
    new.waiting = False
    new.write(Constant(-20_000).read(), new)
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
        ends.write(SILENCE, ends)
    assert (ends.sink, sink.closed) == (None, 1)
    assert caplog.text.count("replaced by none") == caplog.text.count("failed to close") == 1
    ends.set_sink(good)
    ends.write(good.read(), ends)
    assert good.heard[0][-1] == 20_000


def test_a_group_does_not_hear_the_hold_audio() -> None:
    opened: list[Constant] = []

    def hold_audio() -> Constant:
        opened.append(Constant())
        return opened[0]

    ends = Ends(hold_audio)
    ends.local_hold = ends.quiet = True
    assert not ends.read().any() and opened == []
