"""Webhooks: new messages told to a URL, signed as Standard Webhooks 1.0 says, and to nobody else.

A user's URL must not make the hub speak to machines that only the hub can reach: what is connected to is
looked at after the name was resolved, for each connection, and redirections are not followed.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
import time
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from yarl import URL

TIMEOUT = aiohttp.ClientTimeout(total=10.0)
SECRET_PREFIX = "whsec_"

_GONE = 410
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotToldError(Exception):
    """Somebody could not be told; the message names no more than a host.

    `wait` is after how many seconds the other end wants to be asked again; `final` that it does not.
    """

    def __init__(self, why: str, *, wait: float | None = None, final: bool = False) -> None:
        super().__init__(why)
        self.wait = wait
        self.final = final


class Webhooks:
    """Post to URLs; to addresses that are not public only where `private` allows it."""

    def __init__(self, access_key: bytes) -> None:
        self._access_key = access_key
        self._public = _session(public_only)
        self._any = _session(None)

    def secret(self, owner: str, url: str) -> str:
        """Return the secret of an owner's webhook; another URL has another one."""
        info = f"callnode webhook {owner} {url}".encode()
        return (
            SECRET_PREFIX + base64.b64encode(HKDF(SHA256(), 32, None, info).derive(self._access_key)).decode()
        )

    async def post(self, url: str, secret: str, notice_id: str, body: bytes, *, private: bool) -> None:
        """Deliver a JSON body; raises NotToldError."""
        at = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "callnode",
            "webhook-id": notice_id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secret, notice_id, at, body),
        }
        http = self._any if private else self._public
        host = URL(url).host
        try:
            async with http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status, wait = response.status, _seconds(response.headers.get("Retry-After", ""))
                response.close()  # what it says does not matter, however long it is
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NotToldError(f"{host} cannot be reached: {_why(error)}") from None
        if not 200 <= status < 300:
            raise NotToldError(f"{host} answers HTTP {status}", wait=wait, final=status == _GONE)

    async def close(self) -> None:
        """Close all connections."""
        await self._public.close()
        await self._any.close()


class NotPublicError(OSError):
    """An address that a user's webhook may not reach."""


def sign(secret: str, notice_id: str, at: int, body: bytes) -> str:
    """Return the header webhook-signature of a body that is sent at a time (Unix, s)."""
    signed = f"{notice_id}.{at}.".encode() + body
    digest = hmac.digest(key_of(secret), signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def key_of(secret: str) -> bytes:
    """Return the key in a secret; raises ValueError for what is no `whsec_` and base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret is whsec_ and 24 to 64 bytes in base64")
    return key


def objection(url: str, *, private: bool) -> str | None:
    """Return the sentence that says why a user cannot have this webhook, None if it can.

    What a name resolves to is looked at when it is used.
    """
    try:
        parsed = URL(url)
    except ValueError:
        return "the webhook is no URL"
    schemes = ("https", "http") if private else ("https",)
    if parsed.scheme not in schemes or not parsed.host:
        return f"the webhook must be a URL that begins with {' or '.join(f'{each}://' for each in schemes)}"
    if parsed.user or parsed.password or parsed.fragment:
        return "the webhook must not name a user, a password or a fragment"
    try:
        address = ipaddress.ip_address(parsed.host)
    except ValueError:
        return None
    return None if private or is_public(address) else "the webhook must be reachable from the internet"


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is of the internet at large, also as it is embedded in another one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def public_only(info: Any) -> socket.socket:
    """Return a socket for an address, as aiohttp asks for one; raises NotPublicError."""
    family, kind, protocol, _, where = info
    if not is_public(ipaddress.ip_address(where[0].partition("%")[0])):
        raise NotPublicError("the webhook leads to an address that is not public")
    return socket.socket(family, kind, protocol)


def _session(sockets: Any) -> aiohttp.ClientSession:
    # Each connection is made anew: a name may lead elsewhere the next time.
    connector = aiohttp.TCPConnector(socket_factory=sockets, force_close=True, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
