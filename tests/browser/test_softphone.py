"""The softphone page: everything a person does with it, seen on the page and heard at the far end."""

import pytest
from playwright.async_api import expect

from node import CallState
from tests.browser.conftest import Open
from tests.browser.person import both, hears, silence
from tests.browser.softphone import Softphone
from tests.e2e.people import People, Person, eventually, until

pytestmark = pytest.mark.browser


async def talking(softphone: Open, people: People) -> tuple[Softphone, Person]:
    """Connect Alice at the page with Bob at a node, by the directory."""
    bob, alice = await people.join("bob"), await softphone("alice")
    await alice.press("Call Bob")
    await bob.pick_up()
    await alice.talks("Bob")
    return alice, bob


async def test_dial_hold_mute_keys_hang_up(softphone: Open, people: People) -> None:
    alice, bob = await talking(softphone, people)
    await both(alice, bob)
    card, at_bob = alice.call("Bob"), bob.agent.calls[0]
    await alice.press("Hold", card)
    await until(at_bob, CallState.REMOTE_HOLD)
    await silence(alice, bob)
    await alice.press("Resume", card)
    await until(at_bob, CallState.CONNECTED)
    await alice.press("Mute", card)
    await silence(bob)
    await alice.press("Unmute", card)
    await hears(bob, "alice")
    pressed: list[str] = []
    at_bob.on("dtmf_received", lambda event: pressed.append(event.digit))
    await alice.press("Keypad", card)
    await alice.press("4", card)
    await alice.page.keyboard.press("#")
    await eventually(lambda: len(pressed) >= 2)
    assert pressed == ["4", "#"]
    await expect(card.get_by_label("Keys pressed")).to_have_text("4#")
    await alice.press("Hang up", card)
    await eventually(lambda: not bob.agent.calls)
    await expect(card).to_have_count(0)
    await alice.press("History")
    await expect(alice.page.get_by_role("listitem").filter(has_text="Bob")).to_contain_text("Outgoing")


async def test_a_number_is_dialled_and_a_name_typed(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    field = alice.page.get_by_label("Call", exact=True)
    await field.fill("+4930123456")
    await field.press("Enter")
    await alice.told("There is no such user.")
    await field.fill("bo")
    await field.press("Enter")
    await bob.pick_up()
    await alice.talks("Bob")


async def test_answer_decline_and_a_second_call(softphone: Open, people: People) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    alice = await softphone("alice")
    declined = bob.dial("alice")
    await alice.press("Decline")
    await until(declined, CallState.DISCONNECTED)
    assert declined.call_end_reason is not None and declined.call_end_reason.code == 603
    first = bob.dial("alice")
    await alice.press("Answer")
    await alice.talks("Bob")
    await until(first, CallState.CONNECTED)
    second = carol.dial("alice")
    await alice.press("Hold and answer")
    await alice.talks("Carol")
    await until(first, CallState.REMOTE_HOLD)
    await until(second, CallState.CONNECTED)
    await both(alice, carol)
    await alice.press("Resume", alice.call("Bob"))
    await alice.talks("Carol", "LocalHold")
    await both(alice, bob)


async def test_transfer_to_a_person(softphone: Open, people: People) -> None:
    carol = await people.join("carol")
    alice, bob = await talking(softphone, people)
    await alice.press("Transfer", alice.call("Bob"))
    dialog = alice.page.get_by_role("dialog", name="Transfer Bob")
    await expect(dialog.get_by_text("Bob", exact=True)).to_have_count(0)
    await dialog.get_by_label("Never to their voicemail", exact=True).check()
    await alice.press("Transfer to Carol", dialog)
    await alice.told("It rings there")
    await carol.pick_up()
    await alice.told("Bob is now talking to Carol.")
    await expect(alice.call("Bob")).to_have_count(0)
    await both(bob, carol)


async def test_transfer_to_a_person_is_cancelled(softphone: Open, people: People) -> None:
    carol = await people.join("carol")
    alice, bob = await talking(softphone, people)
    await alice.press("Transfer", alice.call("Bob"))
    await alice.press("Transfer to Carol", alice.page.get_by_role("dialog"))
    incoming = await carol.ring()
    await alice.press("Cancel transfer")
    await alice.told("Bob could not be transferred to Carol.")
    await eventually(lambda: incoming.call_end_reason is not None)
    await both(alice, bob)


async def test_transfer_to_the_other_call(softphone: Open, people: People) -> None:
    carol = await people.join("carol")
    alice, bob = await talking(softphone, people)
    await alice.press("Call Carol")
    await carol.pick_up()
    await alice.talks("Carol")
    await alice.talks("Bob", "LocalHold")
    await alice.press("Transfer", alice.call("Carol"))
    await alice.press("Connect Carol with Bob")
    await alice.told("Carol is now talking to Bob.")
    await expect(alice.page.get_by_role("article")).to_have_count(0)
    await both(bob, carol)


async def test_settings_are_kept(softphone: Open, people: People) -> None:
    await people.client.token("bob", display_name="Bob")
    alice = await softphone("alice")
    await alice.press("Settings")
    await alice.press("Calls")
    await alice.page.get_by_label("Unanswered calls go to", exact=True).select_option("Bob")
    await alice.page.get_by_role("combobox", name="After", exact=True).select_option("30")
    await alice.press("Save")
    await alice.told("Saved.")
    await alice.press("Sound")
    await alice.page.get_by_label("Suppress noise").check()
    await alice.page.reload()
    await expect(alice.page.get_by_label("Suppress noise")).to_be_checked()
    await alice.press("Calls")
    await expect(alice.page.get_by_role("combobox", name="After", exact=True)).to_have_value("30")


async def test_signing_in_says_what_is_wrong(softphone: Open, people: People) -> None:
    alice = await softphone("alice")
    await alice.press("Sign out")
    field = alice.page.get_by_label("Invitation code")
    await field.fill("WRONG-CODE1")
    await alice.press("Sign in")
    await expect(alice.page.get_by_role("alert")).to_contain_text("ask for a new invitation")
    raw_id, token = await people.client.token("alice")
    await field.fill(token)
    await alice.press("Sign in")
    await expect(alice.page.get_by_role("heading", name="Phone")).to_be_visible()
    assert token not in alice.page.url
    path = f"/identities/{raw_id}/:revokeAccessTokens?api-version=2023-10-01"
    assert (await people.client.admin("POST", path)).status == 204
    await expect(alice.page.get_by_role("alert")).to_contain_text("sign-in has ended")
