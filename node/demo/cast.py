"""The processes of the demo: a hub, voicemail, and the people."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from node.demo.ear import Ear

PATIENCE = 30.0

Event = dict[str, Any]


class StoryError(Exception):
    """Something did not happen that should have."""


class Person:
    """Command one actor process and await its events."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, show: Callable[[str, Event], None]
    ) -> None:
        self.name = name
        self.events: list[Event] = []
        self.process = process
        self._show = show
        self._came = asyncio.Condition()
        self._seen = 0
        self._ended = False

    async def listen(self) -> None:
        """Take events until the process ends."""
        assert self.process.stdout is not None
        try:
            while line := await self.process.stdout.readline():
                event = json.loads(line)
                self._show(self.name, event)
                if event["event"] == "level":
                    continue
                async with self._came:
                    self.events.append(event)
                    self._came.notify_all()
        finally:
            self._ended = True
            async with self._came:
                self._came.notify_all()

    def do(self, command: str, **given: object) -> None:
        """Give a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **given}).encode() + b"\n")

    def mark(self) -> None:
        """Await only events from now on."""
        self._seen = len(self.events)

    async def when(self, event: str, seconds: float = PATIENCE, **wanted: object) -> Event:
        """Return the first event since the mark that has these values.

        Raises StoryError after `seconds`, or at once if the process has ended.
        """

        def found() -> Event | None:
            for known in self.events[self._seen :]:
                if known["event"] == event and all(known.get(k) == v for k, v in wanted.items()):
                    return known
            return None

        try:
            async with asyncio.timeout(seconds), self._came:
                await self._came.wait_for(lambda: self._ended or found() is not None)
        except TimeoutError:
            what = " ".join([event, *(f"{k}={v}" for k, v in wanted.items())])
            raise StoryError(f"{self.name}: no {what} within {seconds:.0f} s") from None
        result = found()
        if result is None:
            raise StoryError(f"the process of {self.name} has ended")
        return result

    async def ear(self, folder: Path) -> Ear:
        """Return what this person has heard so far."""
        path = folder / f"{self.name}.npz"
        self.mark()
        self.do("dump", path=str(path))
        await self.when("dumped")
        return await asyncio.to_thread(Ear, path)


@asynccontextmanager
async def child(*arguments: str, log: Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process of this Python until left; it is to stop when its stdin ends, or is killed 10 s later."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=os.environ | environment,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the others in order
        )
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def first_line(process: asyncio.subprocess.Process, what: str, log: Path) -> str:
    """Return the line that says that a process is ready."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode().strip()
    except TimeoutError:
        line = ""
    if not line:
        said = (await asyncio.to_thread(log.read_text)).strip().splitlines()
        raise StoryError(f"{what} did not start: {said[-1] if said else 'it said nothing'}")
    return line


@asynccontextmanager
async def people(
    tokens: dict[str, str], listener: str | None, show: Callable[[str, Event], None], log: Path
) -> AsyncIterator[dict[str, Person]]:
    """Start everyone; return them by name once all are connected to the hub."""
    async with AsyncExitStack() as stack:
        cast: dict[str, Person] = {}
        tasks: list[asyncio.Task[None]] = []
        for name, token in tokens.items():
            options = ["--listen"] if name == listener else []
            process = await stack.enter_async_context(
                child("node.demo.actor", name, *options, log=log, CALLNODE_TOKEN=token)
            )
            cast[name] = Person(name, process, show)
            tasks.append(asyncio.create_task(cast[name].listen()))
        try:
            for person in cast.values():
                await person.when("ready")
            yield cast
        finally:
            await stack.aclose()
            await asyncio.gather(*tasks, return_exceptions=True)
