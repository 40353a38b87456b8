"""Every party cut after every event while several people ring or both dial: one call, and nothing left."""

import itertools
from collections.abc import Callable
from functools import partial

import pytest

from node.exchange import Accept, Dial, HangUp, Reject
from signaling.settings import Group, Settings, ToGroup, ToPerson
from tests.world import always
from tests.world.agent import Agent
from tests.world.test_faults import strike
from tests.world.world import World

pytestmark = pytest.mark.world

NAMES = ("ann", "bob", "cat", "dan")
STORIES: dict[str, Callable[[World], None]] = {}


def story(tell: Callable[[World], None]) -> Callable[[World], None]:
    STORIES[tell.__name__] = tell
    return tell


def begin(seed: int) -> World:
    world = World(seed)
    for name in NAMES:
        world.user(name, Settings(unanswered=None))
        world.join(name)
    world.join("bob", device="2")
    world.voicemail()
    return world


def when_it_rings(world: World, who: str, act: type[Accept] | type[Reject], after: float = 0.1) -> None:
    agent = world.agents[who]
    agent.on_ring = lambda call: world.later(after, lambda: world.do(who, act(call.id)))


@story
def companion(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToPerson("cat")))
    when_it_rings(world, "cat", Accept)
    world.do("ann", Dial("c1", "bob"))


@story
def everybody_answers(world: World) -> None:
    world.user("bob", Settings(simultaneous=ToGroup(), group=Group(("cat", "dan"))))
    for who in ("bob", "bob2", "cat", "dan"):
        when_it_rings(world, who, Accept, 0.05)
    world.do("ann", Dial("c1", "bob"))


@story
def group_in_order(world: World) -> None:
    world.user("bob", Settings(forwarding=ToGroup(), group=Group(("cat", "dan"), "in_order", 10)))
    when_it_rings(world, "cat", Reject)
    when_it_rings(world, "dan", Accept)
    world.do("ann", Dial("c1", "bob"))


@story
def group_then_voicemail(world: World) -> None:
    world.user("bob", Settings(forwarding=ToGroup(), group=Group(("cat", "dan"), delay=10)))
    world.do("ann", Dial("c1", "bob"))


@story
def both_dial(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.do("bob", Dial("c2", "ann"))


@story
def both_dial_while_it_rings(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))
    world.later(0.2, lambda: world.do("bob2", Dial("c2", "ann")))


def talking(world: World) -> list[str]:
    """Return who is in a call that is up, of those that are there."""
    return sorted(agent.name for agent in world.agents.values() if agent.alive and agent.connected())


def settled(world: World) -> None:
    """Assert that there is one call at most, or each who dialled has learnt why there is none."""
    assert sum(call.state == "up" for call in world.hub.calls.all.values()) <= 1
    assert all(len(agent.connected()) <= 1 for agent in world.agents.values())
    always.at_any_time(world)


def finish(world: World) -> None:
    def left(agent: Agent) -> list[str]:
        return [*agent.phone.calls, *agent.phone.ringing]

    for agent in world.agents.values():
        agent.on_ring = None
    for _ in range(2):
        for agent in world.agents.values():
            for call_id in left(agent):
                world.do(agent.name, HangUp(call_id))
        world.run(150)
    world.quiet()
    always.at_any_time(world)


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", ["ann", "bob", "bob2", "cat", "dan", "vm"])
def test_killed_after_every_event(tell: str, victim: str, seed: int) -> None:
    for step in itertools.count(1):
        world = begin(seed)
        STORIES[tell](world)
        struck = strike(world, step, partial(world.kill, victim))
        world.run(90)
        if not struck:
            break
        settled(world)
        ann = world.agents["ann"]
        if victim != "ann":
            assert ann.connected() or ann.reasons(), "who dialled talks, or knows why not"
        finish(world)
    assert step > 10


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", ["ann", "bob", "bob2", "cat", "dan"])
def test_socket_cut_and_resumed_after_every_event(tell: str, victim: str, seed: int) -> None:
    def cut(world: World) -> None:
        world.cut(victim)
        world.later(world.random.uniform(0.0, 7.5), lambda: world.resume(victim))

    for step in itertools.count(1, 2):
        world = begin(seed)
        STORIES[tell](world)
        struck = strike(world, step, partial(cut, world))
        world.run(90)
        settled(world)
        ann = world.agents["ann"]
        assert ann.connected() or ann.reasons()
        assert len(talking(world)) in (0, 2)
        finish(world)
        if not struck:
            break
    assert step > 10
