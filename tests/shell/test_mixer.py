"""The mixer: its command, and what it tells of who talks."""

import asyncio
import signal

import pytest

from media.speech import speech
from node.mixer import conference
from node.mixer.conference import Conference
from signaling.server import HubServer
from tests.program import PATIENCE, callnode

pytestmark = pytest.mark.shell

FRAME = 960


async def test_the_command_says_when_it_is_ready_and_stops(hub: HubServer) -> None:
    async with callnode("mixer", "serve", "--data", hub._config.data) as mixer:
        line = await mixer.line("the mixer is ready at")
        assert hub.url in line
        mixer.tell(signal.SIGTERM)
        code, _, said = await mixer.end()
        assert (code, said) == (0, "")


async def test_who_talks_is_told_at_once_and_then_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conference, "TELL_SECONDS", 0.05)
    told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    group = Conference(told.put_nowait)
    talks, listens = group.party("c1"), group.party("c2")
    voice = speech("alice")
    for at in range(0, len(voice) - FRAME, FRAME):
        talks.sink.write(voice[at : at + FRAME])
        listens.source.read()
        if not told.empty():
            break
    assert told.get_nowait() == ("c1",)
    group.leave("c1")
    for _ in range(3):
        listens.source.read()
    async with asyncio.timeout(PATIENCE):
        assert await told.get() == ()
    assert not group.empty
    group.leave("c2")
    group.leave("c2")
    assert group.empty
