"""What the user hears besides calls, by what the calls do."""

import numpy as np
import pytest
from msgspec.structs import replace

from media.audio import SAMPLE_RATE
from media.tones import Samples, Tone, dtmf_tone, ring, tone
from node.ringer import KEY_DBFS, Ringer
from node.session import CallState, Session
from signaling.parts import Party
from signaling.reasons import (
    BUSY,
    CANCELLED,
    DECLINED,
    DO_NOT_DISTURB,
    HUNG_UP,
    MEDIA_LOST,
    NO_ANSWER,
    REPLACED,
    UNKNOWN_USER,
    Reason,
)

pytestmark = pytest.mark.unit

BOB = Party("8:acs:bob", "Bob", "bob")


class Device:
    """Remember what is played now: samples over and over, and once in their place."""

    def __init__(self) -> None:
        self.loops: Samples | None = None
        self.once: Samples | None = None
        self.closed = False

    def repeat(self, samples: Samples | None) -> None:
        self.loops = samples

    def play(self, samples: Samples | None) -> None:
        self.once = samples

    def close(self) -> None:
        self.loops = self.once = None
        self.closed = True

    def plays(self, samples: Samples | None) -> bool:
        return self.once is None and self.loops is samples


class House:
    """A ringer of Germany with its devices and calls on the devices."""

    def __init__(self, *, rings: bool = True) -> None:
        self.talk, self.bell = Device(), Device()
        self.ringer = Ringer(self.talk, self.bell, "de", rings=rings)
        self.calls: dict[str, Session] = {}

    def dial(self, call_id: str, *, attached: bool = True, replaces: str | None = None) -> None:
        if attached:
            self.ringer.attach(call_id)
        self.calls[call_id] = Session(id=call_id, direction="Outgoing", remote=BOB, replaces=replaces)
        self.ringer.called(self.calls[call_id])

    def move(self, call_id: str, state: CallState, reason: Reason | None = None) -> None:
        self.calls[call_id] = replace(self.calls[call_id], state=state, end_reason=reason)
        self.ringer.called(self.calls[call_id])

    def end(self, call_id: str, reason: Reason) -> None:
        self.move(call_id, CallState.DISCONNECTING, reason)
        self.move(call_id, CallState.DISCONNECTED, reason)

    def hears(self, what: Tone | None) -> bool:
        return self.talk.plays(None if what is None else tone(what, "de"))


@pytest.fixture
def house() -> House:
    return House()


def test_ringback_lasts_while_it_rings_there(house: House) -> None:
    house.dial("c1")
    assert house.hears(None)
    house.move("c1", CallState.RINGING)
    assert house.hears(Tone.RINGBACK)
    house.move("c1", CallState.CONNECTING)
    assert house.hears(None)
    house.move("c1", CallState.CONNECTED)
    assert house.hears(None) and house.bell.plays(None)


def test_who_brings_a_sink_hears_nothing(house: House) -> None:
    house.dial("c1", attached=False)
    house.move("c1", CallState.RINGING)
    house.ringer.pressed("c1", "1")
    house.ringer.rang("c2")
    house.end("c1", BUSY)
    assert house.talk.plays(None)
    house.dial("c3")
    house.move("c3", CallState.RINGING)
    house.ringer.detach("c3")
    assert house.talk.plays(None)
    house.ringer.attach("c3")
    assert house.hears(Tone.RINGBACK)


@pytest.mark.parametrize(
    ("reason", "which"),
    [
        (BUSY, Tone.BUSY),
        (DECLINED, Tone.BUSY),
        (DO_NOT_DISTURB, Tone.BUSY),
        (NO_ANSWER, Tone.CONGESTION),
        (MEDIA_LOST, Tone.CONGESTION),
        (UNKNOWN_USER, Tone.INFORMATION),
        (HUNG_UP, Tone.END),
        (REPLACED, None),
        (CANCELLED, None),
    ],
)
def test_the_end_is_told_for_a_moment(house: House, reason: Reason, which: Tone | None) -> None:
    house.dial("c1")
    house.move("c1", CallState.RINGING)
    house.end("c1", reason)
    if which is None:
        assert house.talk.plays(None)
        return
    said = house.talk.once
    turn = tone(which, "de")
    assert said is not None and np.array_equal(said[: len(turn)], turn)
    assert len(said) == len(turn) if which is Tone.END else 2 <= len(said) / SAMPLE_RATE < 4.1
    house.ringer.silenced("c9")
    assert house.talk.once is said
    house.dial("c2")
    assert house.talk.plays(None)


def test_who_hangs_up_needs_no_tone(house: House) -> None:
    house.dial("c1")
    house.ringer.leave("c1")
    house.end("c1", HUNG_UP)
    assert house.talk.plays(None)


def test_a_transfer_is_not_heard_but_for_a_ring_after_which_nobody_is_there(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.REMOTE_HOLD)
    house.dial("n1", attached=False, replaces="c1")
    house.move("n1", CallState.RINGING)
    assert house.hears(None)
    house.end("c1", HUNG_UP)
    assert house.hears(Tone.RINGBACK)
    house.move("n1", CallState.CONNECTED)
    house.end("n1", HUNG_UP)
    assert house.talk.once is not None


def test_an_incoming_call_rings_until_it_is_taken_or_over(house: House) -> None:
    house.ringer.rang("c1")
    house.ringer.rang("c2")
    assert house.bell.plays(ring()) and house.hears(None)
    house.ringer.silenced("c1")
    assert house.bell.plays(ring())
    house.ringer.attach("c2")
    house.calls["c2"] = Session(id="c2", direction="Incoming", remote=BOB)
    house.ringer.called(house.calls["c2"])
    assert house.bell.plays(None) and house.hears(None)


def test_a_second_call_is_told_by_a_beep(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.CONNECTED)
    house.ringer.rang("c2")
    assert house.hears(Tone.CALL_WAITING) and house.bell.plays(None)
    house.ringer.leave("c1")
    house.end("c1", HUNG_UP)
    assert house.hears(None) and house.bell.plays(ring())


def test_keys_do_not_silence_a_call_that_waits(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.CONNECTED)
    house.ringer.rang("c2")
    house.ringer.pressed("c1", "1")
    assert house.talk.once is not None
    house.talk.once = None
    assert house.hears(Tone.CALL_WAITING)


def consult(house: House, target: CallState) -> None:
    """Hold c1 and call c2, which is in a state then."""
    house.dial("c1")
    house.move("c1", CallState.LOCAL_HOLD)
    house.dial("c2")
    house.move("c2", target)


def test_the_end_of_a_call_is_told_while_another_waits_beside_a_third(house: House) -> None:
    consult(house, CallState.CONNECTED)
    house.ringer.rang("c3")
    house.end("c2", HUNG_UP)
    assert house.talk.once is tone(Tone.END, "de")
    house.talk.once = None
    assert house.hears(Tone.CALL_WAITING)


def test_a_held_party_that_hangs_up_is_told_while_the_target_rings(house: House) -> None:
    consult(house, CallState.RINGING)
    house.end("c1", HUNG_UP)
    assert house.talk.once is tone(Tone.END, "de")
    house.talk.once = None
    assert house.hears(Tone.RINGBACK)


def test_a_call_that_waited_rings_once_nobody_is_there(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.CONNECTED)
    house.ringer.rang("c2")
    house.end("c1", HUNG_UP)
    assert house.talk.once is tone(Tone.END, "de") and house.talk.loops is None
    assert house.bell.plays(ring())


def test_without_rings_only_calls_are_heard() -> None:
    house = House(rings=False)
    house.ringer.rang("c1")
    assert house.bell.plays(None)
    house.dial("c2")
    assert house.hears(Tone.CALL_WAITING)


def test_keys_are_heard_where_they_are_pressed(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.CONNECTED)
    house.ringer.pressed("c1", "12")
    assert house.talk.once is not None and np.array_equal(house.talk.once, dtmf_tone("12", KEY_DBFS))
    house.move("c1", CallState.LOCAL_HOLD)
    assert house.talk.once is not None


def test_once_closed_nothing_is_heard(house: House) -> None:
    house.dial("c1")
    house.move("c1", CallState.RINGING)
    house.ringer.rang("c2")
    house.ringer.close()
    house.ringer.rang("c3")
    house.end("c1", BUSY)
    assert house.talk.closed and house.bell.closed
    assert house.talk.plays(None) and house.bell.plays(None)
