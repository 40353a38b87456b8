"""Who hears whom while calls are held, muted and handed over: on hold nobody hears the wrong party."""

from functools import partial

import pytest

from node.exchange import Accept, CancelTransfer, Dial, HangUp, Hold, Mute, Reject
from node.session import CallState
from signaling.parts import CallTarget, ParticipantTarget, VoicemailTarget
from signaling.reasons import CANCELLED, DECLINED, NO_ANSWER, REPLACED
from tests.world.stories import ask, begin, consult, picks_up
from tests.world.world import World

pytestmark = pytest.mark.world


@pytest.fixture
def world(seed: int) -> World:
    """Ann has called bob, and both talk; cat and dan are there."""
    return begin(seed)


def hear(world: World, **ears: str) -> None:
    """Assert whom each of these hears, by names with blanks between; whoever is not named hears nobody."""
    heard = {name: " ".join(sorted(world.hears(name))) for name in world.agents}
    assert heard == {name: ears.get(name, "") for name in world.agents}


def test_hold_from_either_side_and_both(world: World) -> None:
    hear(world, ann="bob", bob="ann")
    for holds in ([("bob", True)], [("ann", True)], [("bob", False)]):
        for who, on in holds:
            world.do(who, Hold("c1", on))
        world.run(1)
        hear(world)
    world.do("ann", Hold("c1", False))
    world.run(1)
    hear(world, ann="bob", bob="ann")


def test_a_consults_c_while_b_is_held_and_goes_from_one_to_the_other(world: World) -> None:
    consult(world)
    hear(world, ann="cat", cat="ann")
    world.do("ann", Hold("c2", True))
    world.do("ann", Hold("c1", False))
    world.run(1)
    hear(world, ann="bob", bob="ann")
    ask(world, CallTarget("c2"))
    world.run(1)
    hear(world, bob="cat", cat="bob")


def test_b_hears_a_while_c_rings_and_then_c_alone(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    hear(world, ann="bob", bob="ann")
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    hear(world, bob="cat", cat="bob")
    assert world.agents["ann"].connected() == ["c1"], "A hears nothing in what is left of the call"


@pytest.mark.parametrize("how", ["declined", "cancelled", "unanswered", "left"])
def test_after_a_failed_transfer_a_and_b_hear_each_other_within_a_second(world: World, how: str) -> None:
    world.do("ann", Hold("c1", True))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    hear(world)
    match how:
        case "declined":
            world.do("cat", Reject(world.agents["cat"].rings()[0].id))
        case "cancelled":
            world.do("ann", CancelTransfer("t1"))
        case "unanswered":
            world.run(59)
        case _:
            world.kill("cat", noticed_after=0.0)
            world.run(8)
    world.run(1)
    hear(world, ann="bob", bob="ann")


def test_muted_b_stays_unheard_and_deaf_b_stays_deaf(world: World) -> None:
    picks_up(world, "cat")
    world.do("bob", Mute("c1", outgoing=True, incoming=True))
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    hear(world)
    [call_id] = world.agents["bob"].connected()
    world.do("bob", Mute(call_id, outgoing=False))
    world.run(1)
    hear(world, cat="bob")


def test_b_who_holds_a_and_talks_to_another_is_not_heard_by_c(world: World) -> None:
    """The microphone of B is in the call with dan: C waits, as A did."""
    picks_up(world, "cat")
    world.do("dan", Dial("c2", "bob"))
    world.run(0.5)
    world.do("bob", Accept("c2", hold_others=True))
    world.run(1)
    hear(world, bob="dan", dan="bob")
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    hear(world, bob="dan", dan="bob")
    new = world.agents["ann"].transfer("t1").new_call_id
    assert new is not None and world.agents["bob"].phone.calls[new].state is CallState.LOCAL_HOLD
    assert world.agents["cat"].phone.calls[new].state is CallState.REMOTE_HOLD
    world.do("bob", HangUp("c2"))
    world.do("bob", Hold(new, False))
    world.run(1)
    hear(world, bob="cat", cat="bob")


def test_b_who_takes_another_call_while_c_rings_is_not_heard_by_c(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.run(1)
    world.do("dan", Dial("c2", "bob"))
    world.run(0.5)
    world.do("bob", Accept("c2", hold_others=True))
    world.run(0.5)
    world.do("cat", Accept(world.agents["cat"].rings()[0].id))
    world.run(1)
    hear(world, bob="dan", dan="bob")


def test_c_who_holds_a_and_talks_to_another_is_not_heard_by_b(world: World) -> None:
    consult(world)
    world.do("dan", Dial("c3", "cat"))
    world.run(0.5)
    world.do("cat", Accept("c3", hold_others=True))
    world.run(1)
    ask(world, CallTarget("c2"))
    world.run(1)
    hear(world, cat="dan", dan="cat")
    new = world.agents["ann"].transfer("t1").new_call_id
    assert new is not None and world.agents["bob"].phone.calls[new].state is CallState.REMOTE_HOLD


def test_other_calls_of_a_go_on_untouched(world: World) -> None:
    picks_up(world, "cat")
    world.do("ann", Hold("c1", True))
    world.run(0.5)
    world.call("ann", "dan", "c2")
    ask(world, ParticipantTarget("cat"))
    world.run(20)
    hear(world, ann="dan", dan="ann", bob="cat", cat="bob")
    assert world.agents["ann"].connected() == ["c2"] and world.agents["dan"].connected() == ["c2"]


def test_a_mailbox_that_is_the_target_hears_b_alone(world: World) -> None:
    ask(world, VoicemailTarget("cat"))
    world.run(1)
    hear(world, bob="vm", vm="bob")


# --- semi-attended: A completes while C still rings


def consult_and_complete(world: World) -> None:
    world.do("ann", Hold("c1", True))
    world.do("ann", Dial("c2", "cat"))
    world.run(0.5)
    ask(world, CallTarget("c2"))
    world.run(0.5)


def test_a_completes_while_c_still_rings(world: World) -> None:
    consult_and_complete(world)
    assert world.agents["ann"].reasons() == {"c2": REPLACED}
    [first, second] = world.agents["cat"].rings()
    assert (first.id, first.remote.name) == ("c2", "ann")
    assert second.remote.name == "bob" and second.transferor and second.transferor.name == "ann"
    assert list(world.agents["cat"].phone.ringing) == [second.id], "one call rings at C"
    world.do("cat", Accept(second.id))
    world.run(1)
    hear(world, bob="cat", cat="bob")
    final = world.agents["ann"].transfer("t1")
    assert final.outcome is not None and final.outcome.party.name == "cat"


@pytest.mark.parametrize("how", ["declines", "does not answer"])
def test_c_does_not_take_it_and_a_talks_to_b_again(world: World, how: str) -> None:
    consult_and_complete(world)
    if how == "declines":
        world.do("cat", Reject(world.agents["cat"].rings()[-1].id))
    world.run(1 if how == "declines" else 61)
    assert world.agents["ann"].transfer("t1").error == (DECLINED if how == "declines" else NO_ANSWER)
    hear(world, ann="bob", bob="ann")


def test_c_answers_in_the_moment_in_which_a_completes(seed: int) -> None:
    """Whichever comes first, B and C talk, and nobody else is left in a call with them."""
    for number in range(60):
        world = begin(seed + number)
        picks_up(world, "cat")
        world.do("ann", Dial("c2", "cat"))
        world.later(0.03 + 0.002 * number, partial(ask, world, CallTarget("c2")))
        world.run(0.03 + 0.002 * number + 1)
        hear(world, bob="cat", cat="bob")
        assert not world.agents["ann"].phone.transfers


def test_a_gives_up_the_consultation_and_bob_after_completing(world: World) -> None:
    consult_and_complete(world)
    world.do("ann", HangUp("c1"))
    world.run(5)
    world.do("cat", Accept(world.agents["cat"].rings()[-1].id))
    world.run(1)
    hear(world, bob="cat", cat="bob")


def test_a_gives_up_ringing_before_b_has_agreed(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    world.do("ann", Dial("c2", "cat"))
    world.run(0.5)
    ask(world, CallTarget("c2"))
    world.run(0.5)
    world.do("ann", HangUp("c2"))
    world.run(0.5)
    assert not world.agents["cat"].phone.ringing
    assert world.agents["ann"].reasons() == {"c2": CANCELLED}
    assert world.agents["ann"].transfer("t1").state == "Transferring", "C is called anew by B"
