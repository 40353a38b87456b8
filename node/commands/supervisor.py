"""Child processes of one command: started in order, started again when they die, stopped with it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import click

from node.commands.process import ERROR, OK

STOP_SECONDS = 10.0
STEADY_SECONDS = 60.0
_WAITS = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass
class Service:
    """A `callnode` command that prints one line when it is ready, and stops when its stdin ends."""

    name: str
    arguments: list[str]
    on_ready: Callable[[str], Awaitable[None]] | None = None


async def supervise(stop: asyncio.Event, services: list[Service]) -> int:
    """Run services until told to stop; return an exit code.

    Each is started when the one before is ready. One that fails before it was ever ready ends them all.
    """
    tasks: list[asyncio.Task[None]] = []
    code = OK
    try:
        for service in services:
            ready = asyncio.Event()
            tasks.append(asyncio.create_task(_keep(service, ready, stop)))
            if not await _either(ready, stop, tasks):
                break
        await _either(None, stop, tasks)
        if any(task.done() for task in tasks) and not stop.is_set():
            code = ERROR
    finally:
        stop.set()
        # The last started goes first: voicemail files what it records before its hub leaves.
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return code


async def _either(ready: asyncio.Event | None, stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> bool:
    """Wait until ready, or until told to stop or a service is given up; tell whether it is ready."""
    waits = [asyncio.create_task(event.wait()) for event in (ready, stop) if event is not None]
    try:
        await asyncio.wait([*waits, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return ready is not None and ready.is_set()


async def _keep(service: Service, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Keep a service running; returns when it fails before it was ever ready."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        begun = loop.time()
        code = await _run(service, ready)
        if not ready.is_set():
            click.echo(f"callnode: {service.name} did not start; its message is above.", err=True)
            return
        failures = 0 if loop.time() - begun > STEADY_SECONDS else failures + 1
        wait = _WAITS[min(failures, len(_WAITS) - 1)]
        click.echo(
            f"callnode: {service.name} ended with code {code}; starting it again in {wait:g} s.", err=True
        )
        await asyncio.sleep(wait)


async def _run(service: Service, ready: asyncio.Event) -> int:
    """Run a service once and return its exit code; when cancelled, stop it first."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "node.cli", *service.arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process, which then ends its own in order
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode().strip()
        if line:
            first = not ready.is_set()
            ready.set()
            if first and service.on_ready is not None:
                await service.on_ready(line)
        return await process.wait()
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
