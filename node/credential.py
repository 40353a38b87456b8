"""Tokens: a static one, or one that renews itself (ACS CommunicationTokenCredential)."""

import asyncio
import base64
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt

from node.errors import CallingError
from signaling.reasons import INVALID_TOKEN

EARLY_SECONDS = 600.0

Refresher = Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class AccessToken:
    """A token and when it expires, in seconds since the epoch; the token is not in the repr.

    `issuer` is the hub's URL, `authority` the certificate (DER) that vouches for it, if the hub made its own.
    """

    token: str = field(repr=False)
    expires_on: float
    issuer: str = ""
    authority: bytes | None = field(default=None, repr=False)


class TokenCredential(Protocol):
    """Anything with `get_token()`, plain or async, that returns something with `.token`."""

    def get_token(self) -> Any:
        """Return a token that is valid now."""
        ...


@dataclass(frozen=True)
class CommunicationTokenRefreshOptions:
    """How to get a token again; `refresh_proactively` does so 10 minutes before it expires."""

    token_refresher: Refresher
    token: str | None = field(default=None, repr=False)
    refresh_proactively: bool = False


class CommunicationTokenCredential:
    """Hold a token; with a refresher, get a new one when it is about to expire, once however many ask.

    Raises CallingError 495/4507 for text that is no token.
    """

    def __init__(
        self,
        token: str | CommunicationTokenRefreshOptions | None = None,
        *,
        token_refresher: Refresher | None = None,
        refresh_proactively: bool = False,
    ) -> None:
        if isinstance(token, CommunicationTokenRefreshOptions):
            token_refresher, refresh_proactively = token.token_refresher, token.refresh_proactively
            token = token.token
        if token is None and token_refresher is None:
            raise CallingError(
                INVALID_TOKEN.code, INVALID_TOKEN.sub_code, "Give a token or a token_refresher."
            )
        self.refresh_proactively = refresh_proactively
        self._current = read_token(token) if token is not None else None
        self._refresher = token_refresher
        self._lock = asyncio.Lock()

    async def get_token(self) -> AccessToken:
        """Return the current token, renewed first where it is about to expire."""
        async with self._lock:
            early = EARLY_SECONDS if self.refresh_proactively else 0.0
            if self._current is not None and self._current.expires_on - early > time.time():
                return self._current
            if self._refresher is not None:
                self._current = read_token(await self._refresher())
            assert self._current is not None
            return self._current

    def forget(self, token: str) -> None:
        """Do not give a token again that the hub refused, if another can be had."""
        if self._refresher is not None and self._current is not None and self._current.token == token:
            self._current = None

    def __repr__(self) -> str:
        return f"CommunicationTokenCredential(refresh_proactively={self.refresh_proactively})"


async def token_of(credential: TokenCredential) -> AccessToken:
    """Return the token of any object with `get_token()`."""
    given = credential.get_token()
    if inspect.isawaitable(given):
        given = await given
    return given if isinstance(given, AccessToken) else read_token(str(getattr(given, "token", given)))


def read_token(token: str) -> AccessToken:
    """Return a token with its expiry and issuer; only the hub can tell whether it is genuine."""
    try:
        claims = jwt.decode(token.strip(), options={"verify_signature": False})
        authority = base64.b64decode(claims["ca"]) if "ca" in claims else None
        return AccessToken(token.strip(), float(claims["exp"]), str(claims.get("iss", "")), authority)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        raise CallingError(
            INVALID_TOKEN.code,
            INVALID_TOKEN.sub_code,
            "This is not an access token; get one with `callnode token NAME`.",
        ) from None
