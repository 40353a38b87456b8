"""Calls that outlive the hub: two claims make a call, one does not."""

import pytest
from msgspec.structs import replace

from signaling.hub import Back, Left, Lost, UserRemoved
from signaling.messages import CallAttach, CallConnected, CallEnd, CallEnded, CallHold
from signaling.reasons import HUNG_UP, NETWORK, UNKNOWN_CALL
from signaling.reattach import ATTACH_SECONDS, MAX_CLAIMS
from tests.unit.board import FULL, Board

pytestmark = pytest.mark.unit

ANN, BOB, EVE = "8:acs:ann", "8:acs:bob", "8:acs:eve"
BY_ANN = CallAttach("c1", BOB, caller=True)
BY_BOB = CallAttach("c1", ANN, caller=False)


@pytest.fixture
def board() -> Board:
    return Board("ann", "bob", "eve")


@pytest.mark.parametrize("caller_first", [True, False])
def test_two_claims_make_a_call(board: Board, caller_first: bool) -> None:
    claims = [("ann", BY_ANN), ("bob", BY_BOB)]
    first, second = claims if caller_first else claims[::-1]
    assert board.say(*first) == []
    assert board.say(*second) == [("ann", CallConnected("c1")), ("bob", CallConnected("c1"))]
    assert board.hub.deadline is None
    assert board.say("bob", CallHold("c1", True)) == [("ann", CallHold("c1", True))]
    assert board.say("ann", CallEnd("c1")) == [("bob", CallEnded("c1", HUNG_UP))]
    record = board.records[-1]
    assert (record.caller, record.callee, record.kind) == (ANN, BOB, "participant")


def test_an_end_that_does_not_come_back(board: Board) -> None:
    board.say("ann", BY_ANN)
    assert board.wait(ATTACH_SECONDS + 1) == [("ann", CallEnded("c1", NETWORK))]
    assert board.hub.deadline is None


@pytest.mark.parametrize(
    "claim",
    [CallAttach("c1", ANN, caller=False), CallAttach("c1", EVE, caller=False)],
    ids=["not who was meant", "not with whom"],
)
def test_a_stranger_does_not_get_in(board: Board, claim: CallAttach) -> None:
    board.say("ann", BY_ANN)
    assert board.say("eve", claim) == []
    assert board.say("bob", BY_BOB) == [("ann", CallConnected("c1")), ("bob", CallConnected("c1"))]
    assert board.wait(ATTACH_SECONDS + 1) == [("eve", CallEnded("c1", NETWORK))]


def test_two_callers_are_no_call(board: Board) -> None:
    board.say("ann", BY_ANN)
    assert board.say("bob", CallAttach("c1", ANN, caller=True)) == []


def test_hanging_up_while_waiting(board: Board) -> None:
    board.say("ann", BY_ANN)
    assert board.say("ann", CallEnd("c1")) == [("ann", CallEnded("c1", HUNG_UP))]
    assert board.say("bob", BY_BOB) == [("bob", CallEnded("c1", HUNG_UP))]
    assert board.hub.deadline is None


def test_hanging_up_is_not_told_twice(board: Board) -> None:
    board.say("ann", BY_ANN)
    board.say("ann", CallEnd("c1"))
    assert board.wait(ATTACH_SECONDS + 1) == []
    assert board.hub.deadline is None


def test_a_session_that_leaves_takes_its_claims_along(board: Board) -> None:
    board.say("ann", BY_ANN)
    board.feed(Left("ann"))
    assert board.hub.deadline is None


def test_voicemail_speaks_for_the_owner_of_the_mailbox(board: Board) -> None:
    board.voicemail()
    board.say("ann", BY_ANN)
    assert len(board.say("vm", CallAttach("c1", ANN, caller=False, mailbox=BOB))) == 2
    board.say("ann", CallEnd("c1"))
    assert board.records[-1].kind == "voicemail"


def test_nobody_else_speaks_for_a_mailbox(board: Board) -> None:
    board.say("ann", BY_ANN)
    told = board.say("eve", CallAttach("c1", ANN, caller=False, mailbox=BOB))
    assert told == [("eve", CallEnded("c1", UNKNOWN_CALL))]


def test_a_callee_that_was_deleted_meanwhile_still_talks(board: Board) -> None:
    board.feed(UserRemoved(BOB))
    board.say("ann", BY_ANN)
    assert len(board.say("bob", BY_BOB)) == 2


def test_claims_have_a_limit(board: Board) -> None:
    for at in range(MAX_CLAIMS):
        assert board.say("ann", CallAttach(f"c{at}", BOB, caller=True)) == []
    told = board.say("ann", CallAttach("more", BOB, caller=True))
    assert told == [("ann", CallEnded("more", UNKNOWN_CALL))]


def test_a_voicemail_service_has_more_calls_than_a_person(board: Board) -> None:
    board.voicemail()
    for at in range(4 * MAX_CLAIMS):
        assert board.say("vm", CallAttach(f"c{at}", BOB, caller=False, mailbox=ANN)) == []


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_a_lost_session_gives_its_leg_to_the_new_one(board: Board, who: str) -> None:
    board.say("ann", BY_ANN)
    board.say("bob", BY_BOB)
    board.feed(Lost(who))
    board.join(who, "again", FULL)
    other = "bob" if who == "ann" else "ann"
    told = board.say("again", BY_ANN if who == "ann" else BY_BOB)
    assert dict(told) == {"again": CallConnected("c1"), other: CallConnected("c1")}, "both repeat"
    assert board.wait(60) == []
    assert board.say(other, CallEnd("c1")) == [("again", CallEnded("c1", HUNG_UP))]


def test_a_leg_that_lives_is_not_given_away(board: Board) -> None:
    board.say("ann", BY_ANN)
    board.say("bob", BY_BOB)
    board.join("ann", "again", FULL)
    assert board.say("again", BY_ANN) == [("again", CallEnded("c1", UNKNOWN_CALL))]
    board.feed(Lost("ann"))
    board.feed(Back("ann"))
    assert board.say("eve", BY_ANN) == [("eve", CallEnded("c1", UNKNOWN_CALL))]


def test_the_history_knows_what_both_ends_agree_on(board: Board) -> None:
    board.now = 100.0
    board.say("ann", replace(BY_ANN, dialled=EVE, transferor=EVE, seconds=70.5))
    board.wait(5.0)
    board.say("bob", replace(BY_BOB, dialled=EVE, transferor=EVE, seconds=75.0))
    board.say("ann", CallEnd("c1"))
    record = board.records[-1]
    assert (record.callee, record.answered_by, record.via, record.kind) == (EVE, BOB, (EVE,), "forwarded")
    assert (record.transferor, record.placed_at, record.answered_at) == (EVE, 30.0, 30.0)


def test_what_one_end_alone_says_of_others_is_not_believed(board: Board) -> None:
    board.say("ann", replace(BY_ANN, dialled=EVE, transferor=EVE, seconds=70.0))
    board.say("bob", BY_BOB)
    board.say("ann", CallEnd("c1"))
    record = board.records[-1]
    assert (record.callee, record.transferor, record.via, record.answered_at) == (BOB, None, (), board.now)


def test_who_waits_for_the_other_end_is_engaged(board: Board) -> None:
    engaged = board.hub.reattachments.engaged
    board.say("ann", BY_ANN)
    assert engaged(ANN) and not engaged(BOB)
    board.say("ann", CallEnd("c1"))
    assert not engaged(ANN)
