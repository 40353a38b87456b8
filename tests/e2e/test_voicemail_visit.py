"""A mailbox is heard by calling the service: by its owner, by who knows its PIN, by nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media.audio import SAMPLE_RATE
from media.source import SilenceSource
from node import Call, CallState, Features, TransferState
from node.voicemail import Mailbox
from tests.e2e.messages import left
from tests.e2e.people import PATIENCE, People, Person, until
from tests.e2e.test_voicemail import HURRIED, SENTENCES, box_of, dial, filed, voicemail
from tests.e2e.test_voicemail_keys import Listener

pytestmark = pytest.mark.e2e

SECONDS = 2.5
SAID = {name: sentence[: round(SECONDS * SAMPLE_RATE)] for name, sentence in SENTENCES.items()}


@asynccontextmanager
async def alices_mailbox(people: People, folder: Path) -> AsyncIterator[tuple[Mailbox, Person]]:
    """Run the service with a message of Bob and one of Carol for Alice."""
    async with voicemail(people, folder, HURRIED):
        for name in ("bob", "carol"):
            await left(people, "alice", name, folder, SECONDS)
        yield await box_of(people, "alice"), await people.join("bob")


async def folders(box: Mailbox) -> list[str]:
    return [each.folder for each in reversed(await box.list())]


async def becomes(box: Mailbox, wanted: list[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await folders(box) != wanted:
            await asyncio.sleep(0.1)


async def test_the_owner_hears_saves_and_deletes(people: People, tmp_path: Path) -> None:
    async with alices_mailbox(people, tmp_path) as (box, _):
        alice = await people.join("alice")
        visit = Listener(alice, "voicemail")
        await visit.hears_prompt("new-messages")
        await visit.hears(SAID["bob"])
        await visit.hears_prompt("after-message")
        await becomes(box, ["saved", "new"])
        await visit.press("6")
        await visit.hears_prompt("received")
        await visit.press("1")
        await visit.hears(SAID["carol"])
        await visit.press("2")
        await visit.hears_prompt("after-message")
        for said in ("speed-3", "speed-1"):
            await visit.press("2")
            await visit.hears_prompt(said)
        await visit.press("7")
        await visit.hears_prompt("deleted")
        await becomes(box, ["saved"])
        await visit.press("4")
        await visit.hears_prompt("received")
        await visit.press("1")
        await visit.hears(SAID["bob"])
        await visit.press("#")
        await visit.hears_prompt("goodbye")
        await until(visit.call, CallState.DISCONNECTED)
        assert [each.folder for each in await box.list("deleted")] == ["deleted"]


async def test_an_own_mailbox_is_the_callers_own(people: People, tmp_path: Path) -> None:
    async with alices_mailbox(people, tmp_path) as (box, bob):
        visit = Listener(bob, "voicemail")
        await visit.hears_prompt("no-messages")
        await visit.call.hang_up()
        assert await folders(box) == ["new", "new"]


async def test_another_ones_phone_and_the_pin(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, HURRIED):
        bob, box = await people.join("bob"), await box_of(people, "101")
        await box.set_pin("8350")
        caller = dial(bob, "101")
        await caller.say(SAID["bob"])
        await caller.call.hang_up()
        await filed(box)
        visit = Listener(bob, "voicemail")
        await visit.hears_prompt("no-messages")
        await visit.press("*")
        await visit.hears_prompt("enter-number")
        await visit.press("101#")
        await visit.hears_prompt("enter-pin")
        await visit.press("8350#")
        await visit.hears_prompt("one-new")
        await visit.press("1")
        await visit.hears(SAID["bob"])
        await visit.call.hang_up()


async def test_three_wrong_pins_end_the_call_and_lock(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, HURRIED):
        bob, carol, box = await people.join("bob"), await people.join("carol"), await box_of(people, "101")
        await box.set_pin("8350")
        visit = Listener(bob, "voicemail")
        await visit.hears_prompt("no-messages")
        await visit.press("*")
        for pin in ("0000", "0001", "0002"):
            await visit.hears_prompt("enter-number")
            await visit.press("101#")
            await visit.hears_prompt("enter-pin")
            await visit.press(f"{pin}#")
            await visit.hears_prompt("login-incorrect")
        await until(visit.call, CallState.DISCONNECTED)
        other = Listener(carol, "voicemail")
        await other.hears_prompt("no-messages")
        await other.press("*")
        await other.hears_prompt("enter-number")
        await other.press("101#")
        await other.hears_prompt("enter-pin")
        await other.press("8350#")
        await other.hears_prompt("login-incorrect")
        await other.call.hang_up()


async def test_whoever_is_handed_over_to_a_mailbox_hears_nothing_of_it(
    people: People, tmp_path: Path
) -> None:
    async with alices_mailbox(people, tmp_path) as (box, bob):
        alice = await people.join("alice")
        to_alice = Listener(bob, "alice")
        taken: asyncio.Queue[Call] = asyncio.Queue()
        to_alice.call.feature(Features.TRANSFER).on(
            "transfer_accepted", lambda event: taken.put_nowait(event.target_call)
        )
        at_alice = await alice.pick_up()
        await until(at_alice, CallState.CONNECTED)
        at_alice.start_audio(SilenceSource())
        visit = Listener(alice, "voicemail")
        await visit.hears_prompt("new-messages")
        before = len(to_alice.ear.frames)
        transfer = at_alice.feature(Features.TRANSFER).transfer(target_call_id=visit.call.id)
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() in (TransferState.TRANSFERRED, TransferState.FAILED)
        if transfer.state is TransferState.TRANSFERRED:
            await until(await taken.get(), CallState.DISCONNECTED)
        heard = [frame for _, frame in to_alice.ear.frames[before:]]
        assert not any(abs(frame.astype(int)).max() > 300 for frame in heard)
        assert await folders(box) == ["new", "new"]


async def test_a_mailbox_is_not_handed_on(people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path):
        alice, carol = await people.join("alice"), await people.join("carol")
        visit = Listener(alice, "voicemail")
        await visit.hears_prompt("no-messages")
        transfer = visit.call.feature(Features.TRANSFER).transfer(target_participant="carol")
        async with asyncio.timeout(PATIENCE):
            assert await transfer.wait() is TransferState.FAILED
        assert carol.rings.empty()
