"""Voicemail whose process dies or whose disk fails: what was said is kept, encrypted, and filed once."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from media.audio import SAMPLE_RATE
from media.measure import SAME, correlation, delay_seconds
from media.source import NumpySource, ToneSource, load
from node import CallState
from node.voicemail import Mailbox, Message
from signaling.config import STORAGE_KEY_VARIABLE, load_config, storage_keys
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, Person, eventually, until
from tests.e2e.test_voicemail import SENTENCES, Sound, box_of, dial, filed, files, voicemail
from tests.e2e.test_voicemail_keys import Listener

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
KEY = {STORAGE_KEY_VARIABLE: base64.b64encode(bytes(range(32))).decode()}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    async with HubServer(load_config(tmp_path / "hub", environ=KEY)) as server:
        yield server


@asynccontextmanager
async def process(people: People, *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the service in a process of its own; leaving kills it."""
    _, token = await people.client.token("voicemail", voicemail=True)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.e2e.voicemail_process",
        *map(str, arguments),
        cwd=ROOT,
        env=os.environ | KEY | {"CALLNODE_TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await child.stdout.readline() == b"ready\n"
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


def assert_encrypted(folder: Path) -> None:
    """Assert that no sound below a folder is to be seen, and that there is some."""
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json" and path.stat().st_size
    ]
    assert found and not any(b"OggS" in path.read_bytes() for path in found)


async def heard(box: Mailbox, message: Message, folder: Path) -> Sound:
    path = folder / f"{message.id}.heard"
    await box.audio(message.id, path)
    return load(path)


async def test_a_killed_service_files_at_its_next_start_once(people: People, tmp_path: Path) -> None:
    bob, box = await people.join("bob"), await box_of(people, "alice")
    said = SENTENCES["bob"][: 4 * SAMPLE_RATE]
    async with process(people, tmp_path) as child:
        caller = dial(bob, "alice")
        await caller.say(said)
        child.kill()
        await child.wait()
    await caller.call.hang_up()
    assert files(tmp_path) == ["json", "ogg.part"] and await box.list() == []
    assert_encrypted(tmp_path / "recordings")
    for _ in range(2):
        async with voicemail(people, tmp_path, sealing=storage_keys(None, KEY)):
            [message] = await filed(box)
            await eventually(lambda: files(tmp_path) == [])
    assert_encrypted(tmp_path / "hub" / "voicemail")
    sound = await heard(box, message, tmp_path)
    assert message.duration > 3.0 and correlation(sound, said) > SAME
    assert len(sound) / SAMPLE_RATE - delay_seconds(sound, said) > 3.0


async def test_a_full_disk_keeps_what_was_recorded(people: People, tmp_path: Path) -> None:
    bob, box = await people.join("bob"), await box_of(people, "alice")
    async with process(people, tmp_path, 20_000):
        caller = dial(bob, "alice")
        await caller.when(caller.prompts.beeped)
        caller.call.start_audio(NumpySource(SENTENCES["bob"], loop=True))
        await until(caller.call, CallState.DISCONNECTED)
        [message] = await filed(box)
        await eventually(lambda: files(tmp_path) == [])
    assert message.duration > 1.0
    assert correlation(await heard(box, message, tmp_path), SENTENCES["bob"]) > SAME


async def test_a_folder_that_takes_nothing_is_told_and_the_next_message_is_kept(
    people: People, tmp_path: Path
) -> None:
    bob, box = await people.join("bob"), await box_of(people, "alice")
    recordings = tmp_path / "recordings"
    async with voicemail(people, tmp_path):
        away = recordings.rename(tmp_path / "away")  # not even root can write where no folder is
        caller = Listener(bob, "alice")
        await caller.hears_prompt("not-recorded")
        await until(caller.call, CallState.DISCONNECTED)
        away.rename(recordings)
        await dial(bob, "alice").leave("bob")
        [message] = await filed(box)
    assert correlation(await heard(box, message, tmp_path), SENTENCES["bob"]) > SAME


async def test_services_share_the_callers_and_one_that_dies_is_told_and_replaced(
    people: People, tmp_path: Path
) -> None:
    names = ("bob", "carol")
    callers = {name: await people.join(name) for name in names}
    box = await box_of(people, "alice")
    said = {name: SENTENCES[name][: 3 * SAMPLE_RATE] for name in names}
    async with process(people, tmp_path / "one") as first, process(people, tmp_path / "two"):
        calls = {name: dial(callers[name], "alice") for name in names}
        await asyncio.gather(*(calls[name].say(said[name]) for name in names))
        assert files(tmp_path / "one") == files(tmp_path / "two") == ["json", "ogg.part"]
        note = json.loads(next((tmp_path / "one" / "recordings").glob("*.json")).read_bytes())
        lost = note["caller"]["name"]
        [kept] = {*names} - {lost}
        first.kill()
        await first.wait()
        # The other's caller goes on, new ones find the service that is left, and the lost one is told.
        await calls[kept].call.hang_up()
        await dial(callers[kept], "alice").leave(kept)
        await until(calls[lost].call, CallState.DISCONNECTED)
        reason = calls[lost].call.call_end_reason
        assert reason is not None and reason.code == 410 and reason.message
        messages = await filed(box, 2)
        assert {message.caller.name for message in messages} == {kept}
    for _ in range(2):
        async with voicemail(people, tmp_path / "one", sealing=storage_keys(None, KEY)):
            messages = await filed(box, 3)
            await eventually(lambda: files(tmp_path / "one") == [])
    [recovered] = [message for message in messages if message.caller.name == lost]
    assert recovered.id == note["id"] and recovered.duration > 2.0
    assert correlation(await heard(box, recovered, tmp_path), said[lost]) > SAME


async def test_twenty_callers_at_once_while_the_owner_plays_and_deletes(
    people: People, tmp_path: Path
) -> None:
    box = await box_of(people, "owner")
    callers = [await people.join(name) for name in ("alice", "bob", "carol")]
    # Tones: twenty callers in one process may stutter on a busy machine, and stay the same tones.
    tones = {"alice": 440, "bob": 620, "carol": 800}
    seen: set[str] = set()

    async def owner() -> None:
        """Play the messages as they come, and delete every second one."""
        while len(seen) < 20:
            for message in await box.list():
                if message.id not in seen:
                    seen.add(message.id)
                    sound = await heard(box, message, tmp_path)
                    loudest = int(np.argmax(np.abs(np.fft.rfft(sound)))) * SAMPLE_RATE / len(sound)
                    nearest = min(tones, key=lambda name: abs(tones[name] - loudest))
                    assert nearest == message.caller.name
                    assert len(sound) >= SAMPLE_RATE
                    if len(seen) % 2:
                        await box.delete(message.id)
            await asyncio.sleep(0.05)

    async def leave(person: Person) -> None:
        caller = dial(person, "owner")
        tone = ToneSource(tones[person.name])
        await caller.say(np.concatenate([tone.read() for _ in range(100)]))
        await caller.call.hang_up()

    async with process(people, tmp_path), asyncio.TaskGroup() as group:
        group.create_task(owner())
        for person in (callers * 7)[:20]:
            group.create_task(leave(person))
    kept, deleted = await box.list(), await box.list("deleted")
    assert len(kept) == len(deleted) == 10 and {each.id for each in kept + deleted} == seen
