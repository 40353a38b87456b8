"""Many calls and transfers one after the other, and what the process holds meanwhile: nothing may grow.

`transfers` are real, with sound, Bob handed to and fro; `calls` are signaling alone, over real sockets.
"""

import asyncio
import ctypes
import gc
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from unittest import mock

import aiohttp
from msgspec import Struct

from media.sink import NullSink
from media.source import ToneSource
from node import AudioOptions, Call, CallState, Features, TransferState
from signaling import agents
from signaling.config import load_config
from signaling.messages import (
    CallAnswer,
    CallAnswered,
    CallConnected,
    CallEnd,
    CallEnded,
    CallHold,
    CallIncoming,
    CallOriginate,
    CallPlace,
    CallRinging,
    CallUp,
    HubMessage,
    Ping,
    Pong,
    TransferRequest,
    TransferUpdate,
)
from signaling.parts import ParticipantTarget
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, Person, connect, until
from tests.shell.hub_client import Agent

CHECKPOINTS = 10
IDLE_SECONDS = 10.0
Progress = Callable[[int], None]
M = TypeVar("M", bound=HubMessage)


class Held(Struct, frozen=True):
    """What the process holds at a moment; bytes are 0 where the system does not tell them.

    `resident` is without what malloc keeps for later. A hub's page cache (SQLite) is in it, 2 MB at most.
    """

    tasks: int
    threads: int
    files: int
    objects: int
    resident: int


class Endurance(Struct):
    """What was held at each tenth, the first of which is the warm-up."""

    rounds: int
    held: list[Held] = []
    seconds: float = 0.0

    def grown(self, what: str) -> int:
        """Return by how much something grew from the second tenth to the last."""
        return int(getattr(self.held[-1], what) - getattr(self.held[1], what))


async def calm(at_most: int) -> Held:
    """Return what is held once no more tasks than so many are left, or a while has passed."""
    end = time.monotonic() + IDLE_SECONDS
    while len(asyncio.all_tasks()) > at_most and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return held()


def held() -> Held:
    """Return what is held now."""
    gc.collect()
    trim()
    open_files, memory = Path("/dev/fd"), Path("/proc/self/statm")
    return Held(
        len(asyncio.all_tasks()),
        sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
        len(list(open_files.iterdir())) if open_files.exists() else 0,
        len(gc.get_objects()),
        int(memory.read_text().split()[1]) * 4096 if memory.exists() else 0,
    )


def trim() -> None:
    """Give memory that malloc keeps for later back to the system, where malloc can (glibc)."""
    if sys.platform == "linux" and (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        give_back(0)


@asynccontextmanager
async def people() -> AsyncIterator[People]:
    """A hub of its own, which takes messages as fast as they come."""
    with tempfile.TemporaryDirectory(prefix="callnode-endurance-") as folder:
        config = load_config(Path(folder), environ={})
        with mock.patch.multiple(agents, MESSAGES_PER_SECOND=1e6, MESSAGES_AT_ONCE=1e6):
            async with HubServer(config) as hub, aiohttp.ClientSession() as http:
                everybody = People(hub, http)
                yield everybody
                await everybody.close()


async def endure(rounds: int, once: Callable[[int], Awaitable[None]], progress: Progress) -> Endurance:
    """Do something over and over, and look at each tenth what is held."""
    found, start = Endurance(rounds), time.monotonic()
    idle = len(asyncio.all_tasks())
    each = max(1, rounds // CHECKPOINTS)
    for number in range(rounds):
        await once(number)
        progress(number + 1)
        if (number + 1) % each == 0:
            found.held.append(await calm(found.held[0].tasks if found.held else idle))
    found.seconds = time.monotonic() - start
    return found


# --- with sound


def quiet_audio() -> AudioOptions:
    return AudioOptions(source=ToneSource(440.0), sink=NullSink())


class Ring:
    """Alice and Carol, who hand Bob to each other."""

    def __init__(self, alice: Person, bob: Person, carol: Person, call: Call) -> None:
        self._holders = itertools.cycle([(alice, carol), (carol, alice)])
        self._bob = bob
        self._call = call

    async def hand_over(self, number: int) -> None:
        """Hand Bob over: to a person, or every second time to a call, by turns from and to each side."""
        here, there = next(self._holders)
        transfer = self._call.feature(Features.TRANSFER).transfer
        if number // 2 % 2:
            caller, callee = (here, there) if number // 4 % 2 else (there, here)
            consultation, answered = await connect(caller, callee)
            mine = consultation if caller is here else answered
            handed = transfer(target_call_id=mine.id)
        else:
            handed = transfer(target_participant=there.name, hang_up_when_transferred=True)
            await there.pick_up()
        async with asyncio.timeout(PATIENCE):
            assert await handed.wait() is TransferState.TRANSFERRED, handed.error
        [self._call] = [call for call in there.agent.calls if call.id == handed.new_call_id]
        await until(self._call, CallState.CONNECTED)
        async with asyncio.timeout(PATIENCE):
            while len(self._bob.agent.calls) > 1 or here.agent.calls or len(there.agent.calls) > 1:
                await asyncio.sleep(0.02)


async def transfers(count: int, progress: Progress = lambda _: None) -> Endurance:
    """Hand Bob over so many times, with sound."""
    async with people() as everybody:
        alice, bob, carol = [await everybody.join(name) for name in ("alice", "bob", "carol")]
        with mock.patch.object(Person, "audio", lambda _: quiet_audio()):
            call, _ = await connect(alice, bob)
            return await endure(count, Ring(alice, bob, carol, call).hand_over, progress)


# --- signaling alone


class Switch:
    """Three bare clients: one calls, one is called, held and handed over to the third."""

    def __init__(self, caller: Agent, callee: Agent, target: Agent) -> None:
        self._parties = (caller, callee, target)
        self._heard = dict.fromkeys(self._parties, 0)

    async def once(self, number: int) -> None:
        """Make one call, hold it, hand it over, and hang up; every fourth one is declined."""
        a, b, c = self._parties
        call_id, new_id = f"c{number}", ""
        await a.say(CallPlace(call_id, "bob", "offer"))
        await self._wait(b, CallIncoming)
        await b.say(CallRinging(call_id))
        if number % 4 == 3:
            await b.say(CallEnd(call_id, "declined"))
            await self._wait(a, CallEnded)
        else:
            await self._answer(a, b, call_id)
            await a.say(CallHold(call_id, True))
            await self._wait(b, CallHold)
            await a.say(TransferRequest(f"t{number}", call_id, ParticipantTarget("carol")))
            new_id = (await self._wait(b, CallOriginate)).call_id
            await b.say(CallPlace(new_id, "carol", "offer", f"t{number}"))
            await self._wait(c, CallIncoming)
            await self._answer(b, c, new_id)
            while (await self._wait(a, TransferUpdate)).state == "Transferring":
                pass
            await self._wait(b, CallEnded)
            await a.say(CallEnd(call_id))
            await b.say(CallEnd(new_id))
            await self._wait(c, CallEnded)
        for agent in self._parties:
            # Everything up to here was heard: the hub may forget it.
            await agent.say(Ping(ack=self._heard[agent]), seq=0)
            await self._wait(agent, Pong)

    async def _answer(self, caller: Agent, callee: Agent, call_id: str) -> None:
        await callee.say(CallAnswer(call_id, "answer"))
        await self._wait(caller, CallAnswered)
        for agent in (caller, callee):
            await agent.say(CallUp(call_id))
        for agent in (caller, callee):
            await self._wait(agent, CallConnected)

    async def _wait(self, agent: Agent, kind: type[M]) -> M:
        """Return the next message of a kind; those before it are of no interest."""
        while True:
            message = await agent.hear()
            self._heard[agent] = max(self._heard[agent], message.seq)
            if isinstance(message, kind):
                return message


async def calls(count: int, progress: Progress = lambda _: None) -> Endurance:
    """Make so many calls through a real hub, without media."""
    async with people() as everybody:
        client = everybody.client
        parties = [await client.join((await client.token(name))[1]) for name in ("alice", "bob", "carol")]
        return await endure(count, Switch(*parties).once, progress)
