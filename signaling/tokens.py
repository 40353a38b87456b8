"""User access tokens: JWT (RFC 7519), HS256 under a key derived from the access key."""

import base64
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated

import jwt
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta, Struct

from signaling.parts import Right

AUDIENCE = "callnode"
SCOPES: frozenset[Right] = frozenset({"voip", "voip.join"})
MIN_MINUTES = 60
MAX_MINUTES = 1440

Minutes = Annotated[int, Meta(ge=MIN_MINUTES, le=MAX_MINUTES)]


class InvalidTokenError(Exception):
    """A token that is forged, expired, revoked or not for this hub; the message does not quote it."""


class Grant(Struct, frozen=True):
    """What a token says: whose it is, what it allows, its end (Unix time, s), the user's token version."""

    raw_id: str
    rights: frozenset[Right]
    expires_at: float
    version: int


class _Claims(Struct):
    sub: str
    exp: float
    ver: int
    scope: list[Right]
    transfer: bool = False
    voicemail: bool = False
    mixer: bool = False


class Tokens:
    """Issue and verify the tokens of one hub.

    `authority` is the certificate (DER) that vouches for the hub: whoever holds a token is told to trust it.
    """

    def __init__(self, access_key: bytes, issuer: str, authority: bytes | None = None) -> None:
        self._key = HKDF(SHA256(), 32, None, b"callnode user access token").derive(access_key)
        self._issuer = issuer
        self._authority = {"ca": base64.b64encode(authority).decode()} if authority else {}

    def issue(
        self,
        raw_id: str,
        version: int,
        scopes: frozenset[Right] = SCOPES,
        *,
        minutes: int = MAX_MINUTES,
        transfer: bool = True,
        voicemail: bool = False,
        mixer: bool = False,
    ) -> tuple[str, datetime]:
        """Return a token of `raw_id` that lives `minutes`, and when it ends (UTC)."""
        now = int(time.time())
        expires = now + minutes * 60
        claims = {
            "iss": self._issuer,
            "sub": raw_id,
            "aud": AUDIENCE,
            "iat": now,
            "exp": expires,
            "jti": uuid.uuid4().hex,
            "scope": sorted(scopes),
            "transfer": transfer,
            "voicemail": voicemail,
            "mixer": mixer,
            "ver": version,
            **self._authority,
        }
        return jwt.encode(claims, self._key, algorithm="HS256"), datetime.fromtimestamp(expires, UTC)

    def verify(self, token: str) -> Grant:
        """Return what a token grants; raises InvalidTokenError. Whether it was revoked, its version tells."""
        try:
            raw = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
            claims = msgspec.convert(raw, _Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise InvalidTokenError(f"the token is not valid here: {type(error).__name__}") from None
        rights = SCOPES & set(claims.scope)
        if claims.transfer:
            rights |= {"transfer"}
        if claims.voicemail:
            rights |= {"voicemail"}
        if claims.mixer:
            rights |= {"mixer"}
        return Grant(claims.sub, rights, claims.exp, claims.ver)
