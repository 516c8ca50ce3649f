"""Opening the database: one connection that writes, others that only read."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from ..errors import DatabaseUnusableError
from .writer import Writer

T = TypeVar("T")


class Store:
    """A database of the right version, for one process.

    Writes go through one connection: :meth:`write` for a command, :meth:`commit` for the runner
    (group commit). Reads see the last commit and are never blocked by a writer (WAL).

    Args:
        path: the SQLite file; see :mod:`jobs.schema` for how it comes to be.
        observer: called with the connection at the end of every writing transaction, before its
            COMMIT: tests check their invariants there.
    """

    def __init__(self, path: Path, observer: Callable[[Connection], None] | None = None) -> None:
        self.path = path
        # An own pool-less engine each way: SQLite connections are cheap to keep, and the
        # writer's is kept open by itself below.
        engine = create_engine(
            "sqlite://", creator=self._open, poolclass=NullPool, hide_parameters=True
        )
        reading = create_engine(
            "sqlite://", creator=self._open_reader, poolclass=NullPool, hide_parameters=True
        )
        self._connection = engine.connect()
        self._reader = reading.connect()
        self._writer = Writer(self._connection, observer)

    def _open(self) -> sqlite3.Connection:
        # check_same_thread: the connection moves between the main thread and a test's loop thread,
        # never used by two at once
        connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._open()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction of its own, durable on return."""
        return self._writer.run(work)

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Run work in the next group commit; durable when this returns.

        The work is done even when the waiting task is cancelled: an answer that was paid for is
        written down whoever still wants to hear of it.
        """
        return await self._writer.submit(work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run work on one consistent snapshot."""
        with self._snapshot() as connection:
            return work(connection)

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        try:
            self._reader.exec_driver_sql("BEGIN")
        except OperationalError as error:
            raise DatabaseUnusableError(f"{self.path} can't be read: {error.orig}") from error
        try:
            yield self._reader
        finally:
            self._reader.exec_driver_sql("COMMIT")
            self._reader.rollback()  # SQLAlchemy's own idea of a transaction

    def close(self) -> None:
        """Write what is still queued, and close the connections."""
        self._writer.flush()
        self._connection.close()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
