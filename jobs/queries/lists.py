"""The questions of this package on one database: each on a snapshot of its own, or all on one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from sqlite3 import Connection
from typing import Concatenate, ParamSpec, TypeVar

from ..database.account_fields import refuse_wrong_fields
from ..database.owners import refuse_planted_files
from ..database.schema import check_version, open_file
from ..model.errors import unusable
from ..ports.seen import JobRow
from ..ports.selection import EVERYTHING, Wanted
from .batches import account, batch_status, find_batches, prices, spent_on, statuses
from .jobs import attempts_of, each_job, failures, find_job, numbered

P = ParamSpec("P")
T = TypeVar("T")

Begin = Callable[[], AbstractContextManager[Connection]]


def asks(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate["Lists", P], T]:
    """Make a method that asks on a snapshot (described in :mod:`jobs.ports.queries`)."""

    def method(self: "Lists", /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._begin() as connection:
            return work(connection, *args, **kwargs)

    return method


class Lists:
    """Answers the part of :class:`jobs.ports.queries.QueryStore` that plain SQL answers."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    @contextmanager
    def snapshot(self) -> Iterator["Lists"]:
        """Ask several questions of one moment."""
        with self._begin() as connection:
            yield Lists(lambda: nullcontext(connection))

    account = asks(account)
    prices = asks(prices)
    batches = asks(find_batches)
    status = asks(batch_status)
    statuses = asks(statuses)
    spent_on = asks(spent_on)
    failures = asks(failures)
    job = asks(find_job)
    numbered = asks(numbered)
    attempts_of = asks(attempts_of)

    def jobs(self, wanted: Wanted = EVERYTHING, order: str = "row") -> list[JobRow]:
        """List jobs in an order."""
        with self._begin() as connection:
            return list(each_job(connection, wanted, order))

    def each_job(self, wanted: Wanted = EVERYTHING) -> Iterator[JobRow]:
        """Stream jobs in the order of their rows."""
        with self._begin() as connection:
            yield from each_job(connection, wanted)


@contextmanager
def existing_lists(database: Path) -> Iterator[Lists]:
    """Open a database for questions, after the checks that :class:`jobs.store.Store` makes.

    Raises:
        EngineError: there is none, it is of another version, or it can't be used.
    """
    check_version(database)
    refuse_planted_files(database)
    with in_words(database, "opened"):
        connection = open_file(database, "query_only = ON")
    with closing(connection):

        @contextmanager
        def begin() -> Iterator[Connection]:
            with in_words(database, "read"):
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if connection.in_transaction:  # an error may have ended it
                        connection.execute("COMMIT")

        with begin() as reading:
            refuse_wrong_fields(reading.execute, database)
        yield Lists(begin)


@contextmanager
def in_words(database: Path, done: str) -> Iterator[None]:
    """Raise as our own errors what the file system or a lock does to a database."""
    try:
        yield
    except Exception as error:
        plain = unusable(database, error, done)
        if plain is None:
            raise
        raise plain from error
