"""Group calls at an endpoint: what is asked for, and what is known of the others."""

import pytest
from msgspec.structs import replace

from media.orders import MakeOffer
from node.events import Tasks
from node.exchange import AddParticipant, CallNews, Dial, Do, Join, Mute, RemoveParticipant, Speakers
from node.participant import Participants
from signaling.messages import (
    CallEnded,
    CallMute,
    CallParticipants,
    CallSpeakers,
    MixerPlace,
    MixerSpeakers,
    ParticipantAdd,
    ParticipantRemove,
)
from signaling.parts import CustomContext, Participant
from signaling.reasons import HUNG_UP
from tests.unit.desk import BOB, CAT, Desk, sent

pytestmark = pytest.mark.unit

HERE = (Participant("callee", BOB, "Connected"), Participant("p1", CAT, "Ringing"))


@pytest.fixture
def desk() -> Desk:
    """Ann, who talks with Bob."""
    desk = Desk()
    desk.outgoing()
    return desk


def test_only_a_call_that_is_up_takes_somebody_in(desk: Desk) -> None:
    context = CustomContext("hello")
    assert sent(desk.give(AddParticipant("c1", "p1", "cat", context))) == [
        ParticipantAdd("c1", "p1", "cat", context)
    ]
    assert sent(desk.give(RemoveParticipant("c1", "p1"))) == [ParticipantRemove("c1", "p1")]
    desk.give(Dial("c2", "cat"))
    for call_id in ("c2", "c9"):
        assert desk.give(AddParticipant(call_id, "p2", "dan")) == []


def test_who_is_there_and_who_talks(desk: Desk) -> None:
    desk.hub(CallParticipants("c1", "g1", "caller", HERE))
    assert (desk.call().group_id, desk.call().me, desk.call().participants) == ("g1", "caller", HERE)
    desk.hub(CallSpeakers("c1", ("callee",)))
    assert desk.call().speakers == ("callee",)
    assert desk.call().remote == BOB
    gone = replace(HERE[0], state="Disconnected", reason=HUNG_UP)
    cat = replace(HERE[1], state="Connected")
    desk.hub(CallParticipants("c1", "g1", "caller", (cat, gone)))
    assert (desk.call().remote, desk.call().speakers) == (BOB, ("callee",))
    [news] = desk.hub(CallParticipants("c1", None, "caller", (cat,)))
    assert isinstance(news, CallNews)
    assert (news.call.group_id, news.call.remote, news.call.speakers) == (None, CAT, ())


def test_who_had_left_does_not_come_back_when_the_call_ends(desk: Desk) -> None:
    others = Participants(Tasks())
    added, _ = others.follow(desk.call())
    cat = others.ask("p1", "cat")
    here = replace(HERE[1], state="Connected")
    desk.hub(CallParticipants("c1", "g1", "caller", (HERE[0], here)))
    assert others.follow(desk.call()) == ([cat], [])
    gone = replace(here, state="Disconnected", reason=HUNG_UP)
    desk.hub(CallParticipants("c1", "g1", "caller", (HERE[0], gone)))
    assert others.follow(desk.call()) == ([], [cat])
    desk.hub(CallEnded("c1", HUNG_UP))
    assert others.follow(desk.call()) == ([], [])
    assert others.all == added
    assert [each.state for each in (*added, cat)] == ["Disconnected"] * 2


def test_a_refusal_leaves_a_call_of_two(desk: Desk) -> None:
    refused = Participant("p1", CAT, "Disconnected", reason=HUNG_UP)
    desk.hub(CallParticipants("c1", None, "caller", (HERE[0], refused)))
    assert (desk.call().group_id, desk.call().remote) == (None, BOB)


def test_a_group_learns_at_first_who_is_muted(desk: Desk) -> None:
    assert sent(desk.give(Mute("c1", outgoing=True))) == []
    assert sent(desk.hub(CallParticipants("c1", "g1", "caller", HERE))) == [CallMute("c1", True)]
    assert sent(desk.hub(CallParticipants("c1", "g1", "caller", HERE[:1]))) == []
    desk.hub(CallParticipants("c1", None, "caller", HERE[:1]))
    assert sent(desk.hub(CallParticipants("c1", "g2", "caller", HERE))) == [CallMute("c1", True)]


def test_a_call_that_is_over_has_nobody_in_it(desk: Desk) -> None:
    desk.ended()
    assert desk.hub(CallParticipants("c1", "g1", "caller", HERE)) == []


def test_joining_and_mixing_are_calls(desk: Desk) -> None:
    [*_, order] = desk.give(Join("c2", "g1", muted=True))
    assert (order, desk.call("c2").muted, desk.call("c2").remote.raw_id) == (Do(MakeOffer("c2")), True, "g1")
    [*_, order] = desk.hub(MixerPlace("m1", "g1", CAT))
    assert (order, desk.call("m1").remote) == (Do(MakeOffer("m1")), CAT)
    assert sent(desk.give(Speakers("g1", ("m1",)))) == [MixerSpeakers("g1", ("m1",))]
