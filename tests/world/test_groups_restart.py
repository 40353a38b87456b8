"""The hub restarted under group calls: who hears whom goes on doing so, and all see the same again."""

import pytest

from node.exchange import AddParticipant, CallNews, HangUp, Hold, Join, Mute, RingOver
from node.session import CallState
from signaling.reasons import HUNG_UP, NETWORK
from tests.world.test_faults import strike
from tests.world.test_groups import (
    NAMES,
    answer,
    ask,
    call_of,
    end,
    finish,
    hang_up_all,
    hear_each_other,
    roster,
    story,
    three,
    world,
)
from tests.world.world import World

pytestmark = pytest.mark.world
__all__ = ["world"]

THREE = ("ann", "bob", "cat")


def restart(world: World, seconds: float = 10.0) -> None:
    """Restart the hub, and let everybody come back."""
    world.restart_hub()
    world.run(seconds)


def seen_by(world: World, name: str, since: int = 0) -> list[frozenset[str]]:
    """Return whom somebody has seen beside them in a call, since a moment, whenever there was news."""
    calls = [n.call for n in world.agents[name].news[since:] if isinstance(n, CallNews)]
    return [frozenset(p.id for p in call.participants) for call in calls]


def test_three_talk_on(world: World) -> None:
    three(world)
    marks = {name: len(world.agents[name].news) for name in THREE}
    before = {name: seen_by(world, name)[-1] for name in THREE}
    restart(world)
    assert hear_each_other(world, *THREE)
    for name in THREE:
        assert world.agents[name].reasons() == {}
        assert set(seen_by(world, name, marks[name])) == {before[name]}, "nobody is seen to go and come"
        assert set(roster(world, name).values()) == {"Connected"}
    ask(world, "cat", "dan", "p9")
    answer(world, "dan")
    assert hear_each_other(world, *NAMES)
    end(world)


def test_what_began_as_a_call_of_two_is_one_again_and_filed_once(world: World) -> None:
    three(world)
    restart(world)
    world.do("cat", HangUp(call_of(world.agents["cat"])))
    world.run(4)
    assert world.talking("ann", "bob") == "c1"
    assert world.agents["mx"].phone.calls == {}, "they need no mixer"
    world.do("bob", HangUp("c1"))
    world.run(2)
    filed = [(r.record.caller, r.record.callee, r.record.reason) for r in world.records]
    assert filed.count(("8:acs:ann", "8:acs:bob", HUNG_UP)) == 1 and len(filed) == 2
    end(world)


@pytest.mark.parametrize("leaves", THREE)
def test_two_who_know_their_call_by_different_ids_talk_on(world: World, leaves: str) -> None:
    """Whoever was asked in has the call by another id than the one who was there before."""
    three(world)
    world.do(leaves, HangUp(call_of(world.agents[leaves])))
    world.run(4)
    one, two = (name for name in THREE if name != leaves)
    for _ in range(2):
        restart(world)
        assert hear_each_other(world, one, two)
    world.do(one, Hold(call_of(world.agents[one]), True))
    world.run(1)
    assert world.agents[two].phone.calls[call_of(world.agents[two])].state is CallState.REMOTE_HOLD
    world.do(one, Hold(call_of(world.agents[one]), False))
    world.run(1)
    ask(world, two, "dan", "p9")
    answer(world, "dan")
    assert hear_each_other(world, one, two, "dan")
    world.do("dan", HangUp(call_of(world.agents["dan"])))
    world.run(4)
    assert hear_each_other(world, one, two)
    end(world)


def test_one_of_two_with_different_ids_comes_back_in_a_new_session(world: World) -> None:
    three(world)
    world.do("ann", HangUp("c1"))
    world.run(4)
    world.begin_anew("cat")
    world.run(2)
    assert hear_each_other(world, "bob", "cat")
    world.do("bob", HangUp("c1"))
    world.run(2)
    assert set(world.agents["cat"].reasons().values()) == {HUNG_UP}
    end(world)


@pytest.mark.parametrize("name", THREE)
def test_one_of_three_comes_back_in_a_new_session(world: World, name: str) -> None:
    three(world)
    world.begin_anew(name)
    world.run(12)
    assert hear_each_other(world, *THREE)
    world.do("cat", HangUp(call_of(world.agents["cat"])))
    world.run(4)
    assert world.talking("ann", "bob") == "c1"
    end(world)


def test_a_mixer_comes_back_in_a_new_session(world: World) -> None:
    three(world)
    world.begin_anew("mx")
    world.run(12)
    assert hear_each_other(world, *THREE)
    end(world)


def test_while_somebody_is_asked_in_two_talk_on_and_are_two(world: World) -> None:
    world.call("ann", "bob", "c1")
    ask(world, "ann", "cat")
    restart(world)
    assert world.talking("ann", "bob") == "c1"
    [over] = [n for n in world.agents["cat"].news if isinstance(n, RingOver)]
    assert over.reason == NETWORK
    for name, other in (("ann", "bob"), ("bob", "ann")):
        assert world.agents[name].phone.calls["c1"].group_id is None
        assert roster(world, name) == {other: "Connected"}
    three_again = AddParticipant("c1", "p2", "cat")
    world.do("bob", three_again)
    world.run(1)
    answer(world, "cat")
    assert hear_each_other(world, *THREE)
    end(world)


def test_a_group_that_is_joined_by_its_id_goes_on_until_it_is_empty(world: World) -> None:
    for serial, name in enumerate(THREE):
        world.do(name, Join(f"j{serial}", "standup"))
        world.run(1)
    world.do("bob", Mute("j1", outgoing=True))
    world.do("cat", Hold("j2", True))
    restart(world)
    assert roster(world, "ann") == {"bob": "Connected", "cat": "Hold"}
    assert {p.party.name: p.muted for p in world.agents["ann"].phone.calls["j0"].participants} == {
        "bob": True,
        "cat": False,
    }
    world.do("cat", Hold("j2", False))
    world.do("dan", Join("j3", "standup"))
    world.run(2)
    assert hear_each_other(world, *NAMES)
    for name in ("bob", "cat", "dan"):
        hang_up_all(world, name)
    world.run(4)
    assert world.agents["ann"].phone.calls["j0"].state is CallState.CONNECTED
    end(world)


def test_who_joins_while_the_others_come_back_hears_them(world: World) -> None:
    """The first to come to the hub that began anew makes the group, at whichever mixer."""
    world.mixer("mx2")
    for serial, name in enumerate(THREE):
        world.do(name, Join(f"j{serial}", "standup"))
        world.run(1)
    world.restart_hub()
    while not (world.agents["dan"].linked and (world.agents["mx"].linked or world.agents["mx2"].linked)):
        world.run(0.1)
    world.do("dan", Join("j3", "standup"))
    world.run(20)
    assert hear_each_other(world, *NAMES)
    end(world)


def test_who_does_not_come_back_is_missed_after_a_while(world: World) -> None:
    three(world)
    world.restart_hub()
    world.kill("cat")
    world.run(60)
    assert world.talking("ann", "bob") == "c1"
    assert world.agents["ann"].phone.calls["c1"].group_id is None
    end(world)


def test_who_hangs_up_while_the_hub_is_away_is_gone(world: World) -> None:
    three(world)
    world.restart_hub()
    world.do("cat", HangUp(call_of(world.agents["cat"])))
    world.run(60)
    assert world.talking("ann", "bob") == "c1"
    assert world.agents["mx"].phone.calls == {}
    end(world)


@pytest.mark.parametrize("others", [0, 1])
def test_without_the_mixer_that_mixed_it_the_call_ends_once(world: World, others: int) -> None:
    """A hub that began anew has nothing that tells who was in it but the mixer."""
    three(world)
    if others:
        world.mixer("mx2")
    world.kill("mx")
    world.restart_hub()
    world.run(60)
    for name in THREE:
        assert [reason.sub_code for reason in world.agents[name].reasons().values() if reason] == [3100]
    end(world)


def test_restarted_after_every_event(seed: int) -> None:
    """Two who were in a call together are in one again, or both know why not, once."""
    for step in range(1, 400, 5):
        world = story(seed)
        strike(world, step, world.restart_hub)
        world.run(90)
        world.after_event = None
        ann, bob = world.agents["ann"], world.agents["bob"]
        assert world.talking("ann", "bob") == "c1" or ann.reasons().keys() == bob.reasons().keys(), step
        finish(world)
