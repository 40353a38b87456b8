"""Surveys on SQLAlchemy Core."""

from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from signaling.database import Database
from signaling.parts import Party
from signaling.surveys import CallSurvey, SurveyEntry, SurveyQuery

tables = sa.MetaData()
_surveys = sa.Table(
    "surveys",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("call_id", sa.String),
    sa.Column("raw_id", sa.String),
    sa.Column("submitted_at", sa.Double),
    sa.Column("survey", sa.Text),
)


class SqlSurveys(Database):
    """The part of a store on SQL that is about surveys."""

    async def save_survey(self, raw_id: str, call_id: str, survey: CallSurvey, now: datetime) -> int:
        """File a user's survey of a call, in the place of an earlier one; return its number."""
        mine = sa.and_(_surveys.c.call_id == call_id, _surveys.c.raw_id == raw_id)
        row = {"submitted_at": now.timestamp(), "survey": msgspec.json.encode(survey).decode()}

        def work(db: Connection) -> int:
            number = db.execute(sa.select(_surveys.c.id).where(mine)).scalar()
            if number is not None:
                db.execute(sa.update(_surveys).where(mine).values(row))
                return int(number)
            added = sa.insert(_surveys).values(call_id=call_id, raw_id=raw_id, **row)
            return int(db.execute(added.returning(_surveys.c.id)).scalar_one())

        return await self._transact(work)

    async def surveys(self, query: SurveyQuery) -> list[SurveyEntry]:
        """Return surveys of all users, newest first; whose they are by raw id alone."""
        wanted = sa.select(_surveys).order_by(_surveys.c.id.desc()).limit(query.limit)
        if query.before is not None:
            wanted = wanted.where(_surveys.c.id < query.before)
        if query.call_id is not None:
            wanted = wanted.where(_surveys.c.call_id == query.call_id)

        def work(db: Connection) -> list[SurveyEntry]:
            return [
                SurveyEntry(
                    row.id,
                    row.call_id,
                    Party(row.raw_id),
                    datetime.fromtimestamp(row.submitted_at, UTC),
                    msgspec.json.decode(row.survey, type=CallSurvey),
                )
                for row in db.execute(wanted)
            ]

        return await self._transact(work)


def delete_surveys(db: Connection, raw_id: str) -> None:
    """Delete what a user has said, with the user."""
    db.execute(sa.delete(_surveys).where(_surveys.c.raw_id == raw_id))
