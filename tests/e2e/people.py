"""People with real sound on a real hub: each says a sentence over and over and remembers what it hears."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from numpy.typing import NDArray

from media.measure import correlation, level_dbfs
from media.sink import NumpySink
from media.source import NumpySource, ToneSource
from media.speech import speech
from node import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    CallAgent,
    CallClient,
    CallState,
    CommunicationTokenCredential,
    IncomingCall,
    StartCallOptions,
)
from signaling.server import HubServer
from tests.shell.hub_client import Client

PATIENCE = 20.0
SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}


@dataclass
class Person:
    """One agent, the calls that ring, and the ear of its latest call, which a transfer takes along."""

    name: str
    agent: CallAgent
    ear: NumpySink = field(default_factory=NumpySink)
    rings: asyncio.Queue[IncomingCall] = field(default_factory=asyncio.Queue)

    def audio(self) -> AudioOptions:
        """Return this person's voice and a fresh ear, for a new call."""
        self.ear = NumpySink()
        return AudioOptions(source=NumpySource(SENTENCES[self.name], loop=True), sink=self.ear)

    def dial(self, whom: str) -> Call:
        return self.agent.start_call([whom], StartCallOptions(self.audio()))

    async def pick_up(self) -> Call:
        async with asyncio.timeout(PATIENCE):
            incoming = await self.rings.get()
        return await incoming.accept(AcceptCallOptions(self.audio()))

    async def hears(self, whom: str, seconds: float = 2.0) -> None:
        """Assert that from now on this person hears another, and nobody else, at full level."""
        start = time.monotonic()
        heard = await self.listen(start, seconds)
        # In a thread: whoever listens must not keep the others from speaking.
        score = {n: await asyncio.to_thread(correlation, heard, said) for n, said in SENTENCES.items()}
        assert score[whom] > 0.8, (self.name, whom, score)
        assert all(value < 0.5 for name, value in score.items() if name != whom), (self.name, whom, score)
        assert abs(level_dbfs(heard) - level_dbfs(SENTENCES[whom])) < 4

    async def listen(self, start: float, seconds: float) -> NDArray[np.int16]:
        """Return the next seconds of sound at this person's ear."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frames = [f for at, f in self.ear.frames if at >= start]
                if len(frames) * 0.02 >= seconds:
                    return np.concatenate(frames)
                await asyncio.sleep(0.05)


class People:
    """Whoever a test needs, all on one hub."""

    def __init__(self, hub: HubServer, http: aiohttp.ClientSession) -> None:
        self.client = Client(hub, http)
        self._clients: list[CallClient] = []

    async def join(self, name: str, **options: bool) -> Person:
        _, token = await self.client.token(name)
        client = CallClient()
        self._clients.append(client)
        agent = await client.create_call_agent(
            CommunicationTokenCredential(token), display_name=name.title(), **options
        )
        person = Person(name, agent)
        agent.on("incoming_call", lambda event: person.rings.put_nowait(event.incoming_call))
        return person

    async def close(self) -> None:
        for client in self._clients:
            await client.dispose()


async def connect(caller: Person, callee: Person) -> tuple[Call, Call]:
    """Let one call the other; return both ends once connected."""
    out = caller.dial(callee.name)
    inbound = await callee.pick_up()
    await until(out, CallState.CONNECTED)
    await until(inbound, CallState.CONNECTED)
    return out, inbound


async def until(call: Call, *states: CallState) -> None:
    async with asyncio.timeout(PATIENCE):
        await call.wait_for(*states)


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


__all__ = ["People", "Person", "ToneSource", "connect", "eventually", "until"]
