"""The page beside its calls: keyboard alone, notifications, rules, devices, greetings, mailbox, history."""

import asyncio
import json
import re
from io import BytesIO
from pathlib import Path
from re import Pattern

import pytest
from playwright.async_api import Locator, Route, expect

from media.audio import SAMPLE_RATE
from media.measure import SAME, correlation
from media.source import load
from node import CallState
from node.voicemail import Limits
from tests.browser.conftest import Open
from tests.browser.person import both
from tests.browser.softphone import Softphone
from tests.e2e.messages import left
from tests.e2e.people import HEARING_SECONDS, SENTENCES, People, eventually, until
from tests.e2e.test_voicemail import box_of, voicemail
from tests.files import written

pytestmark = pytest.mark.browser

# The page is looked away from, and the notifications that the browser makes are remembered.
AWAY = """
document.hasFocus = () => false;
window.notified = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    notified.push(title);
    this.addEventListener("close", () => notified.push("closed"));
  }
};
"""
SPEAKERS = """
window.speakers = [];
const choose = HTMLMediaElement.prototype.setSinkId;
HTMLMediaElement.prototype.setSinkId = function (id) {
  speakers.push([id, this.srcObject !== null]);
  return choose.call(this, id);
};
window.opened = 0;
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => (opened++, open(wanted));
window.paused = 0;
const pause = HTMLMediaElement.prototype.pause;
HTMLMediaElement.prototype.pause = function () {
  if (!this.paused) paused++;
  pause.call(this);
};
"""
# Answers while something is played, which is played again where it was over; true if it is paused by that,
# or if it was over just when the call was answered: then there is nothing to judge.
ANSWER = """() => {
  const [play, pause, answer] = ["Play", "Pause", "Answer"].map((words) =>
    [...document.querySelectorAll("button")].find((button) => button.innerText === words));
  if (!answer) return true;
  const before = paused;
  (pause ? answer : play).click();
  return paused > before;
}"""


async def focused(alice: Softphone) -> str:
    """Return the words of what has the focus."""
    return str(await alice.page.evaluate("document.activeElement.innerText.trim()"))


async def tab_to(alice: Softphone, words: str) -> None:
    for _ in range(30):
        if await focused(alice) == words:
            return
        await alice.page.keyboard.press("Tab")
    raise AssertionError(f"{words} is not reached by Tab")


def after(button: str, seconds: int) -> Pattern[str]:
    """Return the name of a button that counts the seconds, from so many of them on."""
    return re.compile(rf"^{button} \d:(?!0[0-{seconds - 1}])\d\d$")


async def replayed(alice: Softphone, play: Locator, name: str) -> None:
    """Play a sound, again where it was over too soon, until a sentence is heard."""
    async with asyncio.timeout(HEARING_SECONDS):
        while correlation(await alice.listen(1.5), SENTENCES[name]) < SAME:
            if await play.is_visible():
                await play.click()


async def test_by_the_keyboard_alone(softphone: Open, people: People) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    alice = await softphone("alice")
    keys, page = alice.page.keyboard, alice.page
    await expect(page.get_by_role("button", name="Call Bob")).to_be_visible()
    await page.evaluate("document.activeElement.blur()")
    await keys.press("Tab")
    assert await focused(alice) == "Skip to content"
    await keys.press("Enter")
    await keys.press("Tab")
    await keys.type("bob")
    await keys.press("Enter")
    await bob.pick_up()
    await alice.talks("Bob")
    assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == "Call with Bob"
    await tab_to(alice, "Transfer")
    await keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Transfer Bob")
    await expect(dialog.get_by_label("Transfer to", exact=True)).to_be_focused()
    inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
    for _ in range(12):
        await keys.press("Tab")
        assert await page.evaluate(inside)
    # A call that comes in meanwhile is reached in there, and rings on when the dialog is left.
    second = carol.dial("alice")
    await expect(dialog.get_by_role("alertdialog", name="Carol is calling")).to_be_visible()
    await keys.press("Escape")
    await expect(dialog).to_have_count(0)
    assert await focused(alice) == "Transfer"
    await expect(page.get_by_role("alertdialog", name="Carol is calling")).to_be_visible()
    for _ in range(30):
        if await focused(alice) == "Decline":
            break
        await keys.press("Shift+Tab")
    await keys.press("Enter")
    await until(second, CallState.DISCONNECTED)
    await page.get_by_role("article").focus()
    await tab_to(alice, "Hang up")
    await keys.press("Space")
    await eventually(lambda: not bob.agent.calls)
    await expect(page.get_by_role("main")).to_be_focused()
    first = bob.dial("alice")
    await expect(page.get_by_role("button", name="Answer")).to_be_focused()
    await keys.press("Enter")
    await until(first, CallState.CONNECTED)
    await both(alice, bob)


async def test_a_notification_and_what_was_missed(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    await alice.page.context.grant_permissions(["microphone", "notifications"])
    await alice.page.add_init_script(AWAY)
    await alice.page.reload()
    await expect(alice.page.get_by_role("button", name="Call Bob")).to_be_visible()
    call = bob.dial("alice")
    await alice.page.wait_for_function("notified.includes('Bob is calling')")
    await expect(alice.page).to_have_title("Bob is calling – callnode")
    await call.hang_up()
    await alice.told("Bob called.")
    await alice.page.wait_for_function("notified.at(-1) === 'closed'")
    await expect(alice.page).to_have_title("Phone – callnode")
    answered = bob.dial("alice")
    await alice.press("Answer")
    await until(answered, CallState.CONNECTED)
    await answered.hang_up()
    await alice.press("History")
    rows = alice.page.get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Incoming")
    await alice.press("Missed")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Missed")
    # What was asked for last is shown, whichever comes first; earlier ones come once, however often one asks.
    late, asked = asyncio.Event(), list[str]()

    async def history(route: Route) -> None:
        asked.append(route.request.url)
        earlier = "before" in route.request.url
        answer = await route.fetch()
        if not earlier:
            await late.wait()
        await route.fulfill(json=await answer.json() | {"next": None if earlier else 7})

    await alice.page.route(re.compile(r"/v1/history\?limit=50(&before=7)?$"), history)
    await alice.press("All")
    await alice.press("Missed")
    async with alice.page.expect_response(lambda answer: answer.url in asked):
        late.set()
    await alice.page.evaluate("fetch('/health').then((answer) => answer.text())")
    await expect(rows).to_have_count(1)
    await alice.press("All")
    earlier = alice.page.get_by_role("button", name="Show earlier calls")
    await earlier.evaluate("(button) => (button.click(), button.click())")
    await expect(earlier).to_be_hidden()
    await expect(rows).to_have_count(4)
    assert len([url for url in asked if "before" in url]) == 1
    await alice.page.go_back()
    await expect(alice.page.get_by_role("heading", name="Phone")).to_be_visible()


async def test_rules(softphone: Open, people: People) -> None:
    bob, carol = await people.join("bob"), await people.join("carol")
    alice = await softphone("alice")
    page = alice.page
    _, token = await people.client.token("alice")

    async def saved() -> dict[str, object]:
        await alice.press("Save")
        await alice.told("Saved.")
        await alice.dismiss()
        headers = {"Authorization": f"Bearer {token}"}
        async with people.client.http.get(people.client.hub.url + "/v1/settings", headers=headers) as answer:
            return dict(await answer.json())

    await alice.press("Settings")
    await alice.press("Calls")
    # What cannot be is said where it is, before and after the hub is asked.
    await page.get_by_label("Declined calls go to", exact=True).select_option("A number or name…")
    await alice.press("Save")
    await expect(page.get_by_text("Type a name or number")).to_be_visible()
    typed = page.get_by_label("Declined calls go to: name or number")
    await expect(typed).to_be_focused()
    await typed.fill("nobody")
    await alice.press("Save")
    await expect(page.get_by_role("alert")).to_contain_text("There is no user nobody on this hub")
    await page.get_by_label("Declined calls go to", exact=True).select_option("My call group")
    await alice.press("Save")
    await expect(page.get_by_role("alert")).to_contain_text("nobody is in it")
    for name in ("Bob", "Carol"):
        await page.get_by_label("Add", exact=True).select_option(name)
        await alice.press("Add to the group")
    await page.get_by_role("combobox", name="They ring").select_option("One after the other")
    await page.get_by_role("combobox", name="For", exact=True).select_option("30 seconds")
    await alice.press("Ring elsewhere too")
    await page.get_by_label("Also rings", exact=True).select_option("Carol")
    await page.get_by_label("Unanswered calls go to", exact=True).select_option("The call ends")
    await page.get_by_role("combobox", name="After", exact=True).select_option("60 seconds")
    await page.get_by_label("While you are busy, calls go to", exact=True).select_option("Voicemail")
    await page.get_by_role("checkbox", name="Call waiting").uncheck()
    settings = await saved()
    ids = {name: (await people.client.token(name))[0] for name in ("bob", "carol")}
    assert settings == {
        "forwarding": None,
        "simultaneous": {"kind": "person", "identifier": ids["carol"]},
        "unanswered": None,
        "unanswered_delay": 60,
        "declined": {"kind": "group", "identifier": None},
        "busy": {"kind": "voicemail"},
        "do_not_disturb": False,
        "do_not_disturb_to": "unanswered",
        "call_waiting": False,
        "group": {"members": [ids["bob"], ids["carol"]], "order": "in_order", "delay": 30},
    }
    await page.get_by_role("checkbox", name="Do not disturb").check()
    await page.get_by_label("Meanwhile calls go to", exact=True).select_option("Carol")
    assert (await saved())["do_not_disturb"] is True
    bob.dial("alice")
    await carol.pick_up()
    await both(bob, carol)
    # What was set elsewhere meanwhile stays, and is seen.
    elsewhere = json.dumps(settings | {"do_not_disturb": True, "unanswered_delay": 50})
    await people.client.call("PUT", "/v1/settings", token, data=elsewhere)
    await alice.press("Turn off")
    await expect(page.get_by_text("Do not disturb is on")).to_be_hidden()
    await expect(page.locator("#view")).to_be_focused()
    await expect(page.get_by_role("checkbox", name="Do not disturb")).not_to_be_checked()
    await expect(page.get_by_role("combobox", name="After", exact=True)).to_have_value("50")
    await alice.press("Send on at once")
    await page.get_by_label("Send them to", exact=True).select_option("Voicemail")
    settings = await saved()
    assert (settings["forwarding"], settings["unanswered_delay"]) == ({"kind": "voicemail"}, 50)
    # What is edited while it is saved is not saved yet.
    save = page.get_by_role("button", name="Save", exact=True)
    await save.evaluate("(save) => { save.click(); save.form.dispatchEvent(new Event('input')); }")
    await alice.told("Saved.")
    await expect(page.get_by_text("Not saved yet.")).to_be_visible()


async def test_microphone_speaker_and_bell(softphone: Open, people: People) -> None:
    bob, alice = await people.join("bob"), await softphone("alice")
    page = alice.page
    await page.add_init_script(SPEAKERS)
    await page.reload()
    await alice.press("Settings")
    await page.get_by_role("combobox", name="Ring on").select_option("Fake Audio Output 2")
    await page.get_by_role("combobox", name="Microphone").select_option("Fake Audio Input 1")
    test = page.get_by_role("button", name="Test the microphone")
    await test.evaluate("(button) => (button.click(), button.click())")
    await expect(page.get_by_role("meter", name="Microphone level")).not_to_have_attribute(
        "aria-valuenow", "0"
    )
    assert await page.evaluate("opened") == 1
    await alice.press(after("Stop and listen", 3))
    play = page.get_by_role("button", name="Play", exact=True)
    await replayed(alice, play, "alice")
    call = bob.dial("alice")
    await expect(page.get_by_role("button", name="Answer")).to_be_visible()
    await alice.press("Test the ring")
    bell = await page.evaluate("document.querySelectorAll('select')[2].value.replace('speaker:', '')")
    await page.wait_for_function("(bell) => speakers.some(([id, tones]) => id === bell && tones)", arg=bell)
    await page.wait_for_function(ANSWER, polling=500)
    await until(call, CallState.CONNECTED)
    await both(alice, bob)
    await page.get_by_role("combobox", name="Microphone").select_option("Fake Audio Input 2")
    level = alice.call("Bob").get_by_role("meter", name="Your level")
    await expect(level).not_to_have_attribute(
        "aria-valuenow", await level.get_attribute("aria-valuenow") or ""
    )


async def test_greetings(softphone: Open, people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits()):
        carol, box = await people.join("carol"), await box_of(people, "alice")
        alice = await softphone("alice")
        await alice.press("Settings")
        await alice.press("Mailbox")
        part = alice.page.get_by_role("region", name="When you do not answer")
        await part.locator("input[type=file]").set_input_files(
            written(tmp_path / "spoken.wav", SENTENCES["bob"])
        )
        await alice.press("Use it", part)
        await alice.told("Callers hear this greeting")
        ringing = carol.dial("alice")
        await alice.press("To voicemail")
        await until(ringing, CallState.CONNECTED)
        await carol.hears("bob")
        await ringing.hang_up()
        part = alice.page.get_by_role("region", name="For the time being")
        await alice.press("Record", part)
        await alice.press(after("Stop", 2), part)
        await alice.press("Use it", part)
        await expect(part.get_by_role("button", name="Remove")).to_be_visible()
        assert set(await box.greetings()) == {"temporary", "unavailable"}
        recorded = load(BytesIO(await box.greeting("temporary")))
        assert len(recorded) > 1.5 * SAMPLE_RATE
        assert correlation(recorded, SENTENCES["alice"]) > 0.8
        await alice.press("Remove", part)
        await alice.told("The greeting was removed.")
        assert await box.greetings() == ("unavailable",)
        await alice.page.get_by_label("It speaks").select_option("German")
        await alice.page.get_by_label("Who presses 0 gets", exact=True).select_option("Carol")
        await alice.page.get_by_label("Heard messages stay").select_option("30 days")
        await alice.press("Save")
        await alice.told("Saved.")
        settings = await box.settings()
        assert (settings.language, settings.retention_days) == ("de", 30) and settings.operator
        await alice.page.get_by_label("New PIN").fill("12")
        await alice.press("Set the PIN")
        await expect(alice.page.get_by_role("alert").filter(has_text="4 to 12 digits")).to_be_visible()
        await alice.page.get_by_label("New PIN").fill("8350")
        await alice.press("Set the PIN")
        await alice.told("The PIN is set.")


async def test_a_mailbox_is_heard_and_put_in_order(softphone: Open, people: People, tmp_path: Path) -> None:
    box = await box_of(people, "alice")
    await left(people, "alice", "bob", tmp_path, transcript="Please call me back.")
    alice = await softphone("alice")
    await alice.press("Voicemail 1 new")
    row = alice.page.get_by_role("listitem").filter(has_text="Bob")
    await expect(row).to_contain_text("Please call me back.")
    play = row.get_by_role("button", name="Play")
    await play.click()
    await alice.press("Pause", row)
    await replayed(alice, play, "bob")
    await row.get_by_label("Speed").select_option("2×")
    await expect(row).to_have_attribute("data-folder", "saved")
    await alice.press("Mark as new", row)
    await expect(alice.page.get_by_role("button", name="Voicemail 1 new")).to_be_visible()
    # Sought by keys, and played, at twice the speed still, to its end.
    position = row.get_by_label("Position")
    for key in ("Home", *9 * ["PageUp"]):  # a tenth each
        await position.press(key)
    await expect(position).to_have_attribute("aria-valuetext", "0:07 of 0:08")
    await alice.press("Play", row)
    await expect(row).to_have_attribute("data-folder", "saved")
    async with alice.page.expect_download() as download:
        await alice.press("Download", row)
    await (await download.value).save_as(tmp_path / "downloaded.ogg")
    assert correlation(load(tmp_path / "downloaded.ogg"), SENTENCES["bob"]) > 0.8
    await alice.press("Delete", row)
    await expect(row).to_have_count(0)
    await alice.press("Undo")
    await expect(row).to_have_count(1)
    await alice.press("Delete", row)
    await expect(row).to_have_count(0)
    await alice.press("Deleted")
    await alice.press("Restore", row)
    await expect(row).to_have_count(0)
    assert [message.folder for message in await box.list()] == ["saved"]
    await alice.press("Inbox")
    await alice.press("Delete", row)
    await expect(row).to_have_count(0)
    await alice.press("Deleted")
    await alice.press("Delete for good", row)
    await expect(alice.page.get_by_text("Nothing was deleted")).to_be_visible()
    assert await box.list("deleted") == []
