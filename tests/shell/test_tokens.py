"""Tokens are believed only when everything about them is right."""

import time
import warnings
from typing import Any

import jwt
import pytest

from signaling.tokens import InvalidTokenError, Tokens

pytestmark = pytest.mark.shell

URL = "http://hub.example"
TOKENS = Tokens(b"k" * 32, URL)


def forged(claims: dict[str, Any], key: bytes = b"", algorithm: str = "HS256") -> str:
    now = int(time.time())
    good = {"iss": URL, "sub": "u", "aud": "callnode", "exp": now + 60, "ver": 0, "scope": ["voip"]}
    kept = {name: value for name, value in (good | claims).items() if value is not None}
    with warnings.catch_warnings(action="ignore"):  # the key is short for HS512, on purpose
        return jwt.encode(kept, key or TOKENS._key, algorithm=algorithm)


def test_what_was_issued_is_granted() -> None:
    token, ends = TOKENS.issue("8:acs:x", 3, frozenset({"voip"}), minutes=60)
    grant = TOKENS.verify(token)
    assert (grant.raw_id, grant.version) == ("8:acs:x", 3)
    assert grant.rights == {"voip", "transfer"}
    assert grant.expires_at == ends.timestamp()
    assert 3500 < grant.expires_at - time.time() <= 3600


def test_claims_are_those_that_clients_read() -> None:
    token, ends = TOKENS.issue("8:acs:x", 0)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert claims["iss"] == URL
    assert claims["scope"] == ["voip", "voip.join"]
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert claims["exp"] == ends.timestamp()


def test_rights_of_the_service_and_without_transfer() -> None:
    token, _ = TOKENS.issue("s", 0, transfer=False, voicemail=True)
    assert TOKENS.verify(token).rights == {"voip", "voip.join", "voicemail"}


def test_good_forgery_is_the_baseline() -> None:
    assert TOKENS.verify(forged({})).raw_id == "u"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        forged({}, key=b"another key of thirty-two bytes!"),
        forged({}, key=b"k" * 32),
        forged({}, algorithm="HS512"),
        jwt.encode({"sub": "u"}, "", algorithm="none"),
        forged({"exp": int(time.time()) - 1}),
        forged({"exp": None}),
        forged({"sub": None}),
        forged({"aud": None}),
        forged({"iss": None}),
        forged({"ver": None}),
        forged({"aud": "other"}),
        forged({"iss": "http://other"}),
        forged({"ver": "0"}),
        forged({"scope": "voip"}),
        forged({"scope": ["root"]}),
    ],
)
def test_anything_else_is_not(token: str) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        TOKENS.verify(token)
    assert not token or token not in str(caught.value)


def test_tampered_token_is_not() -> None:
    token, _ = TOKENS.issue("8:acs:x", 0)
    head, body, signature = token.split(".")
    other = TOKENS.issue("8:acs:y", 0)[0].split(".")[1]
    for bad in (f"{head}.{other}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA"):
        with pytest.raises(InvalidTokenError):
            TOKENS.verify(bad)
