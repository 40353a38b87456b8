"""The hub restarted while calls ring, wait or are picked up: what is heard goes on, the rest has an end."""

from collections.abc import Callable

import pytest

from node.exchange import Accept, Dial, HangUp, RingOver
from signaling.reasons import BUSY, HUNG_UP, NETWORK
from signaling.settings import Group, Settings, ToGroup, ToPerson
from tests.world import always, stories
from tests.world.test_faults import strike
from tests.world.test_ringing_faults import STORIES, begin, finish, settled, when_it_rings
from tests.world.world import World

pytestmark = pytest.mark.world

TELL = dict(STORIES)


def story(tell: Callable[[World], None]) -> Callable[[World], None]:
    TELL[tell.__name__] = tell
    return tell


@story
def several_devices(world: World) -> None:
    world.do("ann", Dial("c1", "bob"))


@story
def a_call_waits(world: World) -> None:
    world.call("bob", "cat", "c0")
    world.do("ann", Dial("c1", "bob"))


@story
def a_call_waits_and_is_taken(world: World) -> None:
    world.call("bob", "cat", "c0")
    when_it_rings(world, "bob", Accept)
    world.do("ann", Dial("c1", "bob"))


@story
def nobody_is_disturbed(world: World) -> None:
    world.user("bob", Settings(do_not_disturb=True))
    world.do("ann", Dial("c1", "bob"))


def ringing(world: World) -> list[str]:
    return [name for name, agent in world.agents.items() if agent.phone.ringing]


@pytest.mark.parametrize("tell", TELL)
def test_restarted_after_every_event(tell: str, seed: int) -> None:
    """Who dialled talks, or knows why not; two who heard each other still do; the next call is as any."""
    at = 1
    while True:
        world = begin(seed)
        TELL[tell](world)
        goes_on = world.agents["bob"].connected()
        struck = strike(world, at, world.restart_hub)
        world.run(120)
        world.after_event = None
        over = not struck
        assert set(goes_on) <= set(world.agents["bob"].connected()), (tell, at)
        for name, agent in world.agents.items():
            assert not agent.phone.ringing, (name, at)
            for call_id in agent.connected():
                ends = [other for other in world.agents.values() if call_id in other.connected()]
                assert len(ends) == 2, (name, call_id, at)
        ann = world.agents["ann"]
        assert ann.connected() or ann.reasons(), at
        always.at_any_time(world)
        if "c0" not in goes_on:
            settled(world)
        finish(world)
        world.user("bob", Settings(unanswered=None))
        world.call("ann", "bob", "again")
        finish(world)
        if over:
            return
        at += 1


def test_every_device_stops_ringing_with_the_reason() -> None:
    world = begin(1)
    world.user("bob", Settings(simultaneous=ToGroup(), group=Group(("cat", "dan"))))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert ringing(world) == ["bob", "cat", "dan", "bob2"]
    world.restart_hub()
    world.run(10)
    assert world.agents["ann"].reasons() == {"c1": NETWORK}
    for name in ("bob", "bob2", "cat", "dan"):
        assert [n.reason for n in world.agents[name].news if isinstance(n, RingOver)] == [NETWORK]
    world.quiet()


def test_whose_call_is_not_attached_yet_is_busy() -> None:
    """Bob is back, Cat is not yet: he still has the call."""
    world = begin(1)
    world.user("bob", Settings(unanswered=None, call_waiting=False))
    world.kill("bob2")
    world.call("bob", "cat", "c0")
    world.restart_hub()
    world.agents["cat"].alive = False
    while not (world.agents["ann"].linked and world.agents["bob"].linked):
        world.run(0.1)
    world.run(0.1)
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    assert world.agents["ann"].reasons() == {"c1": BUSY} and not world.agents["bob"].rings()


def test_the_history_tells_the_same_as_without_the_restart() -> None:
    world = begin(1)
    world.user("bob", Settings(forwarding=ToPerson("cat")))
    world.do("ann", Dial("c1", "bob"))
    world.run(1)
    world.do("cat", Accept("c1"))
    world.run(30)
    world.restart_hub()
    world.run(30)
    world.do("cat", HangUp("c1"))
    world.run(1)
    [filed] = world.records
    record = filed.record
    assert (record.caller, record.callee, record.answered_by) == ("8:acs:ann", "8:acs:bob", "8:acs:cat")
    assert (record.kind, record.via, record.reason) == ("forwarded", ("8:acs:bob",), HUNG_UP)
    assert record.answered_at is not None
    assert record.ended_at - record.answered_at == pytest.approx(60, abs=1)
    finish(world)


@pytest.mark.parametrize("tell", stories.STORIES)
def test_what_has_come_of_a_transfer_goes_on(tell: str, seed: int) -> None:
    world = stories.begin(seed)
    stories.STORIES[tell](world)
    world.run(100)
    before = {name: world.hears(name) for name in world.agents}
    assert any(before.values())
    world.restart_hub()
    world.run(60)
    assert {name: world.hears(name) for name in world.agents} == before
    finish(world)
