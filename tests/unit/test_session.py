"""One call at its endpoint: which states there are, and which of them a call that is up is in."""

from typing import Any

import pytest

from node.session import (
    LOST_SECONDS,
    REOFFER_SECONDS,
    CallState,
    Direction,
    Session,
    following,
    ringing,
)
from signaling.messages import MAX_SECONDS, CallAttach, CallIncoming, CallOriginate
from signaling.parts import Outcome, Party

pytestmark = pytest.mark.unit


def session(
    state: CallState = CallState.CONNECTED, direction: Direction = "Outgoing", **holds: Any
) -> Session:
    return Session(id="c1", direction=direction, remote=Party("8:acs:bob"), state=state, **holds)


def test_states_have_the_names_of_acs() -> None:
    assert [state.value for state in CallState] == [
        "None",
        "Connecting",
        "Ringing",
        "EarlyMedia",
        "Connected",
        "LocalHold",
        "RemoteHold",
        "InLobby",
        "Disconnecting",
        "Disconnected",
    ]


@pytest.mark.parametrize("state", CallState)
def test_a_call_lives_until_it_disconnects(state: CallState) -> None:
    assert session(state).live == (not state.value.startswith("Disconnect"))


def test_the_caller_makes_the_offers() -> None:
    assert session(direction="Outgoing").offerer
    assert not session(direction="Incoming").offerer


@pytest.mark.parametrize(
    ("local", "remote", "state"),
    [
        (False, False, CallState.CONNECTED),
        (False, True, CallState.REMOTE_HOLD),
        (True, False, CallState.LOCAL_HOLD),
        (True, True, CallState.LOCAL_HOLD),
    ],
)
def test_who_holds(local: bool, remote: bool, state: CallState) -> None:
    assert session(local_hold=local, remote_hold=remote).talking is state


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [({"lost": True}, LOST_SECONDS), ({"renegotiating": True, "up": True}, REOFFER_SECONDS)],
)
def test_trouble_has_a_deadline_unless_excused(trouble: dict[str, Any], seconds: float) -> None:
    troubled = session(**trouble)
    waiting = troubled.awaiting(5.0, excused=False)
    assert waiting.deadline == 5.0 + seconds
    assert waiting.awaiting(6.0, excused=False) is waiting, "the first one counts"
    assert waiting.awaiting(6.0, excused=True).deadline is None
    assert troubled.awaiting(6.0, excused=True) is troubled


def test_a_call_without_trouble_awaits_nothing() -> None:
    for call in (session(), session(renegotiating=True), session(CallState.DISCONNECTING, lost=True)):
        assert call.awaiting(5.0, excused=False) is call


def test_a_call_that_rings_here() -> None:
    call = ringing(CallIncoming("c1", Party("8:acs:ann"), "offer", transferor=Party("8:acs:cat")))
    assert (call.state, call.direction, call.offer) == (CallState.RINGING, "Incoming", "offer")
    assert call.caller == call.remote == Party("8:acs:ann") and call.transferor == Party("8:acs:cat")


def test_what_follows_a_call_is_muted_like_it() -> None:
    order = CallOriginate("n1", "t1", "c1", Party("8:acs:cat"), "participant", Party("8:acs:ann"))
    call = following(order, session(muted=True))
    assert (call.id, call.replaces, call.transfer_id, call.direction) == ("n1", "c1", "t1", "Outgoing")
    assert call.muted and not call.incoming_muted


def test_what_an_end_says_to_a_hub_that_began_anew() -> None:
    cat, dan = Party("8:acs:cat"), Party("8:acs:dan")
    assert session().claim(5.0) == CallAttach("c1", "8:acs:bob", caller=True)
    outcome = Outcome("forwarded", dan, (cat.raw_id, "x"))
    answered = session(up=True, up_at=3.0, outcome=outcome, transferor=dan)
    assert answered.claim(5.0) == CallAttach(
        "c1", "8:acs:bob", True, None, cat.raw_id, dan.raw_id, seconds=2.0
    )
    incoming = session(direction="Incoming", up=True, forwarded_from=cat, mailbox=dan)
    assert incoming.claim(1e9) == CallAttach(
        "c1", "8:acs:bob", False, dan.raw_id, cat.raw_id, seconds=MAX_SECONDS
    )
    mixed = session(server_call_id="n1", group_id="g1", me="p1")
    assert mixed.claim(5.0, more=True) == CallAttach(
        "c1", "8:acs:bob", True, server_call_id="n1", group_id="g1", participant_id="p1", more=True
    )


@pytest.mark.parametrize(
    ("known", "lasting"),
    [
        ({"heard": True}, True),
        ({"up": True}, False),
        ({"heard": True, "transferred": True}, False),
        ({"heard": True, "group_id": "g1"}, False),
        ({"up": True, "group_id": "g1"}, True),
    ],
)
def test_what_goes_on_without_the_hub(known: dict[str, Any], lasting: bool) -> None:
    assert session(**known).lasting is lasting
    assert not session(CallState.DISCONNECTING, **known).lasting
