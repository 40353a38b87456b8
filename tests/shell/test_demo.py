"""The demo's story when its actors die: every step is told, and none takes long."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from node.demo.cast import Person, StoryError, child
from node.demo.stage import Stage
from node.demo.story import Step, Story
from node.voicemail import Mailbox
from tests.shell.hub_client import PATIENCE

pytestmark = pytest.mark.shell


async def test_dead_actors_do_not_keep_the_story_from_being_told(tmp_path: Path) -> None:
    steps: list[Step] = []
    async with AsyncExitStack() as stack:
        cast = {}
        for name in ("alice", "bob", "carol"):
            silent = child("compileall", "-q", str(tmp_path), log=tmp_path / "log")
            cast[name] = Person(name, await stack.enter_async_context(silent), lambda *_: None)
            await cast[name].listen()
        with pytest.raises(StoryError, match="alice has ended"):
            await cast["alice"].when("ready")
        mailbox = Mailbox("http://127.0.0.1:9", "no token")
        async with asyncio.timeout(PATIENCE):
            await Story(cast, tmp_path, Stage(False), mailbox, steps).tell()
    assert len(steps) == 8 and not any(step.ok for step in steps)
    assert all(step.wrong for step in steps)
