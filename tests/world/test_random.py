"""Random guided runs: moves are drawn from what is possible now, so that the deep states are reached."""

import random
from collections import Counter

import pytest

from node.exchange import (
    Accept,
    CancelTransfer,
    Consent,
    Dial,
    HangUp,
    Hold,
    Input,
    Mute,
    Reject,
    Transfer,
    TransferNews,
)
from node.session import CallState
from signaling.messages import TransferRequest
from signaling.parts import CallTarget, ParticipantTarget, Target, VoicemailTarget
from signaling.reasons import GLARE
from signaling.settings import Destination, Group, Settings, ToGroup, ToPerson, ToVoicemail
from tests.world.agent import Agent
from tests.world.world import World

pytestmark = pytest.mark.world

NAMES = ("ann", "bob", "cat", "dan")
RUNS = 150
MOVES = 60


def rules(rng: random.Random) -> Settings:
    """Return settings of any kind, most of which let calls ring."""
    to: list[Destination | None] = [None, ToVoicemail(), ToPerson(rng.choice(NAMES)), ToGroup()]
    along = rng.choice([None, None, ToPerson(rng.choice(NAMES)), ToGroup()])
    return Settings(
        rng.choice(to) if along is None and rng.random() < 0.2 else None,
        rng.choice(to),
        10,
        rng.choice(to),
        rng.choice(to),
        along,
        rng.random() < 0.1,
        rng.choice([*to, "unanswered"]),
        rng.random() < 0.8,
        Group(tuple(rng.sample(NAMES, 2)), rng.choice(["simultaneous", "in_order"]), 10),
    )


def moves(world: World, agent: Agent, rng: random.Random, serial: int) -> list[Input]:
    """Return the commands that make sense for an agent now."""
    phone = agent.phone
    others = [n for n in NAMES if n != agent.user]
    possible: list[Input] = [Dial(f"c{serial}", rng.choice(others))] if len(phone.calls) < 3 else []
    callers = [c.remote.name for c in phone.ringing.values() if c.remote.name in others]
    if callers and len(phone.calls) < 3:
        possible.append(Dial(f"c{serial}", rng.choice(callers)))  # both dial each other
    for ringing in phone.ringing:
        possible += [Accept(ringing), Accept(ringing), Reject(ringing)]
    for offer in phone.offers:
        possible += [Consent(offer, True), Consent(offer, False)]
    possible += [CancelTransfer(t) for t in phone.transfers]
    for call in [c for c in phone.calls.values() if c.live]:
        possible += [HangUp(call.id), Mute(call.id, outgoing=rng.random() < 0.5)]
        if call.up:
            possible.append(Hold(call.id, not call.local_hold))
            targets: list[Target] = [
                ParticipantTarget(rng.choice(others)),
                VoicemailTarget(rng.choice(others)),
            ]
            targets += [CallTarget(c.id) for c in phone.calls.values() if c.id != call.id and c.up] * 3
            request = TransferRequest(
                f"t{serial}",
                call.id,
                rng.choice(targets),
                rng.random() < 0.3,
                rng.random() < 0.2,
                rng.random() < 0.3,
            )
            possible += [Transfer(request)] * 2
    return possible


def settle(world: World) -> None:
    for _ in range(3):
        for agent in world.agents.values():
            agent.on_ring = None
            for call_id in list(agent.phone.calls):
                world.do(agent.name, HangUp(call_id))
            for call_id in list(agent.phone.ringing):
                world.do(agent.name, Reject(call_id))
        world.run(400)
    world.quiet()


def test_random_guided_runs(seed: int) -> None:
    finals: dict[str, int] = {"Transferred": 0, "Failed": 0}
    taken: Counter[str | None] = Counter()
    joined = 0
    for run in range(RUNS):
        rng = random.Random(seed * 1000 + run)
        world = World(seed * 1000 + run)
        for name in NAMES:
            world.user(name, rules(rng))
            world.join(name, consent=rng.random() < 0.3)
        world.join("ann", device="2")
        world.voicemail()
        for serial in range(MOVES):
            agent = rng.choice([a for a in world.agents.values() if a.alive and a.user != "vm"])
            roll = rng.random()
            if roll < 0.01:
                world.kill(agent.name)
            elif roll > 0.998:
                world.restart_hub()
                world.run(7)
            elif roll < 0.03 and agent.linked:
                world.cut(agent.name)
            elif not agent.linked and roll < 0.5:
                world.run(0.01)
                if agent.session in world.hub.presence.sessions:
                    world.resume(agent.name)
                else:
                    agent.alive = False
            elif possible := moves(world, agent, rng, serial):
                world.do(agent.name, rng.choice(possible))
            if not any(a.alive and a.user != "vm" for a in world.agents.values()):
                break
            world.run(rng.choice([0.001, 0.01, 0.1, 0.1, 1.0, 5.0]))
        settle(world)
        for agent in world.agents.values():
            if not agent.alive:
                continue
            seen: dict[str, str] = {}
            for news in agent.news:
                if isinstance(news, TransferNews):
                    update = news.update
                    assert seen.get(update.transfer_id) not in ("Transferred", "Failed"), "never back"
                    seen[update.transfer_id] = update.state
            assert set(seen.values()) <= {"Transferred", "Failed"}
            for state in seen.values():
                finals[state] += 1
            for call_id, reason in agent.reasons().items():
                assert reason is not None
                assert agent.states(call_id).count(CallState.DISCONNECTED) == 1
                joined += reason == GLARE
        for filed in world.records:
            taken[filed.record.kind] += 1
            users = [end.user for end in filed.record.legs]
            assert len(users) == len(set(users)), "one end for each"
            assert filed.record.caller in users and filed.record.callee in users
    print(f"random runs: {finals}, {taken}, {joined} joined")
    assert joined > 20 and taken["forwarded"] > 20 and taken["voicemail"] > 20
    assert finals["Transferred"] > 20 and finals["Failed"] > 20
