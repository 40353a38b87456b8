"""The call history, written in batches so that a call never waits for the store."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from signaling.call import CallRecord
from signaling.store import HistoryEntry, HistoryQuery, Store

BATCH_SECONDS = 0.1

_log = logging.getLogger("callnode.history")


class History:
    """Collect call records and file them together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[HistoryEntry] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Task[None]] = set()

    def add(self, record: CallRecord) -> None:
        """Take a record; its times are those of the running loop's clock."""
        loop = asyncio.get_running_loop()
        self._waiting.append(_entry(record, time.time() - loop.time()))
        if self._timer is None:
            self._timer = loop.call_later(BATCH_SECONDS, self._start)

    async def of(self, raw_id: str, query: HistoryQuery) -> list[HistoryEntry]:
        """Return calls that a user had a part in, newest first."""
        await self._flush()
        return await self._store.history(raw_id, query)

    async def close(self) -> None:
        """File what waits, and let go of the timer."""
        await self._flush()
        if self._writes:
            await asyncio.wait(self._writes)

    def _start(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self._flush())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            await self._store.add_history(batch)
        except Exception:
            _log.exception("%s calls are missing in the history", len(batch))


def _entry(record: CallRecord, offset: float) -> HistoryEntry:
    answered = record.answered_at
    return HistoryEntry(
        record.call_id,
        record.caller,
        record.callee,
        record.transferor,
        record.kind,
        _utc(record.placed_at + offset),
        None if answered is None else _utc(answered + offset),
        _utc(record.ended_at + offset),
        record.reason,
        record.answered_by,
        record.via,
        record.legs,
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
