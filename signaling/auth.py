"""Who asks: HMAC-SHA256 request signing with the access key (ACS REST authentication), and bearer tokens."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote, urlsplit

SIGNED_HEADERS = "x-ms-date;host;x-ms-content-sha256"
MAX_SKEW = timedelta(minutes=5)
_SCHEME = f"HMAC-SHA256 SignedHeaders={SIGNED_HEADERS}&Signature="


class UnauthorizedError(Exception):
    """A request whose sender could not be verified; the message says what is wrong with it."""


def sign(method: str, url: str, body: bytes, key: bytes, now: datetime | None = None) -> dict[str, str]:
    """Return the headers that sign a request with the access key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    date = format_datetime(now or datetime.now(UTC), usegmt=True)
    digest = _digest(body)
    signature = _signature(method, target, date, parts.netloc, digest, key)
    return {"x-ms-date": date, "x-ms-content-sha256": digest, "Authorization": _SCHEME + signature}


def verify(
    method: str, target: str, headers: Mapping[str, str], body: bytes, key: bytes, now: datetime | None = None
) -> None:
    """Check the signature of a request; raises UnauthorizedError.

    `target` is path and query as they stood in the request line. The ACS SDKs sign it as sent, those with an
    asynchronous transport sign it unquoted.
    """
    given = headers.get("Authorization", "")
    if not given.startswith(_SCHEME):
        raise UnauthorizedError(f"sign the request: Authorization: {_SCHEME}…")
    date = headers.get("x-ms-date", "")
    _check_date(date, now or datetime.now(UTC))
    digest = _digest(body)
    if not _same(headers.get("x-ms-content-sha256", ""), digest):
        raise UnauthorizedError("x-ms-content-sha256 is not the hash of the body")
    host = headers.get("Host", "")
    signature = given.removeprefix(_SCHEME)
    # For an endpoint with a slash at its end the SDKs sign the host with that slash.
    signed = [(path, name) for path in (target, unquote(target)) for name in (host, f"{host}/")]
    expected = [_signature(method, path, date, name, digest, key) for path, name in signed]
    if not any([_same(signature, each) for each in expected]):
        raise UnauthorizedError("the signature does not fit; is it the access key of this hub?")


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an Authorization header (RFC 6750); raises UnauthorizedError."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or not token.isascii():
        raise UnauthorizedError("send a user access token: Authorization: Bearer …")
    return token.strip()


def _check_date(text: str, now: datetime) -> None:
    try:
        date = parsedate_to_datetime(text)
        fits = date.tzinfo is not None and abs(now - date) <= MAX_SKEW
    except (ValueError, OverflowError):
        raise UnauthorizedError("x-ms-date must be a date such as Mon, 02 Jan 2006 15:04:05 GMT") from None
    if not fits:
        raise UnauthorizedError("x-ms-date is more than five minutes off; set the clock")


def _digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def _signature(method: str, target: str, date: str, host: str, digest: str, key: bytes) -> str:
    text = f"{method.upper()}\n{target}\n{date};{host};{digest}"
    return base64.b64encode(hmac.digest(key, _bytes(text), "sha256")).decode()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(_bytes(given), expected.encode())


def _bytes(text: str) -> bytes:
    """Return what stood in a header, also where that is no UTF-8."""
    return text.encode(errors="surrogateescape")
