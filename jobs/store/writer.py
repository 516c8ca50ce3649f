"""Group commit: what queued during one turn of the event loop becomes one durable transaction.

Committing in the loop itself measured as fast as a writer thread, and stays deterministic under a
virtual clock (docs/performance.md). Each piece of work runs in a savepoint, so that one that
fails takes nothing else with it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from ..errors import DatabaseUnusableError

T = TypeVar("T")
Work = Callable[[Connection], Any]


class Writer:
    """Runs work on the one writing connection."""

    def __init__(
        self, connection: Connection, observer: Callable[[Connection], None] | None
    ) -> None:
        self._connection = connection
        self._observer = observer
        self._queue: list[tuple[Work, asyncio.Future[Any]]] = []

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run one piece of work now, in a transaction of its own.

        Raises:
            DatabaseUnusableError: the file can't be written: read-only, disk full, locked for long.
        """
        self.flush()
        self._execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
            if self._observer:
                self._observer(self._connection)
        except BaseException as error:
            self._rollback()
            plain = _plain(error)
            if plain is error:
                raise
            raise plain from error
        self._end()
        return result

    async def submit(self, work: Callable[[Connection], T]) -> T:
        """Queue work for this turn's transaction and wait until that is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._queue:
            loop.call_soon(self.flush)
        self._queue.append((work, future))
        return await future

    def flush(self) -> None:
        """Commit everything that is queued, and wake those who wait for it."""
        queue, self._queue = self._queue, []
        if not queue:
            return
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            self._execute("BEGIN IMMEDIATE")
            for work, future in queue:
                outcomes.append((future, *self._in_savepoint(work)))
            if self._observer:
                self._observer(self._connection)
            self._end()
        except Exception as error:  # noqa: BLE001 - it reaches everyone who waits
            self._rollback()
            outcomes = [(future, None, _plain(error)) for _, future in queue]
        for future, result, failure in outcomes:
            if future.done():  # its task was cancelled; the work stands all the same
                continue
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _in_savepoint(self, work: Work) -> tuple[Any, BaseException | None]:
        self._connection.exec_driver_sql("SAVEPOINT piece")
        try:
            result = work(self._connection)
        except Exception as error:
            if not self._connection.connection.in_transaction:
                raise  # SQLite rolled everything back by itself (disk full): nobody's piece stands
            self._connection.exec_driver_sql("ROLLBACK TO piece")
            self._connection.exec_driver_sql("RELEASE piece")
            return None, _plain(error)
        self._connection.exec_driver_sql("RELEASE piece")
        return result, None

    def _execute(self, statement: str) -> None:
        try:
            self._connection.exec_driver_sql(statement)
        except OperationalError as error:
            raise _plain(error) from error

    def _end(self) -> None:
        try:
            self._connection.exec_driver_sql("COMMIT")
        except OperationalError as error:
            self._rollback()
            raise _plain(error) from error
        self._connection.commit()  # SQLAlchemy's own idea of a transaction

    def _rollback(self) -> None:
        if self._connection.connection.in_transaction:
            self._connection.exec_driver_sql("ROLLBACK")
        self._connection.rollback()


def _plain(error: BaseException) -> BaseException:
    """Turn what the file system or a lock did into words; everything else stays what it is."""
    if isinstance(error, OperationalError):
        return DatabaseUnusableError(
            f"the database can't be written: {error.orig}; nothing of this step was kept"
        )
    return error
