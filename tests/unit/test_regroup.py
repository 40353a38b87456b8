"""Group calls put together again by a hub that began anew: who is in them, and what they go on as."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from signaling.messages import CallAttach, CallEnd, CallParticipants, CallRenew, MixerPlace
from signaling.reasons import HUNG_UP
from tests.unit.board import Told
from tests.unit.group_board import GroupBoard

pytestmark = pytest.mark.unit

ANN, BOB, CAT = (f"8:acs:{name}" for name in ("ann", "bob", "cat"))
ENDS = {
    "ann": CallAttach("c1", BOB, True, server_call_id="n1", group_id="g1", participant_id="caller"),
    "bob": CallAttach("c1", ANN, False, server_call_id="n2", group_id="g1", participant_id="callee"),
    "cat": CallAttach("n3", ANN, False, group_id="g1", participant_id="p1"),
}


@pytest.fixture
def board() -> GroupBoard:
    return GroupBoard("ann", "bob", "cat", "dan")


def attach(board: GroupBoard, *names: str, mixer: str = "mx", said: Mapping[str, CallAttach] = ENDS) -> Told:
    """Let a mixer and these say what they were in."""
    ends = {name: said[name] for name in names}
    told: Told = []
    for at, (name, says) in enumerate(ends.items(), 1):
        mine = CallAttach(
            says.server_call_id or says.call_id, f"8:acs:{name}", not says.caller, group_id="g1"
        )
        told += board.say(mixer, replace(mine, more=at < len(ends)))
    for name, says in ends.items():
        told += board.say(name, says)
    return told


def rosters(told: Told, session: str) -> list[CallParticipants]:
    return [m for who, m in told if who == session and isinstance(m, CallParticipants)]


def test_everybody_is_in_it_as_before(board: GroupBoard) -> None:
    told = attach(board, "ann", "bob", "cat")
    assert {name: [(m.me, {p.id for p in m.participants}) for m in rosters(told, name)] for name in ENDS} == {
        "ann": [("caller", {"callee", "p1"})],
        "bob": [("callee", {"caller", "p1"})],
        "cat": [("p1", {"caller", "callee"})],
    }
    assert board.group.promoted and not board.group.gathering and board.group.mixer == "mx"


@pytest.mark.parametrize("turned", [False, True])
def test_the_call_that_it_began_as_is_filed_once(board: GroupBoard, turned: bool) -> None:
    other = {name: replace(ENDS[name], caller=ENDS[name].caller is not turned) for name in ("ann", "bob")}
    attach(board, "ann", "bob", "cat", said=ENDS | other)
    board.act(board.say("cat", CallEnd("n3")))
    board.say("ann", CallEnd("c1"))
    parties = ("8:acs:bob", "8:acs:ann") if turned else ("8:acs:ann", "8:acs:bob")
    assert [(r.caller, r.callee, r.kind, r.reason) for r in board.records] == [
        ("g1", CAT, "participant", HUNG_UP),
        (*parties, "participant", HUNG_UP),
    ]


def test_two_are_left_and_talk_directly(board: GroupBoard) -> None:
    board.still.clear()
    told = board.act(attach(board, "ann", "bob"))
    assert rosters(told, "ann")[-1].group_id is None
    assert board.sessions_in("c1") == {"ann", "bob"} and board.hub.names.empty


def test_a_group_that_is_joined_by_its_id_stays_one(board: GroupBoard) -> None:
    joined = replace(ENDS["cat"], remote="g1", caller=True)
    board.act(attach(board, "bob", "cat", said=ENDS | {"cat": joined}))
    assert not board.group.promoted and len(board.group.here) == 2
    board.say("bob", CallEnd("c1"))
    assert len(board.group.here) == 1
    board.say("cat", CallEnd("n3"))
    assert board.empty()


@pytest.mark.parametrize("participant_id", [None, "caller"])
def test_an_id_that_is_not_free_is_replaced(board: GroupBoard, participant_id: str | None) -> None:
    again = replace(ENDS["cat"], participant_id=participant_id)
    attach(board, "ann", "cat", said=ENDS | {"cat": again})
    ids = [member.id for member in board.group.members]
    assert ids[0] == "caller" and len(set(ids)) == 2


def test_whose_group_is_at_another_mixer_by_now_goes_there(board: GroupBoard) -> None:
    board.mixer("my")
    attach(board, "ann", "bob", said=ENDS | {"ann": replace(ENDS["ann"], remote="g1")})
    told = attach(board, "cat", mixer="my")
    assert ("mx", MixerPlace) in [(who, type(message)) for who, message in told]
    board.act(told)
    assert {leg.session for member in board.group.here for leg in board.hub.calls.all[member.call].legs} >= {
        "mx"
    }
    assert not any("my" in board.sessions_in(call_id) for call_id in board.hub.calls.all)


def test_two_mixers_are_waited_for(board: GroupBoard) -> None:
    board.mixer("my")
    mine = {
        name: replace(says, server_call_id=says.server_call_id or says.call_id) for name, says in ENDS.items()
    }
    by_mixer = {
        name: CallAttach(says.server_call_id or "", f"8:acs:{name}", not says.caller, group_id="g1")
        for name, says in mine.items()
    }
    board.say("mx", replace(by_mixer["ann"], more=True))
    board.say("ann", ENDS["ann"])
    board.say("my", by_mixer["cat"])  # the last one of that mixer
    board.say("cat", ENDS["cat"])
    assert board.group.gathering and len(board.group.here) == 2, "the other one has yet to tell of bob"
    board.say("mx", by_mixer["bob"])
    told = board.act(board.say("bob", ENDS["bob"]))
    assert not board.group.gathering and len(board.group.here) == 3
    assert ("cat", CallRenew("n3", anew=True)) in told or ("mx", MixerPlace) in [
        (w, type(m)) for w, m in told
    ]
    assert not any("my" in board.sessions_in(member.call) for member in board.group.here)


def test_two_whose_group_was_about_to_be_made_are_told_that_they_are_two(board: GroupBoard) -> None:
    mine = CallAttach("c1", BOB, True, group_id="g1", participant_id="p1")
    board.say("ann", mine)
    told = board.say("bob", CallAttach("c1", ANN, False, group_id="g1"))
    [roster] = rosters(told, "ann")
    assert (roster.group_id, roster.me, [p.id for p in roster.participants]) == (None, "p1", ["callee"])
    board.talk("cat", "dan", "c2")
    assert board.hub.groups.all == {}


def test_two_who_never_were_in_a_group_are_told_nothing(board: GroupBoard) -> None:
    board.say("ann", CallAttach("c1", BOB, True))
    assert rosters(board.say("bob", CallAttach("c1", ANN, False)), "ann") == []
