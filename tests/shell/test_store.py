"""What every store does, whichever it is; and that nothing is lost between two runs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from signaling import mailbox_sql, notice_sql, sql, survey_sql
from signaling.call import LegEnd
from signaling.mailbox_store import Box, MailboxMessage
from signaling.mailboxes import Envelope, Query
from signaling.parts import OutcomeKind, Party
from signaling.reasons import ANSWERED_ELSEWHERE, HUNG_UP
from signaling.settings import Settings, ToPerson, User
from signaling.sql import SqlStore
from signaling.store import Account, HistoryEntry, HistoryQuery, Store
from signaling.surveys import AudioRating, CallSurvey, OverallRating, SurveyEntry, SurveyQuery

pytestmark = pytest.mark.shell

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
ALICE = Account(
    User("8:acs:a", "alice", "Alice Ä", ("4:+49301", "8:orgid:x"), Settings(busy=ToPerson("bob"))), 2
)


@pytest.fixture(params=["file", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}" if request.param == "file" else "sqlite://"
    opened = await SqlStore.open(url)
    yield opened
    await opened.close()


def message(name: str, minutes: int = 0) -> MailboxMessage:
    envelope = Envelope(Party("8:acs:b", "Bob"), WHEN + timedelta(minutes=minutes), 3.25, peaks=(0, 255, 7))
    return MailboxMessage(name, "new", envelope)


def entry(number: int, caller: str = "8:acs:a", callee: str = "8:acs:b", **fields: Any) -> HistoryEntry:
    """Return a call as the store gives it back when it is the one of this number."""
    placed = WHEN + timedelta(seconds=number)
    kind: OutcomeKind | None = fields.pop("kind", "participant")
    legs = fields.pop("legs", (LegEnd(caller, HUNG_UP), LegEnd(callee, HUNG_UP)))
    times = (placed, None, placed)
    return HistoryEntry(
        f"c{number}", caller, callee, None, kind, *times, HUNG_UP, legs=legs, number=number, **fields
    )


async def test_resource_stays(store: Store) -> None:
    assert await store.resource() == await store.resource()


async def test_accounts(store: Store) -> None:
    nameless = Account(User("8:acs:n"))
    other = Account(User("8:acs:m"))
    for account in (ALICE, nameless, other):
        await store.save_account(account)
    assert {a.user.raw_id: a for a in await store.accounts()} == {
        a.user.raw_id: a for a in (ALICE, nameless, other)
    }
    changed = Account(User("8:acs:a", "alice", "A", ("4:+49302",)), 3)
    await store.save_account(changed)
    await store.delete_account("8:acs:n")
    assert {a.user.raw_id: a for a in await store.accounts()} == {"8:acs:a": changed, "8:acs:m": other}


async def test_a_name_and_an_alias_belong_to_one(store: Store) -> None:
    await store.save_account(ALICE)
    for thief in (User("8:acs:z", "alice"), User("8:acs:z", "zoe", aliases=("4:+49301",))):
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            await store.save_account(Account(thief))
    assert await store.accounts() == [ALICE]


async def test_history_is_each_partys_newest_first(store: Store) -> None:
    await store.add_history([])
    calls = [entry(1), entry(2, "8:acs:b", "8:acs:a"), entry(3, "8:acs:c", "8:acs:b")]
    await store.add_history(calls)
    assert await store.history("8:acs:a", HistoryQuery()) == [calls[1], calls[0]]
    assert await store.history("8:acs:b", HistoryQuery(1)) == [calls[2]]
    assert await store.history("8:acs:b", HistoryQuery(1, before=3)) == [calls[1]]
    assert await store.history("8:acs:x", HistoryQuery()) == []


async def test_history_of_everybody_a_call_came_to(store: Store) -> None:
    ends = (LegEnd("8:acs:a", HUNG_UP), LegEnd("8:acs:b", None), LegEnd("8:acs:c", ANSWERED_ELSEWHERE))
    call = entry(1, kind="forwarded", legs=ends, answered_by="8:acs:d", via=("8:acs:b", "8:acs:e"))
    alone = entry(2, "8:acs:x", "8:acs:y", legs=())
    await store.add_history([call, alone])
    for user in "abc":
        assert await store.history(f"8:acs:{user}", HistoryQuery()) == [call]
    assert await store.history("8:acs:x", HistoryQuery()) == []


async def test_history_is_filtered(store: Store) -> None:
    calls = [
        entry(1),
        entry(2, "8:acs:b", "8:acs:a"),
        entry(3, "8:acs:b", "8:acs:a", kind=None),
        entry(4, "8:acs:c", "8:acs:a", kind="voicemail"),
        entry(5, kind=None),
    ]
    await store.add_history(calls)

    async def numbers(query: HistoryQuery) -> list[int]:
        return [found.number for found in await store.history("8:acs:a", query)]

    assert await numbers(HistoryQuery(direction="incoming")) == [4, 3, 2]
    assert await numbers(HistoryQuery(direction="outgoing")) == [5, 1]
    assert await numbers(HistoryQuery(missed=True)) == [4, 3]
    assert await numbers(HistoryQuery(missed=True, party="8:acs:b")) == [3]
    assert await numbers(HistoryQuery(party="8:acs:b", before=3)) == [2, 1]


async def test_surveys(store: Store) -> None:
    await store.add_history([entry(1), entry(2, "8:acs:c", "8:acs:d")])
    assert await store.had_part("8:acs:a", "c1") and await store.had_part("8:acs:b", "c1")
    assert not await store.had_part("8:acs:a", "c2") and not await store.had_part("8:acs:a", "c3")
    good, bad = CallSurvey(OverallRating(5)), CallSurvey(None, AudioRating(1, ("Echo",)))
    one = await store.save_survey("8:acs:a", "c1", bad, WHEN)
    two = await store.save_survey("8:acs:b", "c1", bad, WHEN)
    three = await store.save_survey("8:acs:c", "c2", good, WHEN)
    assert await store.save_survey("8:acs:a", "c1", good, WHEN) == one
    first = SurveyEntry(one, "c1", Party("8:acs:a"), WHEN, good)
    assert [found.number for found in await store.surveys(SurveyQuery())] == [three, two, one]
    assert await store.surveys(SurveyQuery(before=two)) == [first]
    assert [found.number for found in await store.surveys(SurveyQuery(1, call_id="c1"))] == [two]
    await store.delete_account("8:acs:a")
    assert [found.number for found in await store.surveys(SurveyQuery())] == [three, two]


async def test_deleting_a_user_deletes_its_mailbox_only(store: Store) -> None:
    await store.save_account(ALICE)
    await store.add_message("8:acs:a", message("m1"))
    await store.add_message("8:acs:b", message("m1"))
    await store.save_box("8:acs:a", Box(pin="x"))
    await store.delete_account("8:acs:a")
    assert await store.box("8:acs:a") == Box()
    assert await store.messages("8:acs:a", Query()) == []
    assert await store.messages("8:acs:b", Query()) == [message("m1")]
    await store.save_account(ALICE)
    assert await store.accounts() == [ALICE]


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    first = await SqlStore.open(url)
    resource = await first.resource()
    await first.save_account(ALICE)
    await first.add_history([entry(1)])
    await first.add_message("8:acs:a", message("m1"))
    await first.close()
    second = await SqlStore.open(url)
    assert await second.resource() == resource
    assert await second.accounts() == [ALICE]
    assert await second.history("8:acs:a", HistoryQuery()) == [entry(1)]
    assert await second.messages("8:acs:a", Query()) == [message("m1")]
    await second.close()


async def test_a_database_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(sqlalchemy.exc.OperationalError):
        await SqlStore.open(f"sqlite:///{tmp_path / 'missing' / 'hub.sqlite'}")


async def test_two_stores_can_be_opened_at_once(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("a.sqlite", "b.sqlite")]
    stores = await asyncio.gather(*(SqlStore.open(url) for url in urls))
    assert len({await store.resource() for store in stores}) == 2
    for store in stores:
        await store.close()


async def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    store = await SqlStore.open(f"sqlite:///{path}")
    await store.close()
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as db:
        found = sqlalchemy.MetaData()
        found.reflect(db)
    engine.dispose()

    tables = sql._tables.tables | mailbox_sql.tables.tables
    tables |= notice_sql.tables.tables | survey_sql.tables.tables
    declared = {name: sorted(table.columns.keys()) for name, table in tables.items()}
    made = {name: sorted(table.columns.keys()) for name, table in found.tables.items()}
    assert made == declared | {"alembic_version": ["version_num"]}


async def test_calls_of_the_first_version_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    config = Config()
    config.set_main_option("script_location", str(Path(sql.__file__).parent / "migrations"))
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        reason = msgspec.json.encode(HUNG_UP).decode()
        values = "1, 'c1', '8:acs:a', '8:acs:b', NULL, 'participant', :at, NULL, :at, :reason"
        at = entry(1).placed_at.timestamp()
        db.execute(sqlalchemy.text(f"INSERT INTO history VALUES ({values})"), {"at": at, "reason": reason})
    engine.dispose()
    store = await SqlStore.open(url)
    assert await store.history("8:acs:b", HistoryQuery()) == [entry(1)]
    await store.close()
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.downgrade(config, "0001")
    engine.dispose()
