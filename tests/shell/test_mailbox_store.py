"""What every store does with mailboxes: folders, quota, retention."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from msgspec.structs import replace

from signaling import sql
from signaling.mailbox_store import RESERVED_SECONDS, Box, Counts, MailboxMessage
from signaling.mailboxes import Envelope, Folder, MailboxSettings, Query
from signaling.notices import Notice
from signaling.parts import Party
from signaling.sql import SqlStore
from signaling.store import Store

pytestmark = pytest.mark.shell

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["file", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}" if request.param == "file" else "sqlite://"
    opened = await SqlStore.open(url)
    yield opened
    await opened.close()


def message(name: str, minutes: int = 0, folder: Folder = "new") -> MailboxMessage:
    envelope = Envelope(Party("8:acs:b", "Bob"), WHEN + timedelta(minutes=minutes), 3.25, peaks=(0, 255, 7))
    return MailboxMessage(name, folder, envelope)


async def ids(store: Store, query: Query) -> list[str]:
    return [found.id for found in await store.messages("a", query)]


async def test_messages_newest_first_and_only_the_owners(store: Store) -> None:
    assert await store.add_message("a", message("m1"))
    assert await store.add_message("a", message("m2", 5))
    assert await store.add_message("b", message("m1"))
    assert await store.messages("a", Query()) == [message("m2", 5), message("m1")]
    assert await store.message("a", "m1") == message("m1")
    assert await store.message("b", "m2") is None
    assert await store.counts("a") == Counts(2, 0)
    assert await store.move_message("a", "m1", "saved", WHEN) == "saved"
    assert await store.move_message("a", "m9", "saved", WHEN) is None
    assert await store.counts("a") == Counts(1, 1)
    assert await store.counts("b") == Counts(1, 0)
    assert [m.folder for m in await store.messages("a", Query())] == ["new", "saved"]


async def test_pages_also_of_messages_of_the_same_moment(store: Store) -> None:
    for name in "fbdace":
        await store.add_message("a", message(name))
    await store.add_message("a", message("later", 1))
    await store.add_message("a", message("earlier", -1))
    seen: list[str] = []
    while page := await ids(store, Query(3, before=seen[-1] if seen else None)):
        seen += page
    assert seen == ["later", *"abcdef", "earlier"]
    await store.purge_message("a", "c")
    assert await ids(store, Query(2, before="c")) == ["d", "e"]


async def test_deleted_and_had_back(store: Store) -> None:
    await store.add_message("a", message("m1"))
    await store.add_message("a", message("m2", 1))
    await store.move_message("a", "m2", "saved", WHEN)
    for name in ("m1", "m2"):
        assert await store.move_message("a", name, "deleted", WHEN) == "deleted"
        assert await store.move_message("a", name, "deleted", WHEN) is None
        assert await store.move_message("a", name, "saved", WHEN) is None
    assert await store.counts("a") == Counts(0, 0)
    assert await ids(store, Query()) == []
    assert await ids(store, Query(folder="deleted")) == ["m2", "m1"]
    assert await store.message("a", "m1") == message("m1", folder="deleted")
    assert await store.move_message("a", "m1", None, WHEN) == "new"
    assert await store.move_message("a", "m2", None, WHEN) == "saved"
    assert await store.move_message("a", "m2", None, WHEN) == "saved"
    assert await store.counts("a") == Counts(1, 1)
    assert await ids(store, Query(folder="new")) == ["m1"]


async def test_a_message_is_filed_once_even_after_it_is_gone(store: Store) -> None:
    assert not await store.was_filed("a", "m1")
    added = await asyncio.gather(*(store.add_message("a", message("m1")) for _ in range(3)))
    assert added == [True, False, False]
    assert await store.was_filed("a", "m1")
    assert await store.purge_message("a", "m1")
    assert not await store.purge_message("a", "m1")
    assert await store.move_message("a", "m1", None, WHEN) is None
    assert await store.message("a", "m1") is None
    assert await store.messages("a", Query(folder="deleted")) == []
    assert not await store.add_message("a", message("m1"))
    assert await store.was_filed("a", "m1")


async def test_recordings_in_progress_count(store: Store) -> None:
    await store.add_message("a", message("m1"))
    assert await store.reserve("a", "r1", WHEN, 3)
    assert sorted(await asyncio.gather(*(store.reserve("a", f"r{n}", WHEN, 3) for n in (2, 3)))) == [
        False,
        True,
    ]
    assert await store.reserve("a", "r1", WHEN, 3)
    assert await store.is_full("a", WHEN, 3) and not await store.is_full("b", WHEN, 3)
    assert not await store.was_filed("a", "r1") and await store.message("a", "r1") is None
    assert await store.counts("a") == Counts(1, 0)
    assert await store.add_message("a", message("r1", 1))
    assert await store.is_full("a", WHEN, 3)
    await store.release("a", "r1")
    assert await store.message("a", "r1") == message("r1", 1)
    await store.release("a", "r2")
    assert not await store.is_full("a", WHEN, 3)


async def test_a_place_nobody_fills_is_free_again(store: Store) -> None:
    assert await store.reserve("a", "r1", WHEN, 1)
    later = WHEN + timedelta(seconds=RESERVED_SECONDS + 1)
    assert await store.reserve("a", "r2", later, 1)
    assert await store.add_message("a", message("r1"))


async def test_what_has_had_its_time(store: Store) -> None:
    for name in ("new", "saved", "deleted"):
        await store.add_message("a", message(name))
        await store.add_message("b", message(name))
    for owner in "ab":
        await store.move_message(owner, "saved", "saved", WHEN)
        await store.move_message(owner, "deleted", "deleted", WHEN)
    await store.save_box("a", Box(MailboxSettings(retention_days=3)))
    assert await store.expired(WHEN + 2 * DAY, 30) == []
    assert sorted(await store.expired(WHEN + 3 * DAY, 30)) == [("a", "deleted"), ("a", "saved")]
    assert sorted(await store.expired(WHEN + 4000 * DAY, 30)) == [
        ("a", "deleted"),
        ("a", "saved"),
        ("b", "deleted"),
    ]


async def test_what_an_owner_has_set(store: Store) -> None:
    assert await store.box("a") == Box()
    box = Box(MailboxSettings("greeting_only", "de", "bob", 30), "salt:hash")
    for kept in (box, Box(pin="x")):
        await store.save_box("a", kept)
        assert await store.box("a") == kept
    assert await store.box("b") == Box()


def notice(name: str, seconds: float = 0, owner: str = "a", message_id: str = "m1") -> Notice:
    due = WHEN + timedelta(seconds=seconds)
    return Notice(name, owner, message_id, "mail", "voicemail.message.created", WHEN, due)


async def test_notices_are_kept_with_their_message_and_taken_when_due(store: Store) -> None:
    now, later = WHEN, WHEN + timedelta(seconds=60)
    assert await store.next_notice() is None
    assert await store.add_message("a", message("m1"), [notice("n2", -1), notice("n1", -2), notice("n3", 5)])
    assert not await store.add_message("a", message("m1"), [notice("n4")])
    assert await store.next_notice() == WHEN - timedelta(seconds=2)
    taken = await store.take_notices(now, 1, later)
    assert taken == [replace(notice("n1", -2), tries=1)]
    assert [each.id for each in await store.take_notices(now, 9, later)] == ["n2"]
    assert await store.take_notices(now, 9, later) == []
    await store.put_off("n1", WHEN + timedelta(seconds=1))
    assert await store.next_notice() == WHEN + timedelta(seconds=1)
    assert [(n.id, n.tries) for n in await store.take_notices(later, 9, later + DAY)] == [
        ("n1", 2),
        ("n3", 1),
        ("n2", 2),
    ]
    for name in ("n1", "n2", "n3", "n9"):
        await store.forget_notice(name)
    assert await store.next_notice() is None


async def test_a_transcript_ends_the_wait_of_its_own_message_alone(store: Store) -> None:
    await store.add_message("a", message("m1"), [notice("n1", 60), notice("tried", -1)])
    await store.add_message("a", message("m2"), [notice("n2", 60, message_id="m2")])
    await store.take_notices(WHEN, 9, WHEN + DAY)
    assert await store.set_transcript("a", "m1", True, [notice("n3", 9)], WHEN)
    found = await store.message("a", "m1")
    assert found is not None and found.envelope.transcribed
    assert [each.id for each in await store.take_notices(WHEN, 9, WHEN + DAY)] == ["n1", "n3"]
    assert not await store.set_transcript("b", "m1", True, [notice("n4")], WHEN)
    await store.purge_message("a", "m1")
    assert not await store.set_transcript("a", "m1", True, [], WHEN)


async def test_a_deleted_owner_is_told_nothing(store: Store) -> None:
    await store.add_message("a", message("m1"), [notice("n1")])
    await store.add_message("b", message("m1"), [notice("n2", owner="b")])
    await store.delete_account("a")
    assert [each.id for each in await store.take_notices(WHEN, 9, WHEN)] == ["n2"]


async def test_three_failures_lock_for_a_while(store: Store) -> None:
    period = timedelta(minutes=15)

    async def tries(key: str, now: datetime, count: int = 1) -> list[bool]:
        return [await store.fail(key, now, 3, period) for _ in range(count)]

    assert await tries("a", WHEN, 4) == [True, True, True, False]
    assert await tries("b", WHEN) == [True]
    assert await tries("a", WHEN + period - timedelta(seconds=1)) == [False]
    assert await tries("a", WHEN + period, 4) == [True, True, True, False]
    for _ in range(9):
        assert await tries("c", WHEN) == [True]
        await store.forgive("c")


async def test_mailboxes_of_the_version_before_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    config = Config()
    config.set_main_option("script_location", str(Path(sql.__file__).parent / "migrations"))
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0002")
        insert = sqlalchemy.text("INSERT INTO messages VALUES ('a', :id, :folder, :at, :envelope)")
        envelope = (
            '{"caller":{"raw_id":"8:acs:b"},"received_at":"2026-01-02T03:04:05Z","duration":1,"peaks":[1]}'
        )
        for name, folder, kept in (("m1", "new", envelope), ("m2", "saved", envelope), ("m3", "deleted", "")):
            at = WHEN.timestamp()
            db.execute(insert, {"id": name, "folder": folder, "at": at, "envelope": kept})
    engine.dispose()
    store = await SqlStore.open(url)
    assert [(m.id, m.folder) for m in await store.messages("a", Query())] == [("m1", "new"), ("m2", "saved")]
    assert await store.was_filed("a", "m3") and await store.message("a", "m3") is None
    await store.reserve("a", "m4", WHEN, 9)
    await store.close()
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.downgrade(config, "0002")
        found = db.execute(sqlalchemy.text("SELECT id, folder FROM messages ORDER BY id")).all()
        assert [tuple(row) for row in found] == [("m1", "new"), ("m2", "saved"), ("m3", "deleted")]
    engine.dispose()
