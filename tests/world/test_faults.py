"""Every party cut after every event of every kind of transfer: what must survive does, nothing is left."""

from collections.abc import Callable
from functools import partial

import pytest

from node.exchange import HangUp, Hold
from signaling.parts import CallTarget
from tests.world import always
from tests.world.stories import STORIES, begin
from tests.world.world import World

pytestmark = pytest.mark.world

VICTIMS = ("ann", "bob", "cat", "dan", "vm")
EVERY = 4  # not so many of the cuts that heal; which ones, the seed says


def strike(world: World, step: int, act: Callable[[], None]) -> list[bool]:
    """Let something happen after so many more events; what is returned is filled then."""
    at, struck = world.steps + step, list[bool]()

    def after_event() -> None:
        if world.steps == at:
            struck.append(True)
            act()

    world.after_event = after_event
    return struck


def told(tell: str, seed: int, step: int, act: Callable[[World], None]) -> tuple[World, bool]:
    """Tell a story, cut after so many events, up to its end; say whether it took so many."""
    world = begin(seed)
    STORIES[tell](world)
    struck = strike(world, step, lambda: act(world))
    world.run(60)
    world.after_event = None
    return world, bool(struck)


def sound(world: World, where: str) -> None:
    """Assert all that always holds, let everybody hang up, and assert that nothing is left."""
    try:
        for name, agent in world.agents.items():
            if not agent.linked:
                world.resume(name)
        world.rest()
        always.at_rest(world)
        b_is_with_somebody(world)
        for _ in range(2):
            for agent in world.agents.values():
                agent.on_ring = None
                for call_id in [*agent.phone.calls, *agent.phone.ringing]:
                    world.do(agent.name, HangUp(call_id))
            world.run(300)
        world.quiet()
        always.at_any_time(world)
        always.transferred_calls_are_named(world)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error


def b_is_with_somebody(world: World) -> None:
    """Assert that bob talks, or knows why not, and has no call in which nobody is."""
    bob = world.agents["bob"]
    if not bob.alive:
        return
    assert bob.connected() or bob.reasons(), "B is dropped without a word"
    for call_id in bob.connected():
        other = world.sound.other(bob, call_id)
        assert other is not None and other.alive, f"B is alone in {call_id}"


def outcome(world: World) -> str | None:
    """Return how ann's transfer ended, or bob's of her where that came first."""
    ends = {
        name: [updates[-1].state for updates in always.transfers(world.agents[name]).values()]
        for name in ("ann", "bob")
    }
    return "Transferred" if "Transferred" in ends["bob"] else next(iter(ends["ann"]), None)


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_after_every_event(tell: str, victim: str, seed: int) -> None:
    step = 0
    while True:
        step += 1
        world, struck = told(tell, seed, step, lambda w: w.kill(victim))
        bystander = victim not in ("ann", "bob")
        if bystander and outcome(world) == "Failed" and HangUp("c1") not in world.agents["ann"].did:
            assert "c1" in world.agents["ann"].connected(), "B is never dropped by a failed transfer"
            assert "c1" in world.agents["bob"].connected()
        if bystander:
            assert outcome(world) in always.FINAL, "A learns how it ended"
        sound(world, f"{tell}, {victim} killed after event {step}")
        if not struck:
            break
    assert step > 5


@pytest.mark.parametrize("tell", STORIES)
def test_a_machine_dies_and_the_hub_notices_late(tell: str, seed: int) -> None:
    """No FIN reaches the hub: its heartbeat finds out after 37 s; media misses packets after 10 s."""
    for victim in VICTIMS[:4]:
        for step in range(1 + seed % 8, 160, 8):
            world, struck = told(tell, seed, step, partial(World.kill, name=victim, noticed_after=37.0))
            sound(world, f"{tell}, {victim} dead after event {step}")
            if not struck:
                break


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("comes", ["back", "anew"])
def test_a_connection_is_cut_after_every_event(tell: str, comes: str, seed: int) -> None:
    """A loss of the hub connection shorter than the grace drops nobody, whoever hangs up meanwhile."""

    def cut(world: World, victim: str) -> None:
        world.cut(victim)
        again = world.resume if comes == "back" else world.begin_anew
        world.later(world.random.uniform(0.0, 7.5), lambda: again(victim))
        if world.random.random() < 0.3 and victim != "ann":
            world.later(0.1, lambda: world.do("ann", HangUp("c1")))

    for victim in VICTIMS:
        for step in range(1 + seed % EVERY, 160, EVERY):
            world, struck = told(tell, seed, step, partial(cut, victim=victim))
            assert comes == "anew" or outcome(world) in always.FINAL
            if comes == "back" and outcome(world) == "Failed" and "c1" in world.agents["ann"].connected():
                assert "c1" in world.agents["bob"].connected(), "B is never dropped by a failed transfer"
            sound(world, f"{tell}, {victim} cut after event {step}")
            if not struck:
                break


@pytest.mark.parametrize("tell", STORIES)
def test_hub_restarted_after_every_event(tell: str, seed: int) -> None:
    """B is never left alone with nobody: it talks to A or to the target, or had hung up."""
    step = 0
    while True:
        step += 1
        world, struck = told(tell, seed, step, lambda w: w.restart_hub())
        handed_on = always.asked(world.agents["bob"])
        if HangUp("c1") not in world.agents["ann"].did and not handed_on:
            assert len(world.agents["bob"].connected()) == 1, f"{tell}, restarted after event {step}"
            [call_id] = world.agents["bob"].connected()
            world.do("bob", Hold(call_id, not world.agents["bob"].phone.calls[call_id].local_hold))
            world.run(3)
        sound(world, f"{tell}, hub restarted after event {step}")
        if not struck:
            return


@pytest.mark.parametrize("tell", STORIES)
def test_undisturbed(tell: str, seed: int) -> None:
    """The stories end as they say."""
    for number in range(10):
        world, _ = told(tell, seed + number, 0, lambda w: None)
        fails = tell in ("without_consent", "cancelled", "recalled")
        assert outcome(world) == ("Failed" if fails else "Transferred")
        assert len({*world.agents["bob"].connected(), *world.agents["ann"].connected()}) == 1
        consulted = any(r.target == CallTarget("c2") for r in always.asked(world.agents["ann"]).values())
        assert not consulted or not world.agents["ann"].connected()
        sound(world, f"{tell}, seed {seed + number}")
