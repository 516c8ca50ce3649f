"""Opening the database: one connection that writes, others that only read."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from .. import system
from ..database.account_fields import refuse_wrong_fields
from ..database.owners import refuse_network_drive, refuse_planted_files
from ..database.schema import open_file
from ..database.tables import JOB
from ..ports.control import ControlStore
from ..ports.loading import LoadStore
from ..ports.purchases import Lost
from ..ports.queries import QueryStore
from ..queries.lists import in_words
from .accounts import SqliteAccount
from .adoption_store import SqliteAdoption
from .control_store import Control
from .doubt_store import SqliteDoubts
from .events import SqliteEvents
from .load_store import Loading
from .prepared import driver
from .purchase_store import SqlitePurchases
from .query_store import Queries
from .same_file import OpenedFile
from .update_store import SqliteUpdates
from .writer import Writer

T = TypeVar("T")

LARGEST_WAL: Final = 32 * 1024**2
"""Bytes of the -wal file that are kept for reuse: a large load leaves no large file behind."""


@lru_cache(maxsize=8)
def _engine(path: Path, pragma: str) -> Engine:
    """Make the engine of a file, kept for its next store: compiled statements are kept with it."""
    return create_engine(
        "sqlite://",
        creator=lambda: _open(path, pragma),
        poolclass=NullPool,
        hide_parameters=True,
    )


def _open(path: Path, pragma: str) -> sqlite3.Connection:
    # check_same_thread: the connection moves between the main thread and a test's loop thread,
    # never used by two at once
    limit = f"journal_size_limit = {LARGEST_WAL}"
    return open_file(path, limit, pragma, check_same_thread=False)


class Store:
    """A database of the right version, for one process.

    Writes go through one connection (:class:`~jobs.store.writer.Writer`): ``write`` for a command,
    ``commit`` for the runner (group commit), ``spool`` for temporary tables, ``rehearse`` for what
    is taken back. Reads see the last commit and are never blocked by a writer (WAL).

    Args:
        path: the SQLite file; see :mod:`jobs.database.schema` for how it comes to be.
        observer: called with the connection at the end of every writing transaction, before its
            COMMIT: tests check their invariants there.

    Raises:
        DatabaseFaultError: the file system does not let us.
    """

    control: ControlStore
    loading: LoadStore
    queries: QueryStore

    def __init__(self, path: Path, observer: Callable[[Connection], None] | None = None) -> None:
        self.path = path
        refuse_planted_files(path)
        self._connection = self._connect("foreign_keys = ON")
        try:
            self._reader = self._connect("query_only = ON")
        except BaseException:
            self._connection.close()
            raise
        self._writer = Writer(self._connection, path, observer)
        self.commit = self._writer.submit
        self.rehearse = self._writer.rehearse
        self.spool = self._writer.spool
        self._opened = OpenedFile.at(path)
        self._may_write = False
        # what the engine asks for, by role (jobs/ports)
        self.account = SqliteAccount(self)
        self.adoption = SqliteAdoption(self)
        self.doubts = SqliteDoubts(self)
        self.events = SqliteEvents(self)
        self.purchases = SqlitePurchases(self)
        self.updates = SqliteUpdates(self)
        self.control = Control(self)
        self.loading = Loading(self)
        self.queries = Queries(self._reading)

    def _connect(self, pragma: str) -> Connection:
        with in_words(self.path, "opened"):
            return _engine(self.path, pragma).connect()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction of its own, durable on return.

        Raises:
            DatabaseFaultError: it can't be written (read-only, disk full, locked for long, on a
                network drive); nothing was kept.
        """
        if not self._may_write:  # a reader, which only looks, is let in
            refuse_network_drive(self.path)
            self._may_write = True
        return self._writer.run(work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run work on one consistent snapshot."""
        with self._reading() as connection:
            return work(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with in_words(self.path, "read"):
            driver(self._reader).execute("BEGIN")
            try:
                yield self._reader
            finally:
                # after an error SQLite may have ended it; after Ctrl-C the connection is gone
                if not self._reader.invalidated and self._reader.connection.in_transaction:
                    driver(self._reader).execute("COMMIT")
                self._reader.rollback()  # SQLAlchemy's own idea of a transaction

    def change_mark(self) -> int:
        """Return a number that differs after any commit that changed something, by anybody."""
        with in_words(self.path, "read"):
            return int(driver(self._reader).execute("PRAGMA data_version").fetchone()[0])

    def refuse_wrong_fields(self) -> None:
        """Check that the account holds what its columns say, as another program may write it.

        Raises:
            DatabaseUnusableError: another program wrote it.
        """
        self.read(lambda connection: refuse_wrong_fields(driver(connection).execute, self.path))

    def create_tables(self) -> None:
        """Make the tables in no time, as the migrations would: in a file that is thrown away."""
        self.write(JOB.metadata.create_all)

    def change_of_file(self) -> Lost | None:
        """Return what became of the file since it was opened; None when it is still there."""
        return self._opened.change()

    def rescue(self, suffix: str) -> Path:
        """Copy what was written into a file that is gone to a new one: its name with a suffix.

        Raises:
            OSError, sqlite3.Error: it can't be written there.
        """
        path = self._opened.path
        copy = path.with_name(f"{path.name}.{suffix}")
        os.close(system.create(copy))
        self._writer.flush()
        try:
            with closing(sqlite3.connect(copy)) as new:
                new.execute("PRAGMA journal_mode = OFF")  # what does not fit is dropped
                driver(self._connection).backup(new)
        except BaseException:
            copy.unlink()
            raise
        return copy

    def copy_to(self, path: Path) -> None:
        """Copy the last commit to a new file, beside whoever writes meanwhile.

        Raises:
            DatabaseUnusableError: it can't be read, or there is no room for it.
        """
        with in_words(self.path, "copied"), closing(sqlite3.connect(path)) as new:
            driver(self._reader).backup(new)

    def close(self) -> None:
        """Write what is still queued, and close the connections."""
        self._writer.flush()
        self._connection.close()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
