"""The whole system at work by itself: separate processes on loopback, real speech, everything measured."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec

from node.demo.cast import StoryError, child, first_line, people
from node.demo.stage import Stage
from node.demo.story import Step, Story
from node.voicemail.mailbox import Mailbox
from signaling.settings import Settings

NAMES = ("alice", "bob", "carol")


def run(json_path: Path | None = None, *, listen: bool = False) -> int:
    """Play the demo; return 0 if everything was as specified, 1 otherwise."""
    with Stage(listen) as stage:
        try:
            steps = asyncio.run(_play(stage, listen))
        except StoryError as error:
            stage.end("The demo", False, {}, [str(error)])
            steps = [Step("The demo", False, {}, (str(error),))]
        except KeyboardInterrupt:
            return 130
    stage.table(steps)
    if json_path is not None:
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(steps)) + b"\n")
    return 0 if all(step.ok for step in steps) else 1


async def _play(stage: Stage, listen: bool) -> list[Step]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callnode-demo-")))
        data = str(folder / "data")
        log = folder / "log"
        stage.tell("starting the hub …")
        hub = await stack.enter_async_context(
            child("node.cli", "hub", "--port", "0", "--data", data, log=log)
        )
        url = await first_line(hub, "the hub", log)
        stage.tell("starting voicemail …")
        service = child("node.cli", "voicemail", "serve", "--data", data, log=log)
        await first_line(await stack.enter_async_context(service), "voicemail", log)
        stage.tell("Alice, Bob and Carol come online …")
        tokens = {name: await _token(name, data, log) for name in NAMES}
        await _settings(url, tokens["carol"])
        cast = await stack.enter_async_context(people(tokens, "bob" if listen else None, stage.show, log))
        return await Story(cast, folder, stage, Mailbox(url, tokens["carol"])).tell()


async def _token(name: str, data: str, log: Path) -> str:
    async with child("node.cli", "token", name, "--data", data, log=log) as process:
        return await first_line(process, f"the token of {name}", log)


async def _settings(url: str, token: str) -> None:
    """Let Carol's calls go to voicemail after 10 s."""
    body = msgspec.json.encode(Settings(unanswered_delay=10))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        await http.put(f"{url}/v1/settings", data=body, headers=headers)
