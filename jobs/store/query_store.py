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
        return cls(lambda: nullcontext(connection))

    @contextmanager
    def _plain(self) -> Iterator[Sqlite]:
        with self._open() as connection:
            yield driver(connection)

    @contextmanager
    def snapshot(self) -> Iterator["Queries"]:
        with self._open() as connection:
            yield Queries.on(connection)

    def integrity(self) -> str:
        with self._open() as connection:
            found = driver(connection).execute("PRAGMA integrity_check(1)").fetchone()
            return str(found[0])

    def check_zone(self) -> None:
        with self._open() as connection:
            accounts.check_zone(connection)

    def future_days(self, now: datetime) -> list[str]:
        with self._open() as connection:
            return days.future_days(connection, now)

    def odd_prices(self, since: datetime) -> list[PriceRow]:
        found = self.prices().values()
        return [one for one in found if one.odd_at is not None and one.odd_at >= since]

    def cap(self, key: str) -> int | None:
        with self._open() as connection:
            return accounts.cap(connection, key)

    def batch_of(self, name: str | None, default_name: str, source: str | None) -> BatchRow | None:
        with self._open() as connection:
            return batches.batch_of(connection, name, default_name, source)

    def find_batch(self, name: str | None, source: str) -> BatchRow | None:
        with self._open() as connection:
            return batches.find_batch(connection, name, source)

    def owners(self, generation_ids: Collection[str]) -> dict[str, GenerationOwner]:
        found = {}
        with self._open() as connection:
            for one in generation_ids:
                if (row := views.attempt_of_generation(connection, one)) is not None:
                    found[one] = GenerationOwner(row.id, row.key, row.batch)
        return found

    def rows_of(self, batch_id: int) -> list[int]:
        with self._open() as connection:
            return steering.rows_of(connection, batch_id)

    def queued(self, batch_id: int, held_back: Collection[HeldBack] = ()) -> list[QueuedJob]:
        with self._open() as connection:
            return views.queued_jobs(connection, batch_id, held_back)

    def queued_by_kind(
        self,
        batch_id: int,
        rows: Collection[int] | None = None,
        held_back: Collection[HeldBack] = (),
    ) -> dict[str, int]:
        with self._open() as connection:
            return views.queued_by_kind(connection, batch_id, rows, held_back)

    def may_be_retried(
        self, job_ids: Collection[int], give_up: Patience | None = None
    ) -> dict[int, WhyNot | None]:
        with self._open() as connection:
            return standing.may_be_retried(connection, job_ids, give_up)

    def may_be_given_up(
        self, job_ids: Collection[int], patience: Patience
    ) -> dict[int, WhyNot | None]:
        with self._open() as connection:
            return standing.may_be_given_up(connection, job_ids, patience)

    def held_for(self, sought: Sought, reason: HeldBack) -> int:
        with self._open() as connection:
            return holding.count(connection, sought, reason)

    def found_and_asked(self, batch_id: int) -> int:
        with self._open() as connection:
            return holding.count_found(connection, batch_id)

    def waiting(self, batch_ids: Sequence[int]) -> list[int]:
        with self._open() as connection:
            return takeovers.waiting(connection, batch_ids)

    def wishes(self, sought: Sought, *, free: bool = False) -> dict[int, Wish]:
        with self._open() as connection:
            return takeovers.wishes(connection, sought, free=free)

    def any_unended(self, batch_id: int) -> bool:
        with self._open() as connection:
            return unended.any_unended(connection, batch_id)

    def doubts(self) -> int:
        with self._open() as connection:
            return doubts.count(connection)

    def twice_micros(self) -> int:
        with self._open() as connection:
            return latecomers.twice_micros(connection)

    def paid_twice(self) -> list[PaidTwice]:
        with self._open() as connection:
            return [
                PaidTwice(batch.name, one.key, one.generation_id, one.price_micros)
                for batch in views.find_batches(connection)
                for one in latecomers.paid_twice(connection, batch.id)
            ]

    def is_served(self) -> bool:
        with self._open() as connection:
            return handing.is_served(connection)

    def is_awaited(self, generation_id: str) -> bool:
        with self._open() as connection:
            return looks.is_awaited(connection, generation_id)

    def served_batches(self) -> list[int]:
        with self._open() as connection:
            return outstanding.served_batches(connection)

    def parts(self, job_ids: Collection[int]) -> Mapping[int, Part]:
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
        with self._open() as connection:
            return browsing.page(connection, batch_id, which, limit, after=after, before=before)

    def newest_number(self) -> int:
        with self._open() as connection:
            return browsing.newest_number(connection)

    def found_after(self, batch: str, number: int, prompt: str) -> JobRow | None:
        with self._open() as connection:
            return browsing.found_after(connection, batch, number, prompt)

    def recent(self, batch_id: int, limit: int) -> list[JobRow]:
        with self._open() as connection:
            return browsing.recent(connection, batch_id, limit)

    def under_way(self, batch_id: int, limit: int) -> list[JobRow]:
        with self._open() as connection:
            return browsing.under_way(connection, batch_id, limit)

    def ended_span(self, batch_id: int) -> tuple[datetime, datetime] | None:
        with self._open() as connection:
            return browsing.ended_span(connection, batch_id)

    def ended_since(self, batch_id: int, since: datetime) -> tuple[int, datetime] | None:
        with self._open() as connection:
            return browsing.ended_since(connection, batch_id, since)

    def course(self, batch_id: int, seconds: int) -> list[Bucket]:
        with self._open() as connection:
            return browsing.course(connection, batch_id, seconds)

    def durations(self, batch_id: int, seconds: int) -> list[tuple[int, int]]:
        with self._open() as connection:
            return browsing.durations(connection, batch_id, seconds)

    def taken(self, batch_id: int) -> Taken | None:
        with self._open() as connection:
            return browsing.taken(connection, batch_id)

    def videos(self, batch_id: int, shelf: Shelf, limit: int, offset: int = 0) -> list[JobRow]:
        with self._open() as connection:
            return reviews.videos(connection, batch_id, shelf, limit, offset)

    def verdicts(self, attempt_ids: Sequence[int]) -> dict[int, str]:
        with self._open() as connection:
            return reviews.verdicts(connection, attempt_ids)

    def videos_since(self, batch_id: int, shelf: Shelf, since: datetime) -> int:
        with self._open() as connection:
            return reviews.count_since(connection, batch_id, shelf, since)
