"""Group calls as stories: who is asked in, who hears whom, and what is left when somebody goes."""

import itertools
from functools import partial

import pytest

from node.exchange import (
    Accept,
    AddParticipant,
    CallNews,
    HangUp,
    Hold,
    Join,
    Mute,
    Reject,
    RemoveParticipant,
)
from node.session import CallState
from signaling.parts import Participant
from signaling.reasons import DECLINED, ENDED_FOR_ALL, NETWORK, OFFLINE, REMOVED, UNKNOWN_USER
from tests.world.agent import Agent
from tests.world.test_faults import strike
from tests.world.world import World

pytestmark = pytest.mark.world

NAMES = ("ann", "bob", "cat", "dan")


@pytest.fixture(params=range(3))
def world(request: pytest.FixtureRequest) -> World:
    world = World(request.param)
    for name in NAMES:
        world.join(name)
    world.mixer()
    return world


def call_of(agent: Agent) -> str:
    [call] = [c for c in agent.phone.calls.values() if c.live]
    return call.id


def hear_each_other(world: World, *names: str) -> bool:
    """Tell whether everybody of these hears everybody else."""
    agents = [world.agents[name] for name in names]
    pairs = itertools.permutations(agents, 2)
    return all(world.sound.hears(one, call_of(one), other) for one, other in pairs)


def roster(world: World, name: str) -> dict[str, str]:
    """Return who else is in the call of somebody, and in which state."""
    agent = world.agents[name]
    return {p.party.name: p.state for p in agent.phone.calls[call_of(agent)].participants}


def ask(world: World, who: str, whom: str, participant_id: str = "p1") -> None:
    world.do(who, AddParticipant(call_of(world.agents[who]), participant_id, whom))
    world.run(0.5)


def answer(world: World, name: str, seconds: float = 3.0) -> None:
    [ringing] = world.agents[name].phone.ringing
    world.do(name, Accept(ringing))
    world.run(seconds)


def three(world: World) -> None:
    world.call("ann", "bob", "c1")
    ask(world, "ann", "cat")
    answer(world, "cat")
    assert hear_each_other(world, "ann", "bob", "cat")


def end(world: World) -> None:
    for name in NAMES:
        agent = world.agents[name]
        if agent.alive:
            for call_id in list(agent.phone.calls):
                world.do(name, HangUp(call_id))
            for call_id in list(agent.phone.ringing):
                world.do(name, Reject(call_id))
    world.run(60)
    world.quiet()


def test_two_become_three_become_two(world: World) -> None:
    world.call("ann", "bob", "c1")
    ask(world, "ann", "cat")
    assert roster(world, "ann") == {"bob": "Connected", "cat": "Ringing"}
    assert roster(world, "bob") == {"ann": "Connected", "cat": "Ringing"}
    assert world.talking("ann", "bob") == "c1", "whom they ask in disturbs nobody"
    [ring] = world.agents["cat"].rings()
    assert (ring.remote.name, ring.group_id) == ("ann", world.agents["ann"].phone.calls["c1"].group_id)
    answer(world, "cat")
    assert hear_each_other(world, "ann", "bob", "cat")
    assert world.agents["ann"].phone.calls["c1"].state is CallState.CONNECTED
    assert roster(world, "cat") == {"ann": "Connected", "bob": "Connected"}
    world.do("cat", HangUp(call_of(world.agents["cat"])))
    world.run(3)
    assert world.talking("ann", "bob") == "c1"
    assert roster(world, "ann") == {"bob": "Connected"}
    assert world.agents["ann"].phone.calls["c1"].group_id is None
    assert world.agents["mx"].phone.calls == {}
    assert CallState.CONNECTING not in world.agents["ann"].states("c1")[3:]
    end(world)
    assert [r.record.caller for r in world.records].count("8:acs:ann") == 2


@pytest.mark.parametrize("leaves", ["ann", "bob", "cat"])
def test_whoever_leaves_the_other_two_talk_on(world: World, leaves: str) -> None:
    three(world)
    world.do(leaves, HangUp(call_of(world.agents[leaves])))
    world.run(4)
    one, two = (name for name in ("ann", "bob", "cat") if name != leaves)
    assert hear_each_other(world, one, two)
    assert world.agents["mx"].phone.calls == {}, "they need no mixer"
    ask(world, two, "dan", "p2")
    answer(world, "dan")
    assert hear_each_other(world, one, two, "dan")
    end(world)


def test_a_group_is_joined_by_its_id(world: World) -> None:
    for serial, name in enumerate(("ann", "bob", "cat")):
        world.do(name, Join(f"j{serial}", "standup"))
        world.run(1)
    assert hear_each_other(world, "ann", "bob", "cat")
    world.do("bob", Mute("j1", outgoing=True))
    world.do("cat", Hold("j2", True))
    world.run(1)
    assert roster(world, "ann") == {"bob": "Connected", "cat": "Hold"}
    assert [p.muted for p in world.agents["ann"].phone.calls["j0"].participants] == [True, False]
    world.do("cat", Hold("j2", False))
    world.run(1)
    world.do("ann", HangUp("j0", for_everyone=True))
    world.run(2)
    for serial, name in ((1, "bob"), (2, "cat")):
        assert world.agents[name].reasons() == {f"j{serial}": ENDED_FOR_ALL}
    end(world)


def test_who_does_not_come(world: World) -> None:
    world.call("ann", "bob", "c1")
    for serial, (whom, reason) in enumerate([("nobody", UNKNOWN_USER), ("eve", OFFLINE), ("cat", DECLINED)]):
        world.user("eve")
        ask(world, "ann", whom, f"p{serial}")
        for ringing in list(world.agents["cat"].phone.ringing):
            world.do("cat", Reject(ringing))
        world.run(1)
        over = last_of(world, "ann", f"p{serial}")
        assert (over.state, over.reason) == ("Disconnected", reason)
        assert world.talking("ann", "bob") == "c1"
    assert world.agents["ann"].phone.calls["c1"].group_id is None
    end(world)


def test_who_is_removed(world: World) -> None:
    three(world)
    world.do("bob", RemoveParticipant(call_of(world.agents["bob"]), "p1"))
    world.run(3)
    assert list(world.agents["cat"].reasons().values()) == [REMOVED]
    assert world.talking("ann", "bob") == "c1"
    end(world)


def test_on_several_devices_one_answers(world: World) -> None:
    world.join("cat", device="-2")
    world.call("ann", "bob", "c1")
    ask(world, "ann", "cat")
    for device in ("cat", "cat-2"):
        for ringing in list(world.agents[device].phone.ringing):
            world.do(device, Accept(ringing))
    world.run(3)
    assert sum(bool(world.agents[device].phone.calls) for device in ("cat", "cat-2")) == 1
    assert len(roster(world, "ann")) == 2
    world.leave("cat-2")
    end(world)


def test_a_killed_mixer_is_replaced(world: World) -> None:
    three(world)
    world.mixer("mx2")
    world.kill("mx")
    world.run(9)
    assert hear_each_other(world, "ann", "bob", "cat")
    assert world.agents["ann"].phone.calls["c1"].state is CallState.CONNECTED
    end(world)


def test_a_killed_mixer_that_is_started_again(world: World) -> None:
    three(world)
    world.kill("mx")
    world.run(2)
    world.mixer("mx2")
    world.run(6)
    assert hear_each_other(world, "ann", "bob", "cat")
    end(world)


def test_a_killed_mixer_without_another_one_ends_the_call_once(world: World) -> None:
    three(world)
    world.kill("mx")
    world.run(30)
    for name in ("ann", "bob", "cat"):
        assert list(world.agents[name].reasons().values()) == [NETWORK]
    end(world)


# --- whatever is lost, whenever


def story(seed: int) -> World:
    world = World(seed)
    for name in NAMES:
        world.join(name)
    world.mixer()
    world.mixer("mx2")
    world.call("ann", "bob", "c1")
    world.do("ann", AddParticipant("c1", "p1", "cat"))
    world.agents["cat"].on_ring = lambda call: world.do("cat", Accept(call.id))
    world.later(2.0, lambda: world.do("bob", AddParticipant("c1", "p2", "dan")))
    world.agents["dan"].on_ring = lambda call: world.do("dan", Accept(call.id))
    for at, name in ((4.0, "dan"), (6.0, "cat")):
        world.later(at, lambda name=name: hang_up_all(world, name))  # type: ignore[misc]
    return world


def hang_up_all(world: World, name: str) -> None:
    for call_id in list(world.agents[name].phone.calls):
        world.do(name, HangUp(call_id))


@pytest.mark.parametrize("victim", ["ann", "bob", "cat", "mx"])
@pytest.mark.parametrize("how", ["kill", "cut", "leave"])
def test_somebody_is_lost_after_every_event(victim: str, how: str, seed: int) -> None:
    def lose(world: World) -> None:
        if how == "kill":
            world.kill(victim)
        elif how == "leave":
            world.leave(victim)
        else:
            world.cut(victim)
            world.later(world.random.uniform(0.0, 7.0), lambda: world.resume(victim))

    for step in itertools.count(1, 3):
        world = story(seed)
        struck = strike(world, step, partial(lose, world))
        world.run(60)
        world.after_event = None
        ann, bob = world.agents["ann"], world.agents["bob"]
        if how == "cut" and victim != "mx":
            assert world.talking("ann", "bob") == "c1", step
        elif victim == "mx":
            assert world.talking("ann", "bob") == "c1" or ann.reasons().keys() == bob.reasons().keys(), step
        finish(world)
        if not struck:
            break
    assert step > 100


def finish(world: World) -> None:
    """Assert that each call has ended once, and that nothing is left when all have hung up."""
    for agent in world.agents.values():
        news = [n.call for n in agent.news if isinstance(n, CallNews)]
        over = [call.id for call in news if call.state is CallState.DISCONNECTED]
        assert len(over) == len(set(over)), "one end for each call"
    for name in NAMES:
        hang_up_all(world, name)
    world.run(90)
    world.quiet()


def last_of(world: World, who: str, participant_id: str) -> Participant:
    """Return what somebody was last told of a participant."""
    seen = [n.call.participants for n in world.agents[who].news if isinstance(n, CallNews)]
    return [p for participants in seen for p in participants if p.id == participant_id][-1]
