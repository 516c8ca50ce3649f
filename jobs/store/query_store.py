"""The queries of :class:`jobs.ports.queries.QueryStore` on SQLite."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from sqlite3 import Connection as Sqlite

from sqlalchemy import Connection

from ..again import Patience, WhyNot
from ..looked_for import Wish
from ..ports.figures import Bucket, GenerationOwner, Page, PaidTwice, Part, QueuedJob, Taken
from ..ports.seen import BatchRow, JobRow, PriceRow
from ..ports.selection import Filter, Shelf, Sought
from ..queries.lists import Lists
from ..states import HeldBack
from . import (
    accounts,
    batches,
    browsing,
    days,
    doubts,
    handing,
    holding,
    latecomers,
    looks,
    outstanding,
    reviews,
    standing,
    steering,
    takeovers,
    unended,
    views,
)
from .prepared import driver


class Queries(Lists):
    """Answers on the connection that reads, or inside of a transaction.

    Args:
        begin: opens a snapshot, or gives the connection of one that is open.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        super().__init__(self._plain)
        self._open = begin

    @classmethod
    def on(cls, connection: Connection) -> "Queries":
        """Ask on a connection whose transaction is open."""
        return cls(lambda: nullcontext(connection))

    @contextmanager
    def _plain(self) -> Iterator[Sqlite]:
        with self._open() as connection:
            yield driver(connection)

    @contextmanager
    def snapshot(self) -> Iterator["Queries"]:
        """Ask several questions of one moment."""
        with self._open() as connection:
            yield Queries.on(connection)

    def integrity(self) -> str:
        """Check the whole file."""
        with self._open() as connection:
            found = driver(connection).execute("PRAGMA integrity_check(1)").fetchone()
            return str(found[0])

    def check_zone(self) -> None:
        """Check that this machine knows the time zone of the daily budget."""
        with self._open() as connection:
            accounts.check_zone(connection)

    def future_days(self, now: datetime) -> list[str]:
        """List the days of the daily budget that have begun nowhere yet."""
        with self._open() as connection:
            return days.future_days(connection, now)

    def odd_prices(self, since: datetime) -> list[PriceRow]:
        """List the kinds of which a price was charged since a time that is not believed yet."""
        found = self.prices().values()
        return [one for one in found if one.odd_at is not None and one.odd_at >= since]

    def cap(self, key: str) -> int | None:
        """Read the cap of a budget."""
        with self._open() as connection:
            return accounts.cap(connection, key)

    def batch_of(self, name: str | None, default_name: str, source: str | None) -> BatchRow | None:
        """Find the batch that a load would go into."""
        with self._open() as connection:
            return batches.batch_of(connection, name, default_name, source)

    def find_batch(self, name: str | None, source: str) -> BatchRow | None:
        """Find a batch by its name if that is given, else the newest that has that source."""
        with self._open() as connection:
            return batches.find_batch(connection, name, source)

    def owners(self, generation_ids: Collection[str]) -> dict[str, GenerationOwner]:
        """Find the attempts that have generations."""
        found = {}
        with self._open() as connection:
            for one in generation_ids:
                if (row := views.attempt_of_generation(connection, one)) is not None:
                    found[one] = GenerationOwner(row.id, row.key, row.batch)
        return found

    def rows_of(self, batch_id: int) -> list[int]:
        """List the rows of a batch's manifest."""
        with self._open() as connection:
            return steering.rows_of(connection, batch_id)

    def queued(self, batch_id: int, held_back: Collection[HeldBack] = ()) -> list[QueuedJob]:
        """List the jobs of a batch that may be bought."""
        with self._open() as connection:
            return views.queued_jobs(connection, batch_id, held_back)

    def queued_by_kind(
        self,
        batch_id: int,
        rows: Collection[int] | None = None,
        held_back: Collection[HeldBack] = (),
    ) -> dict[str, int]:
        """Count them by price kind."""
        with self._open() as connection:
            return views.queued_by_kind(connection, batch_id, rows, held_back)

    def may_be_retried(
        self, job_ids: Collection[int], give_up: Patience | None = None
    ) -> dict[int, WhyNot | None]:
        """Return why each of some jobs may not be bought again."""
        with self._open() as connection:
            return standing.may_be_retried(connection, job_ids, give_up)

    def may_be_given_up(
        self, job_ids: Collection[int], patience: Patience
    ) -> dict[int, WhyNot | None]:
        """Return why the attempt of each of some jobs may not be given up."""
        with self._open() as connection:
            return standing.may_be_given_up(connection, job_ids, patience)

    def held_for(self, sought: Sought, reason: HeldBack) -> int:
        """Count the sought rows that are held back for a reason."""
        with self._open() as connection:
            return holding.count(connection, sought, reason)

    def found_and_asked(self, batch_id: int) -> int:
        """Count the rows of a batch that were asked for, and wait because of what was found."""
        with self._open() as connection:
            return holding.count_found(connection, batch_id)

    def waiting(self, batch_ids: Sequence[int]) -> list[int]:
        """List the queued rows that wait because they may be paid for already."""
        with self._open() as connection:
            return takeovers.waiting(connection, batch_ids)

    def wishes(self, sought: Sought, *, free: bool = False) -> dict[int, Wish]:
        """Read what queued rows ask for, of those that a look must know."""
        with self._open() as connection:
            return takeovers.wishes(connection, sought, free=free)

    def any_unended(self, batch_id: int) -> bool:
        """Check whether a job of a batch failed for us, and may still finish."""
        with self._open() as connection:
            return unended.any_unended(connection, batch_id)

    def doubts(self) -> int:
        """Count the attempts whose generation we don't know."""
        with self._open() as connection:
            return doubts.count(connection)

    def twice_micros(self) -> int:
        """Return what all batches together paid for twice."""
        with self._open() as connection:
            return latecomers.twice_micros(connection)

    def paid_twice(self) -> list[PaidTwice]:
        """List what batches paid for twice, by batch."""
        with self._open() as connection:
            return [
                PaidTwice(batch.name, one.key, one.generation_id, one.price_micros)
                for batch in views.find_batches(connection)
                for one in latecomers.paid_twice(connection, batch.id)
            ]

    def is_served(self) -> bool:
        """Check whether a runner takes up what is handed over."""
        with self._open() as connection:
            return handing.is_served(connection)

    def is_awaited(self, generation_id: str) -> bool:
        """Check whether a generation is ours, unfinished, and its end not announced already."""
        with self._open() as connection:
            return looks.is_awaited(connection, generation_id)

    def served_batches(self) -> list[int]:
        """List the batches that a runner serves, and those of which jobs were handed to it."""
        with self._open() as connection:
            return outstanding.served_batches(connection)

    def parts(self, job_ids: Collection[int]) -> Mapping[int, Part]:
        """Count how some jobs stand, by batch."""
        with self._open() as connection:
            return outstanding.parts(connection, job_ids)

    def page(
        self,
        batch_id: int,
        which: Filter,
        limit: int,
        *,
        after: int = 0,
        before: int | None = None,
    ) -> Page:
        """Read a page of a batch's jobs."""
        with self._open() as connection:
            return browsing.page(connection, batch_id, which, limit, after=after, before=before)

    def newest_number(self) -> int:
        """Return the highest number of a job."""
        with self._open() as connection:
            return browsing.newest_number(connection)

    def found_after(self, batch: str, number: int, prompt: str) -> JobRow | None:
        """Find the first job of a batch with this prompt and a higher number."""
        with self._open() as connection:
            return browsing.found_after(connection, batch, number, prompt)

    def recent(self, batch_id: int, limit: int) -> list[JobRow]:
        """List the completed jobs whose files came last."""
        with self._open() as connection:
            return browsing.recent(connection, batch_id, limit)

    def under_way(self, batch_id: int, limit: int) -> list[JobRow]:
        """List the jobs that are paid for and not finished."""
        with self._open() as connection:
            return browsing.under_way(connection, batch_id, limit)

    def ended_span(self, batch_id: int) -> tuple[datetime, datetime] | None:
        """Return when the first and the last job of a batch ended."""
        with self._open() as connection:
            return browsing.ended_span(connection, batch_id)

    def ended_since(self, batch_id: int, since: datetime) -> tuple[int, datetime] | None:
        """Count the jobs that ended since a moment, with when the first of them did."""
        with self._open() as connection:
            return browsing.ended_since(connection, batch_id, since)

    def course(self, batch_id: int, seconds: int) -> list[Bucket]:
        """Sum up what ended, by spans of so many seconds."""
        with self._open() as connection:
            return browsing.course(connection, batch_id, seconds)

    def durations(self, batch_id: int, seconds: int) -> list[tuple[int, int]]:
        """Count completed jobs by how long they took."""
        with self._open() as connection:
            return browsing.durations(connection, batch_id, seconds)

    def taken(self, batch_id: int) -> Taken | None:
        """Return how long the completed jobs of a batch took."""
        with self._open() as connection:
            return browsing.taken(connection, batch_id)

    def videos(self, batch_id: int, shelf: Shelf, limit: int, offset: int = 0) -> list[JobRow]:
        """Read some jobs whose videos are here."""
        with self._open() as connection:
            return reviews.videos(connection, batch_id, shelf, limit, offset)

    def verdicts(self, attempt_ids: Sequence[int]) -> dict[int, str]:
        """Read what a person thinks of some attempts."""
        with self._open() as connection:
            return reviews.verdicts(connection, attempt_ids)

    def videos_since(self, batch_id: int, shelf: Shelf, since: datetime) -> int:
        """Count the videos that came after a moment."""
        with self._open() as connection:
            return reviews.count_since(connection, batch_id, shelf, since)
