"""Random guided runs: moves are drawn from what is possible, so that deep states are reached.

A run that goes wrong is shrunk to the fewest moves that still go wrong, and printed as a story. All is
drawn from one seed.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from node.exchange import (
    Accept,
    AddParticipant,
    CallNews,
    CancelTransfer,
    Consent,
    Dial,
    HangUp,
    Hold,
    Input,
    Join,
    Mute,
    Reject,
    RemoveParticipant,
    Transfer,
)
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, ParticipantTarget, Target, VoicemailTarget
from signaling.reasons import GLARE
from signaling.settings import Destination, Group, Settings, ToGroup, ToPerson, ToVoicemail
from tests.world import always
from tests.world.agent import Agent
from tests.world.world import World

NAMES = ("ann", "bob", "cat", "dan")
GROUPS = ("standup", "retro")
MIXERS = ("mx", "mx2")
PAUSES = (0.001, 0.01, 0.03, 0.1, 0.1, 1.0, 5.0)
AWAY_SECONDS = 30.0


class Move(Struct, frozen=True):
    """One move: who does what kind of thing, which of those possible then, and how long all wait."""

    who: str
    kind: str
    pick: float
    pause: float
    serial: int


class Mix(Struct, frozen=True):
    """What runs are made of: how many moves, how often something dies, how many have rules of their own.

    With `groups` there are mixers, and people meet in group calls.
    """

    moves: int
    faults: float
    rules: float
    likely: dict[str, int]
    groups: bool = False


TRANSFERS = Mix(50, 0.0, 0.15, {"transfer": 4, "consult": 8, "accept": 3, "consent": 2, "dial": 1})
FAULTS = Mix(50, 0.06, 0.15, {"transfer": 4, "consult": 8, "accept": 3, "consent": 2, "dial": 1})
MEETINGS = Mix(40, 0.04, 0.1, {"add": 5, "join": 4, "accept": 3, "dial": 2, "transfer": 1}, groups=True)
ROUTES = Mix(60, 0.02, 1.0, {"accept": 2, "transfer": 2, "dial": 2})


class Run:
    """One run: who is there by its seed, and what they do."""

    def __init__(self, seed: int, mix: Mix) -> None:
        chance = random.Random(seed)
        self.mix = mix
        self.world = World(seed)
        self.away: dict[str, float] = {}
        for name in NAMES:
            own = chance.random() < mix.rules
            self.world.user(name, rules(chance) if own else Settings(unanswered=None))
            self.world.join(name, consent=chance.random() < 0.2)
        self.world.join("ann", device="2")
        self.world.voicemail()
        for name in MIXERS if mix.groups else ():
            self.world.mixer(name)

    def possible(self, who: str, pick: float, serial: int) -> dict[str, list[Input]]:
        """Return the commands that make sense for an agent now, by kind."""
        agent = self.world.agents[who]
        phone, chance = agent.phone, random.Random(pick)
        others = [n for n in NAMES if n != agent.user]
        found: dict[str, list[Input]] = {}

        def may(kind: str, *commands: Input) -> None:
            found.setdefault(kind, []).extend(commands)

        if len(phone.calls) < 3:
            may("dial", *(Dial(f"c{serial}", name) for name in others))
            callers = [c.remote.name for c in phone.ringing.values() if c.remote.name in others]
            if callers:
                may("dial back", *(Dial(f"c{serial}", name) for name in callers))
            if self.mix.groups:
                may("join", *(Join(f"c{serial}", group) for group in GROUPS))
        for ringing in phone.ringing:
            may("accept", Accept(ringing), Accept(ringing, hold_others=True))
            may("reject", Reject(ringing))
        for offer in phone.offers:
            may("consent", Consent(offer, True), Consent(offer, True), Consent(offer, False))
        for transfer in phone.transfers:
            may("cancel", CancelTransfer(transfer))
        live = [call for call in phone.calls.values() if call.live]
        for call in live:
            may("hang up", HangUp(call.id))
            may(
                "mute",
                Mute(call.id, outgoing=not call.muted),
                Mute(call.id, incoming=not call.incoming_muted),
            )
            if not call.up:
                continue
            may("hold", Hold(call.id, not call.local_hold))
            if self.mix.groups:
                may("add", *(AddParticipant(call.id, f"p{serial}", name) for name in NAMES))
            if call.group_id is not None:
                may("remove", *(RemoveParticipant(call.id, each.id) for each in call.participants))
                may("end for everyone", HangUp(call.id, for_everyone=True))
            ask = partial(self._ask, f"t{serial}", call.id, chance)

            may("transfer", *(ask(ParticipantTarget(name)) for name in others))
            may("transfer", *(ask(VoicemailTarget(name)) for name in others))
            if consulted := [ask(CallTarget(c.id)) for c in live if c is not call]:
                may("consult", *consulted)
        return found

    def _ask(self, transfer_id: str, call_id: str, chance: random.Random, target: Target) -> Input:
        direct, ring, hang_up = (chance.random() < 0.3 for _ in range(3))
        return Transfer(TransferRequest(transfer_id, call_id, target, direct, ring, hang_up))

    def do(self, move: Move, told: Callable[[str], None] = lambda _: None) -> None:
        """Make one move, if it is possible still, and let time pass."""
        world = self.world
        agent = world.agents[move.who]
        if agent.alive:
            told(f"{world.now:8.3f}  {move.who} {self._act(agent, move)}, {move.pause} s")
        for name, since in list(self.away.items()):
            if world.agents[name].linked:
                del self.away[name]  # it has come back by itself, to a hub that began anew
            elif world.now - since > AWAY_SECONDS:
                del self.away[name]
                world.give_up(name)
        world.run(move.pause)

    def _act(self, agent: Agent, move: Move) -> str:
        world = self.world
        match move.kind:
            case "die":
                world.kill(agent.name, noticed_after=random.Random(move.pick).choice([0.001, 0.001, 37.0]))
            case "cut":
                world.cut(agent.name)
                self.away.setdefault(agent.name, world.now)
            case "resume":
                self.away.pop(agent.name, None)
                world.resume(agent.name)
            case "begin anew":
                self.away.pop(agent.name, None)
                world.begin_anew(agent.name)
            case "restart":
                world.restart_hub()
                world.run(7)
            case "lose path":
                for call_id in agent.connected():
                    world.lose_path(call_id, agent.name)
            case _:
                commands = self.possible(agent.name, move.pick, move.serial).get(move.kind)
                if not commands:
                    return "does nothing"
                command = commands[int(move.pick * len(commands))]
                world.do(agent.name, command)
                return f"{command}"
        return move.kind

    def draw(self, chance: random.Random, serial: int) -> Move | None:
        """Draw the next move from what is possible."""
        there = [a for a in self.world.agents.values() if a.alive and a.user != "vm"]
        if all(agent.user in MIXERS for agent in there):
            return None
        agent = chance.choice(there)
        pick = chance.random()
        possible = {} if agent.user in MIXERS else self.possible(agent.name, pick, serial)
        kinds = [kind for kind in possible for _ in range(self.mix.likely.get(kind, 1))]
        kind = chance.choice(kinds) if kinds else "nothing"
        if chance.random() < self.mix.faults:
            faults = ["die", "cut", "cut", "cut", "begin anew", "restart", "lose path", "lose path"]
            kind = chance.choice(faults)
        elif not agent.linked and chance.random() < 0.7:
            kind = "resume"
        return Move(agent.name, kind, pick, chance.choice(PAUSES), serial)

    def finish(self) -> None:
        """Let all come to rest, be asked what must hold, hang up, and leave nothing."""
        world = self.world
        for name in list(self.away):
            world.resume(name)
        world.rest()
        always.at_rest(world)
        for _ in range(3):
            for agent in world.agents.values():
                agent.on_ring = None
                for call_id in list(agent.phone.calls):
                    world.do(agent.name, HangUp(call_id))
                for call_id in list(agent.phone.ringing):
                    world.do(agent.name, Reject(call_id))
            world.run(400)
        world.quiet()
        always.at_any_time(world)
        always.transferred_calls_are_named(world)


Tally = Counter[str]


def runs(seed: int, mix: Mix, count: int) -> Tally:
    """Make so many runs, one seed after the other, and return how often what came about."""
    seen: Tally = Counter()
    for number in range(count):
        seen += tally(run((seed + number) % 2**32, mix))
    return seen


def tally(world: World) -> Tally:
    """Count the ends of transfers, and how calls were answered."""
    seen: Tally = Counter(record.record.kind or "unanswered" for record in world.records)
    for agent in world.agents.values():
        asked = always.asked(agent)
        seen["joined"] += sum(reason == GLARE for reason in agent.reasons().values())
        calls = [news.call for news in agent.news if isinstance(news, CallNews)]
        seen["met"] += len({call.id for call in calls if len(call.participants) > 1})
        seen["recall"] += len({c.id for c in calls if c.transfer_id and c.remote == c.transferor})
        for transfer_id, updates in always.transfers(agent).items():
            seen[updates[-1].state] += 1
            outcome = updates[-1].outcome
            semi = (
                outcome
                and outcome.kind == "participant"
                and isinstance(asked[transfer_id].target, CallTarget)
            )
            seen["semi-attended"] += bool(semi)
    return seen


def run(seed: int, mix: Mix) -> World:
    """Make one run; if it goes wrong, fail with the shortest story that goes wrong too."""
    story: list[Move] = []
    chance = random.Random(seed)
    now = Run(seed, mix)
    try:
        for serial in range(mix.moves):
            if (move := now.draw(chance, serial)) is None:
                break
            story.append(move)
            now.do(move)
        now.finish()
    except Exception as error:
        raise AssertionError(shrunk(seed, mix, story, error)) from error
    return now.world


def replay(seed: int, mix: Mix, story: Sequence[Move], told: Callable[[str], None] = lambda _: None) -> None:
    """Make the moves of a story."""
    now = Run(seed, mix)
    for move in story:
        now.do(move, told)
    now.finish()


def shrunk(seed: int, mix: Mix, story: list[Move], error: Exception) -> str:
    """Return the fewest moves that go wrong, found by leaving out ever smaller parts (delta debugging)."""

    def fails(moves: list[Move]) -> bool:
        try:
            replay(seed, mix, moves)
        except Exception:
            return True
        return False

    size = len(story)
    while size:
        at = 0
        while at < len(story):
            fewer = story[:at] + story[at + size :]
            if fails(fewer):
                story = fewer
            else:
                at += size
        size //= 2
    lines: list[str] = []
    last = error
    try:
        replay(seed, mix, story, lines.append)
    except Exception as found:
        last = found
    return "\n".join([f"seed {seed}, {len(story)} moves:", *lines, f"{type(last).__name__}: {last}"])


def rules(chance: random.Random) -> Settings:
    """Return settings of any kind, most of which let calls ring."""
    to: list[Destination | None] = [None, ToVoicemail(), ToPerson(chance.choice(NAMES)), ToGroup()]
    along = chance.choice([None, None, ToPerson(chance.choice(NAMES)), ToGroup()])
    return Settings(
        chance.choice(to) if along is None and chance.random() < 0.2 else None,
        chance.choice(to),
        10,
        chance.choice(to),
        chance.choice(to),
        along,
        chance.random() < 0.1,
        chance.choice([*to, "unanswered"]),
        chance.random() < 0.8,
        Group(tuple(chance.sample(NAMES, 2)), chance.choice(["simultaneous", "in_order"]), 10),
    )
