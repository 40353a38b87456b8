"""What is asked of group calls: whom it concerns, what they are told, and what is refused."""

import pytest

from signaling.messages import (
    CallEnd,
    CallEnded,
    CallJoin,
    CallMute,
    Error,
    ParticipantAdd,
    ParticipantRemove,
)
from signaling.reasons import (
    ANSWERED_ELSEWHERE,
    CANCELLED,
    ENDED_FOR_ALL,
    HUNG_UP,
    MEDIA_LOST,
    NO_MIXER,
    REMOVED,
    UNKNOWN_CALL,
    UNKNOWN_USER,
    Reason,
)
from tests.unit.group_board import GroupBoard, rosters
from tests.unit.test_groups import board, ended, left_over

pytestmark = pytest.mark.unit
__all__ = ["board"]


def test_a_call_off_before_the_mixer_has_placed_it(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.still.add("mx")
    board.ask_in("ann", "cat")
    told = board.say("ann", ParticipantRemove("c1", "p-cat"))
    assert (ended(told, "mx"), left_over(told, "bob", "cat")) == ([CANCELLED], CANCELLED)


def test_asking_twice_is_asking_once(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    assert board.ask_in("ann", "cat") == []
    [(who, error)] = board.say("dan", ParticipantAdd("c1", "p1", "cat"))
    assert isinstance(error, Error) and (who, error.reason) == ("dan", UNKNOWN_CALL)


def test_a_mixer_asks_nobody_in(board: GroupBoard) -> None:
    board.act(board.say("ann", CallJoin("a1", "g", "offer")))
    [(who, error)] = board.say("mx", ParticipantAdd("a1", "p1", "cat"))
    assert isinstance(error, Error) and (who, error.reason) == ("mx", UNKNOWN_CALL)


@pytest.mark.parametrize(("name", "code"), [("nobody", UNKNOWN_USER), ("cat", NO_MIXER)])
def test_a_refusal_is_for_the_one_who_asked(name: str, code: Reason) -> None:
    board = GroupBoard("ann", "bob", "cat")
    board.talk("ann", "bob")
    board.leave("mx")
    told = board.ask_in("ann", name)
    assert {who for who, _ in told} == {"ann"}
    [roster] = rosters(told, "ann")
    assert (roster.group_id, roster.me, roster.participants[-1].reason) == (None, "caller", code)


def test_a_refusal_in_a_group(board: GroupBoard) -> None:
    board.three()
    [roster] = rosters(board.ask_in("bob", "cat", participant_id="again"), "bob")
    assert (roster.group_id, len(roster.participants)) == (board.group.id, 3)


def test_who_joins_a_group_rings_for_it_no_more(board: GroupBoard) -> None:
    board.join("cat", "cat-2")
    board.act(board.say("ann", CallJoin("a1", "g", "offer")))
    board.ask_in("ann", "cat", "a1")
    board.ask_in("ann", "dan", "a1")
    told = board.act(board.say("cat", CallJoin("j1", "g", "offer")))
    assert ended(told, "cat") == ended(told, "cat-2") == [ANSWERED_ELSEWHERE]
    assert {m.party.name: m.session for m in board.group.members} == {"ann": "ann", "dan": None, "cat": "cat"}


def test_who_may_not_join_is_told(board: GroupBoard) -> None:
    board.leave("mx")
    assert board.say("ann", CallJoin("a1", "g", "offer")) == [("ann", CallEnded("a1", NO_MIXER))]


def test_who_is_muted(board: GroupBoard) -> None:
    cat = board.three()
    [roster] = rosters(board.say("cat", CallMute(cat, True)), "ann")
    assert [p.muted for p in roster.participants if p.party.name == "cat"] == [True]
    assert board.say("cat", CallMute(cat, True)) == board.say("dan", CallMute(cat, True)) == []
    assert board.say("dan", CallMute("c9", True)) == []


def test_who_is_removed(board: GroupBoard) -> None:
    cat = board.three()
    told = board.act(board.say("ann", ParticipantRemove("c1", "p-cat")))
    assert (ended(told, "cat"), left_over(told, "bob", "cat")) == ([REMOVED], REMOVED)
    for session, call_id, who in (("ann", "c1", "p-cat"), ("dan", cat, "caller"), ("ann", "c9", "x")):
        [(_, error)] = board.say(session, ParticipantRemove(call_id, who))
        assert isinstance(error, Error) and error.reason.code == 404


def test_who_cannot_be_removed(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    for who in ("caller", "callee"):
        [(_, error)] = board.say("ann", ParticipantRemove("c1", who))
        assert isinstance(error, Error) and "Hang up" in error.reason.message


def test_it_ends_for_everyone(board: GroupBoard) -> None:
    board.three()
    board.ask_in("cat", "dan", board.hub.names.of("cat", board.group.members[2].call))
    told = board.act(board.say("ann", CallEnd("c1", for_everyone=True)))
    assert (ended(told, "bob"), ended(told, "cat")) == ([ENDED_FOR_ALL], [ENDED_FOR_ALL])
    assert ended(told, "dan") == [CANCELLED]
    assert board.empty()


def test_a_call_of_two_ends_for_everyone_by_hanging_up(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    told = board.say("ann", CallEnd("c1", for_everyone=True))
    assert (ended(told, "bob"), ended(told, "cat")) == ([HUNG_UP], [CANCELLED])
    assert board.empty()


def test_a_mixer_ends_it_for_nobody_else(board: GroupBoard) -> None:
    cat = board.three()
    told = board.act(board.say("mx", CallEnd(cat, "media_lost", for_everyone=True)))
    assert (ended(told, "cat"), ended(told, "ann")) == ([MEDIA_LOST], [])


def test_it_ends_for_everyone_while_the_third_answers(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.ask_in("ann", "dan")
    board.still.update({"ann", "bob"})
    board.take("cat")
    told = board.act(board.say("ann", CallEnd("c1", for_everyone=True)))
    assert [ended(told, name) for name in ("bob", "cat", "dan")] == [[HUNG_UP], [ENDED_FOR_ALL], [CANCELLED]]
    assert board.empty()
