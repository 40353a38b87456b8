"""A group call as a value: who is there, and how the others see them."""

import pytest
from msgspec.structs import replace

from signaling.call import Call, Leg, as_party
from signaling.group import Group, Member, pair
from signaling.parts import Participant, Party
from signaling.settings import User

pytestmark = pytest.mark.unit

ANN, BOB = Party("8:acs:ann"), Party("8:acs:bob")
CALL = Call(
    id="c1", caller=Leg("a", ANN), sdp="", callee=User("8:acs:bob"), placed_at=0.0, answerer=Leg("b", BOB)
)


@pytest.mark.parametrize(
    ("member", "state"),
    [
        ({}, "Connecting"),
        ({"alerted": True}, "Ringing"),
        ({"session": "b"}, "Connecting"),
        ({"session": "b", "up": True}, "Connected"),
    ],
)
def test_how_a_member_is_seen(member: dict[str, object], state: str) -> None:
    bob = Member(id="p1", party=BOB, call="c1", muted=True, **member)  # type: ignore[arg-type]
    seen = bob.seen(CALL)
    assert (seen.id, seen.party, seen.state, seen.muted) == ("p1", BOB, state, True)
    held = replace(CALL, held=frozenset({"b"}))
    assert bob.seen(held).state == ("Hold" if bob.session else state)
    assert isinstance(bob.seen(None), Participant)


def test_a_call_of_two_becomes_a_group() -> None:
    group = pair(CALL, "g1", "mx")
    assert [(m.id, m.session, m.up) for m in group.members] == [("caller", "a", True), ("callee", "b", True)]
    assert (group.direct, group.promoted, group.mixer) == ("c1", True, "mx")
    assert [m.id for m in pair(replace(CALL, gone=frozenset({"a"})), "", "").members] == ["callee"]
    assert [m.id for m in pair(replace(CALL, answerer=None), "", "").members] == ["caller"]


def test_a_mailbox_is_seen_as_its_owner_not_as_who_answers_for_it() -> None:
    box = replace(CALL, kind="voicemail", answerer=Leg("v", Party("8:acs:vm")))
    assert pair(box, "", "").members[1].party == as_party(CALL.callee)


def test_who_is_there_and_who_is_asked() -> None:
    cat = Member(id="p1", party=ANN, call="m1")
    group = Group(id="g1", mixer="mx", members=(*pair(CALL, "", "").members, cat))
    assert ([m.id for m in group.here], group.asked) == (["caller", "callee"], (cat,))
    assert (group.member("p1"), group.member("p2"), group.at("mx")) == (cat, None, None)
    assert group.put(replace(cat, session="c")).at("c") == replace(cat, session="c")
