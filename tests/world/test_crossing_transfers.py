"""Transfers that meet others: two transferors, a transferee in two transfers, loops, hops, deadlines."""

import pytest

from node.exchange import Accept, CancelTransfer, Consent, Dial, HangUp
from node.handovers import TRANSFER_SECONDS
from signaling.parts import CallTarget, ParticipantTarget, VoicemailTarget
from signaling.reasons import (
    BAD_ARGUMENT,
    NO_ANSWER,
    TIMED_OUT,
    TOO_MANY_HOPS,
    TRANSFER_CONFLICT,
    Reason,
)
from signaling.routing import MAX_HOPS
from signaling.settings import Settings, ToPerson
from tests.world.stories import ask, begin, picks_up
from tests.world.world import World

pytestmark = pytest.mark.world


@pytest.fixture
def world(seed: int) -> World:
    """Ann has called bob, and both talk; cat, dan and voicemail are there."""
    return begin(seed)


def error(world: World, who: str = "ann", transfer: str = "t1") -> Reason | None:
    return world.agents[who].transfer(transfer).error


def test_a_transfers_b_while_b_transfers_a(seed: int) -> None:
    """The first one to reach the hub goes on, the other is told that there is one."""
    winners = set()
    for number in range(20):
        world = begin(seed + number)
        picks_up(world, "cat", "dan")
        ask(world, ParticipantTarget("cat"))
        ask(world, ParticipantTarget("dan"), "bob", transfer="t2")
        world.run(1)
        failed = [who for who, t in (("ann", "t1"), ("bob", "t2")) if error(world, who, t)]
        assert len(failed) == 1
        assert error(world, failed[0], "t1" if failed == ["ann"] else "t2") == TRANSFER_CONFLICT
        winners.add(failed[0])
        pair = ("bob", "cat") if failed == ["bob"] else ("ann", "dan")
        assert world.talking(*pair)
    assert winners == {"ann", "bob"}


def test_b_is_transferred_in_two_calls_at_once(world: World) -> None:
    """Dan, who talks to bob too, hands him over at the same moment; each call goes where it was sent."""
    world.join("eve")
    picks_up(world, "cat", "eve")
    world.call("dan", "bob", "c2")
    ask(world, ParticipantTarget("cat"))
    ask(world, ParticipantTarget("eve"), "dan", "c2", "t2")
    world.run(1)
    assert world.talking("bob", "cat") == world.agents["ann"].transfer("t1").new_call_id
    assert world.talking("bob", "eve") == world.agents["dan"].transfer("t2").new_call_id


def test_two_hand_their_callers_to_each_others_call(world: World) -> None:
    """Ann hands bob to her call with cat, while cat hands ann to somebody else: one of both goes."""
    for number in range(20):
        w = begin(world.seed + number)
        w.call("ann", "cat", "c2")
        picks_up(w, "dan")
        ask(w, CallTarget("c2"))
        ask(w, ParticipantTarget("dan"), "cat", "c2", "t2")
        w.run(1)
        ends = (w.agents["ann"].transfer("t1"), w.agents["cat"].transfer("t2"))
        assert sorted(end.state for end in ends) == ["Failed", "Transferred"]
        assert w.talking("bob", "cat") or (w.talking("ann", "dan") and w.talking("ann", "bob"))


def test_the_call_that_is_about_to_be_is_no_target_and_is_not_handed_over(world: World) -> None:
    world.call("bob", "dan", "c2")
    ask(world, ParticipantTarget("cat"))
    world.run(0.5)
    [rings] = world.agents["cat"].rings()
    ask(world, CallTarget(rings.id), "bob", "c2", "t2")
    world.run(0.5)
    assert error(world, "bob", "t2") == TRANSFER_CONFLICT
    world.do("cat", Accept(rings.id))
    world.run(1)
    assert world.talking("bob", "cat") == rings.id


def test_who_is_transferred_hands_on_what_is_still_being_set_up(world: World) -> None:
    """Chains need no pause: bob hands cat on in the moment in which they hear each other."""
    picks_up(world, "cat", "dan")
    ask(world, ParticipantTarget("cat"))
    while not (new := [c for c in world.agents["bob"].connected() if c != "c1"]):
        world.run(0.001)
    ask(world, ParticipantTarget("dan"), "bob", new[0], "t2")
    world.run(1)
    assert world.talking("cat", "dan")
    assert world.agents["ann"].transfer("t1").state == "Transferred"
    assert world.agents["bob"].transfer("t2").state == "Transferred"


def test_back_to_a_and_round_again(world: World) -> None:
    """A hands B to C, C hands B back to A, ten times: the same two talk, and nothing is left of the way."""
    picks_up(world, "ann", "cat")
    where, other, call = "ann", "cat", "c1"
    for number in range(10):
        ask(world, ParticipantTarget(other), where, call, f"t{number}")
        world.run(0.5)
        world.do(where, HangUp(call))
        world.run(0.5)
        new = world.talking("bob", other)
        assert new is not None
        where, other, call = other, where, new
    assert list(world.hub.calls.all) == [call] and list(world.agents["bob"].phone.calls) == [call]


@pytest.mark.parametrize("back_to", ["ann", "bob"])
def test_a_target_that_forwards_in_a_circle_fails_and_leaves_both_talking(world: World, back_to: str) -> None:
    world.user("cat", Settings(forwarding=ToPerson("dan")))
    world.user("dan", Settings(forwarding=ToPerson("cat" if back_to == "ann" else "bob")))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    assert error(world) == TOO_MANY_HOPS
    assert world.talking("ann", "bob") == "c1"


def test_hop_limit(world: World) -> None:
    names = [f"hop{number}" for number in range(MAX_HOPS + 2)]
    for here, there in zip(names, [*names[1:], "cat"], strict=True):
        world.user(here, Settings(forwarding=ToPerson(there)))
    ask(world, ParticipantTarget(names[0]))
    world.run(1)
    assert error(world) == TOO_MANY_HOPS
    assert world.talking("ann", "bob") == "c1" and not world.agents["cat"].rings()
    picks_up(world, "cat")
    ask(world, ParticipantTarget(names[2]), transfer="t2")
    world.run(1)
    outcome = world.agents["ann"].transfer("t2").outcome
    assert outcome is not None and len(outcome.via) == MAX_HOPS and world.talking("bob", "cat")


def test_a_target_whose_forward_leads_to_a_calls_a_back(world: World) -> None:
    """A asked for C, whose calls A takes: A's other device may answer, or A themself."""
    world.user("cat", Settings(forwarding=ToPerson("ann")))
    picks_up(world, "ann")
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    final = world.agents["ann"].transfer("t1")
    assert final.state == "Transferred" and final.outcome is not None
    assert (final.outcome.party.name, final.outcome.via) == ("ann", ("8:acs:cat",))
    assert world.talking("ann", "bob") == final.new_call_id


# --- every state has a deadline in the hub


def test_consent_that_never_comes(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    ask(world, ParticipantTarget("cat"))
    world.run(31)
    assert error(world) == TIMED_OUT and world.talking("ann", "bob") == "c1"
    world.do("bob", Consent("t1", True))
    world.run(1)
    assert not world.agents["cat"].rings() and not world.agents["bob"].phone.offers


def test_a_phone_of_b_that_obeys_no_order(world: World) -> None:
    world.agents["bob"].alive = False  # it hangs, and its socket stands
    ask(world, VoicemailTarget("cat"))
    world.run(31)
    assert error(world) == TIMED_OUT and not world.agents["vm"].rings()


def test_c_that_rings_for_ever(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(61)
    assert error(world) == NO_ANSWER and world.talking("ann", "bob") == "c1"


@pytest.mark.parametrize("deaf", ["bob", "cat"])
def test_media_that_never_comes_up(world: World, deaf: str) -> None:
    """C answers, and no sound gets through: A and B go on."""
    world.sound.deaf.add(deaf)
    picks_up(world, "cat")
    ask(world, ParticipantTarget("cat"))
    world.run(12)
    world.sound.deaf.clear()
    assert world.agents["ann"].transfer("t1").state == "Failed"
    assert world.talking("ann", "bob") == "c1" and not world.agents["cat"].connected()


def test_a_recorder_that_takes_no_call(world: World) -> None:
    world.agents["vm"].on_ring = None
    ask(world, VoicemailTarget("cat"))
    world.run(11)
    assert world.agents["ann"].transfer("t1").state == "Failed" and world.talking("ann", "bob") == "c1"


def test_a_hub_that_says_no_more_about_a_transfer(world: World) -> None:
    world.agents["cat"].on_ring = None
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.hub.transfers.all.clear()
    world.run(TRANSFER_SECONDS + 1)
    assert error(world) == TIMED_OUT


# --- the same target joins, another is refused


def test_who_joins_learns_the_same_and_may_call_it_off_for_both(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    ask(world, ParticipantTarget("cat"), transfer="t2")
    world.run(1)
    world.do("ann", CancelTransfer("t2"))
    world.run(1)
    assert error(world, transfer="t1") == error(world, transfer="t2") is not None
    assert world.talking("ann", "bob") == "c1" and not world.agents["cat"].phone.ringing


def test_a_call_that_is_handed_over_is_no_target_of_another_transfer(world: World) -> None:
    world.call("ann", "dan", "c2")
    ask(world, ParticipantTarget("cat"), call="c2")
    ask(world, CallTarget("c2"), transfer="t2")
    world.run(1)
    assert error(world, transfer="t2") == TRANSFER_CONFLICT


def test_both_calls_are_with_the_same_person(world: World) -> None:
    world.do("bob", Dial("c2", "ann"))
    world.run(0.5)
    world.do("ann", Accept("c2"))
    world.run(0.5)
    ask(world, CallTarget("c2"))
    world.run(1)
    refused = error(world)
    assert refused is not None and refused.code == BAD_ARGUMENT.code
    assert world.agents["ann"].connected() == world.agents["bob"].connected() == ["c1", "c2"]
