"""A real hub, people with Python nodes, and people at real browsers."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page, async_playwright

from signaling.config import load_config
from signaling.server import HubServer
from tests.browser import firefox
from tests.browser.person import HERE, BrowserPerson
from tests.browser.softphone import Softphone
from tests.e2e import people as e2e
from tests.e2e.people import SENTENCES, People
from tests.files import written

Join = Callable[..., Awaitable[BrowserPerson]]
Open = Callable[[str], Awaitable[Softphone]]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # samples/ comes from no address
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

# Echo cancellation and the like are the browser's business, and make another sentence of it.
AS_IT_IS = """
localStorage["callnode.devices"] ??= JSON.stringify(
  { echoCancellation: false, noiseSuppression: false, autoGainControl: false });
"""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubServer]:
    async with HubServer(load_config(tmp_path / "hub", environ={})) as server:
        yield server


@pytest.fixture
async def people(hub: HubServer) -> AsyncIterator[People]:
    async with aiohttp.ClientSession() as http:
        people = People(hub, http)
        yield people
        await people.close()


@pytest.fixture
async def mixer(people: People) -> AsyncIterator[None]:
    """Run the service that mixes group calls."""
    async with e2e.mixer(people):
        yield


@asynccontextmanager
async def launch(folder: Path) -> AsyncIterator[Browser]:
    """Run the system's Chromium, whose microphone says Alice's sentence over and over."""
    voice = written(folder / "alice.wav", SENTENCES["alice"])
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={voice}"]
    assert CHROMIUM is not None, "install Chromium (Debian: apt install chromium)"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    async with launch(tmp_path) as browser:
        yield browser


@pytest.fixture(scope="module")
def firefox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Firefox for the tests of a module: it takes seconds to start."""
    with firefox.running(tmp_path_factory.mktemp("firefox") / "profile") as url:
        yield url


async def join_at(
    name: str, hub: HubServer, people: People, chromium: Browser, stack: AsyncExitStack, **options: Any
) -> BrowserPerson:
    """Let a person join at a new page, with the JavaScript client alone."""
    page = await new_page(name, chromium, stack)
    await page.goto(hub.url + "/health")
    await page.add_script_tag(path=HERE / "ear.js")
    person = BrowserPerson(name, page)
    _, token = await people.client.token(name)
    await person.start(token, **options)
    return person


@pytest.fixture
async def join(hub: HubServer, people: People, chromium: Browser) -> AsyncIterator[Join]:
    """Let a person join at a page of the browser."""
    async with AsyncExitStack() as stack:

        async def join(name: str, **options: object) -> BrowserPerson:
            return await join_at(name, hub, people, chromium, stack, **options)

        yield join


@pytest.fixture
async def softphone(hub: HubServer, people: People, chromium: Browser) -> AsyncIterator[Open]:
    """Let a person sign in at the softphone page; the microphone says Alice's sentence."""
    async with AsyncExitStack() as stack:

        async def softphone(name: str) -> Softphone:
            page = await new_page(name, chromium, stack)
            # Before the page's own scripts, and again after each load.
            await page.add_init_script(path=HERE / "ear.js")
            await page.add_init_script(AS_IT_IS)
            invitation = {"name": name, "display_name": name.title()}
            answer = await people.client.admin("POST", "/v1/invitations", invitation)
            person = Softphone(name, page)
            await page.goto(answer.json["url"])
            await person.sign_in()
            return person

        yield softphone


async def new_page(name: str, chromium: Browser, stack: AsyncExitStack) -> Page:
    # The page lets no script run but its own; the ear's worklet is a blob.
    # A certificate that is made for a LAN is one that people have to agree to.
    context = await chromium.new_context(bypass_csp=True, ignore_https_errors=True)
    stack.push_async_callback(context.close)
    page = await context.new_page()
    page.on("console", lambda message: print(f"{name}: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: print(f"{name}: {error}"))
    return page
