"""The questions of this package on one database: each on a snapshot of its own, or all on one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from sqlite3 import Connection

from ..ports.seen import (
    AccountRow,
    AttemptRow,
    BatchRow,
    BatchStatus,
    FailureGroup,
    JobRow,
    PriceRow,
)
from ..ports.selection import EVERYTHING, Wanted
from . import batches, jobs

Begin = Callable[[], AbstractContextManager[Connection]]


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

    def account(self) -> AccountRow:
        """Read whose database this is, and what was seen of the account."""
        with self._begin() as connection:
            return batches.account(connection)

    def prices(self) -> dict[str, PriceRow]:
        """Read what is known of each kind's price."""
        with self._begin() as connection:
            return batches.prices(connection)

    def batches(self, name: str | None = None) -> list[BatchRow]:
        """List the batches, or the one of that name."""
        with self._begin() as connection:
            return batches.find_batches(connection, name)

    def status(self, batch: BatchRow) -> BatchStatus:
        """Sum a batch up."""
        with self._begin() as connection:
            return batches.batch_status(connection, batch)

    def statuses(self, among: Collection[int] | None = None) -> list[BatchStatus]:
        """Sum all batches up, or some."""
        with self._begin() as connection:
            return [
                batches.batch_status(connection, batch)
                for batch in batches.find_batches(connection)
                if among is None or batch.id in among
            ]

    def jobs(self, wanted: Wanted = EVERYTHING, order: str = "row") -> list[JobRow]:
        """List jobs."""
        with self._begin() as connection:
            return list(jobs.each_job(connection, wanted, order))

    def each_job(self, wanted: Wanted = EVERYTHING) -> Iterator[JobRow]:
        """Stream jobs in the order of their rows."""
        with self._begin() as connection:
            yield from jobs.each_job(connection, wanted)

    def failures(self, wanted: Wanted) -> list[FailureGroup]:
        """Group failed jobs by kind and words."""
        with self._begin() as connection:
            return jobs.failures(connection, wanted)

    def job(self, key: str, batch: str | None = None) -> JobRow:
        """Find one job by its key or number."""
        with self._begin() as connection:
            return jobs.find_job(connection, key, batch)

    def numbered(self, job_ids: Sequence[int]) -> list[JobRow]:
        """Read jobs by their numbers."""
        with self._begin() as connection:
            return jobs.numbered(connection, job_ids)

    def attempts_of(self, job_id: int) -> list[AttemptRow]:
        """List a job's attempts."""
        with self._begin() as connection:
            return jobs.attempts_of(connection, job_id)
