"""Messages that have had their time go, with their sound; new ones never do. So does the audit trail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from signaling.blobs import Blobs
from signaling.mailbox import discard
from signaling.mailbox_store import Audited
from signaling.store import Store

DELETED_DAYS = 30.0  # that a deleted message can be had back, unless its owner's retention is shorter
AUDIT_DAYS = 365.0
PERIOD_SECONDS = 3600.0

_log = logging.getLogger("callnode.hub.retention")


class Retention:
    """Look through all mailboxes at start and once an hour; `changed` is told whose mailbox changed."""

    def __init__(self, store: Store, blobs: Blobs, changed: Callable[[str], Awaitable[None]]) -> None:
        self._store = store
        self._blobs = blobs
        self._changed = changed
        self._task = asyncio.create_task(self._run(), name="retention")

    async def close(self) -> None:
        """Let it be."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                await sweep(self._store, self._blobs, self._changed, datetime.now(UTC))
            except Exception:
                _log.exception("old messages could not be deleted; trying again in an hour")
            await asyncio.sleep(PERIOD_SECONDS)


async def sweep(store: Store, blobs: Blobs, changed: Callable[[str], Awaitable[None]], now: datetime) -> None:
    """Delete for good what has had its time by `now`."""
    await store.forget_audit(now - timedelta(days=AUDIT_DAYS))
    old = await store.expired(now, DELETED_DAYS)
    for owner, message_id in old:
        await store.add_audit(Audited(owner, now, "expired", "", "", message_id))
        await discard(store, blobs, owner, message_id)
        _log.info("message %s of %s has had its time", message_id, owner)
    for owner in {owner for owner, _ in old}:
        await changed(owner)
