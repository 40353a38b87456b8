"""REST requests of the command line: signed with the access key, or in a user's name."""

import base64
import ssl
from collections.abc import Mapping

import aiohttp
import msgspec
from msgspec import Struct

from node.errors import CallingError
from node.rest import answered
from node.trust import trusted
from signaling.auth import sign
from signaling.identity import CreateToken, NamedToken
from signaling.reasons import NETWORK


class _Refusal(Struct):
    code: str = ""
    message: str = ""


class _Refused(Struct):
    error: _Refusal


async def create_token(
    url: str, access_key: str, wanted: CreateToken, authority: bytes | None = None
) -> NamedToken:
    """Find or make the user with a short name on the hub at `url`, and return a token for it.

    `access_key` is base64; `authority` is a certificate (DER) that vouches for the hub. Raises CallingError
    as `request` does.
    """
    body = msgspec.json.encode(wanted)
    made = await signed_request("POST", url.rstrip("/") + "/v1/tokens", access_key, body, authority)
    return msgspec.json.decode(made, type=NamedToken)


async def signed_request(
    method: str, url: str, access_key: str, body: bytes = b"", authority: bytes | None = None
) -> bytes:
    """Return the body of the hub's answer to a request with its access key; raises as `request` does."""
    headers = sign(method, url, body, base64.b64decode(access_key))
    return await request(method, url, headers, body, ssl=trusted(authority=authority))


async def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    ssl: ssl.SSLContext | bool = True,
) -> bytes:
    """Return the body of the hub's answer.

    Raises CallingError: 410/3100 if the hub cannot be reached, else the HTTP status with the hub's sentence.
    """
    try:
        response, answer = await answered(method, url, headers=headers, data=body or None, ssl=ssl)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        raise unreachable(url) from None
    if response.status >= 400:
        raise CallingError(response.status, 0, _sentence(answer, url))
    return answer


def unreachable(url: str) -> CallingError:
    """Return the error for a hub that does not answer at `url`."""
    hub = url.partition("/v1/")[0]
    message = (
        f"Cannot reach the hub at {hub}: see that it runs (`callnode up`) and that this address is right."
    )
    return CallingError(NETWORK.code, NETWORK.sub_code, message)


def _sentence(answer: bytes, url: str) -> str:
    try:
        return msgspec.json.decode(answer, type=_Refused).error.message
    except msgspec.DecodeError:
        return f"What answers at {url.partition('/v1/')[0]} is no callnode hub; check the address."
