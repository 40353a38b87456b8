"""The hub's REST API in a user's name, and how every part of the endpoint asks it."""

from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
import msgspec

from node.credential import TokenCredential, token_of
from node.errors import CallingError
from node.trust import distrust, is_distrust, trusted
from signaling.reasons import BAD_ARGUMENT, INVALID_TOKEN, NETWORK

T = TypeVar("T")

SECONDS = 15.0  # that an answer may take


async def answered(
    method: str, url: str, *, seconds: float = SECONDS, **options: Any
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Return the hub's answer, and its body; `options` are those of aiohttp's request.

    Raises CallingError 410/3100 for a certificate that is not believed, else what aiohttp raises.
    """
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, url, **options) as response,
        ):
            return response, await response.read()
    except aiohttp.ClientError as error:
        if is_distrust(error):
            raise CallingError.of(distrust(url.partition("/v1/")[0])) from None
        raise


class Rest:
    """Ask the hub at a URL as the user of a credential."""

    def __init__(self, hub: str, credential: TokenCredential) -> None:
        self._hub = hub.rstrip("/")
        self._credential = credential

    async def ask(self, method: str, path: str, answer: type[T], body: object = None, *, what: str) -> T:
        """Return the hub's answer; `what` names in the error what it refused.

        Raises CallingError: 495/4507 for a token the hub does not accept, 410/3100 when it cannot be reached,
        400/8523 with the hub's sentence for what does not fit, else the HTTP status.
        """
        token = await token_of(self._credential)
        headers = {"Authorization": f"Bearer {token.token}"}
        ssl = trusted(authority=token.authority)
        data = None if body is None else msgspec.json.encode(body)
        try:
            response, said = await answered(method, self._hub + path, headers=headers, data=data, ssl=ssl)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = f"The hub cannot be reached: {error or type(error).__name__}."
            raise CallingError(NETWORK.code, NETWORK.sub_code, message) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise CallingError.of(INVALID_TOKEN)
        try:
            if response.ok:
                return msgspec.json.decode(said, type=answer)
            why = msgspec.json.decode(said)["error"]["message"]
        except (msgspec.DecodeError, TypeError, KeyError):
            why = "what answers there is no callnode hub of this version"
        message = f"The hub refused the {what}: {why}."
        code = BAD_ARGUMENT.code if response.status == HTTPStatus.BAD_REQUEST else response.status
        raise CallingError(code, BAD_ARGUMENT.sub_code, message)
