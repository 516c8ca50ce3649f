"""Group commit: what queued during one turn of the event loop becomes one durable transaction.

Committing in the loop itself measured as fast as a writer thread, and stays deterministic under a
virtual clock (docs/performance.md). Each piece of work runs in a savepoint, so that one that
fails takes nothing else with it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from ..model.errors import unusable
from .prepared import driver

T = TypeVar("T")
Work = Callable[[Connection], Any]


class _Piece(NamedTuple):
    """Work that waits for its transaction."""

    work: Work
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]


class Writer:
    """Runs work on the one writing connection; ``observer`` is called before each COMMIT."""

    def __init__(
        self, connection: Connection, path: Path, observer: Callable[[Connection], None] | None
    ) -> None:
        self._connection = connection
        self._path = path
        self._observer = observer
        self._queue: list[_Piece] = []

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run one piece of work now, in a transaction of its own.

        Raises:
            DatabaseUnusableError: the file can't be written: read-only, disk full, locked for long;
                nothing of this work was kept.
        """
        return self._within("BEGIN IMMEDIATE", work, self._observer)

    def rehearse(self, work: Callable[[Connection], T]) -> T:
        """Run work now, and roll back what it wrote."""
        self.flush()
        self._execute("BEGIN IMMEDIATE")
        try:
            return work(self._connection)
        finally:
            self._rollback()

    def spool(self, work: Callable[[Connection], T]) -> T:
        """Run work on temporary tables alone, however long it takes: it blocks no other writer."""
        return self._within("BEGIN", work, None)

    def _within(
        self,
        begin: str,
        work: Callable[[Connection], T],
        observer: Callable[[Connection], None] | None,
    ) -> T:
        self.flush()
        self._execute(begin)
        with self._rolled_back():
            result = work(self._connection)
            if observer:
                observer(self._connection)
        self._end()
        return result

    async def submit(
        self, work: Callable[[Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        """Queue work for this turn's transaction and wait until that is durable.

        It is done even when the waiting task is cancelled: an answer that was paid for is written
        down whoever still wants to hear of it. ``then`` is called with what it returned once that
        is durable, before any other task runs.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._queue:
            loop.call_soon(self.flush)
        self._queue.append(_Piece(work, then, future))
        return await future

    def flush(self) -> None:
        """Commit everything that is queued, and wake those who wait for it."""
        queue, self._queue = self._queue, []
        if not queue:
            return
        outcomes: list[tuple[_Piece, Any, BaseException | None]] = []
        try:
            self._execute("BEGIN IMMEDIATE")
            outcomes = [(piece, *self._in_savepoint(piece.work)) for piece in queue]
            if self._observer:
                self._observer(self._connection)
            self._end()
        except Exception as error:  # noqa: BLE001 - it reaches everyone who waits
            self._rollback()
            outcomes = [(piece, None, self._plain(error)) for piece in queue]
        for piece, result, trouble in outcomes:
            if trouble is None and piece.then is not None:
                try:
                    piece.then(result)
                except Exception as error:  # noqa: BLE001 - the others must be woken all the same
                    trouble = error  # noqa: PLW2901 - for the task that waits
            if piece.future.done():  # its task was cancelled; the work is kept anyway
                continue
            if trouble is None:
                piece.future.set_result(result)
            else:
                piece.future.set_exception(trouble)

    def _in_savepoint(self, work: Work) -> tuple[Any, BaseException | None]:
        execute = driver(self._connection).execute
        execute("SAVEPOINT piece")
        try:
            result = work(self._connection)
        except Exception as error:
            if not self._connection.connection.in_transaction:
                raise  # SQLite rolled back the whole transaction (disk full)
            execute("ROLLBACK TO piece")
            execute("RELEASE piece")
            return None, self._plain(error)
        execute("RELEASE piece")
        return result, None

    def _execute(self, statement: str) -> None:
        try:
            driver(self._connection).execute(statement)
        except sqlite3.Error as error:
            raise self._plain(error) from error

    def _end(self) -> None:
        with self._rolled_back():
            driver(self._connection).execute("COMMIT")
        self._connection.commit()  # SQLAlchemy's own idea of a transaction

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Roll back if anything fails, and raise it in plain words."""
        try:
            yield
        except BaseException as error:
            self._rollback()
            plain = self._plain(error)
            if plain is error:
                raise
            raise plain from error

    def _rollback(self) -> None:
        # Ctrl-C inside of a statement has SQLAlchemy drop the connection: SQLite rolled back then
        gone = self._connection.invalidated
        if not gone and self._connection.connection.in_transaction:
            self._connection.exec_driver_sql("ROLLBACK")
        self._connection.rollback()

    def _plain(self, error: BaseException) -> BaseException:
        return unusable(self._path, error, "written") or error
