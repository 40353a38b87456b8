"""The audit trail on SQLAlchemy Core: rows that are added, read and outlived, never changed."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from signaling.database import Database
from signaling.mailbox_sql import tables
from signaling.mailbox_store import Audited

_audit = sa.Table(
    "audit",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String),
    sa.Column("at", sa.Double),
    sa.Column("action", sa.String),
    sa.Column("actor", sa.String),
    sa.Column("address", sa.String),
    sa.Column("message", sa.String),
    sa.Column("detail", sa.String),
)


class SqlAudit(Database):
    """The part of a store on SQL that is about the audit trail."""

    async def add_audit(self, entry: Audited) -> None:
        """Append an entry; its number is the store's."""
        row = {
            "owner": entry.owner,
            "at": entry.at.timestamp(),
            "action": entry.action,
            "actor": entry.by,
            "address": entry.address,
            "message": entry.message,
            "detail": entry.detail,
        }
        await self._transact(lambda db: db.execute(sa.insert(_audit).values(row)))

    async def audit(self, owner: str | None, limit: int, before: int | None) -> list[Audited]:
        """Return the latest entries of an owner, or of all, newest first, before a number."""
        wanted = sa.select(_audit).order_by(_audit.c.id.desc()).limit(limit)
        if owner is not None:
            wanted = wanted.where(_audit.c.owner == owner)
        if before is not None:
            wanted = wanted.where(_audit.c.id < before)

        def work(db: Connection) -> list[Audited]:
            return [
                Audited(
                    row.owner,
                    datetime.fromtimestamp(row.at, UTC),
                    row.action,
                    row.actor,
                    row.address,
                    row.message,
                    row.detail,
                    row.id,
                )
                for row in db.execute(wanted)
            ]

        return await self._transact(work)

    async def forget_audit(self, before: datetime) -> int:
        """Delete the entries before a moment; return how many there were."""
        old = sa.delete(_audit).where(_audit.c.at < before.timestamp())
        return await self._transact(lambda db: int(db.execute(old).rowcount))
