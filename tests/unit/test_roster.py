"""What members of group calls are told of each other."""

import pytest
from msgspec.structs import replace

from signaling.call import Leg
from signaling.group import pair
from signaling.messages import CallParticipants
from signaling.parts import Participant, Party
from signaling.reasons import DECLINED
from signaling.roster import Roster
from tests.unit.switchboard import Switchboard

pytestmark = pytest.mark.unit

BOB = Party("8:acs:bob", "Bob", "bob")


@pytest.fixture
def x() -> Switchboard:
    """Ann on device a talks with Bob on device b."""
    x = Switchboard()
    call = x.call(x.user("bob", "b"), state="up", answerer=Leg("b", BOB))
    x.calls.keep(call)
    return x


def test_everybody_is_told_of_the_others(x: Switchboard) -> None:
    roster = Roster(x.calls, x.tell)
    assert roster.of("c1") is None
    group = pair(x.now(), "g1", "mx")
    over = Participant("p1", BOB, "Disconnected", reason=DECLINED)
    told = x.hear(lambda: roster.put(group, over))
    ann = Participant("caller", x.now().caller.party, "Connected")
    bob = Participant("callee", BOB, "Connected")
    assert told == [
        ("a", CallParticipants("c1", "g1", "caller", (bob, over))),
        ("b", CallParticipants("c1", "g1", "callee", (ann, over))),
    ]
    assert roster.of("c1") == group
    told = x.hear(lambda: roster.dissolve(group))
    assert told[0] == ("a", CallParticipants("c1", None, "caller", (bob,)))
    assert roster.all == {}


def test_a_refusal_is_told_to_one(x: Switchboard) -> None:
    roster = Roster(x.calls, x.tell)
    over = Participant("p1", BOB, "Disconnected", reason=DECLINED)
    group = replace(pair(x.now(), "g1", "mx"), direct=None)
    for among, group_id in ((None, None), (group, "g1")):
        told = x.hear(lambda among=among: roster.refuse(x.now(), among, "b", over))  # type: ignore[misc]
        [(who, message)] = told
        assert isinstance(message, CallParticipants)
        assert (who, message.group_id, message.me) == ("b", group_id, "callee")
        assert message.participants[-1] == over and len(message.participants) == 2


def test_while_a_group_is_gathering_nobody_is_told(x: Switchboard) -> None:
    roster = Roster(x.calls, x.tell)
    group = replace(pair(x.now(), "g1", "mx"), gathering=True)
    assert x.hear(lambda: roster.put(group)) == []
    assert roster.all == {"g1": group}
