"""Every party cut after every event of a transfer: what must survive does, and nothing is left."""

from collections.abc import Callable

import pytest

from node.exchange import Accept, HangUp, Hold, TransferNews
from node.session import CallState
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, ParticipantTarget, VoicemailTarget
from signaling.settings import Settings
from tests.world.world import World

pytestmark = pytest.mark.world

NO_RULES = Settings(unanswered=None)
STORIES: dict[str, Callable[[World], None]] = {}


def story(tell: Callable[[World], None]) -> Callable[[World], None]:
    STORIES[tell.__name__] = tell
    return tell


def begin(seed: int) -> World:
    world = World(seed)
    for name in ("ann", "bob", "cat"):
        world.user(name, NO_RULES)
        world.join(name)
    world.voicemail()
    world.call("ann", "bob", "c1")
    return world


@story
def blind(world: World) -> None:
    world.agents["cat"].on_ring = lambda c: world.do("cat", Accept(c.id))
    world.hand_over("ann", TransferRequest("t1", "c1", ParticipantTarget("cat")))


@story
def consult(world: World) -> None:
    world.do("ann", Hold("c1", True))
    world.run(0.5)
    world.call("ann", "cat", "c2")
    world.hand_over("ann", TransferRequest("t1", "c1", CallTarget("c2")))


@story
def voicemail(world: World) -> None:
    world.hand_over("ann", TransferRequest("t1", "c1", VoicemailTarget("cat")))


def finish(world: World, cut: str) -> None:
    """Everybody who is left hangs up; then nothing may be left anywhere."""
    for agent in world.agents.values():
        agent.on_ring = None
        for call_id in list(agent.phone.calls):
            world.do(agent.name, HangUp(call_id))
        for call_id in list(agent.phone.ringing):
            world.do(agent.name, HangUp(call_id))
    world.run(300)
    for agent in world.agents.values():
        for call_id in list(agent.phone.calls):
            world.do(agent.name, HangUp(call_id))
    world.run(300)
    world.quiet()


def outcome(world: World) -> str | None:
    finals = [
        n.update.state
        for n in world.agents["ann"].news
        if isinstance(n, TransferNews) and n.update.state != "Transferring"
    ]
    assert len(finals) <= 1, "one terminal state per transfer"
    return finals[0] if finals else None


def one_reason_per_leg(world: World) -> None:
    for agent in world.agents.values():
        for call_id in agent.reasons():
            assert agent.states(call_id).count(CallState.DISCONNECTED) <= 1
            assert agent.reasons()[call_id] is not None


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", ["ann", "bob", "cat", "vm"])
def test_killed_after_every_event(tell: str, victim: str, seed: int) -> None:
    cuts = 0
    for step in range(1, 400):
        world = begin(seed)
        STORIES[tell](world)
        target = world.steps + step
        killed = False

        def strike(w: World = world, at: int = target) -> None:
            nonlocal killed
            if w.steps == at:
                w.kill(victim)
                killed = True

        world.after_event = strike
        world.run(60)
        if not killed:
            break
        cuts += 1
        if victim in ("cat", "vm") and outcome(world) == "Failed":
            assert world.agents["ann"].phone.calls.get("c1"), "B is never dropped by a failed transfer"
            assert "c1" in world.agents["bob"].connected()
        if victim != "ann":
            assert outcome(world) is not None or victim == "bob", "A learns how it ended"
        one_reason_per_leg(world)
        finish(world, victim)
    assert cuts > 20


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", ["ann", "bob", "cat"])
def test_a_machine_dies_and_the_hub_notices_late(tell: str, victim: str, seed: int) -> None:
    """No FIN reaches the hub: its heartbeat finds out after 37 s; media misses packets after 10 s."""
    for step in range(1, 200, 5):
        world = begin(seed)
        STORIES[tell](world)
        target = world.steps + step

        def strike(w: World = world, at: int = target) -> None:
            if w.steps == at:
                w.kill(victim, noticed_after=37.0)

        world.after_event = strike
        world.run(120)
        if victim == "ann":
            where = {"blind": "cat", "consult": "cat", "voicemail": "vm"}[tell]
            assert world.talking("bob", where) or world.agents["bob"].reasons()
        one_reason_per_leg(world)
        finish(world, victim)


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("victim", ["ann", "bob", "cat"])
def test_socket_cut_and_resumed_after_every_event(tell: str, victim: str, seed: int) -> None:
    """A loss of the hub connection shorter than the grace drops nobody, whoever hangs up meanwhile."""
    for step in range(1, 200, 3):
        world = begin(seed)
        STORIES[tell](world)
        target = world.steps + step

        def strike(w: World = world, at: int = target) -> None:
            if w.steps == at:
                w.cut(victim)
                w._later(w.random.uniform(0.0, 7.5), lambda: w.resume(victim))
                if w.random.random() < 0.5 and victim != "ann":
                    w._later(0.1, lambda: w.do("ann", HangUp("c1")))

        world.after_event = strike
        world.run(60)
        assert outcome(world) in ("Transferred", "Failed")
        bob = world.agents["bob"]
        if outcome(world) == "Transferred":
            assert world.talking("bob", "vm" if tell == "voicemail" else "cat"), "C and B talk"
        elif "c1" in world.agents["ann"].connected():
            assert world.talking("ann", "bob") == "c1" or tell == "consult"
            assert "c1" in bob.connected(), "B is never dropped by a failed transfer"
        one_reason_per_leg(world)
        finish(world, victim)


@pytest.mark.parametrize("tell", STORIES)
@pytest.mark.parametrize("seed", range(3))
def test_hub_restarted_after_every_event(tell: str, seed: int) -> None:
    """B is never left alone with nobody: it talks to A or to the target, or had hung up."""
    at = 0
    while True:
        world = begin(seed)
        STORIES[tell](world)
        world.after_event = restart_at(world, at)
        world.run(90)
        world.after_event = None
        assert len(world.agents["bob"].connected()) == 1, (tell, seed, at)
        world.do("bob", Hold(world.agents["bob"].connected()[0], True))
        world.run(3)
        one_reason_per_leg(world)
        finish(world, "hub")
        if world.steps < at:
            return
        at += 1


def restart_at(world: World, step: int) -> Callable[[], None]:
    first = world.steps

    def after_event() -> None:
        if world.steps == first + step:
            world.restart_hub()

    return after_event
