"""The questions of this package on one database: each on a snapshot of its own, or all on one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from sqlite3 import Connection
from typing import Concatenate, ParamSpec, TypeVar

from ..ports.seen import JobRow
from ..ports.selection import EVERYTHING, Wanted
from .batches import account, batch_status, find_batches, prices, statuses
from .jobs import attempts_of, each_job, failures, find_job, list_jobs, numbered

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
    """Answers the part of :class:`jobs.ports.queries.QueryStore` that plain SQL answers.

    Args:
        begin: opens a snapshot, and gives SQLite's own connection to ask on.
    """

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
    jobs = asks(list_jobs)
    failures = asks(failures)
    job = asks(find_job)
    numbered = asks(numbered)
    attempts_of = asks(attempts_of)

    def each_job(self, wanted: Wanted = EVERYTHING) -> Iterator[JobRow]:
        """Stream jobs in the order of their rows."""
        with self._begin() as connection:
            yield from each_job(connection, wanted)
