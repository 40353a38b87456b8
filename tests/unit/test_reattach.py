"""Calls that outlive the hub: two claims make a call, one does not."""

import pytest
from msgspec.structs import replace

from signaling.hub import Back, Left, Lost, UserRemoved
from signaling.messages import (
    CallAttach,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallParticipants,
)
from signaling.reasons import HUNG_UP, NETWORK, UNKNOWN_CALL
from signaling.reattach import ATTACH_SECONDS, MAX_CLAIMS
from tests.unit.board import FULL, Board, Told

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


# --- ids, and groups


def test_ends_that_know_a_call_by_different_ids(board: Board) -> None:
    board.say("ann", BY_ANN)
    told = board.say("bob", replace(BY_BOB, call_id="x1", server_call_id="c1"))
    assert told == [("ann", CallConnected("c1")), ("bob", CallConnected("x1", "c1"))]
    board.feed(Lost("bob"))
    board.join("bob", "again", FULL)
    told = board.say("again", replace(BY_BOB, call_id="x1", server_call_id="c1"))
    assert dict(told) == {"ann": CallConnected("c1"), "again": CallConnected("x1", "c1")}
    assert board.say("ann", CallEnd("c1")) == [("again", CallEnded("x1", HUNG_UP))]
    assert board.hub.names.empty


def test_an_id_of_the_hubs_does_not_let_a_stranger_in(board: Board) -> None:
    board.say("ann", BY_ANN)
    assert board.say("eve", CallAttach("x1", ANN, caller=False, server_call_id="c1")) == []


BY_MIXER = CallAttach("n1", ANN, caller=False, group_id="g1")
MIXED = CallAttach("c1", "g1", caller=True, server_call_id="n1", group_id="g1", participant_id="p1")


@pytest.fixture
def mixed(board: Board) -> Board:
    """A mixer is online too."""
    board.user("mx")
    board.join("mx", rights=FULL | {"mixer"})
    return board


@pytest.mark.parametrize("mixer_first", [True, False])
def test_a_mixer_and_whom_it_names(mixed: Board, mixer_first: bool) -> None:
    claims = [("mx", BY_MIXER), ("ann", MIXED)]
    first, second = claims if mixer_first else claims[::-1]
    assert mixed.say(*first) == []
    told = mixed.say(*second)
    assert told[:2] == [("ann", CallConnected("c1", "n1")), ("mx", CallConnected("n1"))]
    assert mixed.hub.calls.all["n1"].group == "g1"
    mixed.say("ann", CallEnd("c1"))
    record = mixed.records[-1]
    assert (record.caller, record.callee, record.kind) == (ANN, "g1", "group")


@pytest.mark.parametrize(
    ("who", "claim"),
    [
        ("eve", MIXED),
        ("ann", replace(MIXED, group_id="g2")),
        ("ann", replace(MIXED, group_id=None)),
        ("ann", replace(MIXED, caller=False)),
        ("mx", replace(MIXED, remote="g1")),
    ],
    ids=["not who is named", "another group", "no group", "two answerers", "itself"],
)
def test_a_mixer_takes_nobody_else(mixed: Board, who: str, claim: CallAttach) -> None:
    mixed.say("mx", replace(BY_MIXER, remote="g1") if who == "mx" else BY_MIXER)
    assert mixed.say(who, claim) == []


def test_without_the_right_nobody_is_a_mixer(mixed: Board) -> None:
    mixed.say("eve", BY_MIXER)
    assert mixed.say("ann", MIXED) == []


def test_a_mixer_does_not_move(mixed: Board) -> None:
    """Whoever it mixed is on the way to another one, or to itself anew."""
    mixed.say("mx", BY_MIXER)
    mixed.say("ann", MIXED)
    mixed.feed(Lost("mx"))
    mixed.join("mx", "again", FULL | {"mixer"})
    assert ("again", CallEnded("n1", UNKNOWN_CALL)) in mixed.say("again", BY_MIXER)


def test_an_end_on_its_way_to_another_mixer_does_not_move(mixed: Board) -> None:
    mixed.say("mx", BY_MIXER)
    mixed.say("ann", MIXED)
    mixed.feed(Lost("ann"))
    mixed.user("my")
    mixed.join("my", rights=FULL | {"mixer"})
    mixed.feed(Lost("mx"))
    mixed.join("ann", "again", FULL)
    assert mixed.say("again", MIXED) == [("again", CallEnded("c1", UNKNOWN_CALL))]


def rosters(told: Told, session: str) -> list[CallParticipants]:
    return [m for who, m in told if who == session and isinstance(m, CallParticipants)]


def test_nobody_is_told_who_is_there_before_all_of_whom_the_mixer_tells_are(mixed: Board) -> None:
    mixed.say("mx", replace(BY_MIXER, more=True))
    told = mixed.say("ann", MIXED)
    assert rosters(told, "ann") == []
    assert mixed.say("mx", CallAttach("n2", BOB, caller=False, group_id="g1")) == []
    told = mixed.say("bob", CallAttach("n2", "g1", caller=True, group_id="g1", participant_id="p2"))
    [roster] = rosters(told, "ann")
    assert [p.id for p in roster.participants] == ["p2"] and roster.me == "p1"


@pytest.mark.parametrize("how", ["does not come", "has hung up", "the mixer hangs up"])
def test_who_does_not_come_back_is_not_waited_for(mixed: Board, how: str) -> None:
    theirs = CallAttach("n2", "g1", caller=True, group_id="g1", participant_id="p2")
    mixed.say("mx", replace(BY_MIXER, more=True))
    mixed.say("ann", MIXED)
    if how == "has hung up":
        mixed.say("bob", theirs)
        mixed.say("bob", CallEnd("n2"))
    told = mixed.say("mx", CallAttach("n2", BOB, caller=False, group_id="g1"))
    if how == "does not come":
        told = mixed.wait(ATTACH_SECONDS + 1)
    elif how == "the mixer hangs up":
        told = mixed.say("mx", CallEnd("n2"))
    [roster] = rosters(told, "ann")
    assert roster.participants == ()


@pytest.mark.parametrize("told_all", [True, False])
def test_a_mixer_that_goes_before_it_has_told_all(mixed: Board, told_all: bool) -> None:
    mixed.user("my")
    mixed.join("my", rights=FULL | {"mixer"})
    mixed.say("mx", replace(BY_MIXER, more=True))
    mixed.say("ann", MIXED)
    if told_all:
        mixed.say("mx", CallAttach("n2", BOB, caller=False, group_id="g1"))
    assert rosters(mixed.feed(Left("mx")), "ann"), "they go on with whom there is"
