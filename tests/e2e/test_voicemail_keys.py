"""What callers of a mailbox do with keys, and hear: greetings, review, operator, a mailbox that is full."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from media.audio import SAMPLE_RATE
from media.measure import SAME, correlation
from media.recorder import export
from media.sink import FileSink, NumpySink, TeeSink
from media.source import NumpySource, SilenceSource, load
from media.speech import prompt
from node import AudioOptions, Call, CallState, Features, StartCallOptions, TransferState
from node.voicemail import Limits, Mailbox, MailboxSettings
from signaling.deposits import DepositApi
from signaling.reasons import DECLINED
from tests.e2e.people import PATIENCE, People, Person, until
from tests.e2e.test_voicemail import (
    SENTENCES,
    Caller,
    Prompts,
    Sound,
    box_of,
    filed,
    files,
    voicemail,
)

pytestmark = pytest.mark.e2e

SHORT = SENTENCES["bob"][: 3 * SAMPLE_RATE]
LONG = 60.0  # more than the longest prompt


class Listener(Caller):
    """A caller who remembers what is heard."""

    def __init__(self, person: Person, whom: str) -> None:
        self.ear = NumpySink()
        prompts = Prompts()
        options = StartCallOptions(AudioOptions(source=SilenceSource(), sink=TeeSink(prompts, self.ear)))
        super().__init__(person.agent.start_call([whom], options), prompts)

    async def hears(self, sound: Sound, seconds: float = 1.0) -> None:
        """Wait until the last of what was heard is a part of this sound."""
        async with asyncio.timeout(LONG):
            while True:
                heard = np.concatenate([np.zeros(0, np.int16), *self._last(seconds)])
                if len(heard) and await asyncio.to_thread(correlation, heard, sound) > SAME:
                    return
                await asyncio.sleep(0.2)

    async def hears_prompt(self, name: str) -> None:
        await self.hears(prompt("en", name), min(1.0, 0.6 * len(prompt("en", name)) / SAMPLE_RATE))

    async def press(self, key: str) -> None:
        await self.call.send_dtmf(key)

    async def recorded(self, sentence: Sound = SHORT) -> None:
        """Say a sentence after the beep, and press `#`."""
        await self.say(sentence)
        await self.press("#")
        await self.hears_prompt("review")

    def _last(self, seconds: float) -> list[Sound]:
        return [frame for _, frame in self.ear.frames[-round(50 * seconds) :]]


async def sound_of(box: Mailbox, message_id: str, folder: Path) -> Sound:
    await box.audio(message_id, folder / f"{message_id}.ogg")
    return load(folder / f"{message_id}.ogg")


async def greet(box: Mailbox, kind: Any, sound: Sound, folder: Path) -> None:
    sink = FileSink(folder / "greeting.wav")
    for start in range(0, len(sound) - 960, 960):
        sink.write(sound[start : start + 960])
    sink.close()
    export(folder / "greeting.wav", folder / "greeting.ogg")
    await box.set_greeting(kind, folder / "greeting.ogg")


async def test_a_caller_skips_the_greeting_and_reviews(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = Listener(bob, "alice")
        await caller.when(caller.prompts.greeted)
        await caller.press("5")
        await caller.recorded()
        await caller.press("1")
        await caller.hears(SHORT)
        await caller.press("3")
        await caller.hears_prompt("urgent-on")
        await caller.press("#")
        await caller.hears_prompt("sent")
        await until(caller.call, CallState.DISCONNECTED)
        [message] = await filed(box)
    assert message.urgent and abs(message.duration - len(SHORT) / SAMPLE_RATE) < 1.0
    assert correlation(await sound_of(box, message.id, tmp_path), SHORT) > SAME


async def test_what_is_recorded_again_takes_the_place_of_the_first(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):  # the menu is said to its end
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = Listener(bob, "alice")
        await caller.when(caller.prompts.greeted)
        await caller.press("1")
        await caller.recorded(SENTENCES["carol"][: 2 * SAMPLE_RATE])
        caller.prompts.beeping.clear()
        caller.prompts.beeped.clear()
        await caller.press("2")
        await caller.recorded()
        await caller.call.hang_up()
        [message] = await filed(box)
    assert not message.urgent
    sound = await sound_of(box, message.id, tmp_path)
    assert correlation(sound, SHORT) > SAME > correlation(sound, SENTENCES["carol"])


async def test_a_greeting_of_ones_own_alone(people: People, tmp_path: Path) -> None:
    box = await box_of(people, "alice")
    await greet(box, "away", SENTENCES["alice"], tmp_path)
    await greet(box, "busy", SENTENCES["carol"], tmp_path)
    await box.set_settings(MailboxSettings(answer="greeting_only"))
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        bob = await people.join("bob")
        caller = Listener(bob, "alice")  # who is offline
        await caller.hears(SENTENCES["alice"])
        await caller.press("1")
        await until(caller.call, CallState.DISCONNECTED)
        assert correlation(caller.ear.samples, SENTENCES["alice"]) > SAME
        assert not caller.prompts.beeping.is_set()
    assert await box.list() == [] and files(tmp_path) == []


async def test_callers_are_told_in_german(people: People, tmp_path: Path) -> None:
    box = await box_of(people, "alice")
    await box.set_settings(MailboxSettings(answer="greeting_only", language="de"))
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        bob = await people.join("bob")
        caller = Listener(bob, "alice")
        await caller.hears(prompt("de", "nobody-there"))
        await until(caller.call, CallState.DISCONNECTED)


async def test_callers_are_declined(people: People, tmp_path: Path) -> None:
    box = await box_of(people, "alice")
    await box.set_settings(MailboxSettings(answer="decline"))
    async with voicemail(people, tmp_path):
        bob = await people.join("bob")
        caller = Listener(bob, "alice")
        await until(caller.call, CallState.DISCONNECTED)
        assert caller.call.call_end_reason == DECLINED


async def test_of_two_who_want_the_last_place_one_is_told_that_the_mailbox_is_full(
    people: People, tmp_path: Path
) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        persons, box = [await people.join(name) for name in ("bob", "carol")], await box_of(people, "alice")
        owner, _ = await people.client.token("alice")
        _, service = await people.client.token("voicemail", voicemail=True)
        for place in range(99):
            await people.client.call("POST", f"/v1/mailboxes/{owner}/messages/r{place}", service)
        callers = {person.name: Listener(person, "alice") for person in persons}
        told = {
            asyncio.create_task(each.hears_prompt("mailbox-full")): name for name, each in callers.items()
        }
        done, others = await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        [refused], [taken] = ([told[task] for task in tasks] for tasks in (done, others))
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await until(callers[refused].call, CallState.DISCONNECTED)
        assert not callers[refused].prompts.beeping.is_set()
        await callers[taken].press("1")
        await callers[taken].say(SHORT)
        await callers[taken].call.hang_up()
        [message] = await filed(box)
        assert message.caller.name == taken


async def test_a_place_is_given_up_where_nothing_was_said(people: People, tmp_path: Path) -> None:
    owner, _ = await people.client.token("alice")
    _, service = await people.client.token("voicemail", voicemail=True)
    for place in range(99):
        await people.client.call("POST", f"/v1/mailboxes/{owner}/messages/r{place}", service)
    async with voicemail(people, tmp_path):
        bob = await people.join("bob")
        caller = Listener(bob, "alice")
        await caller.when(caller.prompts.beeped)
        await caller.call.hang_up()
    answer = await people.client.call("POST", f"/v1/mailboxes/{owner}/messages/last", service)
    assert answer.json["full"] is False


async def test_a_hub_that_does_not_say_how_leaves_the_default_way(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise web.HTTPInternalServerError

    monkeypatch.setattr(DepositApi, "reserve", fails)
    async with voicemail(people, tmp_path):
        bob, box = await people.join("bob"), await box_of(people, "alice")
        caller = Listener(bob, "alice")
        await caller.say(SHORT)
        await caller.call.hang_up()
        await filed(box)


async def test_the_operator_takes_the_caller_and_the_message_is_filed(people: People, tmp_path: Path) -> None:
    box = await box_of(people, "alice")
    bob, carol = await people.join("bob"), await people.join("carol")
    await box.set_settings(MailboxSettings(operator="carol"))
    async with voicemail(people, tmp_path):
        caller = Listener(bob, "alice")
        taken: asyncio.Queue[Call] = asyncio.Queue()
        caller.call.feature(Features.TRANSFER).on(
            "transfer_accepted", lambda event: taken.put_nowait(event.target_call)
        )
        await caller.say(SHORT)
        caller.call.start_audio(NumpySource(SENTENCES["bob"], loop=True))
        await caller.press("0")
        at_carol = await carol.pick_up()
        await until(at_carol, CallState.CONNECTED)
        await carol.hears("bob")
        await caller.hears(SENTENCES["carol"])
        await until(caller.call, CallState.DISCONNECTED)
        [message] = await filed(box)
        async with asyncio.timeout(PATIENCE):
            await (await taken.get()).hang_up()
    assert message.caller.name == "bob"
    assert correlation(await sound_of(box, message.id, tmp_path), SENTENCES["bob"]) > SAME


async def test_an_operator_who_declines_leaves_the_caller_at_the_mailbox(
    people: People, tmp_path: Path
) -> None:
    box = await box_of(people, "alice")
    bob, carol = await people.join("bob"), await people.join("carol")
    await box.set_settings(MailboxSettings(operator="carol"))
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        caller = Listener(bob, "alice")
        await caller.when(caller.prompts.greeted)
        await caller.press("0")
        await (await carol.ring()).reject()
        await caller.hears_prompt("nobody-there")
        await caller.say(SHORT)
        await caller.call.hang_up()
        await filed(box)


async def test_whoever_is_handed_over_to_the_mailbox_speaks_with_it(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=LONG)):
        alice, bob, box = await people.join("alice"), await people.join("bob"), await box_of(people, "carol")
        first = Listener(bob, "alice")
        taken: asyncio.Queue[Call] = asyncio.Queue()
        first.call.feature(Features.TRANSFER).on(
            "transfer_accepted", lambda event: taken.put_nowait(event.target_call)
        )
        at_alice = await alice.pick_up()
        await until(at_alice, CallState.CONNECTED)
        to_carol = Listener(alice, "carol")
        await to_carol.when(to_carol.prompts.greeted)
        transfer = at_alice.feature(Features.TRANSFER).transfer(target_call_id=to_carol.call.id)
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.TRANSFERRED
            first.call = await taken.get()
        await first.press("5")
        await first.recorded()
        await first.press("#")
        await until(first.call, CallState.DISCONNECTED)
        await filed(box)
