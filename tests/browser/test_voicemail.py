"""Voicemail with a browser: left from it, transferred to it in each role, played and seeked in the page."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from media.measure import correlation
from media.recorder import repair
from media.source import load
from node import CallState, Features, TransferState
from node.voicemail import Limits, Mailbox, Message
from tests.browser.conftest import Join, Open
from tests.browser.person import hears
from tests.browser.test_transfers import meet, transferred
from tests.e2e.people import SENTENCES, People, eventually, until
from tests.e2e.test_transfers import final
from tests.e2e.test_voicemail import box_of, filed, voicemail
from tests.shell.recording import record
from tests.shell.test_mailbox import put

pytestmark = pytest.mark.browser

BRIEF = Limits(greeting=1.0, maximum=4.0)


async def assert_says(box: Mailbox, message: Message, name: str, folder: Path) -> None:
    path = folder / "message.ogg"
    await box.audio(message.id, path)
    assert correlation(load(path), SENTENCES[name]) > 0.6


async def test_a_message_is_left_from_the_browser(join: Join, people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, BRIEF):
        box = await box_of(people, "bob")
        alice = await join("alice")
        await alice.dial("bob")
        await alice.state("Connected")
        assert await alice.do("call.outcome.kind") == "voicemail"
        await alice.state("Disconnected")  # by the maximum length
        [message] = await filed(box)
        assert message.caller.name == "alice"
        await assert_says(box, message, "alice", tmp_path)


async def test_the_browser_transfers_to_voicemail(join: Join, people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, BRIEF):
        box = await box_of(people, "carol")
        alice, bob = await join("alice"), await people.join("bob")
        await meet(alice, bob)
        target = "{ targetParticipantVoicemail: { microsoftTeamsUserId: 'carol', rawId: 'carol' } }"
        await alice.do(f"void (window.moved = transfer.transfer({target}))")
        await transferred(alice)
        assert await alice.do("moved.outcome.kind") == "voicemail"
        await eventually(lambda: len(bob.agent.calls) == 2 or bob.agent.calls == [])
        [message] = await filed(box)
        assert (message.caller.name, message.transferor and message.transferor.name) == ("bob", "alice")
        await assert_says(box, message, "bob", tmp_path)


async def test_the_browser_is_transferred_to_voicemail(join: Join, people: People, tmp_path: Path) -> None:
    """And whose mailbox it is sits at another: nothing rings there, and the message is told."""
    async with voicemail(people, tmp_path, BRIEF):
        box = await box_of(people, "carol")
        alice, bob, carol = await people.join("alice"), await join("bob"), await join("carol")
        mine = alice.dial("bob")
        await bob.pick_up()
        await until(mine, CallState.CONNECTED)
        transfer = mine.feature(Features.TRANSFER).transfer(target_participant_voicemail="carol")
        assert await final(transfer) is TransferState.TRANSFERRED
        [message] = await filed(box)
        await carol.until("agent.mailbox.new === 1")
        assert await carol.do("rings.length") == 0
        assert (message.caller.name, message.transferor and message.transferor.name) == ("bob", "alice")
        await assert_says(box, message, "bob", tmp_path)


async def test_what_a_crash_has_cut_off_is_played_by_the_browser(
    chromium: Browser, people: People, tmp_path: Path
) -> None:
    owner, token = await people.client.token("alice")
    _, service = await people.client.token("voicemail", voicemail=True)
    record(tmp_path / "part", SENTENCES["bob"]).close()
    whole = (tmp_path / "part").read_bytes()
    page = await chromium.new_page()
    await page.goto(people.client.hub.url + "/health")
    for number, share in enumerate((0.31, 0.52, 0.93)):
        part, final = tmp_path / f"{number}.part", tmp_path / f"{number}.ogg"
        part.write_bytes(whole[: int(len(whole) * share)])
        seconds = repair(part, final)
        assert seconds is not None
        await put(people.client, service, owner, f"m{number}", sound=final.read_bytes())
        box = Mailbox(people.client.hub.url, token)
        url = people.client.hub.url + (await box.link(f"m{number}")).audio
        played = await page.evaluate(
            """(url) => new Promise((done, failed) => {
              const audio = new Audio(url);
              audio.playbackRate = 4;
              audio.onended = () => done([audio.duration, audio.currentTime]);
              audio.onerror = () => failed(audio.error.message);
              audio.play();
            })""",
            url,
        )
        assert all(abs(each - seconds) < 0.05 for each in played), (played, seconds)


async def test_a_caller_is_sent_to_voicemail_and_called_back(
    softphone: Open, people: People, tmp_path: Path
) -> None:
    async with voicemail(people, tmp_path, BRIEF):
        bob = await people.join("bob")
        await people.client.token("carol", display_name="Carol")
        alice = await softphone("alice")
        ringing = bob.dial("alice")
        await alice.press("To voicemail")
        await until(ringing, CallState.DISCONNECTED)
        await alice.press("Voicemail 1 new")
        row = alice.page.get_by_role("listitem").filter(has_text="Bob")
        await alice.press("Call back", row)
        await bob.pick_up()
        await alice.talks("Bob")
        await hears(bob, "alice")
        await alice.press("Transfer", alice.call("Bob"))
        dialog = alice.page.get_by_role("dialog", name="Transfer Bob")
        await alice.press("Straight to voicemail", dialog)
        await alice.press("Transfer to Carol", dialog)
        await alice.told("Bob is at the voicemail of Carol.")
        await expect(alice.call("Bob")).to_have_count(0)
