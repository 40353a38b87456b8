"""Group calls with real sound: each hears the others and not itself."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.sink import FileSink
from media.source import SilenceSource, load
from node import AudioOptions, CallState, GroupCallLocator, JoinCallOptions
from signaling.config import load_config
from signaling.reasons import NO_MIXER
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, Person, connect, eventually, mixer, until
from tests.e2e.tones import tone, who_sings
from tests.program import callnode

pytestmark = pytest.mark.e2e


async def hears_just(person: Person, *names: str) -> None:
    """Wait until exactly the tones of these are heard."""
    async with asyncio.timeout(PATIENCE):
        while True:
            frames = [frame for _, frame in await person.listen(time.monotonic(), 0.3)]
            if who_sings(np.concatenate([np.zeros(0, np.int16), *frames])) == {*names}:
                return


class Group:
    """Whoever a test needs, each of whom says a tone, and the mixers that there are."""

    def __init__(self, people: People, stack: AsyncExitStack) -> None:
        self.people = people
        self.mixers: list[asyncio.Task[None]] = []
        self._stack = stack

    async def mixer(self) -> None:
        self.mixers.append(await self._stack.enter_async_context(mixer(self.people)))

    async def join(self, *names: str) -> list[Person]:
        people = [await self.people.join(name) for name in names]
        for person in people:
            person.voice = tone(person.name)
        return people


@pytest.fixture
async def group(people: People) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(people, stack)


async def all_hear_each_other(*people: Person) -> None:
    await asyncio.gather(*(hears_just(one, *(p.name for p in people if p is not one)) for one in people))


def course(sound: NDArray[np.int16]) -> list[set[str]]:
    """Return whose tones are in a recording, one set after the other; silence is left out."""
    looks = (who_sings(sound[at : at + 9600]) for at in range(0, len(sound) - 9600, 1920))
    return [heard for heard, _ in itertools.groupby(each for each in looks if each)]


def paths(person: Person) -> int:
    """Return over how many connections somebody's calls go, or may go over."""
    legs = person.agent._runtime.engine._legs.values()
    return sum(peer is not None for leg in legs for peer in (leg.peer, leg.next, leg.before))


async def test_two_become_four_and_two_again(group: Group) -> None:
    await group.mixer()
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
    await asyncio.gather(hears_just(alice, "bob", "dave"), hears_just(bob, "alice", "dave"))
    await theirs.remove_participant("dave")
    await until(daves, CallState.DISCONNECTED)
    assert (daves.call_end_reason.sub_code if daves.call_end_reason else 0) == 5300
    await eventually(lambda: ours.info.group_id is None and theirs.info.group_id is None)
    await all_hear_each_other(alice, bob)
    await eventually(lambda: paths(alice) == paths(bob) == 1)  # those to the mixer are closed
    await all_hear_each_other(alice, bob)
    assert (ours.id, theirs.id) == (call_id, call_id)
    assert {ours.state, theirs.state} == {CallState.CONNECTED}
    await ours.hang_up()
    await until(theirs, CallState.DISCONNECTED)


async def test_who_knows_the_id_is_in_the_call(group: Group, tmp_path: Path) -> None:
    await group.mixer()
    alice, bob, carol, recorder = await group.join("alice", "bob", "carol", "dave")
    where = GroupCallLocator("b1d4c8a2-6f0e-4c57-9a55-1f0b7a3f1c11")
    record = AudioOptions(source=SilenceSource(), sink=FileSink(tmp_path / "group.wav"))
    recording = recorder.agent.join(where, JoinCallOptions(record))
    await until(recording, CallState.CONNECTED)
    calls = [each.agent.join(where, JoinCallOptions(each.audio())) for each in (alice, bob, carol)]
    for call in calls:
        await until(call, CallState.CONNECTED)
    await all_hear_each_other(alice, bob, carol)
    ours, theirs, _ = calls
    bobs = next(each for each in ours.remote_participants if each.identifier.name == "bob")

    await theirs.mute()
    await asyncio.gather(hears_just(alice, "carol"), hears_just(bob, "alice", "carol"))
    await eventually(lambda: bobs.is_muted and not bobs.is_speaking)
    await theirs.unmute()
    await theirs.hold()
    await asyncio.gather(hears_just(alice, "carol"), hears_just(carol, "alice"), hears_just(bob))
    assert (bobs.state, ours.state) == ("Hold", CallState.CONNECTED)
    await theirs.resume()
    await all_hear_each_other(alice, bob, carol)

    keys: list[str] = []
    ours.on("dtmf_received", lambda event: keys.append(event.digit))
    await theirs.send_dtmf("5")
    await eventually(lambda: keys == ["5"])

    await ours.hang_up(for_everyone=True)
    for call in (*calls[1:], recording):
        await until(call, CallState.DISCONNECTED)
        assert (call.call_end_reason.sub_code if call.call_end_reason else 0) == 4097
    everybody, without_bob = {"alice", "bob", "carol"}, {"alice", "carol"}
    recorded = course(load(tmp_path / "group.wav"))
    since = recorded[recorded.index(everybody) :]
    # Between being unmuted and holding, Bob may be heard for a moment.
    assert since in ([everybody, *[without_bob, everybody] * count] for count in (1, 2))


async def test_a_killed_mixer_is_replaced_and_at_last_none_is_needed(group: Group, tmp_path: Path) -> None:
    alice, bob, carol, dave = await group.join("alice", "bob", "carol", "dave")
    ours, theirs = await connect(alice, bob)
    async with callnode("mixer", "serve", "--data", tmp_path / "hub") as killed:
        await killed.line("the mixer is ready")
        others = []
        for each in (carol, dave):
            ours.add_participant(each.name)
            others.append(await each.pick_up())
        await all_hear_each_other(alice, bob, carol, dave)
        await group.mixer()
        killed.tell(signal.SIGKILL)
        assert await killed.exited() == -signal.SIGKILL
    calls = (ours, theirs, *others)
    ids = [call.id for call in calls]
    await all_hear_each_other(alice, bob, carol, dave)
    assert [(call.id, call.state) for call in calls] == [(one, CallState.CONNECTED) for one in ids]
    assert all(len(call.remote_participants) == 3 for call in calls)
    for call in others:
        await call.hang_up()
    await eventually(lambda: ours.info.group_id is None)
    await all_hear_each_other(alice, bob)


async def test_while_the_hub_restarts_a_group_and_what_becomes_of_it_go_on(
    group: Group, hub: HubServer, tmp_path: Path
) -> None:
    """Sound needs no hub; those who are left know their call by different ids."""
    await group.mixer()
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


async def test_without_a_mixer_nobody_is_asked_in(group: Group) -> None:
    alice, bob, _ = await group.join("alice", "bob", "carol")
    ours, _ = await connect(alice, bob)
    asked = ours.add_participant("carol")
    await eventually(lambda: asked.state == "Disconnected")
    assert asked.call_end_reason == NO_MIXER
    await all_hear_each_other(alice, bob)
