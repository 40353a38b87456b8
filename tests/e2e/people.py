"""People with real sound on a real hub: each says a sentence over and over and remembers what it hears."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_SECONDS, Frame
from media.measure import SAME, correlation, level_dbfs, longest_silence, timeline
from media.sink import NumpySink
from media.source import NumpySource
from media.speech import speech
from node import (
    AcceptCallOptions,
    AudioOptions,
    Call,
    CallAgent,
    CallClient,
    CallClientOptions,
    CallState,
    CommunicationTokenCredential,
    IncomingCall,
    StartCallOptions,
)
from node.mixer import MixerService
from signaling.server import HubServer
from tests.shell.hub_client import Client

PATIENCE = 20.0
HEARING_SECONDS = 60.0  # a machine that is busy makes a jitter buffer stretch what it plays: it is given time
SENTENCES = {name: speech(name) for name in ("alice", "bob", "carol")}


@dataclass
class Person:
    """One agent, the calls that ring, and the ear of its latest call, which a transfer takes along."""

    name: str
    agent: CallAgent
    voice: NDArray[np.int16]
    ear: NumpySink = field(default_factory=NumpySink)
    rings: asyncio.Queue[IncomingCall] = field(default_factory=asyncio.Queue)

    def audio(self) -> AudioOptions:
        """Return this person's voice and a fresh ear, for a new call."""
        self.ear = NumpySink()
        return AudioOptions(source=NumpySource(self.voice, loop=True), sink=self.ear)

    def dial(self, whom: str) -> Call:
        return self.agent.start_call([whom], StartCallOptions(self.audio()))

    async def ring(self) -> IncomingCall:
        """Wait for the next call that rings."""
        async with asyncio.timeout(PATIENCE):
            return await self.rings.get()

    async def pick_up(self) -> Call:
        return await (await self.ring()).accept(AcceptCallOptions(self.audio()))

    async def hears(self, whom: str, seconds: float = 1.5) -> None:
        """Wait until this person hears another at full level, and assert that meanwhile it is nobody else."""
        start, score = time.monotonic(), dict[str, float]()
        while time.monotonic() < start + HEARING_SECONDS:
            frames = await self.listen(time.monotonic(), seconds)
            heard = np.concatenate([np.zeros(0, np.int16), *(frame for _, frame in frames)])
            # In a thread: whoever listens must not keep the others from speaking.
            score = {n: await asyncio.to_thread(correlation, heard, said) for n, said in SENTENCES.items()}
            assert all(value < 0.5 for n, value in score.items() if n != whom), (self.name, whom, score)
            if score[whom] > SAME and abs(level_dbfs(heard) - level_dbfs(SENTENCES[whom])) < 4:
                return
        raise AssertionError((self.name, whom, score))

    async def hears_nothing(self, seconds: float = 0.5) -> None:
        """Assert that, once what is on its way has come, frames come to this ear without any sound."""
        async with asyncio.timeout(PATIENCE):
            frames = await self.listen(time.monotonic() + 0.3, seconds)
            while len(frames) <= 0.8 * seconds / FRAME_SECONDS:  # a machine that stalls
                frames = await self.listen(time.monotonic(), seconds)
        level = level_dbfs(np.concatenate([frame for _, frame in frames]))
        assert level < -60, (self.name, level)

    async def silence(self, start: float, end: float) -> float:
        """Return the longest time, in seconds, without sound at this person's ear between two moments."""
        times, frames = zip(*await self.listen(start, end - start), strict=True)
        return longest_silence(timeline(times, frames, start, end))

    async def listen(self, start: float, seconds: float) -> list[tuple[float, Frame]]:
        """Return the frames, with their times, of the seconds from a moment on, once they are over."""
        end = start + seconds
        async with asyncio.timeout(PATIENCE):
            while not (frames := self.ear.frames) or frames[-1][0] < end:
                await asyncio.sleep(0.05)
        return [(at, frame) for at, frame in frames if start <= at < end]


class People:
    """Whoever a test needs, all on one hub."""

    def __init__(self, hub: HubServer, http: aiohttp.ClientSession) -> None:
        self.client = Client(hub, http)
        self._clients: list[CallClient] = []

    async def join(
        self,
        name: str,
        client_options: CallClientOptions | None = None,
        credential: CommunicationTokenCredential | None = None,
        *,
        voice: str = "",
        **options: bool,
    ) -> Person:
        """Return somebody new, with the voice of that name or of another."""
        if credential is None:
            credential = CommunicationTokenCredential((await self.client.token(name))[1])
        client = CallClient(client_options)
        self._clients.append(client)
        agent = await client.create_call_agent(credential, display_name=name.title(), **options)
        person = Person(name, agent, SENTENCES.get(voice or name, SENTENCES["alice"]))
        agent.on("incoming_call", lambda event: person.rings.put_nowait(event.incoming_call))
        return person

    async def close(self) -> None:
        for client in self._clients:
            await client.dispose()


@asynccontextmanager
async def mixer(people: People) -> AsyncIterator[asyncio.Task[None]]:
    """Run a service that mixes group calls; leaving stops it, as does cancelling what is given."""
    _, token = await people.client.token("mixer", mixer=True)
    ready = asyncio.Event()
    task = asyncio.create_task(MixerService(CommunicationTokenCredential(token)).serve(ready.set))
    try:
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


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
