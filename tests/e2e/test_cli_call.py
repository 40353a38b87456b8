"""Calls between commands, each a process of its own, as people and scripts make them."""

import asyncio
import json
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import pytest
from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
from azure.core.credentials import AzureKeyCredential

from media.measure import correlation, first_sound
from media.source import load
from media.speech import speech
from tests.files import written
from tests.program import PATIENCE, ROOT, Program, Result, callnode, one_line, result

pytestmark = pytest.mark.e2e


@dataclass
class Town:
    """A hub, and the people who call each other there."""

    folder: Path
    stack: AsyncExitStack
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    async def token(self, name: str) -> str:
        """Return a person's token; calls that nobody takes end."""
        if name not in self.tokens:
            self.tokens[name] = (await result("token", name, "--data", self.folder)).out
            await result("settings", "--unanswered", "none", token=self.tokens[name])
        return self.tokens[name]

    def sound(self, name: str) -> list[str | Path]:
        """Return the options by which a person speaks and writes down what it hears."""
        return ["--play", self.said(name), "--loop", "--record", self.heard(name)]

    def said(self, name: str) -> Path:
        return ROOT / "media" / "speech" / f"{name}.flac"

    def heard(self, name: str) -> Path:
        return self.folder / f"{name}.wav"

    async def listen(self, name: str, *options: str | Path) -> Program:
        program = callnode("listen", *options, *self.sound(name), token=await self.token(name))
        listener = await self.stack.enter_async_context(program)
        await listener.line(f"listening {name}")
        return listener

    async def call(self, name: str, whom: str, *options: str | Path) -> Program:
        program = callnode("call", whom, *options, *self.sound(name), token=await self.token(name))
        return await self.stack.enter_async_context(program)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(callnode("hub", "--port", "0", "--data", tmp_path))
        await hub.line("http://")
        yield Town(tmp_path, stack)
        hub.tell()
        assert (await hub.end()).code == 0


def assert_heard(town: Town, name: str, whom: str) -> None:
    """Assert that what a person wrote down is another's sentence, and nobody else's."""
    heard = load(town.heard(name))
    start = first_sound(heard)
    assert start is not None and len(heard) / 48_000 - start > 2.0
    scores = {other: correlation(heard, speech(other)) for other in ("alice", "bob", "carol")}
    assert scores[whom] > 0.8 and max(scores, key=scores.__getitem__) == whom, scores


async def test_two_commands_hear_each_other(town: Town) -> None:
    bob = await town.listen("bob", "--auto-answer", "--once")
    alice = await town.call("alice", "bob", "--seconds", "3")
    calling, listening = await asyncio.gather(alice.end(), bob.end())
    assert calling.out.splitlines() == [
        "calling bob",
        "ringing bob",
        "connected bob",
        "ended bob: The call was hung up. (0/0)",
    ]
    assert [line.split()[0] for line in listening.out.splitlines()] == [
        "listening",
        "incoming",
        "connected",
        "ended",
    ]
    assert (calling.code, listening.code) == (0, 0)
    assert_heard(town, "alice", "bob")
    assert_heard(town, "bob", "alice")


async def test_a_file_is_said_to_its_end(town: Town) -> None:
    bob = await town.listen("bob", "--auto-answer", "--once")
    sentence = speech("alice")[: 3 * 48_000]
    short = town.folder / "short.flac"
    written(short, sentence)
    options: list[str | Path] = [
        "--play",
        short,
        "--hang-up-after-play",
        "--record",
        town.heard("alice"),
        "--json",
    ]
    ended = await result("call", "bob", *options, token=await town.token("alice"))
    assert ended.code == 0
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["event"] for event in events] == ["calling", "ringing", "connected", "ended"]
    assert {event["party"] for event in events} == {"bob"}
    assert (events[-1]["code"], events[-1]["sub_code"]) == (0, 0)
    assert (await bob.end()).code == 0
    heard = load(town.heard("bob"))  # in which a busy machine may have stretched something
    assert max(correlation(sentence[-samples:], heard) for samples in (24_000, 12_000, 6_000)) > 0.8


async def test_a_script_holds_mutes_and_hangs_up(town: Town) -> None:
    bob = await town.listen("bob")
    alice = await town.call("alice", "bob")
    await bob.line("incoming alice")
    bob.type("accept")
    await alice.line("connected bob")
    for command, here, there in (
        ("hold", "held bob", "held-by-other alice"),
        ("hold", "resumed bob", "resumed alice"),
    ):
        alice.type(command)
        await alice.line(here)
        await bob.line(there)
    alice.type("mute")
    await alice.line("muted bob")
    await alice.line("speaking-while-muted bob")
    alice.type("mute")
    await alice.line("unmuted bob")
    for wanted, volume in (("40", 40), ("-30", 10), ("-30", 0), ("+10", 10), ("400", 400), ("+1", 400)):
        alice.type(f"volume {wanted}")
        assert await alice.line("volume") == f"volume: {volume} %"
    for command, said in (
        ("nonsense", "no command"),
        ("accept", "nothing rings"),
        ("transfer", "no command"),
        ("volume 401", "from 0 to 400 percent"),
        ("volume loud", "from 0 to 400 percent"),
    ):
        alice.type(command)
        assert said in await alice.line("refused")
    bob.type("hangup")
    assert (await alice.end()).code == 0
    await bob.line("ended alice")
    bob.type("hangup")
    assert "there is no call" in await bob.line("refused")
    bob.type("quit")
    assert (await bob.end()).code == 0


async def test_a_group_is_told_who_speaks(town: Town) -> None:
    mixer = await town.stack.enter_async_context(callnode("mixer", "serve", "--data", town.folder))
    await mixer.line("the mixer is ready")
    tokens = {name: await town.token(name) for name in ("alice", "bob")}
    alice, bob = [
        await town.stack.enter_async_context(callnode("join", "choir", *town.sound(name), token=token))
        for name, token in tokens.items()
    ]
    await asyncio.gather(alice.line("speaking bob"), bob.line("speaking alice"))
    bob.type("quit")
    await alice.line("participant")
    alice.type("quit")
    assert (await alice.end()).code == (await bob.end()).code == 0
    mixer.tell()
    assert (await mixer.end()).code == 0


async def test_transfers_by_lines(town: Town) -> None:
    bob, carol = await town.listen("bob"), await town.listen("carol", "--auto-answer")
    alice = await town.listen("alice")
    alice.type("dial bob")
    await bob.line("incoming alice")
    bob.type("accept")
    await alice.line("connected bob")
    alice.type("transfer nobody")
    assert "no such user" in await alice.line("transfer-failed bob to nobody")
    alice.type("dial carol")
    await alice.line("held bob")
    await alice.line("connected carol")
    alice.type("transfer-to-call")
    await alice.line("transferred bob to carol")
    await asyncio.gather(bob.line("connected carol"), carol.line("connected bob"))
    alice.type("transfer carol")
    bob.type("transfer alice")
    assert "transferred by bob" in await alice.line("incoming carol")
    alice.type("accept")
    await asyncio.gather(alice.line("connected carol"), carol.line("connected alice"))
    await bob.line("ended carol")
    carol.type("hangup")
    await alice.line("ended carol")
    for person in (alice, bob, carol):
        person.tell()
    ended = await asyncio.gather(alice.end(), bob.end(), carol.end())
    assert [each.code for each in ended] == [0, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_told_to_stop_it_hangs_up_first(town: Town, number: signal.Signals) -> None:
    bob = await town.listen("bob", "--auto-answer", "--once")
    alice = await town.call("alice", "bob")
    await alice.line("connected")
    alice.tell(number)
    assert (await alice.end()).code == 0
    ended = await bob.end()
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "ended alice: The call was hung up. (0/0)")


async def test_exit_codes(town: Town) -> None:
    token = await town.token("alice")

    async def calls(whom: str, *options: str) -> Result:
        return await result("call", whom, *options, *town.sound("alice"), token=token)

    assert (await calls("nobody")).code == 1
    await town.token("bob")
    offline = await calls("bob")
    assert (offline.code, offline.out.splitlines()[-1].split()[0]) == (4, "ended")
    bob = await town.listen("bob", "--once")
    declined = asyncio.create_task(calls("bob"))
    await bob.line("incoming alice")
    bob.type("reject")
    assert (await declined).code == 3
    assert (await bob.end()).code == 3
    bob = await town.listen("bob", "--once")
    alice = await town.call("alice", "bob")
    await alice.line("ringing")
    alice.tell()
    assert (await alice.end()).code == 4
    assert (await bob.end()).code == 4
    one_line(await calls("bob", "--hub", "http://127.0.0.1:9"), 5)
    forged = await result("call", "bob", *town.sound("alice"), token=token[:-4] + "AAAA")
    assert "token" in one_line(forged, 6)


async def test_a_revoked_token_ends_a_listener(town: Town) -> None:
    bob = await town.listen("bob")
    endpoint, _, key = (await result("connection-string", "--data", town.folder)).out.partition(";accesskey=")
    sdk = CommunicationIdentityClient(endpoint.removeprefix("endpoint=").rstrip("/"), AzureKeyCredential(key))
    raw_id = jwt.decode(town.tokens["bob"], options={"verify_signature": False})["sub"]
    await asyncio.to_thread(sdk.revoke_tokens, CommunicationUserIdentifier(raw_id))
    ended = await bob.end()
    assert ended.code == 6 and "callnode token" in ended.out.splitlines()[-1]


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.text = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def shows(self, text: str) -> None:
        """Wait until a text was shown since the last one that was waited for."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.text:
                self._changed.clear()
                await self._changed.wait()
        self.text = self.text[self.text.index(text) + len(text) :]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)

    def _read(self) -> None:
        try:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self.master)
        self._changed.set()


async def test_the_live_screen(town: Town) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    before = termios.tcgetattr(slave)
    token, carol = await town.token("bob"), await town.listen("carol", "--auto-answer")
    terminal = Terminal(master)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "node.cli", "listen"),
        *map(str, town.sound("bob")),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=os.environ | {"CALLNODE_TOKEN": token, "TERM": "xterm"},
    )
    try:
        await terminal.shows("Waiting for a call.")
        alice = await town.call("alice", "bob")
        await terminal.shows("alice is calling")
        await terminal.shows("accept")
        terminal.press("a")
        await alice.line("connected bob")
        for shown in ("connected", "you", "█", "dB", "hang up", "transfer"):
            await terminal.shows(shown)
        await terminal.shows("round trip")
        await terminal.shows("alice ))")
        terminal.press("-")
        await terminal.shows("volume 90 %")
        terminal.press("+")
        await terminal.shows("volume 100 %")
        terminal.press("5#")
        assert "5" in await alice.line("key bob")
        assert "#" in await alice.line("key bob")
        alice.type("keys 9")
        await terminal.shows("key alice: 9")
        terminal.press("p")
        await terminal.shows("Ask into this call:")
        terminal.press("carol\r")
        await terminal.shows("not-added alice to carol")
        await terminal.shows("mixer")
        terminal.press("m")
        await terminal.shows("unmute")
        terminal.press("o")
        await alice.line("held-by-other bob")
        await terminal.shows("resume")
        terminal.press("t")
        await terminal.shows("Transfer to:")
        terminal.press("carox\x7fl\r")
        await terminal.shows("transferred alice to carol")
        await alice.line("connected carol")
        await carol.line("connected alice")
        terminal.press("q")
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        assert termios.tcgetattr(slave) == before
        alice.type("hangup")
        assert (await alice.end()).code == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()
        os.close(slave)
