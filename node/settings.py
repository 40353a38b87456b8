"""Forwarding and unanswered settings as their user reads and writes them, by the hub's REST API."""

from http import HTTPStatus

import aiohttp
import msgspec

from node.credential import TokenCredential, token_of
from node.errors import CallingError
from node.trust import distrust, is_distrust, trusted
from signaling.reasons import BAD_ARGUMENT, INVALID_TOKEN, NETWORK
from signaling.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=15.0)


class UserSettings:
    """The settings of the user of a credential, on the hub at a URL.

    Both methods raise CallingError: 495/4507 for a token the hub does not accept, 410/3100 when the hub
    cannot be reached.
    """

    def __init__(self, hub: str, credential: TokenCredential) -> None:
        self._url = hub.rstrip("/") + "/v1/settings"
        self._credential = credential

    async def get(self) -> Settings:
        """Return the settings as they are now."""
        return await self._ask("GET")

    async def set(self, settings: Settings) -> Settings:
        """Replace the settings as a whole; raises CallingError 400/8523 that says what does not fit."""
        return await self._ask("PUT", msgspec.json.encode(settings))

    async def _ask(self, method: str, body: bytes | None = None) -> Settings:
        token = await token_of(self._credential)
        headers = {"Authorization": f"Bearer {token.token}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http,
                http.request(
                    method, self._url, data=body, ssl=trusted(authority=token.authority)
                ) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if is_distrust(error):
                raise CallingError.of(distrust(self._url.partition("/v1/")[0])) from None
            message = f"The hub cannot be reached: {error or type(error).__name__}."
            raise CallingError(NETWORK.code, NETWORK.sub_code, message) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise CallingError.of(INVALID_TOKEN)
        try:
            if response.ok:
                return msgspec.json.decode(answer, type=Settings)
            said = msgspec.json.decode(answer)["error"]["message"]
        except (msgspec.DecodeError, TypeError, KeyError):
            said = "what answers there is no callnode hub of this version"
        message = f"The hub refused the settings: {said}."
        code = BAD_ARGUMENT.code if response.status == HTTPStatus.BAD_REQUEST else response.status
        raise CallingError(code, BAD_ARGUMENT.sub_code, message)
