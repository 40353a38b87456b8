"""Every view, light and dark, narrow and wide: axe-core objects to nothing, nothing is too small or wide.

With the environment variable CALLNODE_PICTURES, a folder, it takes the pictures of the documentation
(`make pictures`).
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, expect

from node import CallState
from tests.browser.conftest import Open
from tests.browser.looks import Looks
from tests.e2e.messages import left
from tests.e2e.people import People, until

pytestmark = pytest.mark.browser

COLLEAGUES = {
    "dana": ("Dana Fuller", "+4930123456"),
    "erik": ("Erik Larsson", "+4930123457"),
    "desk": ("Front desk", "+4930100"),
}

MESSAGES: dict[str, dict[str, Any]] = {
    "bob": {"transcript": "Hello Alice, this is Bob. Please call me back before noon."},
    "carol": {"urgent": True},
}


async def invite_colleagues(people: People) -> None:
    for name, (shown, number) in COLLEAGUES.items():
        raw_id, _ = await people.client.token(name, display_name=shown)
        await people.client.admin("PUT", f"/v1/users/{raw_id}/aliases", {"aliases": [f"4:{number}"]})


async def ring_on(people: People, name: str) -> None:
    """Let what rings at somebody ring on while it is looked at."""
    _, token = await people.client.token(name)
    rules = {"unanswered": None, "unanswered_delay": 60}
    assert (await people.client.call("PUT", "/v1/settings", token, json=rules)).status == 200


async def test_signing_in_and_what_is_empty(softphone: Open, people: People) -> None:
    alice = await softphone("alice")
    look = Looks(alice.page)
    await expect(alice.page.get_by_text("Nobody else is here yet")).to_be_visible()
    await look.at("phone-empty")
    await alice.press("History")
    await expect(alice.page.get_by_text("No calls yet")).to_be_visible()
    await look.at("history-empty", picture=False)
    await alice.press("Voicemail")
    await expect(alice.page.get_by_text("No messages")).to_be_visible()
    await look.at("voicemail-empty", picture=False)

    async def fail(route: Route) -> None:
        await route.abort()

    await alice.page.route("**/v1/history*", fail)
    await alice.press("History")
    await expect(alice.page.get_by_role("alert")).to_contain_text("The hub cannot be reached")
    await look.at("history-failed")
    await alice.page.unroute("**/v1/history*", fail)
    await alice.press("Try again")
    await expect(alice.page.get_by_text("No calls yet")).to_be_visible()
    await alice.press("Sign out")
    await look.at("sign-in")
    await alice.page.get_by_label("Invitation code").fill("WRONG-CODE1")
    await alice.press("Sign in")
    await expect(alice.page.get_by_role("alert")).to_contain_text("ask for a new invitation")
    await look.at("sign-in-failed", picture=False)


async def test_calls(softphone: Open, people: People) -> None:
    await invite_colleagues(people)
    bob, carol = await people.join("bob"), await people.join("carol")
    for name in ("alice", "carol"):
        await ring_on(people, name)
    alice = await softphone("alice")
    look = Looks(alice.page)
    await expect(alice.page.get_by_role("listitem")).to_have_count(5)
    await look.at("phone")
    await alice.press("Keypad")
    await alice.press("4")
    await look.at("phone-keypad")
    await alice.press("Keypad")
    await alice.page.get_by_label("Call", exact=True).fill("")
    out = bob.dial("alice")
    await expect(alice.page.get_by_role("alertdialog")).to_be_visible()
    await look.at("incoming")
    await alice.press("Answer")
    await alice.talks("Bob")
    await until(out, CallState.CONNECTED)
    card = alice.call("Bob")
    await card.locator("summary").click()
    await expect(card.get_by_text("Good")).to_be_visible()
    await look.at("call")
    await card.locator("summary").click()
    await alice.press("Keypad", card)
    await alice.press("5", card)
    await look.at("call-keypad")
    await alice.page.keyboard.press("Escape")
    second = carol.dial("alice")
    await expect(alice.page.get_by_role("alertdialog")).to_be_visible()
    await look.at("call-waiting")
    await alice.press("Hold and answer")
    await alice.talks("Carol")
    await alice.talks("Bob", "LocalHold")
    await until(second, CallState.CONNECTED)
    await look.at("two-calls")
    await alice.press("Transfer", alice.call("Carol"))
    await look.at("transfer")
    await alice.press("Close", alice.page.get_by_role("dialog"))
    await alice.press("Transfer", alice.call("Bob"))
    await alice.press("Transfer to Carol", alice.page.get_by_role("dialog"))
    await alice.told("It rings there: Carol")
    await look.at("transfer-ringing")
    await alice.press("Cancel transfer")
    await alice.told("Bob could not be transferred to Carol.")
    await look.at("transfer-failed")


async def test_groups(softphone: Open, people: People, mixer: None) -> None:
    await invite_colleagues(people)
    bob, carol = await people.join("bob"), await people.join("carol")
    alice = await softphone("alice")
    look = Looks(alice.page)
    await alice.press("Join a group")
    await look.at("group-join")
    await alice.press("Close")
    await alice.press("Call Bob")
    await bob.pick_up()
    await alice.talks("Bob")
    await alice.press("Add")
    await look.at("group-add")
    await alice.press("Add Carol", alice.page.get_by_role("dialog"))
    await carol.pick_up()
    await alice.told("Carol joined.")
    await alice.dismiss()
    await alice.press("Add")
    await alice.press("Add Dana Fuller", alice.page.get_by_role("dialog"))
    await alice.told("Dana Fuller did not come.")
    await alice.dismiss()
    await look.at("group")
    await alice.press("End for everyone")
    await look.at("group-end")


async def test_mailbox_history_settings(softphone: Open, people: People, tmp_path: Path) -> None:
    await invite_colleagues(people)
    bob = await people.join("bob")
    for caller, more in MESSAGES.items():
        await left(people, "alice", caller, tmp_path, **more)
    alice = await softphone("alice")
    look = Looks(alice.page)
    missed = bob.dial("alice")
    await expect(alice.page.get_by_role("button", name="Answer")).to_be_visible()
    await missed.hang_up()
    await alice.told("Bob called.")
    await alice.dismiss()
    taken = bob.dial("alice")
    await alice.press("Answer")
    await until(taken, CallState.CONNECTED)
    await taken.hang_up()
    await alice.press("Voicemail 2 new")
    rows = alice.page.get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await rows.filter(has_text="Bob").get_by_label("Position").fill("1.5")
    await alice.press("Mark as heard", rows.filter(has_text="Bob"))
    await expect(rows.filter(has_text="Bob")).to_have_attribute("data-folder", "saved")
    await look.at("voicemail")
    await alice.press("Delete", rows.filter(has_text="Carol"))
    await alice.told("Message deleted.")
    await alice.press("Deleted")
    await expect(alice.page.get_by_role("button", name="Restore")).to_be_visible()
    await look.at("voicemail-deleted")
    await alice.dismiss()
    await alice.press("History")
    await expect(rows).to_have_count(2)
    await look.at("history")
    await alice.press("Settings")
    await expect(alice.page.get_by_role("combobox", name="Microphone")).to_be_visible()
    await look.at("settings-sound")
    await alice.press("Calls")
    await alice.page.get_by_role("checkbox", name="Do not disturb").check()
    await alice.press("Save")
    await alice.told("Saved.")
    await alice.dismiss()
    await look.at("settings-calls")
    await alice.press("Mailbox")
    await expect(alice.page.get_by_role("button", name="Record").first).to_be_visible()
    await look.at("settings-mailbox")
