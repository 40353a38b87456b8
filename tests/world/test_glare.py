"""Two people dial each other: it becomes one call, whatever comes first on which wire."""

import pytest

from node.exchange import Accept, Dial, HangUp, Mute
from signaling.reasons import CANCELLED, GLARE, HUNG_UP, Reason
from signaling.settings import Settings, ToPerson
from tests.world.world import World

pytestmark = pytest.mark.world

NO_RULES = Settings(unanswered=None)
DELAYS = [0.0, 0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 1.0, 20.0]


def begin(seed: int) -> World:
    world = World(seed)
    for name in ("ann", "bob", "cat"):
        world.user(name, NO_RULES)
        world.join(name)
    return world


def both_dial(world: World, delay: float = 0.0, second: str = "bob") -> None:
    world.do("ann", Dial("c1", "bob"))
    world.run(delay)
    world.do(second, Dial("c2", "ann"))
    world.run(1)


def ended(world: World) -> dict[str, Reason | None]:
    return {**world.agents["ann"].reasons(), **world.agents["bob"].reasons()}


@pytest.mark.parametrize("delay", DELAYS)
def test_it_is_one_call_with_both_in_it(delay: float, seed: int) -> None:
    for number in range(20):
        world = begin(seed + number)
        both_dial(world, delay)
        call_id = world.talking("ann", "bob")
        assert call_id is not None
        other = "c2" if call_id == "c1" else "c1"
        assert ended(world) == {other: GLARE}
        for one, two in (("ann", "bob"), ("bob", "ann")):
            agent = world.agents[one]
            assert list(agent.phone.calls) == [call_id] and not agent.phone.ringing
            assert agent.phone.calls[call_id].remote.name == two
        assert len(world.agents["ann"].rings()) + len(world.agents["bob"].rings()) <= 1
        joiner = world.agents["bob" if call_id == "c1" else "ann"]
        assert joiner.taken == [(other, call_id)], "the sound of what was dialled goes along"
        world.do("bob", HangUp(call_id))
        world.run(1)
        world.quiet()
        assert [filed.record.call_id for filed in world.records] == [call_id]


def test_whoever_answers_while_he_dials_has_one_call(seed: int) -> None:
    for number in range(20):
        world = begin(seed + number)
        world.agents["bob"].on_ring = lambda c, w=world: w.do("bob", Accept(c.id))
        both_dial(world, 0.02)
        assert len(world.agents["ann"].connected()) == len(world.agents["bob"].connected()) == 1
        assert world.talking("ann", "bob")
        assert not world.agents["ann"].phone.ringing


@pytest.mark.parametrize("second", ["bob", "bob2"])
def test_of_several_devices_the_one_that_dials_has_the_call(second: str, seed: int) -> None:
    world = begin(seed)
    world.join("bob", device="2")
    both_dial(world, 0.5, second)
    assert world.talking("ann", second) == "c1"
    assert world.agents[second].reasons() == {"c2": GLARE}
    other = "bob2" if second == "bob" else "bob"
    assert not world.agents[other].phone.ringing and not world.agents[other].connected()


def test_a_muted_call_stays_muted(seed: int) -> None:
    world = begin(seed)
    world.do("ann", Dial("c1", "bob"))
    world.run(0.5)
    world.do("bob", Dial("c2", "ann", muted=True))
    world.run(1)
    assert world.agents["bob"].phone.calls["c1"].muted
    world.do("bob", Mute("c1", outgoing=False))
    assert world.talking("ann", "bob") == "c1"


@pytest.mark.parametrize("delay", DELAYS[:10])
@pytest.mark.parametrize("who", ["ann", "bob"])
def test_one_gives_up_meanwhile(who: str, delay: float, seed: int) -> None:
    for number in range(10):
        world = begin(seed + number)
        world.do("ann", Dial("c1", "bob"))
        world.do("bob", Dial("c2", "ann"))
        world.run(delay)
        world.do(who, HangUp("c1" if who == "ann" else "c2"))
        world.run(5)
        assert set(ended(world).values()) <= {CANCELLED, GLARE, HUNG_UP}
        for agent in world.agents.values():
            for call_id in [*agent.phone.calls, *agent.phone.ringing]:
                world.do(agent.name, HangUp(call_id))
        world.run(70)
        world.quiet()


def test_no_waiting_call_no_glare_rule_stands_in_the_way(seed: int) -> None:
    world = begin(seed)
    world.user("ann", Settings(call_waiting=False, do_not_disturb=True))
    both_dial(world, 0.5)
    assert world.talking("ann", "bob") == "c1"


def test_a_call_that_went_on_elsewhere_crosses_none(seed: int) -> None:
    world = begin(seed)
    world.user("bob", Settings(forwarding=ToPerson("cat")))
    both_dial(world, 0.5)
    assert list(world.agents["ann"].phone.ringing) == ["c2"]
    assert list(world.agents["cat"].phone.ringing) == ["c1"]
