"""The store on SQLAlchemy Core: SQLite by default, the URL decides."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from signaling import mailbox_sql
from signaling.audit_sql import SqlAudit
from signaling.call import LegEnd
from signaling.database import changed
from signaling.mailbox_sql import SqlMailboxes
from signaling.notice_sql import SqlNotices
from signaling.reasons import Reason
from signaling.settings import Settings, User
from signaling.store import Account, HistoryEntry, HistoryQuery
from signaling.survey_sql import SqlSurveys, delete_surveys

_tables = sa.MetaData()
_resource = sa.Table("resource", _tables, sa.Column("id", sa.String, primary_key=True))
_accounts = sa.Table(
    "accounts",
    _tables,
    sa.Column("raw_id", sa.String, primary_key=True),
    sa.Column("name", sa.String),
    sa.Column("display_name", sa.String),
    sa.Column("settings", sa.Text),
    sa.Column("token_version", sa.Integer),
)
_aliases = sa.Table(
    "aliases", _tables, sa.Column("alias", sa.String, primary_key=True), sa.Column("owner", sa.String)
)
_history = sa.Table(
    "history",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("call_id", sa.String),
    sa.Column("caller", sa.String),
    sa.Column("callee", sa.String),
    sa.Column("transferor", sa.String),
    sa.Column("kind", sa.String),
    sa.Column("placed_at", sa.Double),
    sa.Column("answered_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("reason", sa.Text),
    sa.Column("answered_by", sa.String),
    sa.Column("via", sa.Text),
)
_legs = sa.Table(
    "history_legs",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("history", sa.Integer),
    sa.Column("raw_id", sa.String),
    sa.Column("reason", sa.Text),
)


class SqlStore(SqlMailboxes, SqlAudit, SqlNotices, SqlSurveys):
    """Keep everything in a database that SQLAlchemy knows."""

    async def resource(self) -> str:
        """Return the GUID of this resource, made once."""

        def work(db: Connection) -> str:
            found = db.execute(sa.select(_resource.c.id)).scalar()
            if found is None:
                found = str(uuid.uuid4())
                db.execute(sa.insert(_resource).values(id=found))
            return str(found)

        return await self._transact(work)

    async def accounts(self) -> list[Account]:
        """Return all accounts."""

        def work(db: Connection) -> list[Account]:
            aliases: dict[str, list[str]] = {}
            for alias, owner in db.execute(sa.select(_aliases).order_by(_aliases.c.alias)):
                aliases.setdefault(owner, []).append(alias)
            return [
                Account(
                    User(
                        row.raw_id,
                        row.name or "",
                        row.display_name,
                        tuple(aliases.get(row.raw_id, ())),
                        msgspec.json.decode(row.settings, type=Settings),
                    ),
                    row.token_version,
                )
                for row in db.execute(sa.select(_accounts))
            ]

        return await self._transact(work)

    async def save_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        user = account.user
        row = {
            "name": user.name or None,
            "display_name": user.display_name,
            "settings": _json(user.settings),
            "token_version": account.token_version,
        }

        def work(db: Connection) -> None:
            if not changed(db, sa.update(_accounts).where(_accounts.c.raw_id == user.raw_id).values(row)):
                db.execute(sa.insert(_accounts).values(raw_id=user.raw_id, **row))
            db.execute(sa.delete(_aliases).where(_aliases.c.owner == user.raw_id))
            if user.aliases:
                db.execute(sa.insert(_aliases), [{"alias": a, "owner": user.raw_id} for a in user.aliases])

        await self._transact(work)

    async def delete_account(self, raw_id: str) -> None:
        """Delete an account with its mailbox and surveys."""

        def work(db: Connection) -> None:
            db.execute(sa.delete(_accounts).where(_accounts.c.raw_id == raw_id))
            db.execute(sa.delete(_aliases).where(_aliases.c.owner == raw_id))
            mailbox_sql.delete_owner(db, raw_id)
            delete_surveys(db, raw_id)

        await self._transact(work)

    async def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append a batch of calls."""
        if not entries:
            return

        def work(db: Connection) -> None:
            added = sa.insert(_history).returning(_history.c.id, sort_by_parameter_order=True)
            numbers = db.execute(added, [_history_row(entry) for entry in entries]).scalars()
            legs = [
                {"history": number, "raw_id": leg.user, "reason": _json(leg.reason) if leg.reason else None}
                for number, entry in zip(numbers, entries, strict=True)
                for leg in entry.legs
            ]
            if legs:
                db.execute(sa.insert(_legs), legs)

        await self._transact(work)

    async def history(self, raw_id: str, query: HistoryQuery) -> list[HistoryEntry]:
        """Return calls that a user had a part in, newest first."""

        def work(db: Connection) -> list[HistoryEntry]:
            rows = db.execute(_history_of(raw_id, query)).all()
            legs: dict[int, list[LegEnd]] = {}
            of_these = _legs.c.history.in_([row.id for row in rows])
            for row in db.execute(sa.select(_legs).where(of_these).order_by(_legs.c.id)):
                reason = None if row.reason is None else msgspec.json.decode(row.reason, type=Reason)
                legs.setdefault(row.history, []).append(LegEnd(row.raw_id, reason))
            return [_entry(row, tuple(legs.get(row.id, ()))) for row in rows]

        return await self._transact(work)

    async def had_part(self, raw_id: str, call_id: str) -> bool:
        """Tell whether the history has a call with a user in it."""
        here = sa.and_(_history.c.call_id == call_id, _history.c.id.in_(_numbers(raw_id)))
        found = sa.select(_history.c.id).where(here).limit(1)
        return await self._transact(lambda db: db.execute(found).first() is not None)


def _history_row(entry: HistoryEntry) -> dict[str, object]:
    row = msgspec.structs.asdict(entry)
    del row["legs"], row["number"]
    return row | {
        "placed_at": entry.placed_at.timestamp(),
        "answered_at": entry.answered_at.timestamp() if entry.answered_at else None,
        "ended_at": entry.ended_at.timestamp(),
        "reason": _json(entry.reason),
        "via": _json(entry.via),
    }


def _history_of(raw_id: str, query: HistoryQuery) -> sa.Select[Any]:
    calls = _history.c
    wanted: list[sa.ColumnElement[bool]] = [calls.id.in_(_numbers(raw_id))]
    if query.before is not None:
        wanted.append(calls.id < query.before)
    if query.direction == "outgoing":
        wanted.append(calls.caller == raw_id)
    if query.direction == "incoming" or query.missed:
        wanted.append(calls.caller != raw_id)
    if query.missed:
        wanted.append(sa.or_(calls.kind.is_(None), calls.kind == "voicemail"))
    if query.party is not None:
        wanted.append(calls.id.in_(_numbers(query.party)))
    return sa.select(_history).where(*wanted).order_by(calls.id.desc()).limit(query.limit)


def _numbers(raw_id: str) -> sa.Select[Any]:
    """Return the numbers of the calls in which a user had a part."""
    return sa.select(_legs.c.history).where(_legs.c.raw_id == raw_id)


def _entry(row: Row[Any], legs: tuple[LegEnd, ...]) -> HistoryEntry:
    return HistoryEntry(
        row.call_id,
        row.caller,
        row.callee,
        row.transferor,
        row.kind,
        _time(row.placed_at),
        None if row.answered_at is None else _time(row.answered_at),
        _time(row.ended_at),
        msgspec.json.decode(row.reason, type=Reason),
        row.answered_by,
        tuple(msgspec.json.decode(row.via)),
        legs,
        row.id,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
