"""Who may ask whom into a group call, and who may join one."""

import pytest

from signaling.calls import MAX_CALLS, MAX_PENDING
from signaling.group_messages import MAX_PARTICIPANTS
from signaling.messages import CallEnded, CallHold, CallJoin, CallPlace, ParticipantAdd, TransferRequest
from signaling.parts import ParticipantTarget
from signaling.reasons import (
    NO_MIXER,
    NOT_ESTABLISHED,
    NOT_PERMITTED,
    TRANSFER_CONFLICT,
    UNKNOWN_USER,
    WRONG_STATE,
    Reason,
)
from signaling.settings import Settings, ToVoicemail
from tests.unit.group_board import GroupBoard, rosters

pytestmark = pytest.mark.unit


@pytest.fixture
def board() -> GroupBoard:
    board = GroupBoard("ann", "bob", "cat")
    board.talk("ann", "bob")
    return board


def refused(board: GroupBoard, who: str, whom: str, call_id: str = "c1") -> Reason | None:
    """Return why somebody could not be asked in."""
    told = board.say(who, ParticipantAdd(call_id, "p1", whom))
    return rosters(told, who)[0].participants[-1].reason


def test_who_can_be_asked_in(board: GroupBoard) -> None:
    assert refused(board, "ann", "nobody") == UNKNOWN_USER
    for name in ("ann", "bob"):
        reason = refused(board, "ann", name)
        assert reason is not None and "in the call already" in reason.message
    assert refused(board, "ann", "cat") is None


def test_who_may_ask(board: GroupBoard) -> None:
    board.join("ann", rights=frozenset({"voip.join"}))
    assert refused(board, "ann", "cat") == NOT_PERMITTED


def test_a_call_that_does_not_fit(board: GroupBoard) -> None:
    board.place("ann", "cat", "c2")
    assert refused(board, "ann", "bob", "c2") == NOT_ESTABLISHED
    board.say("bob", CallHold("c1", True))
    reason = refused(board, "ann", "cat")
    assert reason is not None and "off hold" in reason.message
    board.say("bob", CallHold("c1", False))
    board.say("ann", TransferRequest("t1", "c1", ParticipantTarget("cat")))
    assert refused(board, "ann", "cat") == TRANSFER_CONFLICT


def test_voicemail_takes_no_part(board: GroupBoard) -> None:
    board.voicemail()
    board.user("cat", Settings(forwarding=ToVoicemail()))
    board.place("ann", "cat", "c2")
    board.pick_up("vm", "c2")
    assert refused(board, "ann", "bob", "c2") == WRONG_STATE


def test_how_many_there_can_be(board: GroupBoard) -> None:
    names = [f"u{n}" for n in range(MAX_PARTICIPANTS)]
    for name in names:
        board.user(name)
        board.join(name)
    for n in range(MAX_PENDING):
        board.act(board.say("ann", ParticipantAdd("c1", f"p{n}", names[n])))
    told = board.say("ann", ParticipantAdd("c1", "px", names[8]))
    reason = rosters(told, "ann")[0].participants[-1].reason
    assert reason is not None and "still ringing" in reason.message
    for name in names[:MAX_PENDING]:
        board.take(name)
    for n in range(MAX_PENDING, MAX_PARTICIPANTS - 2):
        board.act(board.say("ann", ParticipantAdd("c1", f"p{n}", names[n])))
    told = board.say("ann", ParticipantAdd("c1", "py", names[-1]))
    reason = rosters(told, "ann")[0].participants[-1].reason
    assert reason is not None and "at most 16" in reason.message
    [(_, ended)] = board.say("cat", CallJoin("j1", board.group.id, "offer"))
    assert isinstance(ended, CallEnded) and "at most 16" in ended.reason.message


def test_who_may_join(board: GroupBoard) -> None:
    board.join("cat", rights=frozenset({"transfer"}))
    assert board.say("cat", CallJoin("j1", "g", "offer")) == [("cat", CallEnded("j1", NOT_PERMITTED))]
    board.join("cat", rights=frozenset({"voip.join"}))
    board.act(board.say("cat", CallJoin("j1", "g", "offer")))
    [(_, ended)] = board.say("cat", CallJoin("j2", "g", "offer"))
    assert isinstance(ended, CallEnded) and "in the group call already" in ended.reason.message
    board.act(board.say("ann", CallJoin("j5", "g", "offer")))
    assert len(board.group.here) == 2
    board.lose("mx")
    assert board.say("bob", CallJoin("j3", "g", "offer")) == [("bob", CallEnded("j3", NO_MIXER))]
    assert board.say("bob", CallJoin("j4", "h", "offer")) == [("bob", CallEnded("j4", NO_MIXER))]


def test_an_agent_has_so_many_calls(board: GroupBoard) -> None:
    for n in range(MAX_CALLS):
        board.act(board.say("cat", CallJoin(f"j{n}", f"g{n}", "offer")))
    [(_, ended)] = board.say("cat", CallJoin("jx", "gx", "offer"))
    assert isinstance(ended, CallEnded) and "end one first" in ended.reason.message
    [(_, ended)] = board.say("cat", CallPlace("c9", "ann", "offer"))
    assert isinstance(ended, CallEnded) and "end one first" in ended.reason.message
