"""Voicemail on a real hub: what is said after the beep is filed, once, and heard again as it was said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray
from yarl import URL

from media.audio import FRAME_SAMPLES, SAMPLE_RATE, Frame
from media.measure import correlation, delay_seconds, level_dbfs
from media.source import NumpySource, SilenceSource, load
from media.speech import speech
from node import (
    AudioOptions,
    Call,
    CallingError,
    CallState,
    CommunicationTokenCredential,
    Features,
    StartCallOptions,
    TransferState,
    link,
)
from node.runtime import Runtime
from node.voicemail import Limits, Mailbox, Message, VoicemailService, service
from node.voicemail.outbox import Sealing
from signaling.config import load_config
from signaling.deposits import DepositApi
from signaling.reasons import OFFLINE, Reason
from signaling.server import HubServer
from tests.e2e.people import PATIENCE, People, Person, eventually, until

pytestmark = pytest.mark.e2e

Sound = NDArray[np.int16]

# Nobody hangs up within the last sample: a tenth of a second later.
PAUSE = np.zeros(SAMPLE_RATE // 10, np.int16)
SENTENCES = {name: np.concatenate((speech(name), PAUSE)) for name in ("alice", "bob", "carol")}
SAID = {name: np.concatenate((said[: 4 * SAMPLE_RATE], PAUSE)) for name, said in SENTENCES.items()}
HURRIED = Limits(greeting=1.0)
BEEP_BIN = 1000 * FRAME_SAMPLES // SAMPLE_RATE


class Prompts:
    """Tell at what prompt a caller is: `greeted`, `beeping`, `beeped`, by what is heard."""

    def __init__(self) -> None:
        self.greeted = asyncio.Event()
        self.beeping = asyncio.Event()
        self.beeped = asyncio.Event()

    def write(self, frame: Frame) -> None:
        loud = level_dbfs(frame) > -30
        power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)))) ** 2
        tone = float(np.sum(power[BEEP_BIN - 2 : BEEP_BIN + 3])) > 0.95 * float(np.sum(power))
        if loud and not tone:
            self.greeted.set()
        elif loud:
            self.beeping.set()
        elif self.beeping.is_set():
            self.beeped.set()

    def close(self) -> None:
        pass


@dataclass
class Caller:
    """One call to a mailbox."""

    call: Call
    prompts: Prompts

    async def when(self, prompt: asyncio.Event) -> None:
        async with asyncio.timeout(PATIENCE):
            await prompt.wait()

    async def say(self, sentence: Sound) -> None:
        """Wait for the end of the beep, and say a sentence to its end."""
        await self.when(self.prompts.beeped)
        source = NumpySource(sentence)
        said = asyncio.Event()
        source.on_finished = said.set
        self.call.start_audio(source)
        await self.when(said)

    async def leave(self, name: str) -> None:
        """Leave a message and hang up."""
        await self.say(SAID[name])
        await self.call.hang_up()


def dial(person: Person, whom: str) -> Caller:
    prompts = Prompts()
    options = StartCallOptions(AudioOptions(source=SilenceSource(), sink=prompts))
    return Caller(person.agent.start_call([whom], options), prompts)


@asynccontextmanager
async def voicemail(
    people: People,
    data: Path,
    limits: Limits = HURRIED,
    sealing: Sealing | None = None,
    engine: str = "",
) -> AsyncIterator[None]:
    """Run the service on this loop; leaving stops it. By default its greeting is cut short after 1 s."""
    _, token = await people.client.token("voicemail", voicemail=True)
    ready = asyncio.Event()
    credential = CommunicationTokenCredential(token)
    server = VoicemailService(credential, data, limits=limits, sealing=sealing, engine=engine)
    task = asyncio.create_task(server.serve(ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        assert ready.is_set(), task
        yield
    finally:
        for each in (task, waiting):
            each.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)


async def box_of(people: People, name: str) -> Mailbox:
    return Mailbox(people.client.hub.url, (await people.client.token(name))[1])


async def filed(box: Mailbox, count: int = 1) -> list[Message]:
    """Return the messages once there are so many; more are a failure."""
    async with asyncio.timeout(PATIENCE):
        while len(messages := await box.list()) < count:
            await asyncio.sleep(0.05)
    assert len(messages) == count
    return messages


def files(data: Path) -> list[str]:
    """Return the kinds of files that wait to be filed."""
    return sorted(path.name.partition(".")[2] for path in (data / "recordings").glob("*.*"))


async def assert_holds(box: Mailbox, message: Message, said: Sound, folder: Path) -> None:
    """Assert that a message is what was said: its sound, level, length, beginning and end."""
    path = folder / f"{message.id}.ogg"
    await box.audio(message.id, path)
    heard = load(path)
    assert correlation(heard, said) > 0.8
    # Beginning and end are looked for on their own: a caller whose machine stalls says less, later.
    first, last = said[:SAMPLE_RATE], said[: -len(PAUSE)][-SAMPLE_RATE:]
    start = round(delay_seconds(heard[: 2 * SAMPLE_RATE], first) * SAMPLE_RATE)
    assert 0 <= start < 0.5 * SAMPLE_RATE
    # Neither greeting nor beep is in it; a machine that stalls stretches the first sound.
    assert level_dbfs(heard[: max(0, start - 10 * FRAME_SAMPLES)]) < -45
    word = len(heard) - 2 * SAMPLE_RATE
    word += round(delay_seconds(heard[word:], last) * SAMPLE_RATE)
    assert correlation(heard[word : word + len(last)], last) > 0.8
    end = word + len(last) + len(PAUSE)
    assert abs(level_dbfs(heard[start:end]) - level_dbfs(said)) < 1.0
    assert abs(len(heard) - end) < 0.1 * SAMPLE_RATE
    assert abs(message.duration - len(heard) / SAMPLE_RATE) < 0.02
    assert abs(await _ffprobe(path) - message.duration) < 0.02
    assert len(message.peaks) == 200 and 80 < max(message.peaks) <= 255


async def _ffprobe(path: Path) -> float:
    """Return the duration that another player reads."""
    child = await asyncio.create_subprocess_exec(
        *("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    return float(out)


async def test_a_message_for_someone_offline(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits()):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        await dial(bob, "alice").leave("bob")
        [message] = await filed(box)
        await assert_holds(box, message, SAID["bob"], tmp_path)
        assert (message.caller.name, message.caller.display_name) == ("bob", "Bob")
        assert message.transferor is None and message.folder == "new"
        assert timedelta(0) <= datetime.now(UTC) - message.received_at < timedelta(minutes=1)
        await eventually(lambda: files(tmp_path) == [])


async def test_a_transfer_to_voicemail_tells_the_owner(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
        waiting: asyncio.Queue[int] = asyncio.Queue()
        carol.agent.on("mailbox_changed", lambda event: waiting.put_nowait(event.new))
        taken: asyncio.Queue[Call] = asyncio.Queue()
        out = dial(bob, "alice")
        out.call.feature(Features.TRANSFER).on(
            "transfer_accepted", lambda event: taken.put_nowait(event.target_call)
        )
        at_alice = await alice.pick_up()
        await until(at_alice, CallState.CONNECTED)
        transfer = at_alice.feature(Features.TRANSFER).transfer(target_participant_voicemail="carol")
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.TRANSFERRED
            caller = Caller(await taken.get(), out.prompts)
        await caller.leave("bob")
        async with asyncio.timeout(PATIENCE):
            while await waiting.get() != 1:
                pass
        box = await box_of(people, "carol")
        [message] = await filed(box)
        await assert_holds(box, message, SAID["bob"], tmp_path)
        assert message.transferor and message.transferor.name == "alice"
        assert message.caller.name == "bob" and carol.rings.empty()


async def test_only_the_owner_has_the_mailbox(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = dial(bob, "alice")
        await caller.say(SENTENCES["bob"][:SAMPLE_RATE])
        await caller.call.hang_up()
        [message] = await filed(box)
    others = await box_of(people, "bob")
    assert await others.list() == []
    for refused in (
        others.audio(message.id, tmp_path / "stolen.ogg"),
        others.mark(message.id, "saved"),
        others.delete(message.id),
    ):
        with pytest.raises(CallingError, match="There is no message") as error:
            await refused
        assert error.value.code == 404
    assert not (tmp_path / "stolen.ogg").exists()
    await box.mark(message.id, "saved")
    assert [each.folder for each in await box.list()] == ["saved"]
    await box.delete(message.id)
    assert await box.list() == []
    with pytest.raises(CallingError) as invalid:
        await Mailbox(people.client.hub.url, "no token").list()
    assert (invalid.value.code, invalid.value.sub_code) == (495, 4507)
    with pytest.raises(CallingError, match="cannot be reached") as unreachable:
        await Mailbox("http://127.0.0.1:9", "no token").list()
    assert (unreachable.value.code, unreachable.value.sub_code) == (410, 3100)


async def test_silence_is_not_filed(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=1.0, silence=1.0)):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = dial(bob, "alice")
        await caller.when(caller.prompts.beeped)
        await until(caller.call, CallState.DISCONNECTED)
    assert await box.list() == [] and files(tmp_path) == []


async def test_silence_and_the_maximum_end_a_message(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=1.0, silence=1.0, maximum=3.0, review=1.0)):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        short = dial(bob, "alice")
        await short.say(SENTENCES["bob"][: 2 * SAMPLE_RATE])
        await until(short.call, CallState.DISCONNECTED)
        [message] = await filed(box)
        assert 2.8 < message.duration < 3.4
        long = dial(bob, "alice")
        await long.when(long.prompts.beeped)
        long.call.start_audio(NumpySource(SENTENCES["bob"]))
        await until(long.call, CallState.DISCONNECTED)
        assert abs((await filed(box, 2))[0].duration - 3.0) < 0.1


@pytest.mark.parametrize("prompt", ["greeted", "beeping"])
async def test_hanging_up_before_the_end_of_the_beep(people: People, tmp_path: Path, prompt: str) -> None:
    async with voicemail(people, tmp_path):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = dial(bob, "alice")
        await until(caller.call, CallState.CONNECTED)
        caller.call.start_audio(NumpySource(SENTENCES["bob"], loop=True))
        await caller.when(getattr(caller.prompts, prompt))
        await caller.call.hang_up()
    assert await box.list() == [] and files(tmp_path) == []


async def test_two_callers_at_once(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        box = await box_of(people, "alice")
        people_calling = [await people.join(name) for name in ("bob", "carol")]
        callers = {person.name: dial(person, "alice") for person in people_calling}
        await asyncio.gather(*(caller.leave(name) for name, caller in callers.items()))
        messages = await filed(box, 2)
        assert {message.caller.name for message in messages} == {"bob", "carol"}
        for message in messages:
            await assert_holds(box, message, SAID[message.caller.name], tmp_path)


async def test_a_stopping_service_files_what_is_being_said(people: People, tmp_path: Path) -> None:
    bob, box = await people.join("bob"), await box_of(people, "alice")
    async with voicemail(people, tmp_path):
        caller = dial(bob, "alice")
        await caller.say(SENTENCES["bob"][: 2 * SAMPLE_RATE])
    await until(caller.call, CallState.DISCONNECTED)
    [message] = await box.list()
    assert abs(message.duration - 2.0) < 0.2 and files(tmp_path) == []


async def test_a_hub_that_does_not_take_a_message_gets_it_later(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, box = await people.join("bob"), await box_of(people, "alice")
    asked = asyncio.Semaphore(0)

    async def fails(*_: object) -> None:
        asked.release()
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(DepositApi, "_receive", fails)
        patch.setattr(service, "FILING_SECONDS", 0.5)
        async with voicemail(people, tmp_path):
            caller = dial(bob, "alice")
            await caller.say(SENTENCES["bob"][: 2 * SAMPLE_RATE])
            await caller.call.hang_up()
            async with asyncio.timeout(PATIENCE):
                await asked.acquire()
                await asked.acquire()
        assert files(tmp_path) == ["json", "ogg"] and await box.list() == []
    async with voicemail(people, tmp_path):
        await filed(box)
        await eventually(lambda: files(tmp_path) == [])


async def test_only_the_hub_can_say_that_an_owner_is_gone(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await people.join("bob")
    raw_id, _ = await people.client.token("alice")
    asked = asyncio.Semaphore(0)

    async def fails(*_: object) -> None:
        asked.release()
        raise web.HTTPNotFound  # as what stands before a hub answers

    with monkeypatch.context() as patch:
        patch.setattr(DepositApi, "_receive", fails)
        patch.setattr(service, "FILING_SECONDS", 0.5)
        async with voicemail(people, tmp_path):
            caller = dial(bob, "alice")
            await caller.say(SENTENCES["bob"][: 2 * SAMPLE_RATE])
            await caller.call.hang_up()
            async with asyncio.timeout(PATIENCE):
                await asked.acquire()
                await asked.acquire()
        assert files(tmp_path) == ["json", "ogg"]
    assert (await people.client.admin("DELETE", f"/identities/{raw_id}?api-version=2023-10-01")).status == 204
    async with voicemail(people, tmp_path):
        await eventually(lambda: files(tmp_path) == [])


async def test_voicemail_is_not_handed_on(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        bob, carol = await people.join("bob"), await people.join("carol")
        await people.client.token("alice")
        caller = dial(bob, "alice")
        await caller.when(caller.prompts.greeted)
        transfer = caller.call.feature(Features.TRANSFER).transfer(target_participant="carol")
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.FAILED
        assert carol.rings.empty() and caller.call.state is CallState.CONNECTED


async def test_a_folder_has_one_service(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        _, token = await people.client.token("voicemail", voicemail=True)
        with pytest.raises(OSError, match="another voicemail service"):
            await VoicemailService(CommunicationTokenCredential(token), tmp_path).serve()


async def test_the_service_answers_again_after_the_hub_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "GIVE_UP_SECONDS", 0.1)
    lost = asyncio.Event()
    was_closed = Runtime.closed

    def closed(runtime: Runtime, reason: Reason) -> None:
        was_closed(runtime, reason)
        lost.set()

    monkeypatch.setattr(Runtime, "closed", closed)
    first = HubServer(load_config(tmp_path / "hub", environ={}))
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        await first.__aenter__()
        port = URL(first.url).port or 0
        await stack.enter_async_context(voicemail(People(first, http), tmp_path))
        await first.__aexit__(None, None, None)
        async with asyncio.timeout(PATIENCE):
            await lost.wait()
        second = HubServer(load_config(tmp_path / "hub", port=port, environ={}))
        people = People(await stack.enter_async_context(second), http)
        stack.push_async_callback(people.close)
        bob, box = await people.join("bob"), await box_of(people, "alice")
        async with asyncio.timeout(PATIENCE):
            while True:
                caller = dial(bob, "alice")
                await caller.call.wait_for(CallState.CONNECTED, CallState.DISCONNECTED)
                if caller.call.state is CallState.CONNECTED:
                    break
                assert caller.call.call_end_reason == OFFLINE
                await asyncio.sleep(0.2)
        await caller.say(SENTENCES["bob"][:SAMPLE_RATE])
        await caller.call.hang_up()
        await filed(box)
