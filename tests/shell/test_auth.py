"""Signed requests: only whole, fresh ones, signed with the key (ACS REST authentication)."""

from datetime import UTC, datetime, timedelta

import pytest

from signaling.auth import UnauthorizedError, bearer, sign, verify

pytestmark = pytest.mark.shell

KEY = b"k" * 32
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "http://hub:80/identities/8%3Aacs%3Ax?api-version=2023-10-01"
FAR = "Mon, 01 Jan 2024 00:00:00 +99999999999999"
EARLY = "Mon, 01 Jan 0001 00:00:00 +2359"
TARGET = "/identities/8%3Aacs%3Ax?api-version=2023-10-01"


def signed(**changes: str) -> dict[str, str]:
    return sign("POST", URL, b"{}", KEY, NOW) | {"Host": "hub:80"} | changes


def test_signed_request_is_verified() -> None:
    verify("POST", TARGET, signed(), b"{}", KEY, NOW)
    for skew in (timedelta(minutes=4), timedelta(minutes=-4)):
        verify("POST", TARGET, signed(), b"{}", KEY, NOW + skew)


def test_unquoted_target_is_verified_as_asynchronous_sdks_sign_it() -> None:
    headers = sign("POST", URL.replace("%3A", ":"), b"{}", KEY, NOW) | {"Host": "hub:80"}
    verify("POST", TARGET, headers, b"{}", KEY, NOW)


@pytest.mark.parametrize(
    ("said", "method", "target", "headers", "body", "key", "at"),
    [
        ("signature does not fit", "GET", TARGET, signed(), b"{}", KEY, NOW),
        ("signature does not fit", "POST", "/identities", signed(), b"{}", KEY, NOW),
        ("signature does not fit", "POST", TARGET, signed(Host="other"), b"{}", KEY, NOW),
        ("signature does not fit", "POST", TARGET, signed(), b"{}", b"j" * 32, NOW),
        ("hash of the body", "POST", TARGET, signed(), b"{ }", KEY, NOW),
        ("hash of the body", "POST", TARGET, signed(**{"x-ms-content-sha256": "é"}), b"{}", KEY, NOW),
        ("five minutes", "POST", TARGET, signed(), b"{}", KEY, NOW + timedelta(minutes=6)),
        ("five minutes", "POST", TARGET, signed(), b"{}", KEY, NOW - timedelta(minutes=6)),
        ("must be a date", "POST", TARGET, signed(**{"x-ms-date": "now"}), b"{}", KEY, NOW),
        ("must be a date", "POST", TARGET, signed(**{"x-ms-date": ""}), b"{}", KEY, NOW),
        ("must be a date", "POST", TARGET, signed(**{"x-ms-date": FAR}), b"{}", KEY, NOW),
        ("five minutes", "POST", TARGET, signed(**{"x-ms-date": EARLY}), b"{}", KEY, NOW),
        ("hash of the body", "POST", TARGET, signed(**{"x-ms-content-sha256": "\udcff"}), b"{}", KEY, NOW),
        ("signature does not fit", "POST", TARGET, signed(Host="\udcff"), b"{}", KEY, NOW),
        ("sign the request", "POST", TARGET, signed(Authorization=""), b"{}", KEY, NOW),
        ("sign the request", "POST", TARGET, signed(Authorization="Bearer x"), b"{}", KEY, NOW),
    ],
)
def test_anything_else_is_not(
    said: str, method: str, target: str, headers: dict[str, str], body: bytes, key: bytes, at: datetime
) -> None:
    with pytest.raises(UnauthorizedError, match=said):
        verify(method, target, headers, body, key, at)


def test_bearer() -> None:
    assert bearer({"Authorization": "bearer  abc "}) == "abc"
    for given in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic x"},
        {"Authorization": "Bearer \udcff"},
    ):
        with pytest.raises(UnauthorizedError):
            bearer(given)
