"""Group calls in the hub: who is asked in and comes, who leaves, and what each is told."""

import pytest

from signaling.group_requests import PLACE_SECONDS
from signaling.hub import GRACE_SECONDS, Back, Joined, UserRemoved
from signaling.messages import (
    CallAnswer,
    CallAttach,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallJoin,
    CallPlace,
    CallRinging,
    CallSpeakers,
    CallUp,
    MixerPlace,
    MixerSpeakers,
    ParticipantRemove,
)
from signaling.passages import PASSAGE_SECONDS
from signaling.reasons import (
    CANCELLED,
    DECLINED,
    HUNG_UP,
    NETWORK,
    NO_ANSWER,
    NO_MEDIA,
    TIMED_OUT,
    UNKNOWN_USER,
    Reason,
)
from tests.unit.board import FULL, Told, party
from tests.unit.group_board import GroupBoard, gone_over, rosters

pytestmark = pytest.mark.unit


@pytest.fixture
def board() -> GroupBoard:
    return GroupBoard("ann", "bob", "cat", "dan")


def states(told: Told, session: str) -> list[dict[str, str]]:
    """Return the states of the others, by name, that a session was told of."""
    return [{p.party.name: p.state for p in roster.participants} for roster in rosters(told, session)]


def ended(told: Told, session: str) -> list[Reason]:
    return [message.reason for who, message in told if who == session and isinstance(message, CallEnded)]


def left_over(told: Told, session: str, name: str) -> Reason | None:
    """Return why somebody is Disconnected, as a session was told."""
    [over] = [
        p.reason
        for roster in rosters(told, session)
        for p in roster.participants
        if p.party.name == name and p.state == "Disconnected"
    ]
    return over


# --- asked in


def test_whom_two_ask_in_rings_and_they_talk_on(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    told = board.ask_in("ann", "cat")
    assert states(told, "ann")[0] == {"bob": "Connected", "cat": "Connecting"}
    [ring] = [m for who, m in told if who == "cat" and isinstance(m, CallIncoming)]
    assert (ring.caller, ring.group_id) == (party("ann"), board.group.id)
    told = board.say("cat", CallRinging(ring.call_id))
    assert states(told, "bob") == [{"ann": "Connected", "cat": "Ringing"}]
    assert board.sessions_in("c1") == {"ann", "bob"}
    told = board.take("cat")
    assert gone_over(told).count("ann") == gone_over(told).count("bob") == 1
    assert states(told, "cat")[-1] == {"ann": "Connected", "bob": "Connected"}
    assert board.state("c1") == "gone"
    assert all(m.call_id == "c1" for who, m in told if who in ("ann", "bob") and isinstance(m, CallConnected))


def test_who_comes_is_seen_under_the_name_of_the_device(board: GroupBoard) -> None:
    board.leave("cat")
    board.feed(Joined("cat", "8:acs:cat", "Cat at her desk", FULL))
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    told = board.take("cat")
    assert {p.party.display_name for p in rosters(told, "bob")[-1].participants} == {"Ann", "Cat at her desk"}


@pytest.mark.parametrize("reason", [DECLINED, NO_ANSWER, CANCELLED])
def test_who_does_not_come_leaves_two_as_they_were(board: GroupBoard, reason: Reason) -> None:
    board.talk("ann", "bob")
    board.ask_in("bob", "cat")
    if reason == DECLINED:
        told = board.act(board.say("cat", CallEnd(board.group.asked[0].call, "declined")))
    elif reason == CANCELLED:
        told = board.act(board.say("ann", ParticipantRemove("c1", "p-cat")))
        assert ended(told, "cat") == [CANCELLED]
    else:
        told = board.act(board.wait(60))
    assert left_over(told, "ann", "cat") == reason
    assert rosters(told, "bob")[-1].group_id is None
    assert (board.state("c1"), board.hub.groups.all) == ("up", {})
    board.say("ann", CallEnd("c1"))
    assert board.empty()


def test_a_mixer_that_does_not_place_the_call_is_given_up(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.still.add("mx")
    told = board.ask_in("ann", "cat")
    told = board.wait(PLACE_SECONDS)
    assert left_over(told, "ann", "cat") == TIMED_OUT
    assert ended(told, "mx") == [TIMED_OUT]
    assert board.hub.groups.all == {}


def test_somebody_deleted_meanwhile(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.still.add("mx")
    [(_, order)] = [(w, m) for w, m in board.ask_in("ann", "cat") if isinstance(m, MixerPlace)]
    board.feed(UserRemoved("8:acs:cat"))
    told = board.say("mx", CallPlace(order.call_id, "cat", "offer"))
    assert left_over(told, "ann", "cat") == UNKNOWN_USER


# --- joined


def test_a_group_is_there_as_long_as_somebody_is_in_it(board: GroupBoard) -> None:
    board.act(board.say("ann", CallJoin("a1", "g", "offer")))
    for name in ("bob", "cat"):
        told = board.act(board.say(name, CallJoin(f"{name}1", "g", "offer")))
    assert states(told, "ann")[-1] == {"bob": "Connected", "cat": "Connected"}
    for name in ("cat", "bob"):
        board.say(name, CallEnd(f"{name}1"))
        assert board.group.direct is None
    board.say("ann", CallEnd("a1"))
    assert board.empty()


def test_a_mixer_that_does_not_answer(board: GroupBoard) -> None:
    board.still.add("mx")
    board.say("ann", CallJoin("a1", "g", "offer"))
    told = board.wait(30)
    assert ended(told, "ann") == [NO_ANSWER]
    assert board.empty()


def test_to_join_while_two_are_on_their_way_to_each_other(board: GroupBoard) -> None:
    cat = board.three()
    group_id = board.group.id
    board.still.update({"ann", "bob"})
    told = board.act(board.say("cat", CallEnd(cat)))
    assert not gone_over(told)
    board.act(board.say("dan", CallJoin("d1", group_id, "offer")))
    board.act(board.say("dan", CallUp("d1")))
    board.still.clear()
    told = board.act(told)
    assert board.group.direct is None and len(board.group.here) == 3, "and back to the mixer"
    assert gone_over(told).count("ann") == 2


# --- in it


def test_who_holds(board: GroupBoard) -> None:
    cat = board.three()
    told = board.say("ann", CallHold("c1", True))
    assert states(told, "cat") == [{"ann": "Hold", "bob": "Connected"}]
    board.act(board.say("cat", CallEnd(cat)))
    assert board.group.direct is None, "who holds stays with the mixer"
    board.act(board.say("ann", CallHold("c1", False)))
    assert board.hub.groups.all == {} and board.state("c1") == "up"


def test_who_talks(board: GroupBoard) -> None:
    cat = board.three()
    group = board.group
    told = board.say("mx", MixerSpeakers(group.id, (cat, "gone", group.members[0].call)))
    assert told[0] == ("ann", CallSpeakers("c1", ("p-cat", "caller")))
    assert len(told) == 3
    assert board.say("ann", MixerSpeakers(group.id, ())) == board.say("mx", MixerSpeakers("g9", ())) == []


def test_two_who_talk_directly_are_not_told_who_talks(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    assert board.say("mx", MixerSpeakers(board.group.id, ())) == []


# --- leaving


@pytest.mark.parametrize("leaves", ["ann", "bob", "cat"])
def test_two_who_are_left_talk_directly(board: GroupBoard, leaves: str) -> None:
    board.three()
    ids = {m.session or "": board.hub.names.of(m.session or "", m.call) for m in board.group.members}
    told = board.act(board.say(leaves, CallEnd(ids[leaves])))
    others = {"ann", "bob", "cat"} - {leaves}
    assert set(gone_over(told)) == others
    [call] = board.hub.calls.all.values()
    assert {leg.session for leg in call.legs} == others
    assert rosters(told, sorted(others)[0])[-1].group_id is None
    known = {(f"8:acs:{name}", ids[name]) for name in others}
    board.leave(sorted(others)[0])
    assert board.empty()
    filed = {(end.user, record.call_id) for record in board.records for end in record.legs}
    assert known <= filed, "each finds the call by the id they know"


def test_the_last_of_what_was_a_call_of_two_is_not_left_alone(board: GroupBoard) -> None:
    cat = board.three()
    board.still.update({"ann", "bob"})
    board.say("cat", CallEnd(cat))
    told = board.say("ann", CallEnd("c1"))
    assert ended(told, "bob") == [HUNG_UP]
    assert board.empty()


def test_the_two_hang_up_while_the_third_answers(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.update({"ann", "bob"})
    board.take("cat")
    told = board.act(board.say("ann", CallEnd("c1")))
    assert (ended(told, "bob"), ended(told, "cat")) == ([HUNG_UP], [HUNG_UP])
    assert board.empty()


def test_who_is_alone_waits_for_those_who_are_asked(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.ask_in("ann", "dan")
    board.still.update({"ann", "bob"})
    board.take("cat")
    board.act(board.say("ann", CallEnd("c1")))
    assert [m.party.name for m in board.group.here] == ["cat"]
    told = board.take("dan")
    assert states(told, "dan")[-1] == {"cat": "Connected"}


# --- the mixer is lost


def test_another_mixer_takes_over(board: GroupBoard) -> None:
    board.three()
    board.mixer("mx2")
    told = board.act(board.lose("mx"))
    assert sorted(gone_over(told)) == sorted(["ann", "bob", "cat", "mx2", "mx2", "mx2"])
    assert board.group.mixer == "mx2"
    board.wait(GRACE_SECONDS)
    assert len(board.group.here) == 3


def test_a_mixer_that_comes_takes_over(board: GroupBoard) -> None:
    board.three()
    assert not gone_over(board.act(board.lose("mx")))
    board.join("dan", "dan-2")
    before = len(board.told)
    board.mixer("mx2")
    assert set(gone_over(board.act(board.told[before:]))) == {"ann", "bob", "cat", "mx2"}


def test_who_did_not_get_to_another_mixer_does_when_that_is_back(board: GroupBoard) -> None:
    board.act(board.say("ann", CallJoin("a1", "g", "offer")))
    board.act(board.say("ann", CallUp("a1")))
    board.mixer("mx2")
    board.still.add("ann")
    board.lose("mx")
    board.lose("mx2")
    assert (board.group.mixer, board.sessions_in("a1")) == ("mx2", {"ann", "mx"})
    board.still.clear()
    board.act(board.feed(Back("mx2")))
    assert board.sessions_in(board.group.here[0].call) == {"ann", "mx2"}


def test_without_a_mixer_three_have_an_end(board: GroupBoard) -> None:
    board.three()
    board.lose("mx")
    told = board.act(board.wait(GRACE_SECONDS))
    assert [ended(told, name) for name in ("ann", "bob", "cat")] == [[NETWORK]] * 3
    assert board.empty()


def test_a_mixer_that_is_back_goes_on(board: GroupBoard) -> None:
    board.three()
    board.lose("mx")
    board.feed(Back("mx"))
    board.wait(60)
    assert len(board.group.here) == 3


def test_who_is_left_at_a_mixer_before_comes_when_the_next_one_is_back(board: GroupBoard) -> None:
    cat = board.three()
    board.mixer("my")
    board.still.add("cat")
    board.act(board.lose("mx"))
    board.lose("my")
    assert board.sessions_in(cat) == {"mx", "cat"}
    board.still.clear()
    board.act(board.feed(Back("my")))
    assert all("my" in board.sessions_in(member.call) for member in board.group.here)
    assert len(board.group.here) == 3


def test_two_without_a_mixer_talk_directly(board: GroupBoard) -> None:
    for name in ("ann", "bob"):
        board.act(board.say(name, CallJoin(f"{name}1", "g", "offer")))
        board.say(name, CallUp(f"{name}1"))
    told = board.act(board.lose("mx"))
    assert set(gone_over(told)) == {"ann", "bob"}
    [call] = board.hub.calls.all.values()
    assert {leg.session for leg in call.legs} == {"ann", "bob"}
    assert board.hub.groups.all == {}


def test_the_two_talk_on_when_the_mixer_is_lost(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    told = board.lose("mx")
    assert (ended(told, "cat"), left_over(told, "ann", "cat")) == ([NETWORK], NETWORK)
    assert board.hub.groups.all == {}
    board.mixer("mx2")
    board.ask_in("ann", "cat", participant_id="p2")
    board.still.update({"ann", "bob"})
    board.take("cat")
    told = board.act(board.lose("mx2"))
    assert ended(told, "cat") == [NETWORK]
    assert (board.hub.groups.all, board.state("c1")) == ({}, "up")


def test_who_is_not_heard_yet_is_lost_with_the_mixer(board: GroupBoard) -> None:
    board.three()
    board.still.add("mx")
    board.say("dan", CallJoin("d1", board.group.id, "offer"))
    board.mixer("mx2")
    told = board.act(board.lose("mx"))
    assert ended(told, "dan") == [NETWORK]
    assert board.group.mixer == "mx2"


def test_the_mixer_is_lost_while_the_third_is_not_heard_yet(board: GroupBoard) -> None:
    board.mixer("mx2")
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    told = board.act(board.say("cat", CallAnswer(board.group.asked[0].call, "answer")))
    told = board.act(board.lose(board.group.mixer))
    assert ended(told, "cat") == [NETWORK]
    assert {"ann", "bob"} <= set(gone_over(told)), "the two who are left talk directly"
    assert (board.hub.groups.all, board.hub.groups.mixing.passages.all) == ({}, [])


def test_two_on_their_way_to_each_other_need_no_mixer(board: GroupBoard) -> None:
    cat = board.three()
    board.still.update({"ann", "bob"})
    told = board.say("cat", CallEnd(cat))
    board.mixer("mx2")
    told += board.lose("mx")
    board.still.clear()
    assert set(gone_over(board.act(told))) == {"ann", "bob"}
    assert board.hub.groups.all == {}


def test_the_mixer_of_the_first_is_lost_before_it_is_heard(board: GroupBoard) -> None:
    board.still.add("mx")
    board.say("ann", CallJoin("a1", "g", "offer"))
    told = board.lose("mx")
    assert ended(told, "ann") == [NETWORK]
    assert board.empty() or board.hub.groups.all == {}


# --- and the rest


def test_a_call_of_two_is_held_as_ever(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    assert board.say("ann", CallHold("c1", True)) == [("bob", CallHold("c1", True))]
    assert not board.hub.groups.grouped("c1")


def test_what_does_not_get_there_in_time(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.update({"ann", "bob"})
    board.take("cat")
    told = board.act(board.wait(PASSAGE_SECONDS))
    assert ended(told, "cat") == [NO_MEDIA]
    assert ended(told, "dan") == []
    assert (board.hub.groups.all, board.state("c1")) == ({}, "up")


def test_a_new_session_takes_the_place_of_a_lost_one(board: GroupBoard) -> None:
    cat = board.three()
    board.lose("cat")
    board.join("cat", "cat-2")
    board.say("cat-2", CallAttach(cat, "8:acs:ann", caller=False))
    assert [m.session for m in board.group.members][2] == "cat-2"
    board.talk("dan", "ann", "c2")
    board.lose("dan")
    board.join("dan", "dan-2")
    board.say("dan-2", CallAttach("c2", "8:acs:ann", caller=True))
    assert board.sessions_in("c2") == {"dan-2", "ann"}


def test_who_answers_twice(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.join("cat", "cat-2")
    told = board.ask_in("ann", "cat")
    [call] = [c for c in board.hub.calls.all.values() if c.ringing]
    assert {who for who, m in told if isinstance(m, CallIncoming)} == {"cat", "cat-2"}
    board.act(board.say("cat", CallAnswer(call.id, "answer")))
    assert ended(board.told, "cat-2") and len(board.group.members) == 3


def test_two_are_asked_and_one_comes_to_nothing(board: GroupBoard) -> None:
    board.talk("ann", "bob")
    board.ask_in("ann", "cat")
    board.still.add("mx")
    board.ask_in("bob", "dan")
    told = board.wait(PLACE_SECONDS)
    assert left_over(told, "ann", "dan") == TIMED_OUT
    assert [member.party.name for member in board.group.asked] == ["cat"]


def test_a_mixer_that_stops_hangs_up_and_another_takes_over(board: GroupBoard) -> None:
    board.three()
    board.mixer("mx2")
    told: Told = []
    for member in board.group.here:
        told += board.say("mx", CallEnd(member.call))
    told = board.act(told + board.leave("mx"))
    assert set(gone_over(told)) == {"ann", "bob", "cat", "mx2"}
    assert not any(ended(told, name) for name in ("ann", "bob", "cat"))
