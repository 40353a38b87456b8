"""What is still to be told, and the failures that lock a PIN, on SQLAlchemy Core."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.engine import Connection, Row

from signaling.database import Database
from signaling.notices import Notice

tables = sa.MetaData()
_notices = sa.Table(
    "notices",
    tables,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("owner", sa.String),
    sa.Column("message_id", sa.String),
    sa.Column("channel", sa.String),
    sa.Column("event", sa.String),
    sa.Column("created_at", sa.Double),
    sa.Column("due_at", sa.Double),
    sa.Column("tries", sa.Integer),
)
_failures = sa.Table(
    "failures",
    tables,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("count", sa.Integer),
    sa.Column("at", sa.Double),
)
_columns = _notices.c


class SqlNotices(Database):
    """The part of a store on SQL that is about notices and failures."""

    async def take_notices(self, now: datetime, limit: int, until: datetime) -> list[Notice]:
        """Return notices that are due, the oldest first, for a try each; they are due again at `until`."""

        def work(db: Connection) -> list[Notice]:
            due = (
                sa.select(_notices)
                .where(_columns.due_at <= now.timestamp())
                .order_by(_columns.due_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            found = [_notice(row) for row in db.execute(due)]
            if not found:
                return []
            these = _columns.id.in_([notice.id for notice in found])
            taken = {"due_at": until.timestamp(), "tries": _columns.tries + 1}
            db.execute(sa.update(_notices).where(these).values(taken))
            return [replace(notice, tries=notice.tries + 1) for notice in found]

        return await self._transact(work)

    async def next_notice(self) -> datetime | None:
        """Return when the next notice is due, None if there is none."""
        first = sa.select(sa.func.min(_columns.due_at))

        def work(db: Connection) -> datetime | None:
            due = db.execute(first).scalar()
            return None if due is None else datetime.fromtimestamp(due, UTC)

        return await self._transact(work)

    async def put_off(self, notice_id: str, due: datetime) -> None:
        """Write when a notice is to be tried again."""
        later = sa.update(_notices).where(_columns.id == notice_id).values(due_at=due.timestamp())
        await self._transact(lambda db: db.execute(later))

    async def forget_notice(self, notice_id: str) -> None:
        """Forget a notice that was told, or is given up."""
        await self._transact(lambda db: db.execute(sa.delete(_notices).where(_columns.id == notice_id)))

    async def fail(self, key: str, now: datetime, limit: int, period: timedelta) -> bool:
        """Count a try as a failure until it is forgiven; return False if the key has had `limit` of them.

        After that, and after every one, it takes the period to forget them.
        """
        old = (now - period).timestamp()

        def work(db: Connection) -> bool:
            db.execute(sa.delete(_failures).where(_failures.c.at <= old))
            count = db.execute(
                sa.select(_failures.c.count).where(_failures.c.key == key).with_for_update()
            ).scalar()
            if count is None:
                db.execute(sa.insert(_failures).values(key=key, count=1, at=now.timestamp()))
            elif count >= limit:
                return False
            else:
                row = {"count": count + 1, "at": now.timestamp()}
                db.execute(sa.update(_failures).where(_failures.c.key == key).values(row))
            return True

        return await self._transact(work)

    async def forgive(self, key: str) -> None:
        """Take note that a try that was counted was no failure."""
        less = sa.update(_failures).where(_failures.c.key == key).values(count=_failures.c.count - 1)
        await self._transact(lambda db: db.execute(less))


def insert(db: Connection, notices: Sequence[Notice]) -> None:
    """Keep notices, in the transaction of what they tell of."""
    if notices:
        db.execute(sa.insert(_notices), [_row(notice) for notice in notices])


def hasten(db: Connection, owner: str, message_id: str, now: datetime) -> None:
    """Let what waits for the transcript of a message wait no more; what was tried has its own times."""
    untried = sa.and_(_columns.owner == owner, _columns.message_id == message_id, _columns.tries == 0)
    db.execute(sa.update(_notices).where(untried).values(due_at=now.timestamp()))


def delete_owner(db: Connection, owner: str) -> None:
    """Forget what was to be told of a mailbox."""
    db.execute(sa.delete(_notices).where(_columns.owner == owner))


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "owner": notice.owner,
        "message_id": notice.message_id,
        "channel": notice.channel,
        "event": notice.event,
        "created_at": notice.created_at.timestamp(),
        "due_at": notice.due_at.timestamp(),
        "tries": notice.tries,
    }


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        row.id,
        row.owner,
        row.message_id,
        row.channel,
        row.event,
        datetime.fromtimestamp(row.created_at, UTC),
        datetime.fromtimestamp(row.due_at, UTC),
        row.tries,
    )
