"""The call history, written in batches so that a call never waits for the store."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from signaling.call import CallRecord
from signaling.mailboxes import Utc
from signaling.parts import OutcomeKind, Party
from signaling.reasons import Reason
from signaling.store import HistoryEntry, HistoryQuery, Store

BATCH_SECONDS = 0.1

_log = logging.getLogger("callnode.history")


class LegSummary(Struct, frozen=True):
    """Why a call ended for one of its parties; no reason if it only passed by and never rang there."""

    party: Party
    reason: Reason | None


class CallSummary(Struct, frozen=True):
    """A call as the history shows it to one of its parties.

    `number` pages (`before`); `duration` in seconds since the answer; `reason` is the whole call's.
    """

    number: int
    call_id: str
    direction: Literal["incoming", "outgoing"]
    caller: Party
    callee: Party
    transferor: Party | None
    kind: OutcomeKind | None
    answered_by: Party | None
    via: list[Party]
    placed_at: Utc
    answered_at: Utc | None
    ended_at: Utc
    duration: float | None
    reason: Reason
    legs: list[LegSummary]


class HistoryPage(Struct, frozen=True):
    """Calls, newest first; `next`, if there may be more, is the `before` of the next page."""

    calls: list[CallSummary]
    next: int | None = None


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
        await self.flush()
        return await self._store.history(raw_id, query)

    async def flush(self) -> None:
        """File what waits, so that the store has it."""
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

    async def close(self) -> None:
        """File what waits, and let go of the timer."""
        await self.flush()
        if self._writes:
            await asyncio.wait(self._writes)

    def _start(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self.flush())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)


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
