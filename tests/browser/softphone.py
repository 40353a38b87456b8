"""A person at the softphone page: what they see, press and hear."""

from contextlib import suppress
from re import Pattern

from playwright.async_api import Locator, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.person import Listener
from tests.e2e.people import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)


class Softphone(Listener):
    """The page in a browser, signed in as somebody; the microphone is the browser's."""

    async def sign_in(self) -> None:
        """Sign in by the invitation that was opened, whose code is no part of the page's address any more."""
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Phone")).to_be_visible()
        assert "code" not in self.page.url

    def call(self, name: str) -> Locator:
        """Return the card of the call with somebody."""
        return self.page.get_by_role("article", name=f"Call with {name}", exact=True)

    async def talks(self, name: str, state: str = "Connected") -> None:
        """Wait until the call with somebody is in a state."""
        await expect(self.call(name)).to_have_attribute("data-state", state)

    async def press(self, button: str | Pattern[str], within: Locator | None = None) -> None:
        await (within or self.page).get_by_role("button", name=button, exact=True).click()

    async def told(self, text: str) -> None:
        """Wait until the page says something."""
        await expect(self.page.get_by_role("status").filter(has_text=text).first).to_be_visible()

    async def dismiss(self) -> None:
        """Take away what the page says, so far as it still says it."""
        button = self.page.get_by_role("button", name="Dismiss", exact=True).first
        while await button.count():
            with suppress(PlaywrightTimeout):
                await button.click(timeout=1000)
