"""The pages in samples/web: written for the ACS Calling SDK, run as they are but for what they import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from node import CallState
from node.voicemail import Limits
from signaling.server import HubServer
from tests.browser.conftest import new_page
from tests.browser.person import HERE, Listener, both, hears
from tests.e2e.people import People, eventually, until
from tests.e2e.test_voicemail import box_of, filed, voicemail
from tests.packages import ROOT, node, packages

pytestmark = pytest.mark.browser

SAMPLES = ROOT / "samples" / "web"
# The browser's fake microphone says Alice's sentence: it is not to be made another one.
AS_IT_IS = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
navigator.mediaDevices.getUserMedia = () => open({ audio: plain });
"""


class Sample(Listener):
    """Somebody at a sample, who always says what Alice says."""

    async def sign_in(self, people: People, user: str) -> None:
        _, token = await people.client.token(user)
        await self.page.get_by_label("User access token").fill(token)
        await self.press("Sign in")

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def dial(self, whom: str) -> None:
        await self.page.get_by_label("Id of whom to call").fill(whom)
        await self.press("Call")

    async def shows(self, text: str) -> None:
        await expect(self.page.get_by_text(text, exact=True)).to_be_visible()


class Samples:
    """Open samples on the hub's own origin, where their import map finds the client."""

    def __init__(self, hub: HubServer, chromium: Browser, stack: AsyncExitStack) -> None:
        self._hub, self._chromium, self._stack = hub, chromium, stack

    async def open(self, name: str, imports: dict[str, str] | None = None) -> Sample:
        page: Page = await new_page(name, self._chromium, self._stack)
        html = (SAMPLES / f"{name}.html").read_text()
        for what, instead in (imports or {}).items():
            assert html.count(f'"{what}": "/web/callnode.js"') == 1
            html = html.replace(f'"{what}": "/web/callnode.js"', f'"{what}": "{instead}"')
        await page.route("**/samples/*", lambda route: route.fulfill(body=html, content_type="text/html"))
        await page.add_init_script(path=HERE / "ear.js")
        await page.add_init_script(AS_IT_IS)
        await page.goto(f"{self._hub.url}/samples/{name}.html")
        return Sample("alice", page)


@pytest.fixture
async def samples(hub: HubServer, chromium: Browser) -> AsyncIterator[Samples]:
    async with AsyncExitStack() as stack:
        yield Samples(hub, chromium, stack)


async def test_start_a_call(samples: Samples, people: People) -> None:
    alice, bob = await samples.open("call"), await people.join("bob")
    await alice.sign_in(people, "alice")
    await alice.dial("bob")
    call = await bob.pick_up()
    await alice.shows("Connected")
    await both(alice, bob)
    await alice.press("Hold")
    await until(call, CallState.REMOTE_HOLD)
    await alice.press("Resume")
    await until(call, CallState.CONNECTED)
    await alice.press("Mute")
    await alice.press("Unmute")
    await both(alice, bob)
    await alice.press("Hang up")
    await alice.shows("Disconnected 0/0")
    await eventually(lambda: not bob.agent.calls)


async def test_answer_calls_with_the_credential_of_npm(
    samples: Samples, people: People, tmp_path: Path
) -> None:
    """It is bundled as it comes from `@azure/communication-common`."""
    bundle = tmp_path / "common.js"
    tools = packages()
    node(
        *(tools / "node_modules" / ".bin" / "esbuild", "@azure/communication-common", "--bundle"),
        *("--format=esm", "--platform=browser", "--log-level=error", f"--outfile={bundle}"),
        cwd=tools,
    )
    alice = await samples.open("answer", {"@azure/communication-common": "/npm/common.js"})
    await alice.page.route("**/npm/common.js", lambda route: route.fulfill(path=bundle))
    await alice.page.reload()
    await alice.sign_in(people, "alice")
    await alice.shows("Connected")
    bob = await people.join("bob")
    declined = bob.dial("alice")
    await alice.shows("Bob is calling")
    await alice.press("Reject")
    await until(declined, CallState.DISCONNECTED)
    assert declined.call_end_reason is not None and declined.call_end_reason.code == 603
    accepted = bob.dial("alice")
    await alice.shows("Bob is calling")
    await alice.press("Accept")
    await until(accepted, CallState.CONNECTED)
    await both(alice, bob)


async def test_transfer_to_a_person_who_is_at_a_page_too(samples: Samples, people: People) -> None:
    alice, carol = await samples.open("transfer"), await samples.open("answer")
    await alice.sign_in(people, "alice")
    await carol.sign_in(people, "carol")
    bob = await people.join("bob")
    await alice.dial("bob")
    await bob.pick_up()
    await alice.shows("Bob: Connected")
    await alice.page.get_by_label("Id of the target").fill("carol")
    await alice.press("Transfer to the person")
    await carol.shows("Bob is calling, transferred by Alice")
    await carol.press("Accept")
    await alice.shows("Transferred")
    await asyncio.gather(hears(carol, "bob"), hears(bob, "alice"))  # which every page says
    await eventually(lambda: len(bob.agent.calls) == 1)


async def test_transfer_to_a_call(samples: Samples, people: People) -> None:
    alice, bob, carol = await samples.open("transfer"), await people.join("bob"), await people.join("carol")
    await alice.sign_in(people, "alice")
    for person in (bob, carol):
        await alice.dial(person.name)
        await person.pick_up()
        await alice.shows(f"{person.name.title()}: Connected")
    await alice.shows("Bob: LocalHold")
    await alice.press("Transfer the first call to the second")
    await alice.shows("Transferred")
    await both(bob, carol)


async def test_transfer_to_voicemail(samples: Samples, people: People, tmp_path: Path) -> None:
    async with voicemail(people, tmp_path, Limits(greeting=1.0, maximum=2.0, review=1.0)):
        box = await box_of(people, "carol")
        raw_id, _ = await people.client.token("carol")
        await people.client.admin("PUT", f"/v1/users/{raw_id}/aliases", {"aliases": ["8:orgid:carols-id"]})
        alice, bob = await samples.open("transfer"), await people.join("bob")
        await alice.sign_in(people, "alice")
        await alice.dial("bob")
        call = await bob.pick_up()
        await alice.shows("Bob: Connected")
        await alice.page.get_by_label("Id of the target").fill("carols-id")
        await alice.press("Transfer to voicemail")
        await alice.shows("Transferred")
        await until(call, CallState.DISCONNECTED)
        [recorded] = bob.agent.calls
        await until(recorded, CallState.DISCONNECTED)  # by the maximum length
        [message] = await filed(box)
        assert (message.caller.name, message.transferor and message.transferor.name) == ("bob", "alice")
