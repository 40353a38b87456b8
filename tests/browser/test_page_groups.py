"""Group calls at the softphone page: who is asked in, who hears whom, and groups joined by a link."""

import asyncio

import pytest
from playwright.async_api import Locator, expect

from media.measure import correlation
from node import CallState, GroupCallLocator, JoinCallOptions
from tests.browser.conftest import Open
from tests.browser.person import Listener, both, listen
from tests.browser.softphone import Softphone
from tests.e2e.people import HEARING_SECONDS, SENTENCES, People, Person, eventually, until

pytestmark = pytest.mark.browser

AUDIBLE = 0.35  # beside another voice a sentence is there by 0.4 to 0.8; one that is not, by less than 0.25


async def hears_just(person: Listener | Person, *names: str) -> None:
    """Wait until somebody hears exactly these people, at once."""
    scores: list[dict[str, float]] = []
    try:
        async with asyncio.timeout(HEARING_SECONDS):
            while not scores or {name for name, value in scores[-1].items() if value > AUDIBLE} != {*names}:
                samples = await listen(person, 2.5)
                scores.append(
                    {n: await asyncio.to_thread(correlation, samples, said) for n, said in SENTENCES.items()}
                )
    except TimeoutError:
        raise AssertionError(f"{person.name} does not hear just {names}: {scores}") from None


def row(card: Locator, name: str) -> Locator:
    return card.get_by_role("list", name="Participants").get_by_role("listitem").filter(has_text=name)


async def connected(softphone: Softphone, bob: Person) -> None:
    await softphone.press("Call Bob")
    await bob.pick_up()
    await softphone.talks("Bob")


async def test_a_third_is_asked_in_and_removed(softphone: Open, people: People, mixer: None) -> None:
    bob, carol, alice = await people.join("bob"), await people.join("carol"), await softphone("alice")
    await connected(alice, bob)
    await alice.press("Add", alice.call("Bob"))
    dialog = alice.page.get_by_role("dialog", name="Add to the call")
    await expect(dialog.get_by_text("Bob", exact=True)).to_have_count(0)
    await alice.press("Add Carol", dialog)
    await expect(row(alice.call("Bob"), "Carol")).to_contain_text("Ringing…")
    await carol.pick_up()
    await alice.told("Carol joined.")
    card = alice.call("Group of 3")
    await expect(row(card, "Bob")).to_contain_text("Connected")
    await expect(card.get_by_role("button", name="Transfer")).to_be_disabled()
    await expect(card.get_by_role("button", name="Transfer")).to_have_accessible_description(
        "A group call is not transferred: add the person, then leave."
    )
    await asyncio.gather(
        hears_just(alice, "bob", "carol"),
        hears_just(bob, "alice", "carol"),
        hears_just(carol, "alice", "bob"),
    )
    await expect(row(card, "Carol")).to_contain_text("speaking")
    await carol.agent.calls[0].mute()
    await expect(row(card, "Carol")).to_contain_text("muted")
    await alice.press("Remove Carol", card)
    await alice.told("Carol was removed.")
    await eventually(lambda: not carol.agent.calls)
    await expect(alice.call("Bob").get_by_role("list", name="Participants")).to_have_count(0)
    await both(alice, bob)


async def test_why_somebody_does_not_come(softphone: Open, people: People, mixer: None) -> None:
    bob, carol, alice = await people.join("bob"), await people.join("carol"), await softphone("alice")
    await connected(alice, bob)
    card = alice.call("Bob")
    await alice.press("Add", card)
    await alice.press("Add Carol", alice.page.get_by_role("dialog"))
    await (await carol.ring()).reject()
    await alice.told("Carol did not come. The call was declined.")
    await expect(row(card, "Carol")).to_contain_text("Did not come: The call was declined.")
    await alice.press("Add", card)
    await alice.press("Add Carol", alice.page.get_by_role("dialog"))
    await expect(row(card, "Carol")).to_contain_text("Ringing…")
    await alice.press("Remove Carol", card)
    await alice.told("Carol is no longer asked in.")
    await expect(row(card, "Carol")).to_have_count(0)
    await both(alice, bob)


async def test_asked_into_a_group_that_ends_for_everyone(
    softphone: Open, people: People, mixer: None
) -> None:
    bob, carol, alice = await people.join("bob"), await people.join("carol"), await softphone("alice")
    dave = await people.join("dave")
    call = bob.dial("carol")
    await carol.pick_up()
    await until(call, CallState.CONNECTED)
    call.add_participant("alice")
    ring = alice.page.get_by_role("alertdialog", name="Bob is calling")
    await expect(ring).to_have_accessible_description("asks you into a group call")
    await alice.press("Answer")
    await alice.talks("Group of 3")
    # Another call cannot be connected with a group.
    await alice.press("Call Dave")
    await dave.pick_up()
    await alice.talks("Dave")
    await alice.press("Transfer", alice.call("Dave"))
    dialog = alice.page.get_by_role("dialog", name="Transfer Dave")
    await expect(dialog.get_by_role("button", name="Transfer to Carol")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Connect Dave")).to_have_count(0)
    await alice.press("Close", dialog)
    group = alice.call("Group of 3")
    sure = alice.page.get_by_role("dialog", name="End the call for everyone?")
    await alice.press("End for everyone", group)
    await expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    await alice.page.keyboard.press("Enter")
    await expect(sure).to_have_count(0)
    await alice.press("End for everyone", group)
    await alice.press("End for everyone", sure)
    await expect(group).to_have_count(0)
    await eventually(lambda: not bob.agent.calls and not carol.agent.calls)
    assert dave.agent.calls


async def test_a_group_is_joined_by_its_link(softphone: Open, people: People, mixer: None) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    await alice.press("Join a group")
    field = alice.page.get_by_label("Link or id of the group")
    await field.fill("not an id")
    await field.press("Enter")
    await expect(alice.page.get_by_role("alert")).to_contain_text("up to 64 letters")
    await field.fill("standup")
    await field.press("Enter")
    await alice.talks("Group call")
    card = alice.call("Group call")
    await expect(card).to_contain_text("Nobody else is here yet.")
    await alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await alice.press("Copy link", card)
    await alice.told("Link copied")
    link = await alice.page.evaluate("navigator.clipboard.readText()")
    await alice.press("Hang up", card)
    await expect(card).to_have_count(0)
    bob.agent.join(GroupCallLocator("standup"), JoinCallOptions(bob.audio()))
    await alice.page.goto(link)
    await alice.press("Close", alice.page.get_by_role("dialog", name="Join a group call"))
    await alice.press("Sign out")
    code = alice.page.get_by_label("Invitation code")
    await expect(code).to_be_visible()
    await alice.page.goto(link)
    await code.fill((await people.client.token("alice"))[1])
    await alice.press("Sign in")
    await alice.press("Join", alice.page.get_by_role("dialog", name="Join a group call"))
    await alice.talks("Bob")
    assert "join" not in alice.page.url
    await both(alice, bob)
    await alice.press("Remove Bob", alice.call("Bob"))
    await alice.told("Bob was removed.")
    await eventually(lambda: not bob.agent.calls)
