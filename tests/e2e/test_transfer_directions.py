"""Every kind of transfer, whoever called whom, held and muted: several at a time, asserted at the ears."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path

import pytest

from media.measure import level_dbfs
from media.sink import NumpySink
from media.source import NumpySource
from node import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    CallState,
    Features,
    TransferState,
)
from tests.e2e.people import PATIENCE, People, Person, connect, eventually, until
from tests.e2e.test_voicemail import voicemail

pytestmark = pytest.mark.e2e

AT_ONCE = 2  # more keep one process too busy for sound
KINDS = ("participant", "call", "ringing call", "voicemail")
Trio = tuple[Person, Person, Person]


@pytest.fixture
async def stage(people: People, tmp_path: Path) -> AsyncIterator[People]:
    """A hub with a voicemail service."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(voicemail(people, tmp_path / "voicemail"))
        yield people


async def some_at_once(*stories: Coroutine[None, None, None]) -> None:
    """Let several stories go on at a time, the next as soon as one is over."""
    places = asyncio.Semaphore(AT_ONCE)

    async def tell(story: Coroutine[None, None, None]) -> None:
        async with places:
            await story

    async with asyncio.TaskGroup() as group:
        for story in stories:
            group.create_task(tell(story))


async def three(people: People, number: int) -> Trio:
    """Return three people nobody else has met, with the voices of Alice, Bob and Carol."""
    names = ("alice", "bob", "carol")
    a, b, c = [await people.join(f"{name}{number}", voice=name) for name in names]
    return a, b, c


async def meet(one: Person, other: Person, called: bool) -> tuple[Call, Call]:
    """Connect two, the first of whom has called or was called; return their ends."""
    if called:
        theirs, mine = await connect(other, one)
        return mine, theirs
    return await connect(one, other)


async def final(call: Call, **target: str) -> str | None:
    """Hand the other end over; return the id of the call that takes over."""
    transfer = call.feature(Features.TRANSFER).transfer(target)  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.TRANSFERRED, transfer.error
    return transfer.new_call_id


async def hand_over(trio: Trio, kind: str, ab: bool, ac: bool) -> None:
    """Let A hand B over to C in one of the ways, and B and C hear each other, or B a greeting."""
    a, b, c = trio
    first, at_b = await meet(a, b, ab)
    if kind == "participant":
        answering = asyncio.create_task(c.pick_up())
        new = await final(first, target_participant=c.name)
        await answering
    elif kind == "voicemail":
        new = await final(first, target_participant_voicemail=c.name)
    else:
        await first.hold()
        await until(at_b, CallState.REMOTE_HOLD)
        if kind == "call":
            second, _ = await meet(a, c, ac)
            new = await final(first, target_call_id=second.id)
        else:
            second = a.dial(c.name)
            rung = await c.ring()
            answering = asyncio.create_task(c.pick_up())
            new = await final(first, target_call_id=second.id)
            await answering
            assert rung.call_end_reason is not None and rung.call_end_reason.sub_code == 7015
        await until(second, CallState.DISCONNECTED)
    await eventually(
        lambda: [call.id for call in b.agent.calls if call.state is CallState.CONNECTED] == [new]
    )
    if kind == "voicemail":
        since = len(b.ear.frames)
        await eventually(lambda: any(level_dbfs(frame) > -40 for _, frame in b.ear.frames[since:]))
        assert c.rings.empty() and not c.agent.calls
    else:
        await asyncio.gather(b.hears("carol"), c.hears("bob"))
    await b.agent.calls[-1].hang_up()
    if first.state is not CallState.DISCONNECTED:
        await first.hang_up()
    await eventually(lambda: not any(person.agent.calls for person in trio))


async def test_every_kind_whoever_called_whom(stage: People) -> None:
    ways = [
        (kind, ab, ac)
        for kind, ab, ac in product(KINDS, (False, True), (False, True))
        if kind == "call" or not ac
    ]
    trios = [await three(stage, number) for number in range(len(ways))]
    await some_at_once(*(hand_over(trio, *way) for trio, way in zip(trios, ways, strict=True)))


async def muted_and_held(trio: Trio) -> None:
    """B is muted and held by A, and handed to A's other call: C hears nothing until B unmutes."""
    a, b, c = trio
    first, at_b = await connect(a, b)
    await at_b.mute()
    await first.hold()
    await until(at_b, CallState.REMOTE_HOLD)
    second, _ = await connect(a, c)
    await final(first, target_call_id=second.id)
    await asyncio.gather(c.hears_nothing(), b.hears("carol"))
    [new] = [call for call in b.agent.calls if call.state is CallState.CONNECTED]
    assert new.is_muted
    await new.unmute()
    await c.hears("bob")


async def held_by_b(trio: Trio, dave: Person) -> None:
    """B holds A and talks to Dave: who A hands B over to waits, and hears nothing of that."""
    a, b, c = trio
    first, at_b = await connect(a, b)
    dave.dial(b.name)
    incoming = await b.ring()
    ear = NumpySink()
    audio = AudioOptions(source=NumpySource(b.voice, loop=True), sink=ear)
    talk = await incoming.accept(AcceptCallOptions(audio, hold_other_calls=True))
    await until(at_b, CallState.LOCAL_HOLD)
    answering = asyncio.create_task(c.pick_up())
    new_id = await final(first, target_participant=c.name)
    at_c = await answering
    await until(at_c, CallState.REMOTE_HOLD)
    await asyncio.gather(c.hears_nothing(1.0), dave.hears("bob"))
    [new] = [call for call in b.agent.calls if call.id == new_id]
    assert new.state is CallState.LOCAL_HOLD
    await talk.hang_up()
    await new.resume()
    await until(at_c, CallState.CONNECTED)
    await asyncio.gather(c.hears("bob"), b.hears("carol"))


async def failed_while_held(trio: Trio) -> None:
    """A holds B and C declines: both hear each other again within a second."""
    a, b, c = trio
    first, at_b = await connect(a, b)
    await first.hold()
    await until(at_b, CallState.REMOTE_HOLD)
    transfer = first.feature(Features.TRANSFER).transfer(target_participant=c.name)
    await (await c.ring()).reject()
    async with asyncio.timeout(PATIENCE):
        assert await transfer.wait() is TransferState.FAILED
    await until(at_b, CallState.CONNECTED)
    await asyncio.gather(a.hears("bob"), b.hears("alice"))


async def test_held_and_muted(people: People) -> None:
    trios = [await three(people, number) for number in range(3)]
    dave = await people.join("dave", voice="alice")
    await some_at_once(held_by_b(trios[1], dave), muted_and_held(trios[0]), failed_while_held(trios[2]))
