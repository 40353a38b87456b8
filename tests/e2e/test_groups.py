"""Group calls with real sound: each hears the others and not itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from media.sink import NumpySink
from media.source import ToneSource
from node import (
    AudioOptions,
    Call,
    CallState,
    CommunicationTokenCredential,
    GroupCallLocator,
    JoinCallOptions,
)
from node.mixer import MixerService
from signaling.config import load_config
from signaling.reasons import NO_MIXER
from signaling.server import HubServer
from tests.e2e.media_pair import tone_dbfs
from tests.e2e.people import PATIENCE, People, Person, eventually, until

pytestmark = pytest.mark.e2e

TONES = {"alice": 440.0, "bob": 700.0, "carol": 1100.0, "dave": 1700.0}
LOUD, QUIET = -30.0, -50.0


class Singer(Person):
    """A person who says a tone."""

    def audio(self) -> AudioOptions:
        self.ear = NumpySink()
        return AudioOptions(source=ToneSource(TONES[self.name]), sink=self.ear)

    async def hears_just(self, *names: str) -> None:
        """Wait until exactly the tones of these are heard."""
        async with asyncio.timeout(PATIENCE):
            while await self.heard(0.3) != set(names):
                pass

    async def heard(self, seconds: float) -> set[str] | None:
        """Return whose tones are heard now; None where one is neither loud nor gone."""
        frames = [frame for _, frame in await self.listen(time.monotonic(), seconds)]
        if not frames:  # a machine that is too busy
            return None
        sound = np.concatenate(frames)
        levels = {name: tone_dbfs(sound, hertz) for name, hertz in TONES.items()}
        if any(QUIET < level < LOUD for level in levels.values()):
            return None
        return {name for name, level in levels.items() if level >= LOUD}


class Group:
    """Whoever a test needs, and the mixers that there are."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.mixers: list[asyncio.Task[None]] = []

    async def mixer(self) -> asyncio.Task[None]:
        _, token = await self.people.client.token("mixer", mixer=True)
        ready = asyncio.Event()
        service = MixerService(CommunicationTokenCredential(token))
        task = asyncio.create_task(service.serve(ready.set))
        self.mixers.append(task)
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
        return task

    async def join(self, *names: str) -> list[Singer]:
        people = [await self.people.join(name) for name in names]
        return [Singer(person.name, person.agent, person.voice, rings=person.rings) for person in people]

    async def close(self) -> None:
        for task in self.mixers:
            task.cancel()
        await asyncio.gather(*self.mixers, return_exceptions=True)


@pytest.fixture
async def group(people: People) -> AsyncIterator[Group]:
    group = Group(people)
    await group.mixer()
    yield group
    await group.close()


async def connect(caller: Singer, callee: Singer) -> tuple[Call, Call]:
    out = caller.dial(callee.name)
    inbound = await callee.pick_up()
    await until(out, CallState.CONNECTED)
    await until(inbound, CallState.CONNECTED)
    return out, inbound


async def all_hear_each_other(*people: Singer) -> None:
    await asyncio.gather(*(one.hears_just(*(p.name for p in people if p is not one)) for one in people))


async def test_two_become_four_and_two_again(group: Group) -> None:
    alice, bob, carol, dave = await group.join("alice", "bob", "carol", "dave")
    ours, theirs = await connect(alice, bob)
    await all_hear_each_other(alice, bob)
    call_id = ours.id
    asked = ours.add_participant("carol")
    assert asked.state == "Connecting" and len(ours.remote_participants) == 1
    carols = await carol.pick_up()
    await all_hear_each_other(alice, bob, carol)
    asked_too = theirs.add_participant("dave")
    daves = await dave.pick_up()
    await all_hear_each_other(alice, bob, carol, dave)
    assert (asked.state, asked_too.state) == ("Connected", "Connected")
    assert {each.display_name for each in daves.remote_participants} == {"Alice", "Bob", "Carol"}
    assert {each.display_name for each in ours.remote_participants} == {"Bob", "Carol", "Dave"}
    assert len({call.info.group_id for call in (ours, theirs, carols, daves)}) == 1
    await eventually(lambda: all(each.is_speaking for each in carols.remote_participants))

    await carols.hang_up()
    await asyncio.gather(alice.hears_just("bob", "dave"), bob.hears_just("alice", "dave"))
    await theirs.remove_participant("dave")
    await until(daves, CallState.DISCONNECTED)
    assert (daves.call_end_reason.sub_code if daves.call_end_reason else 0) == 5300
    await eventually(lambda: ours.info.group_id is None and theirs.info.group_id is None)
    await all_hear_each_other(alice, bob)
    await asyncio.sleep(1.5)  # until the paths to the mixer are closed
    await all_hear_each_other(alice, bob)
    assert (ours.id, theirs.id) == (call_id, call_id)
    assert {ours.state, theirs.state} == {CallState.CONNECTED}
    await ours.hang_up()
    await until(theirs, CallState.DISCONNECTED)


async def test_who_knows_the_id_is_in_the_call(group: Group) -> None:
    alice, bob, carol = await group.join("alice", "bob", "carol")
    where = GroupCallLocator("b1d4c8a2-6f0e-4c57-9a55-1f0b7a3f1c11")
    calls = [each.agent.join(where, JoinCallOptions(each.audio())) for each in (alice, bob, carol)]
    for call in calls:
        await until(call, CallState.CONNECTED)
    await all_hear_each_other(alice, bob, carol)
    ours, theirs, _ = calls
    bobs = next(each for each in ours.remote_participants if each.identifier.name == "bob")

    await theirs.mute()
    await asyncio.gather(alice.hears_just("carol"), bob.hears_just("alice", "carol"))
    await eventually(lambda: bobs.is_muted and not bobs.is_speaking)
    await theirs.unmute()
    await theirs.hold()
    await asyncio.gather(alice.hears_just("carol"), carol.hears_just("alice"), bob.hears_just())
    assert (bobs.state, ours.state) == ("Hold", CallState.CONNECTED)
    await theirs.resume()
    await all_hear_each_other(alice, bob, carol)

    keys: list[str] = []
    ours.on("dtmf_received", lambda event: keys.append(event.digit))
    await theirs.send_dtmf("5")
    await eventually(lambda: keys == ["5"])

    await ours.hang_up(for_everyone=True)
    for call in calls[1:]:
        await until(call, CallState.DISCONNECTED)
        assert (call.call_end_reason.sub_code if call.call_end_reason else 0) == 4097


async def test_another_mixer_takes_over_and_at_last_none_is_needed(group: Group) -> None:
    alice, bob, carol = await group.join("alice", "bob", "carol")
    ours, _ = await connect(alice, bob)
    ours.add_participant("carol")
    carols = await carol.pick_up()
    await all_hear_each_other(alice, bob, carol)
    await group.mixer()
    group.mixers[0].cancel()
    await asyncio.wait(group.mixers[:1])
    await all_hear_each_other(alice, bob, carol)
    await carols.hang_up()
    await eventually(lambda: ours.info.group_id is None)
    await all_hear_each_other(alice, bob)


async def test_while_the_hub_restarts_a_group_and_what_becomes_of_it_go_on(
    group: Group, hub: HubServer, tmp_path: Path
) -> None:
    """Sound needs no hub; those who are left know their call by different ids."""
    alice, bob, carol = await group.join("alice", "bob", "carol")
    ours, theirs = await connect(alice, bob)
    ours.add_participant("carol")
    carols = await carol.pick_up()
    await all_hear_each_other(alice, bob, carol)
    seen = {call: set(call.remote_participants) for call in (ours, theirs, carols)}
    config = load_config(tmp_path / "hub", port=int(hub.url.rpartition(":")[2]), environ={})
    await hub.stop()
    async with HubServer(config) as second:
        groups = second._core.hub.groups
        await eventually(lambda: [len(each.here) for each in groups.all.values()] == [3])
        await all_hear_each_other(alice, bob, carol)
        assert {call: set(call.remote_participants) for call in seen} == seen
        assert all(call.state is CallState.CONNECTED for call in seen)
        await ours.hang_up()
        await eventually(lambda: groups.all == {})
        await all_hear_each_other(bob, carol)
    async with HubServer(config) as third:
        await eventually(lambda: len(third._core.hub.calls.all) == 1)
        await theirs.hold()
        await until(carols, CallState.REMOTE_HOLD)
        await theirs.resume()
        await all_hear_each_other(bob, carol)
        await carols.hang_up()
        await until(theirs, CallState.DISCONNECTED)
    await hub.start()


async def test_without_a_mixer_nobody_is_asked_in(people: People) -> None:
    group = Group(people)
    alice, bob, _ = await group.join("alice", "bob", "carol")
    ours, _ = await connect(alice, bob)
    asked = ours.add_participant("carol")
    await eventually(lambda: asked.state == "Disconnected")
    assert asked.call_end_reason == NO_MIXER
    await all_hear_each_other(alice, bob)
