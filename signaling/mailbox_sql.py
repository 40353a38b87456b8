"""Mailboxes on SQLAlchemy Core.

A row of `messages` outlives its message: the id tells that it was filed. Besides the folders that its owner
sees, a row can be `reserved` (a recording has begun) or `gone`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.engine import Connection, Row

from signaling import notice_sql
from signaling.database import Database, changed
from signaling.mailbox_store import RESERVED_SECONDS, Box, Counts, MailboxMessage
from signaling.mailboxes import Envelope, Folder, MailboxSettings, Query
from signaling.notices import Notice

RESERVED, GONE = "reserved", "gone"

tables = sa.MetaData()
_owners = sa.Table("accounts", sa.MetaData(), sa.Column("raw_id", sa.String, primary_key=True))
_messages = sa.Table(
    "messages",
    tables,
    sa.Column("owner", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("folder", sa.String),
    sa.Column("received_at", sa.Double),
    sa.Column("envelope", sa.Text),
    sa.Column("moved_at", sa.Double),
    sa.Column("was", sa.String),
)
_boxes = sa.Table(
    "mailboxes",
    tables,
    sa.Column("owner", sa.String, primary_key=True),
    sa.Column("settings", sa.Text),
    sa.Column("pin", sa.String),
)
_columns = _messages.c
_mine = _columns.folder.in_(("new", "saved", "deleted"))


class SqlMailboxes(Database):
    """The part of a store on SQL that is about mailboxes."""

    async def reserve(self, owner: str, message_id: str, now: datetime, quota: int) -> bool:
        """Keep a place for a message that is being recorded; return False if the mailbox is full."""

        def work(db: Connection) -> bool:
            # Of two who want the last place, the second waits until the first has it.
            db.execute(sa.select(_owners).where(_owners.c.raw_id == owner).with_for_update())
            if db.execute(_one(owner, message_id)).first() is not None:
                return True
            if _taken(db, owner, now) >= quota:
                return False
            row = {"folder": RESERVED, "received_at": now.timestamp(), "envelope": "", "was": ""}
            db.execute(
                sa.insert(_messages).values(owner=owner, id=message_id, moved_at=now.timestamp(), **row)
            )
            return True

        return await self._transact(work)

    async def release(self, owner: str, message_id: str) -> None:
        """Give up the place of a message that was not filed."""
        this = sa.and_(_columns.owner == owner, _columns.id == message_id, _columns.folder == RESERVED)
        await self._transact(lambda db: db.execute(sa.delete(_messages).where(this)))

    async def is_full(self, owner: str, now: datetime, quota: int) -> bool:
        """Tell whether there is no place for another message."""
        return await self._transact(lambda db: _taken(db, owner, now) >= quota)

    async def add_message(self, owner: str, message: MailboxMessage, notices: Sequence[Notice] = ()) -> bool:
        """File a message, with what is to be told of it; return False if that id was ever filed."""
        received_at = message.envelope.received_at.timestamp()
        row = {
            "folder": message.folder,
            "received_at": received_at,
            "envelope": _json(message.envelope),
            "moved_at": received_at,
            "was": "",
        }

        def work(db: Connection) -> bool:
            found = db.execute(_one(owner, message.id)).first()
            if found is None:
                db.execute(sa.insert(_messages).values(owner=owner, id=message.id, **row))
            elif not changed(db, _update(owner, message.id, _columns.folder == RESERVED).values(row)):
                return False
            notice_sql.insert(db, notices)
            return True

        return await self._transact(work)

    async def set_transcript(
        self, owner: str, message_id: str, understood: bool, notices: Sequence[Notice], now: datetime
    ) -> bool:
        """Write whether there is a transcript, with what is to be told of it."""

        def work(db: Connection) -> bool:
            row = db.execute(_one(owner, message_id).where(_mine).with_for_update()).first()
            if row is None:
                return False
            envelope = replace(_message(row).envelope, transcribed=understood)
            db.execute(_update(owner, message_id, _mine).values(envelope=_json(envelope)))
            notice_sql.insert(db, notices)
            notice_sql.hasten(db, owner, message_id, now)
            return True

        return await self._transact(work)

    async def was_filed(self, owner: str, message_id: str) -> bool:
        """Tell whether a message was ever filed, even if it was deleted since."""
        filed = _one(owner, message_id).where(_columns.folder != RESERVED)
        return await self._transact(lambda db: db.execute(filed).first() is not None)

    async def messages(self, owner: str, query: Query) -> list[MailboxMessage]:
        """Return messages of the owner, newest first."""
        wanted = ("new", "saved") if query.folder is None else (query.folder,)
        found = sa.select(_messages).where(_columns.owner == owner, _columns.folder.in_(wanted))
        if query.before is not None:
            last = (
                sa.select(_columns.received_at)
                .where(_columns.owner == owner, _columns.id == query.before)
                .scalar_subquery()
            )
            same = sa.and_(_columns.received_at == last, _columns.id > query.before)
            found = found.where(sa.or_(_columns.received_at < last, same))
        found = found.order_by(_columns.received_at.desc(), _columns.id).limit(query.limit)
        return await self._transact(lambda db: [_message(row) for row in db.execute(found)])

    async def message(self, owner: str, message_id: str) -> MailboxMessage | None:
        """Return one message of the owner, None if there is none."""

        def work(db: Connection) -> MailboxMessage | None:
            row = db.execute(_one(owner, message_id).where(_mine)).first()
            return None if row is None else _message(row)

        return await self._transact(work)

    async def move_message(
        self, owner: str, message_id: str, folder: Folder | None, now: datetime
    ) -> Folder | None:
        """Put a message into a folder, or with None back into the one it was in before it was deleted."""
        allowed = _mine if folder is None else _columns.folder.in_(("new", "saved"))
        row: dict[str, Any] = {"moved_at": now.timestamp()}
        if folder is None:
            row["folder"] = sa.case((_columns.folder == "deleted", _columns.was), else_=_columns.folder)
        else:
            row |= {"folder": folder, "was": _columns.folder}

        def work(db: Connection) -> Folder | None:
            if not changed(db, _update(owner, message_id, allowed).values(row)):
                return None
            moved: Folder = db.execute(_one(owner, message_id)).one().folder
            return moved

        return await self._transact(work)

    async def purge_message(self, owner: str, message_id: str) -> bool:
        """Forget a message; return False if there is none. Only its id is kept."""
        gone = _update(owner, message_id, _mine).values(folder=GONE, envelope="")
        return await self._transact(lambda db: changed(db, gone))

    async def expired(self, now: datetime, deleted_days: float) -> list[tuple[str, str]]:
        """Return owners and ids of messages past the owner's retention, or deleted for so many days."""

        def before(days: float) -> sa.ColumnElement[bool]:
            return _columns.moved_at <= (now - timedelta(days=days)).timestamp()

        def work(db: Connection) -> list[tuple[str, str]]:
            old = [sa.and_(_columns.folder == "deleted", before(deleted_days))]
            for row in db.execute(sa.select(_boxes)):
                if (days := _settings(row).retention_days) is not None:
                    heard = _columns.folder.in_(("saved", "deleted"))
                    old.append(sa.and_(_columns.owner == row.owner, heard, before(days)))
            return [(row.owner, row.id) for row in db.execute(sa.select(_messages).where(sa.or_(*old)))]

        return await self._transact(work)

    async def counts(self, owner: str) -> Counts:
        """Return how many messages wait."""
        return await self._transact(lambda db: _counts(db, owner))

    async def box(self, owner: str) -> Box:
        """Return what the owner has set."""

        def work(db: Connection) -> Box:
            row = db.execute(sa.select(_boxes).where(_boxes.c.owner == owner)).first()
            return Box() if row is None else Box(_settings(row), row.pin)

        return await self._transact(work)

    async def save_box(self, owner: str, box: Box) -> None:
        """Write what the owner has set."""
        row = {"settings": _json(box.settings), "pin": box.pin}

        def work(db: Connection) -> None:
            if not changed(db, sa.update(_boxes).where(_boxes.c.owner == owner).values(row)):
                db.execute(sa.insert(_boxes).values(owner=owner, **row))

        await self._transact(work)


def delete_owner(db: Connection, owner: str) -> None:
    """Delete a mailbox with all that is in it."""
    db.execute(sa.delete(_messages).where(_columns.owner == owner))
    db.execute(sa.delete(_boxes).where(_boxes.c.owner == owner))
    notice_sql.delete_owner(db, owner)


def _taken(db: Connection, owner: str, now: datetime) -> int:
    counts = _counts(db, owner)
    since = now.timestamp() - RESERVED_SECONDS
    kept = sa.select(sa.func.count()).where(
        _columns.owner == owner, _columns.folder == RESERVED, _columns.received_at > since
    )
    return counts.new + counts.saved + int(db.execute(kept).scalar_one())


def _counts(db: Connection, owner: str) -> Counts:
    query = (
        sa.select(_columns.folder, sa.func.count()).where(_columns.owner == owner).group_by(_columns.folder)
    )
    found = {str(folder): int(count) for folder, count in db.execute(query)}
    return Counts(found.get("new", 0), found.get("saved", 0))


def _one(owner: str, message_id: str) -> sa.Select[Any]:
    return sa.select(_messages).where(_columns.owner == owner, _columns.id == message_id)


def _update(owner: str, message_id: str, where: sa.ColumnElement[bool]) -> sa.Update:
    return sa.update(_messages).where(_columns.owner == owner, _columns.id == message_id, where)


def _message(row: Row[Any]) -> MailboxMessage:
    return MailboxMessage(row.id, row.folder, msgspec.json.decode(row.envelope, type=Envelope))


def _settings(row: Row[Any]) -> MailboxSettings:
    return msgspec.json.decode(row.settings, type=MailboxSettings)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
