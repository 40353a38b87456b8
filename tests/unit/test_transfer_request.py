"""Transfers that are refused at once: nothing rings, and nobody is told but who asked."""

import pytest
from msgspec.structs import replace

from signaling.hub import UserRemoved
from signaling.messages import CallPlace, TransferRequest, TransferUpdate
from signaling.parts import CallTarget, ParticipantTarget, Target, VoicemailTarget
from signaling.reasons import (
    BAD_ARGUMENT,
    GROUP_CALL,
    NO_VOICEMAIL,
    NOT_ESTABLISHED,
    NOT_PERMITTED,
    TARGET_CALL_GONE,
    TRANSFER_CONFLICT,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
)
from tests.unit.board import FULL, Board
from tests.unit.group_board import GroupBoard
from tests.unit.test_transfer import TO_CAT, board, consulting, failed, obey, untouched

pytestmark = pytest.mark.unit
__all__ = ["board", "consulting"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (ParticipantTarget("ann"), BAD_ARGUMENT),
        (ParticipantTarget("8:acs:bob"), BAD_ARGUMENT),
        (ParticipantTarget("nobody"), UNKNOWN_USER),
        (VoicemailTarget("bob"), BAD_ARGUMENT),
        (VoicemailTarget("nobody"), UNKNOWN_USER),
        (VoicemailTarget("cat"), NO_VOICEMAIL),
        (CallTarget("c1"), BAD_ARGUMENT),
        (CallTarget("nothing"), TARGET_CALL_GONE),
        (CallTarget("of-others"), TARGET_CALL_GONE),
        (CallTarget("rings-here"), TARGET_CALL_GONE),
        (CallTarget("with-bob-too"), BAD_ARGUMENT),
        (CallTarget("rings-bob-too"), BAD_ARGUMENT),
        (CallTarget("to-bob's-mailbox"), BAD_ARGUMENT),
    ],
)
def test_refused_at_once(board: Board, target: Target, code: Reason) -> None:
    board.talk("cat", "dan", "of-others")
    board.place("cat", "ann", "rings-here")
    board.talk("ann", "bob", "with-bob-too")
    board.place("ann", "bob", "rings-bob-too")
    mailbox = board.hub.calls.all["with-bob-too"]
    board.hub.calls.keep(replace(mailbox, id="to-bob's-mailbox", kind="voicemail"))
    [(session, update)] = board.ask(target)
    assert session == "ann"
    assert isinstance(update, TransferUpdate)
    assert update.state == "Failed"
    assert update.error is not None
    assert (update.error.code, update.error.sub_code) == (code.code, code.sub_code)
    untouched(board)


def test_refused_without_a_call_or_with_one_of_others(board: Board) -> None:
    assert board.ask(TO_CAT, call_id="c9") == [("ann", failed(UNKNOWN_CALL, call_id="c9"))]
    assert board.ask(TO_CAT, who="dan") == [("dan", failed(UNKNOWN_CALL))]
    untouched(board)


def test_refused_before_the_call_is_up(board: Board) -> None:
    board.place("ann", "dan", "c2")
    assert board.ask(TO_CAT, call_id="c2") == [("ann", failed(NOT_ESTABLISHED, call_id="c2"))]


def test_a_transferred_leg_cannot_be_transferred_again(board: Board) -> None:
    board.ask(TO_CAT)
    obey(board)
    board.pick_up("cat", "n1")
    assert board.ask(ParticipantTarget("dan"), "t2") == [("ann", failed(NOT_ESTABLISHED, "t2"))]


def test_target_call_with_a_deleted_user(consulting: Board) -> None:
    consulting.feed(UserRemoved("8:acs:cat"))
    assert consulting.ask(CallTarget("c2")) == [("ann", failed(UNKNOWN_USER))]


def test_a_call_of_another_transfer_is_no_target(consulting: Board) -> None:
    consulting.talk("ann", "dan", "c3")
    consulting.ask(CallTarget("c2"))
    assert consulting.ask(CallTarget("c2"), "t2", "c3")[-1] == (
        "ann",
        failed(TRANSFER_CONFLICT, "t2", "c3"),
    )
    obey(consulting)
    consulting.talk("bob", "dan", "c4")
    conflict = failed(TRANSFER_CONFLICT, "t3", "c4")
    assert consulting.ask(CallTarget("n1"), "t3", "c4", who="bob") == [("bob", conflict)]


def test_a_call_whose_other_end_was_handed_over_is_no_target(board: Board) -> None:
    board.talk("ann", "dan", "c2")
    board.ask(TO_CAT, "t0", "c2")
    board.say("dan", CallPlace("n1", "whoever", "offer of dan", "t0"))
    board.pick_up("cat", "n1")
    assert board.ask(CallTarget("c2")) == [("ann", failed(TARGET_CALL_GONE))]


def test_a_call_is_in_one_transfer_only_as_target_too(consulting: Board) -> None:
    consulting.talk("ann", "dan", "c3")
    consulting.ask(CallTarget("c2"))
    assert consulting.ask(CallTarget("c2"), "t2", "c3") == [("ann", failed(TRANSFER_CONFLICT, "t2", "c3"))]
    assert consulting.ask(CallTarget("c1"), "t3", "c3") == [("ann", failed(TRANSFER_CONFLICT, "t3", "c3"))]


def test_a_target_call_cannot_be_handed_over_meanwhile(consulting: Board) -> None:
    consulting.ask(CallTarget("c2"))
    told = consulting.ask(ParticipantTarget("dan"), "t2", "c2", who="cat")
    assert told == [("cat", failed(TRANSFER_CONFLICT, "t2", "c2"))]


def test_a_device_without_the_right_is_refused(board: Board) -> None:
    board.join("bob", "bob-2", FULL - {"transfer"})
    board.place("ann", "bob", "c5")
    board.pick_up("bob-2", "c5")
    told = board.ask(TO_CAT, call_id="c5", who="bob-2")
    assert told == [("bob-2", failed(NOT_PERMITTED, call_id="c5"))]


def test_a_group_call_is_not_transferred() -> None:
    board = GroupBoard("ann", "bob", "cat", "dan")
    board.three()
    board.talk("ann", "dan", "c2")
    for call_id, target in (("c1", ParticipantTarget("dan")), ("c2", CallTarget("c1"))):
        [(who, update)] = board.say("ann", TransferRequest(f"t-{call_id}", call_id, target))
        assert isinstance(update, TransferUpdate)
        assert (who, update.call_id, update.state, update.error) == ("ann", call_id, "Failed", GROUP_CALL)
