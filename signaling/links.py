"""URLs that give one sound to whoever has them, for a while: for players that cannot send a header."""

import time
from datetime import UTC, datetime

import jwt
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from signaling.tokens import InvalidTokenError

LINK_SECONDS = 3600
_AUDIENCE = "callnode sound"


class _Claims(Struct):
    sub: str
    ver: int
    message: str
    part: str


class Links:
    """Sign and verify what such a URL bears: whose sound it opens, which one, and until when."""

    def __init__(self, access_key: bytes) -> None:
        self._key = HKDF(SHA256(), 32, None, b"callnode sound link").derive(access_key)

    def sign(self, owner: str, version: int, message: str, part: str) -> tuple[str, datetime]:
        """Return a key to one part of one message, valid for an hour, and when it expires."""
        expires = int(time.time()) + LINK_SECONDS
        claims = {"sub": owner, "ver": version, "message": message, "part": part}
        key = jwt.encode(claims | {"aud": _AUDIENCE, "exp": expires}, self._key, algorithm="HS256")
        return key, datetime.fromtimestamp(expires, UTC)

    def owner(self, key: str, message: str, part: str) -> tuple[str, int]:
        """Return whose message a key opens, and under which token version; raises InvalidTokenError."""
        try:
            raw = jwt.decode(
                key,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["exp", "sub", "aud"]},
            )
            claims = msgspec.convert(raw, _Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise InvalidTokenError(f"the link is not valid: {type(error).__name__}") from None
        if (claims.message, claims.part) != (message, part):
            raise InvalidTokenError("the link is another sound's")
        return claims.sub, claims.ver
