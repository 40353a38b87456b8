"""The database that every part of a store works on.

The engine is synchronous and used by one worker thread: on SQLite that is a third of the cost of the
asynchronous layer, and what is asked first is done first.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine

T = TypeVar("T")

# Alembic hands its context around in module globals, one migration at a time.
_migrating = threading.Lock()


class Database:
    """What every part of a store on SQL works on: a database that SQLAlchemy knows."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="callnode-store")

    @classmethod
    async def open(cls, url: str) -> Self:
        """Return the store at a database URL, its schema brought up to date."""
        store = cls(url)
        try:
            await store._run(store._connect)
        except BaseException:
            store._thread.shutdown()
            raise
        return store

    async def close(self) -> None:
        """Close the database and end the worker thread."""
        await self._run(self._engine.dispose)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            with self._engine.begin() as db:
                return work(db)

        return await self._run(transaction)

    def _connect(self) -> None:
        self._engine = sa.create_engine(self._url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with _migrating, self._engine.begin() as db:
            config.attributes["connection"] = db
            command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")


def changed(db: Connection, statement: sa.Update) -> bool:
    """Execute an update; tell whether there was something to change."""
    return bool(db.execute(statement).rowcount)
