"""The whole system at work by itself: separate processes on loopback, real speech, everything measured."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import aiohttp
import msgspec

from node.commands import process
from node.commands.process import ERROR, OK, USAGE, CommandError
from node.demo.cast import child, first_line, people
from node.demo.stage import Stage
from node.demo.story import Step, Story
from node.voicemail.mailbox import Mailbox
from signaling.settings import Settings

NAMES = ("alice", "bob", "carol")
STOPPED = 130


def run(json_path: Path | None = None, *, listen: bool = False) -> NoReturn:
    """Play the demo and exit with 0 if everything was as specified, 1 otherwise, 130 if it was stopped.

    Raises CommandError 2, before anything starts, if `json_path` cannot be written.
    """
    if json_path is not None:
        try:
            json_path.open("ab").close()
        except OSError as error:
            raise CommandError(f"The figures cannot be written: {error}. Name another file.", USAGE) from None
    process.run(lambda stop: _run(stop, json_path, listen))


async def _run(stop: asyncio.Event, json_path: Path | None, listen: bool) -> int:
    steps: list[Step] = []
    with Stage(listen) as stage:
        playing = asyncio.create_task(_play(stage, listen, steps))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([playing, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (playing, stopping):
                task.cancel()
            [failure, _] = await asyncio.gather(playing, stopping, return_exceptions=True)
        if isinstance(failure, Exception):
            steps.append(Step("The demo", False, {}, (str(failure) or type(failure).__name__,)))
            stage.end(steps[-1].name, False, {}, steps[-1].wrong)
    stage.table(steps)
    if json_path is not None:
        figures = msgspec.json.format(msgspec.json.encode(steps)) + b"\n"
        await asyncio.to_thread(json_path.write_bytes, figures)
    if stop.is_set():
        return STOPPED
    return OK if all(step.ok for step in steps) else ERROR


async def _play(stage: Stage, listen: bool, steps: list[Step]) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callnode-demo-")))
        data = str(folder / "data")
        log = folder / "log"
        stage.tell("starting the hub …")
        hub = await stack.enter_async_context(
            child("node.cli", "hub", "--port", "0", "--data", data, "--supervised", log=log)
        )
        url = await first_line(hub, "the hub", log)
        stage.tell("starting voicemail …")
        service = child("node.cli", "voicemail", "serve", "--data", data, "--supervised", log=log)
        await first_line(await stack.enter_async_context(service), "voicemail", log)
        stage.tell("Alice, Bob and Carol come online …")
        tokens = {name: await _token(name, data, log) for name in NAMES}
        await _settings(url, tokens["carol"])
        cast = await stack.enter_async_context(people(tokens, "bob" if listen else None, stage.show, log))
        await Story(cast, folder, stage, Mailbox(url, tokens["carol"]), steps).tell()


async def _token(name: str, data: str, log: Path) -> str:
    async with child("node.cli", "token", name, "--data", data, log=log) as asked:
        return await first_line(asked, f"the token of {name}", log)


async def _settings(url: str, token: str) -> None:
    """Let Carol's calls go to voicemail after 10 s."""
    body = msgspec.json.encode(Settings(unanswered_delay=10))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        await http.put(f"{url}/v1/settings", data=body, headers=headers)
