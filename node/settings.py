"""Forwarding and unanswered settings as their user reads and writes them, by the hub's REST API."""

from node.credential import TokenCredential
from node.rest import Rest
from signaling.settings import Settings


class UserSettings:
    """The settings of the user of a credential, on the hub at a URL.

    Both methods raise CallingError: 495/4507 for a token the hub does not accept, 410/3100 when the hub
    cannot be reached.
    """

    def __init__(self, hub: str, credential: TokenCredential) -> None:
        self._rest = Rest(hub, credential)

    async def get(self) -> Settings:
        """Return the settings as they are now."""
        return await self._rest.ask("GET", "/v1/settings", Settings, what="settings")

    async def set(self, settings: Settings) -> Settings:
        """Replace the settings as a whole; raises CallingError 400/8523 that says what does not fit."""
        return await self._rest.ask("PUT", "/v1/settings", Settings, settings, what="settings")
