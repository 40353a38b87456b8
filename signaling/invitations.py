"""Invitations: a link to the page with a code that is good for one sign-in, soon.

The code stands in the fragment of the link, which browsers do not send, and lives in memory only: a hub that
restarts has forgotten it.
"""

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from signaling.accounts import AccountError, Accounts
from signaling.discreet import Discreet
from signaling.identity import MIXER, VOICEMAIL, CreateToken, NamedToken
from signaling.limits import Buckets
from signaling.rest import Gate, RestError, bad_request, decode, reply
from signaling.tokens import Tokens

CODE_MINUTES = 15
TRIES_AT_ONCE = 10.0
TRIES_PER_SECOND = 0.1
MAX_OPEN = 10_000
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that reads like something else
_LENGTH = 10


class Invite(CreateToken, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/invitations: whom to invite, what the token allows, how long the code is good."""

    code_minutes: Annotated[int, Meta(ge=1, le=1440)] = CODE_MINUTES


class Invitation(Discreet, frozen=True):
    """A code, the link that holds it, and when it ends."""

    code: str
    url: str
    expires_on: datetime


class SignIn(Discreet, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/sign-in."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]


class Invitations:
    """Endpoints: one for whoever has the access key, one for whoever has a code."""

    def __init__(self, gate: Gate, accounts: Accounts, tokens: Tokens, url: str) -> None:
        self._gate = gate
        self._accounts = accounts
        self._tokens = tokens
        self._url = url
        self._open: dict[str, tuple[Invite, float]] = {}
        self._tries = Buckets(TRIES_PER_SECOND, TRIES_AT_ONCE)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.post("/v1/invitations", self.invite), web.post("/v1/sign-in", self.sign_in)]

    async def invite(self, request: web.Request) -> web.Response:
        """Find or create the user with a short name, and return a code for it."""
        wanted = decode(await self._gate.admin(request), Invite)
        if wanted.name in (VOICEMAIL, MIXER) or wanted.voicemail or wanted.mixer:
            raise bad_request("a service needs a token, not an invitation: POST /v1/tokens")
        try:
            await self._accounts.named(wanted.name, wanted.display_name)
        except AccountError as error:
            raise bad_request(str(error)) from None
        now = time.time()
        self._open = {code: held for code, held in self._open.items() if held[1] > now}
        if len(self._open) >= MAX_OPEN:
            raise RestError(429, "TooManyRequests", "too many open invitations; wait until some have ended")
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        expires = now + 60 * wanted.code_minutes
        self._open[code] = (msgspec.structs.replace(wanted, display_name=None), expires)
        shown = f"{code[:5]}-{code[5:]}"
        ends = datetime.fromtimestamp(expires, UTC)
        return reply(Invitation(shown, f"{self._url}/#code={shown}", ends), 201)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Return a token for a code, once."""
        if not self._tries.take(request.remote or "", time.monotonic()):
            raise RestError(429, "TooManyRequests", "too many tries; wait a minute")
        code = decode(await request.read(), SignIn).code
        wanted, expires = self._open.pop(code.replace("-", "").strip().upper(), (None, 0.0))
        if wanted is None or expires <= time.time():
            raise RestError(403, "Forbidden", "this code is not good any more; ask for a new invitation")
        account = await self._accounts.named(wanted.name)
        token, expires_on = self._tokens.issue(
            account.user.raw_id,
            account.token_version,
            minutes=wanted.expires_in_minutes,
            transfer=wanted.transfer,
        )
        return reply(NamedToken(account.user.raw_id, account.user.name, token, expires_on))
