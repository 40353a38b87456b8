"""Group calls as stories: who is asked in, who hears whom, and what is left when somebody goes."""

import itertools

import pytest

from node.exchange import Accept, AddParticipant, HangUp, Reject
from node.session import CallState
from tests.world.agent import Agent
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
