"""One call at its endpoint: which states there are, and which of them a call that is up is in."""

from typing import Any

import pytest

from node.session import CallState, Direction, Session
from signaling.messages import Party

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
