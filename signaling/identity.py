"""Users and tokens: the ACS Identity REST API, and what it lacks (short names, aliases)."""

import re
from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from signaling.accounts import AccountError, Accounts
from signaling.blobs import Blobs
from signaling.discreet import Discreet
from signaling.parts import Name, RawId, Right
from signaling.rest import Gate, RestError, bad_request, decode, reply
from signaling.store import Account
from signaling.tokens import MAX_MINUTES, SCOPES, Minutes, Tokens

_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview(\.\d+)?)?")
_OLDEST_VERSION = "2021-03-07"

VOICEMAIL = "voicemail"
MIXER = "mixer"

Scopes = Annotated[tuple[str, ...], Meta(max_length=16)]


class CreateIdentity(Struct, frozen=True, rename="camel"):
    """Body of POST /identities."""

    create_token_with_scopes: Scopes = ()
    expires_in_minutes: Minutes | None = None


class IssueToken(Struct, frozen=True, rename="camel"):
    """Body of POST /identities/{id}/:issueAccessToken."""

    scopes: Scopes
    expires_in_minutes: Minutes | None = None


class AccessToken(Discreet, frozen=True, rename="camel"):
    """A token and when it ends."""

    token: str
    expires_on: datetime


class CreateToken(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/tokens: a user by short name, made if there is none, and a token for it."""

    name: Annotated[str, Meta(pattern="^[a-z0-9._-]{1,64}$")]
    display_name: Name | None = None
    expires_in_minutes: Minutes = MAX_MINUTES
    transfer: bool = True
    voicemail: bool = False
    mixer: bool = False


class NamedToken(Discreet, frozen=True):
    """A user and its token."""

    identity: str
    name: str
    token: str
    expires_on: datetime


class Aliases(Struct, frozen=True, forbid_unknown_fields=True):
    """Phone numbers and orgids of a user."""

    aliases: Annotated[tuple[RawId, ...], Meta(max_length=20)]


class IdentityApi:
    """Endpoints for whoever has the access key."""

    def __init__(self, gate: Gate, accounts: Accounts, tokens: Tokens, blobs: Blobs) -> None:
        self._gate = gate
        self._accounts = accounts
        self._tokens = tokens
        self._blobs = blobs

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.post("/identities", self.create),
            web.post("/identities/{id}/:issueAccessToken", self.issue),
            web.post("/identities/{id}/:revokeAccessTokens", self.revoke),
            web.delete("/identities/{id}", self.delete),
            web.post("/v1/tokens", self.create_named),
            web.put("/v1/users/{id}/aliases", self.put_aliases),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Create a user, with a token if scopes are given."""
        body = await self._acs(request)
        wanted = decode(body or b"{}", CreateIdentity)
        scopes = _scopes(wanted.create_token_with_scopes) if wanted.create_token_with_scopes else None
        account = await self._accounts.create()
        answer: dict[str, object] = {"identity": {"id": account.user.raw_id}}
        if scopes:
            answer["accessToken"] = self._issue(account, scopes, wanted.expires_in_minutes)
        return reply(answer, 201)

    async def issue(self, request: web.Request) -> web.Response:
        """Issue a token for a user."""
        wanted = decode(await self._acs(request), IssueToken)
        account = self._account(request)
        return reply(self._issue(account, _scopes(wanted.scopes), wanted.expires_in_minutes))

    async def revoke(self, request: web.Request) -> web.Response:
        """Void all tokens of a user, also on open connections."""
        await self._acs(request)
        await self._accounts.revoke(self._account(request))
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a user, its tokens and its mailbox."""
        await self._acs(request)
        account = self._account(request)
        await self._accounts.delete(account)
        await self._blobs.delete_owner(account.user.raw_id)
        return web.Response(status=204)

    async def create_named(self, request: web.Request) -> web.Response:
        """Find or create the user with a short name, and issue a token."""
        wanted = decode(await self._gate.admin(request), CreateToken)
        if wanted.name == VOICEMAIL and not wanted.voicemail:
            raise bad_request(f"the name {VOICEMAIL} is the voicemail service's; choose another")
        if wanted.name == MIXER and not wanted.mixer:
            raise bad_request(f"the name {MIXER} is the mixer's; choose another")
        try:
            account = await self._accounts.named(wanted.name, wanted.display_name)
        except AccountError as error:
            raise bad_request(str(error)) from None
        token, expires_on = self._tokens.issue(
            account.user.raw_id,
            account.token_version,
            minutes=wanted.expires_in_minutes,
            transfer=wanted.transfer,
            voicemail=wanted.voicemail,
            mixer=wanted.mixer,
        )
        return reply(NamedToken(account.user.raw_id, account.user.name, token, expires_on))

    async def put_aliases(self, request: web.Request) -> web.Response:
        """Set the numbers and orgids that a user also answers to."""
        wanted = decode(await self._gate.admin(request), Aliases)
        try:
            account = await self._accounts.set_aliases(self._account(request), wanted.aliases)
        except AccountError as error:
            raise bad_request(str(error)) from None
        return reply(Aliases(account.user.aliases))

    async def _acs(self, request: web.Request) -> bytes:
        body = await self._gate.admin(request)
        version = request.query.get("api-version", "")
        if not _VERSION.fullmatch(version) or version < _OLDEST_VERSION:
            raise RestError(400, "ApiVersionParameterUnsupported", "api-version is a date from 2021-03-07 on")
        return body

    def _account(self, request: web.Request) -> Account:
        account = self._accounts.get(request.match_info["id"])
        if account is None:
            raise RestError(404, "IdentityNotFound", "there is no such identity")
        return account

    def _issue(self, account: Account, scopes: frozenset[Right], minutes: int | None) -> AccessToken:
        token, expires_on = self._tokens.issue(
            account.user.raw_id,
            account.token_version,
            scopes,
            minutes=MAX_MINUTES if minutes is None else minutes,
        )
        return AccessToken(token, expires_on)


def _scopes(names: tuple[str, ...]) -> frozenset[Right]:
    scopes = frozenset(scope for scope in SCOPES if scope in names)
    if not names or len(scopes) < len(set(names)):
        raise bad_request("scopes are voip and voip.join, at least one")
    return scopes
