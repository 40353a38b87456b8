"""What all REST endpoints share: who asks, bodies, errors; and a user's own settings and history."""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from signaling import auth
from signaling.accounts import Accounts
from signaling.auth import UnauthorizedError
from signaling.history import CallSummary, History, HistoryPage, LegSummary
from signaling.parts import Right
from signaling.settings import Settings
from signaling.store import Account, HistoryEntry, HistoryQuery
from signaling.tokens import InvalidTokenError

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY = 64 * 1024

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}

_log = logging.getLogger("callnode.hub.rest")


class RestError(Exception):
    """A request that is refused: HTTP status, code in a word, a sentence that says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def not_found() -> RestError:
    """Return the same refusal for what is not there and for what is another's."""
    return RestError(404, "NotFound", "there is nothing of yours here")


def bad_request(message: str) -> RestError:
    """Return a refusal that says what to change."""
    return RestError(400, "BadRequest", message)


def reply(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def decode(body: bytes, kind: type[T]) -> T:
    """Return the value in a JSON body; raises RestError 400 with the decoder's sentence."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the JSON body does not fit: {error}") from None


def query(request: web.Request, kind: type[T]) -> T:
    """Return the value in a query; raises RestError 400 with the decoder's sentence."""
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"this query does not fit: {error}") from None


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong into {"error": {"code", "message"}}."""
    try:
        return await handler(request)
    except RestError as error:
        return _error(error.status, error.code, str(error))
    except UnauthorizedError as error:
        return _error(401, "Unauthorized", str(error), {"WWW-Authenticate": "HMAC-SHA256, Bearer"})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return _error(error.status, error.reason.replace(" ", ""), error.text or error.reason, allow)
    except Exception:
        _log.exception("%s failed", request.method)
        return _error(500, "InternalError", "something failed inside; the hub's log says what")


def cross_origin(origins: Collection[str]) -> Middleware:
    """Return what lets pages of other origins ask, as they may connect (Fetch, CORS)."""

    @web.middleware
    async def allow(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None or origin not in origins:
            return await handler(request)
        preflight = request.method == "OPTIONS"
        response = web.Response(status=204, headers=_PREFLIGHT) if preflight else await handler(request)
        if not response.prepared:
            response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        return response

    return allow


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    response = reply({"error": {"code": code, "message": message}}, status)
    response.headers.update(headers or {})
    return response


class Gate:
    """Find out who asks."""

    def __init__(self, accounts: Accounts, access_key: bytes) -> None:
        self._accounts = accounts
        self._key = access_key

    async def admin(self, request: web.Request) -> bytes:
        """Return the body of a request that is signed with the access key; raises UnauthorizedError."""
        body = await request.read()
        auth.verify(request.method, request.raw_path, request.headers, body, self._key)
        return body

    def user(self, request: web.Request, right: Right | None = None) -> Account:
        """Return whose token a request bears; raises UnauthorizedError or RestError 403."""
        try:
            grant = self._accounts.authorise(auth.bearer(request.headers))
        except InvalidTokenError as error:
            raise UnauthorizedError(str(error)) from None
        if right is not None and right not in grant.rights:
            raise RestError(403, "Forbidden", f"the token does not grant {right}")
        account = self._accounts.get(grant.raw_id)
        if account is None:
            raise UnauthorizedError("the user was deleted")
        return account


class UserApi:
    """A user's own settings and history."""

    def __init__(self, gate: Gate, accounts: Accounts, history: History) -> None:
        self._gate = gate
        self._accounts = accounts
        self._history = history

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.get("/v1/settings", self.get_settings),
            web.put("/v1/settings", self.put_settings),
            web.get("/v1/history", self.get_history),
        ]

    async def get_settings(self, request: web.Request) -> web.Response:
        """Return the caller's settings."""
        return reply(self._gate.user(request).user.settings)

    async def put_settings(self, request: web.Request) -> web.Response:
        """Replace the caller's settings as a whole."""
        self._gate.user(request)
        settings = decode(await request.read(), Settings)
        account = self._gate.user(request)
        if (why := self._accounts.objection(account, settings)) is not None:
            raise bad_request(why)
        return reply((await self._accounts.set_settings(account, settings)).user.settings)

    async def get_history(self, request: web.Request) -> web.Response:
        """Return calls that the caller had a part in, newest first; the query is a HistoryQuery.

        `next`, if there may be more, is the `before` of the next page.
        """
        account = self._gate.user(request)
        wanted = self._wanted(request)
        entries = await self._history.of(account.user.raw_id, wanted)
        more = entries[-1].number if len(entries) == wanted.limit else None
        calls = [self._summary(entry, account.user.raw_id) for entry in entries]
        return reply(HistoryPage(calls, more))

    def _wanted(self, request: web.Request) -> HistoryQuery:
        wanted = query(request, HistoryQuery)
        party = None if wanted.party is None else self._accounts.find(wanted.party)
        # Who is not there any more is still found by raw id.
        return wanted if party is None else msgspec.structs.replace(wanted, party=party.user.raw_id)

    def _summary(self, entry: HistoryEntry, me: str) -> CallSummary:
        answered = entry.answered_at
        return CallSummary(
            entry.number,
            entry.call_id,
            "outgoing" if entry.caller == me else "incoming",
            self._accounts.party(entry.caller),
            self._accounts.party(entry.callee),
            None if entry.transferor is None else self._accounts.party(entry.transferor),
            entry.kind,
            None if entry.answered_by is None else self._accounts.party(entry.answered_by),
            [self._accounts.party(raw_id) for raw_id in entry.via],
            entry.placed_at,
            answered,
            entry.ended_at,
            None if answered is None else (entry.ended_at - answered).total_seconds(),
            entry.reason,
            [LegSummary(self._accounts.party(leg.user), leg.reason) for leg in entry.legs],
        )
