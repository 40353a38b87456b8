"""SIGKILL while many are recorded: less than a second of each is lost, and each is filed once, whole."""

import asyncio
import base64
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from media.audio import FRAME_SECONDS, SAMPLE_RATE
from media.measure import correlation
from media.source import load
from media.speech import speech
from node.credential import CommunicationTokenCredential
from node.voicemail.filing import Filing
from node.voicemail.mailbox import Mailbox
from node.voicemail.outbox import Outbox
from signaling.config import STORAGE_KEY_VARIABLE, storage_keys
from tests.shell.hub_client import Client

pytestmark = pytest.mark.shell

PROCESSES = int(os.environ.get("CALLNODE_KILLS", "2"))  # 10 for as many as 50 recordings
RECORDINGS = 5  # of each process
KEY = {STORAGE_KEY_VARIABLE: base64.b64encode(bytes(range(32))).decode()}

# Records as many at the pace of calls, each begun at a moment of its own, some of them with losses, and says
# how many packets each had.
CHILD = """
import random, sys, time
from datetime import UTC, datetime
from pathlib import Path
from node.voicemail.outbox import Note, Outbox
from signaling.config import storage_keys
from signaling.parts import Party
from media.speech import speech
from tests.shell.recording import encoded
folder, owner, seed, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
packets = encoded(speech("alice"))
outbox = Outbox(folder, storage_keys(None))
starts = sorted(chance.uniform(0.0, 1.0) for _ in range(count))
losses = [chance.choice((0, 0, 20, 50)) for _ in range(count)]
given = [0] * count
recorders = []
now, last = 0.0, time.monotonic()
while True:
    now += min(time.monotonic() - last, 0.1)  # nobody speaks faster after a stall
    last = time.monotonic()
    for number in range(count):
        if len(recorders) == number and starts[number] <= now:
            note = Note(f"m{seed}-{number}", owner, Party("8:acs:b", "Bob"), None, datetime.now(UTC))
            recorders.append(outbox.record(note))
        while number < len(recorders) and given[number] < (now - starts[number]) / 0.02:
            at = given[number]
            if not losses[number] or at % losses[number] != 3:
                recorders[number].packet(1, at & 0xFFFF, at * 960, packets[at % len(packets)])
            given[number] += 1
    print(*given, flush=True)
    time.sleep(0.004)
"""


def killed(folder: Path, owner: str, seed: int, moment: float) -> list[int]:
    """Let a process record, kill it when the youngest has so many seconds, and return all packets given."""
    command = [sys.executable, "-c", CHILD, str(folder), owner, str(seed), str(RECORDINGS)]
    with ExitStack() as stack:
        child = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | KEY))
        stack.callback(child.kill)
        assert child.stdout is not None
        given = [0]
        while min(given) * FRAME_SECONDS < moment:
            given = [int(each) for each in child.stdout.readline().split()]
        child.kill()
        if rest := child.stdout.read().rpartition(b"\n")[0].splitlines():
            given = [int(each) for each in rest[-1].split()]
    return given


async def ffprobe(path: Path) -> float:
    child = await asyncio.create_subprocess_exec(
        *("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaints = await child.communicate()
    assert complaints == b""
    return float(out)


async def test_killed_at_any_moment(client: Client, tmp_path: Path, seed: int) -> None:
    owner, token = await client.token("alice")
    _, service = await client.token("voicemail", voicemail=True)
    chance, keys = random.Random(seed), storage_keys(None, KEY)
    moments = [chance.uniform(1.5, 3.0) for _ in range(PROCESSES)]
    folders = [tmp_path / f"service{number}" for number in range(PROCESSES)]
    given: dict[str, int] = {}
    runs = [
        asyncio.to_thread(killed, folder, owner, number, moments[number])
        for number, folder in enumerate(folders)
    ]
    for number, packets in enumerate(await asyncio.gather(*runs)):
        given |= {f"m{number}-{each}": count for each, count in enumerate(packets)}

    async with aiohttp.ClientSession() as http:
        filing = Filing(http, CommunicationTokenCredential(service), None)
        for folder in folders:
            outbox = Outbox(folder, keys)
            notes = outbox.recover()
            assert len(notes) == RECORDINGS
            # Killed again, before it is written down here that the hub has them.
            await asyncio.gather(*(filing.file(note, NothingDiscarded(outbox)) for note in notes))
            outbox.close()
            outbox = Outbox(folder, keys)
            for note in outbox.recover():
                await filing.file(note, outbox)
            assert outbox.recover() == [] and [path.name for path in folder.iterdir()] == ["lock"]
            outbox.close()

    box = Mailbox(client.hub.url, token)
    messages = await box.list()
    assert sorted(message.id for message in messages) == sorted(given)
    lost = []
    for message in messages:
        path = tmp_path / f"{message.id}.ogg"
        await box.audio(message.id, path)
        sound = load(path)
        lost.append(given[message.id] * FRAME_SECONDS - message.duration)
        assert abs(await ffprobe(path) - message.duration) < 0.01
        assert abs(len(sound) / SAMPLE_RATE - message.duration) < 0.01
        assert correlation(sound, speech("alice")) > 0.6
    print(f"lost of {len(lost)} recordings: {min(lost):.2f} to {max(lost):.2f} s")
    assert max(lost) < 1.0


class NothingDiscarded(Outbox):
    """An outbox that dies before it forgets anything."""

    def __init__(self, outbox: Outbox) -> None:
        self.__dict__ = outbox.__dict__

    def discard(self, note: object) -> None:
        pass
