"""How ends go over to a mixer and back, what their calls become, and what is filed of them."""

import pytest
from msgspec.structs import replace

from signaling.messages import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallJoin,
    CallRenew,
    CallUp,
    CallUpdate,
    MixerPlace,
)
from signaling.passages import PASSAGE_SECONDS
from signaling.reasons import HUNG_UP, NO_MEDIA
from tests.unit.board import Told
from tests.unit.group_board import GroupBoard, gone_over

pytestmark = pytest.mark.unit


@pytest.fixture
def board() -> GroupBoard:
    return GroupBoard("ann", "bob", "cat", "dan")


def ended(told: Told, session: str) -> list[CallEnded]:
    return [message for who, message in told if who == session and isinstance(message, CallEnded)]


def asked(told: Told) -> list[str]:
    """Return who was asked for an offer of a new path."""
    return [who for who, message in told if isinstance(message, CallRenew | MixerPlace)]


def test_two_go_over_at_the_same_moment(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.add("bob")
    told = board.take("cat")
    assert asked(told) == ["ann", "mx"] and not {"ann", "bob"} & set(gone_over(told))
    board.still.clear()
    told = board.act(told[-8:])
    assert {"ann", "bob"} <= set(gone_over(board.told))
    [ann, bob, _] = board.group.members
    calls = board.hub.calls.all
    assert (calls[ann.call].caller.session, calls[bob.call].caller.session) == ("ann", "mx")
    assert board.group.origin is not None and board.group.origin.id == "c1"
    assert not calls[ann.call].filed and not calls[bob.call].filed


def test_what_was_a_call_of_two_is_filed_as_one(board: GroupBoard) -> None:
    cat = board.three()
    board.act(board.say("cat", CallEnd(cat)))
    assert board.sessions_in("c1") == {"ann", "bob"}
    board.say("bob", CallEnd("c1"))
    assert [(r.call_id, r.caller, r.callee) for r in board.records][-1] == ("c1", "8:acs:ann", "8:acs:bob")
    assert len(board.records) == 2


def test_the_call_of_two_is_filed_when_one_of_them_is_gone(board: GroupBoard) -> None:
    board.three()
    board.act(board.say("ann", CallEnd("c1")))
    assert [record.call_id for record in board.records] == ["c1"]
    [call] = board.hub.calls.all.values()
    assert call.filed and board.hub.names.of("bob", call.id) == "c1"
    assert {end.user: end.reason for end in board.records[0].legs}["8:acs:ann"] == HUNG_UP


def test_the_one_who_offers_already_goes_on_doing_so(board: GroupBoard) -> None:
    board.three()
    board.act(board.say("dan", CallJoin("d1", board.group.id, "offer")))
    board.act(board.say("ann", CallEnd("c1")))
    told = board.say("bob", CallEnd("c1"))
    assert asked(told) == ["dan"], "cat has been called, dan has called"
    assert set(gone_over(board.act(told))) == {"cat", "dan"}


def test_a_member_who_leaves_on_the_way(board: GroupBoard) -> None:
    cat = board.three()
    board.still.add("bob")
    told = board.act(board.say("cat", CallEnd(cat)))
    assert asked(told) == ["ann"]
    told = board.say("bob", CallEnd("c1"))
    assert ended(told, "ann") == [CallEnded("c1", HUNG_UP)]
    assert board.empty()


def test_a_third_who_leaves_on_the_way_of_three(board: GroupBoard) -> None:
    cat = board.three()
    board.mixer("mx2")
    board.still.update({"bob", "cat"})
    told = board.act(board.lose("mx"))
    assert len(board.hub.groups.mixing.passages.all) == 2, "each goes for itself"
    board.act(board.say("cat", CallEnd(cat)))
    board.still.clear()
    board.act(told)
    assert board.sessions_in("c1") == {"ann", "bob"}


def test_two_who_do_not_find_each_other_stay_with_the_mixer(board: GroupBoard) -> None:
    cat = board.three()
    board.still.add("bob")
    board.act(board.say("cat", CallEnd(cat)))
    told = board.act(board.wait(PASSAGE_SECONDS))
    assert asked(told) == ["ann"], "its offer is void"
    assert not board.group.promoted and len(board.group.here) == 2
    board.say("ann", CallEnd("c1"))
    assert len(board.group.here) == 1


def test_who_does_not_find_the_new_mixer_is_out(board: GroupBoard) -> None:
    board.three()
    board.mixer("mx2")
    board.still.add("bob")
    board.act(board.lose("mx"))
    told = board.act(board.wait(PASSAGE_SECONDS))
    assert ended(told, "bob") == [CallEnded("c1", NO_MEDIA)]


def test_a_mixer_that_gives_up_ends_the_way_to_it(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.update({"ann", "bob", "mx"})
    board.take("cat")
    board.say("mx", CallUp(board.group.here[2].call))
    told = board.say("ann", CallUpdate("c1", "offer", "a=ice-ufrag:new"))
    [(_, incoming)] = told
    board.still.clear()
    told = board.act(board.say("mx", CallEnd(incoming.call_id, "no_media")))  # type: ignore[union-attr]
    assert ended(told, "cat") and board.hub.groups.all == {}
    assert set(gone_over(told)) == {"ann", "bob"}, "the offer that was for the mixer is for bob now"


def test_a_mixer_that_leaves_is_not_waited_for(board: GroupBoard) -> None:
    board.three()
    board.mixer("mx2")
    board.still.update({"ann", "bob", "cat"})
    told = board.leave("mx")
    assert not any(ended(told, name) for name in ("ann", "bob", "cat"))
    board.still.clear()
    assert set(gone_over(board.act(told))) == {"ann", "bob", "cat", "mx2"}
    board.talk("dan", "ann", "c2")
    assert board.leave("dan")[0] == ("ann", CallEnded("c2", board.records[-1].reason))


def test_nobody_goes_to_a_mixer_that_is_lost(board: GroupBoard) -> None:
    board.act(board.say("ann", CallJoin("a1", "g", "offer")))
    board.lose("mx")
    board.hub.groups.mixing.rise(board.group, board.group.here, 0.0)
    assert board.hub.groups.mixing.passages.all == []


def test_the_mixer_with_the_least_to_do(board: GroupBoard) -> None:
    board.three()
    board.mixer("mx2")
    assert board.hub.groups.mixing.mixer() == "mx2"
    assert board.hub.groups.mixing.mixer(besides="mx2") == "mx"


def test_whose_session_is_not_known_keeps_its_call(board: GroupBoard) -> None:
    cat = board.three()
    group = board.group
    told = board.say("cat", CallEnd(cat))
    # The member is gone from the group, its passage not yet: nothing is left to replace.
    board.hub.groups.all[group.id] = replace(board.group, members=board.group.members[:1])
    assert CallConnected("c1") in [message for _, message in board.act(told)]


def test_only_a_mixer_leaves_others_on_their_way(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.update({"ann", "bob"})
    board.take("cat")
    told = board.leave("ann")
    assert ended(told, "bob") and ended(told, "cat")
    assert board.empty()
    cat = GroupBoard("ann", "bob", "cat")
    cat.three()
    cat.mixer("mx2")
    cat.still.update({"ann", "bob", "cat"})
    cat.hub.groups.mixing.abort(cat.group.id, HUNG_UP)
    assert not cat.hub.groups.mixing.leaves(next(iter(cat.hub.calls.all.values())), "mx", 0.0)
