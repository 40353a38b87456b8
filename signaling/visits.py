"""A mailbox heard by calling the voicemail service: which one its caller may hear, by REST."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from signaling.accounts import Accounts
from signaling.audit import Trail
from signaling.call import Call
from signaling.greetings import fits, hashed
from signaling.mailboxes import for_callers
from signaling.rest import Gate, RestError, decode, not_found, reply
from signaling.store import Account, Store

VISIT_PATH = "/v1/visits/{call}"
WRONG_PINS = 3
LOCKED = timedelta(minutes=15)

_audit = logging.getLogger("callnode.hub.audit")
_NO_PIN = hashed("none")  # compared with where there is none, which takes as long


class LogIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST: the digits that were pressed; the number is a phone number, or a name of digits."""

    number: Annotated[str, Meta(pattern="^[0-9]{1,32}$")]
    pin: Annotated[str, Meta(pattern="^[0-9]{1,32}$")]


class Visits:
    """Endpoints for the right `voicemail`, each below a call that is up between a caller and the service.

    The hub knows who calls: that user's own mailbox is open, and any other once its PIN was given, as long as
    the call lasts. The service cannot name an owner. Three wrong PINs lock a mailbox, and a caller, for 15
    minutes, over restarts too; whether it was the number, the PIN or the lock is not told.
    """

    def __init__(
        self, gate: Gate, accounts: Accounts, store: Store, calls: Mapping[str, Call], trail: Trail
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store
        self._calls = calls
        self._trail = trail
        self._opened: dict[str, str] = {}  # owners by the calls that gave their PIN

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.post(VISIT_PATH + "/login", self.log_in),
            web.get(VISIT_PATH + "/mailbox-settings", self.settings),
        ]

    def account(self, request: web.Request) -> Account:
        """Return whose mailbox the call of a request may hear; raises RestError 404 if none."""
        call = self._call(request)
        account = self._accounts.get(self._opened.get(call.id, call.caller.party.raw_id))
        if account is None:
            raise not_found()
        return account

    def caller(self, request: web.Request) -> str:
        """Return the raw id of who makes the call of a request; raises RestError 404 if there is none."""
        return self._call(request).caller.party.raw_id

    async def settings(self, request: web.Request) -> web.Response:
        """Return what the owner has set."""
        return reply(for_callers((await self._store.box(self.account(request).user.raw_id)).settings))

    async def log_in(self, request: web.Request) -> web.Response:
        """Open the mailbox of a number to whoever knows its PIN (204), or refuse (403)."""
        call = self._call(request)
        given = decode(await request.read(), LogIn)
        found = self._owner(given.number)
        kept = (await self._store.box(found)).pin if found else ""
        caller = call.caller.party.raw_id
        tried = (f"caller {caller}", f"mailbox {found or given.number}")
        now = datetime.now(UTC)
        allowed = True
        for key in tried:  # whoever is locked does not lock mailboxes
            allowed = allowed and await self._store.fail(key, now, WRONG_PINS, LOCKED)
        right = await asyncio.to_thread(fits, given.pin, kept or _NO_PIN)
        if found is None or not (allowed and right and kept):
            locked = "" if allowed else ", locked for a while"
            _audit.warning("refused: a PIN for %s, from %s%s", tried[1], caller, locked)
            pressed = f"of {found or given.number}{locked}"
            await self._trail.add(request, "wrong-pin", found or "", by=caller, detail=pressed)
            raise RestError(403, "Refused", "number or PIN is not right")
        for key in tried:
            await self._store.forgive(key)
        self._call(request)  # it may have ended meanwhile
        await self._trail.add(request, "opened", found, by=caller, detail=f"by call {call.id}")
        self._opened = {each: owner for each, owner in self._opened.items() if each in self._calls}
        self._opened[call.id] = found
        return web.Response(status=204)

    def _call(self, request: web.Request) -> Call:
        """Return the call of a request, which must be up and between a caller and the one who asks."""
        service = self._gate.user(request, "voicemail").user.raw_id
        call = self._calls.get(request.match_info["call"])
        if (
            call is None
            or call.kind == "voicemail"
            or call.state != "up"
            or len(call.legs) != 2
            or call.legs[1].party.raw_id != service
        ):
            raise not_found()
        return call

    def _owner(self, number: str) -> str | None:
        """Return whom digits stand for: a name of digits, or a phone number, with or without 00 before it."""
        for name in (number, f"+{number.removeprefix('00')}"):
            if (account := self._accounts.find(name)) is not None:
                return account.user.raw_id
        return None
