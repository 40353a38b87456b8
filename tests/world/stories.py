"""Transfers of every kind as they go when nobody is disturbed: ann is the transferor, bob the transferee."""

from collections.abc import Callable

from node.exchange import Accept, CancelTransfer, Consent, Dial, HangUp, Hold, Reject
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, ParticipantTarget, Target, VoicemailTarget
from signaling.settings import Group, Settings, ToGroup, ToPerson
from tests.world.world import World

NO_RULES = Settings(unanswered=None)
NAMES = ("ann", "bob", "cat", "dan")
Story = Callable[[World], None]
STORIES: dict[str, Story] = {}


def story(tell: Story) -> Story:
    """Let a story be told by its name."""
    STORIES[tell.__name__] = tell
    return tell


def begin(seed: int) -> World:
    """Let ann call bob, and have cat, dan and voicemail there too."""
    world = World(seed)
    for name in NAMES:
        world.user(name, NO_RULES)
        world.join(name)
    world.voicemail()
    world.call("ann", "bob", "c1")
    return world


def picks_up(world: World, *names: str, after: float = 0.0) -> None:
    """Let these accept whatever rings at them."""
    for name in names:
        world.agents[name].on_ring = lambda call, who=name: world.later(
            after, lambda: world.do(who, Accept(call.id))
        )


def ask(world: World, target: Target, who: str = "ann", call: str = "c1", transfer: str = "t1") -> None:
    """Let somebody ask for a transfer, ann of bob if not said otherwise."""
    world.hand_over(who, TransferRequest(transfer, call, target))


def consult(world: World) -> None:
    """Let ann hold bob and talk to cat."""
    world.do("ann", Hold("c1", True))
    world.run(0.5)
    world.call("ann", "cat", "c2")


@story
def to_a_person(world: World) -> None:
    picks_up(world, "cat")
    ask(world, ParticipantTarget("cat"))


@story
def to_a_call(world: World) -> None:
    consult(world)
    ask(world, CallTarget("c2"))


@story
def to_a_call_that_rings_again(world: World) -> None:
    consult(world)
    picks_up(world, "cat", after=0.3)
    world.hand_over("ann", TransferRequest("t1", "c1", CallTarget("c2"), ring_target=True))


@story
def to_a_call_that_rings_still(world: World) -> None:
    world.do("ann", Hold("c1", True))
    world.do("ann", Dial("c2", "cat"))
    world.run(0.5)
    picks_up(world, "cat", after=0.3)
    ask(world, CallTarget("c2"))


@story
def to_voicemail(world: World) -> None:
    ask(world, VoicemailTarget("cat"))


@story
def to_somebody_who_forwards(world: World) -> None:
    world.user("cat", Settings(forwarding=ToPerson("dan")))
    picks_up(world, "dan")
    ask(world, ParticipantTarget("cat"))


@story
def to_a_group_in_order(world: World) -> None:
    world.user("cat", Settings(forwarding=ToGroup(), group=Group(("dan", "vm"), "in_order", 10)))
    world.agents["dan"].on_ring = lambda call: world.do("dan", Reject(call.id))
    ask(world, ParticipantTarget("cat"))


@story
def with_consent(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    picks_up(world, "cat")
    ask(world, ParticipantTarget("cat"))
    world.later(0.2, lambda: world.do("bob", Consent("t1", True)))


@story
def without_consent(world: World) -> None:
    world.agents["bob"].phone.handovers.consent = True
    ask(world, ParticipantTarget("cat"))
    world.later(0.2, lambda: world.do("bob", Consent("t1", False)))


@story
def cancelled(world: World) -> None:
    ask(world, ParticipantTarget("cat"))
    world.later(0.2, lambda: world.do("ann", CancelTransfer("t1")))


@story
def recalled(world: World) -> None:
    picks_up(world, "ann")
    world.agents["cat"].on_ring = lambda call: world.later(0.2, lambda: world.do("cat", Reject(call.id)))
    ask(world, ParticipantTarget("cat"))
    world.later(0.1, lambda: world.do("ann", HangUp("c1")))


@story
def handed_on_and_on(world: World) -> None:
    def hand_on() -> None:
        [new, *_] = [*world.agents["cat"].connected(), "none"]
        ask(world, ParticipantTarget("dan"), "cat", new, "t2")

    picks_up(world, "cat", "dan")
    ask(world, ParticipantTarget("cat"))
    world.later(0.5, hand_on)


@story
def both_transfer_each_other(world: World) -> None:
    picks_up(world, "cat", "dan")
    ask(world, ParticipantTarget("cat"))
    ask(world, ParticipantTarget("dan"), "bob", transfer="t2")


@story
def held_by_both(world: World) -> None:
    picks_up(world, "cat", after=0.2)
    world.do("ann", Hold("c1", True))
    world.do("bob", Hold("c1", True))
    ask(world, ParticipantTarget("cat"))
    world.later(0.1, lambda: world.do("bob", Hold("c1", False)))
