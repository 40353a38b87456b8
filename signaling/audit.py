"""The audit trail: who heard, changed or was refused what of a mailbox, when, and from where."""

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from signaling.accounts import Accounts
from signaling.limits import Buckets
from signaling.mailbox_store import Audited
from signaling.mailboxes import AuditAction, AuditEntry, AuditListing, AuditQuery
from signaling.rest import Gate, bad_request, query, reply
from signaling.store import Store

REPEAT_SECONDS = 300.0  # in which the parts that a player asks for are one hearing
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1.0, 100.0  # of one address, so that guessing cannot fill the disk

_MOST_RECENT = 4096


class Trail:
    """Write down what is done with mailboxes, before it is answered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: dict[tuple[str | None, ...], float] = {}
        self._refusals = Buckets(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE)

    async def add(
        self,
        request: web.Request,
        action: AuditAction,
        owner: str,
        *,
        by: str = "",
        message: str | None = None,
        detail: str = "",
    ) -> None:
        """Write an entry; `by` is a raw id, "" for whoever has a link, or is not known."""
        address = request.remote or ""
        what = (owner, by, message, detail, address)
        if action == "heard" and self._repeated(what):
            return
        if action == "refused" and not self._refusals.take(address, asyncio.get_running_loop().time()):
            return
        now = datetime.now(UTC)
        try:
            await self._store.add_audit(Audited(owner, now, action, by, address[:64], message, detail[:256]))
        except BaseException:
            self._recent.pop(what, None)
            raise

    def _repeated(self, what: tuple[str | None, ...]) -> bool:
        now = asyncio.get_running_loop().time()
        if len(self._recent) > _MOST_RECENT:
            self._recent = {key: at for key, at in self._recent.items() if at > now - REPEAT_SECONDS}
        if self._recent.get(what, now - REPEAT_SECONDS) > now - REPEAT_SECONDS:
            return True
        self._recent[what] = now
        return False


class AuditApi:
    """Endpoints by which owners read what was done with their mailbox, and whoever has the access key all."""

    def __init__(self, gate: Gate, accounts: Accounts, store: Store) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.get("/v1/mailbox-audit", self.mine), web.get("/v1/audit", self.all)]

    async def mine(self, request: web.Request) -> web.Response:
        """Return what was done with the caller's mailbox, newest first; the query is an AuditQuery."""
        owner = self._gate.user(request).user.raw_id
        wanted = query(request, AuditQuery)
        if wanted.of is not None:
            raise bad_request("`of` is for whoever has the access key")
        return await self._listing(owner, wanted)

    async def all(self, request: web.Request) -> web.Response:
        """Return what was done with all mailboxes, or `of` one user: raw id, number or short name."""
        await self._gate.admin(request)
        wanted = query(request, AuditQuery)
        if wanted.of is None:
            return await self._listing(None, wanted)
        account = self._accounts.find(wanted.of)
        # What was done with the mailbox of somebody who was deleted is found by raw id.
        return await self._listing(account.user.raw_id if account is not None else wanted.of, wanted)

    async def _listing(self, owner: str | None, wanted: AuditQuery) -> web.Response:
        found = await self._store.audit(owner, wanted.limit, wanted.before)
        more = found[-1].number if len(found) == wanted.limit else None
        return reply(AuditListing(tuple(map(self._entry, found)), more))

    def _entry(self, found: Audited) -> AuditEntry:
        by = self._accounts.party(found.by) if found.by else None
        return AuditEntry(
            found.number,
            found.at,
            found.action,
            self._accounts.party(found.owner),
            by,
            found.address,
            found.message,
            found.detail,
        )
