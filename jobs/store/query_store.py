"""The queries of :class:`jobs.ports.queries.QueryStore` on SQLite."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from sqlite3 import Connection as Sqlite
from typing import TypeVar

from sqlalchemy import Connection

from ..ports.seen import GenerationOwner, PaidTwice, PriceRow
from ..queries.lists import Lists
from . import (
    accounts,
    browsing,
    doubts,
    handing,
    holding,
    latecomers,
    looks,
    outstanding,
    steering,
    takeovers,
    update_store,
    views,
)
from .bound import reads
from .prepared import driver

T = TypeVar("T")


def _integrity(connection: Connection) -> str:
    return str(driver(connection).execute("PRAGMA integrity_check(1)").fetchone()[0])


def _owners(connection: Connection, generation_ids: Collection[str]) -> dict[str, GenerationOwner]:
    return {
        one: owner
        for one in generation_ids
        if (owner := views.attempt_of_generation(connection, one)) is not None
    }


def _paid_twice(connection: Connection) -> list[PaidTwice]:
    return [
        one
        for batch in views.find_batches(connection)
        for one in latecomers.paid_twice(connection, batch.id)
    ]


class Queries(Lists):
    """Answers on the connection that reads, or inside of a transaction."""

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

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._open() as connection:
            return work(connection)

    @contextmanager
    def snapshot(self) -> Iterator["Queries"]:
        with self._open() as connection:
            yield Queries.on(connection)

    def odd_prices(self, since: datetime) -> list[PriceRow]:
        found = self.prices().values()
        return [one for one in found if one.odd_at is not None and one.odd_at >= since]

    any_unended = reads(update_store.any_unended)
    batch_of = reads(views.batch_of)
    cap = reads(accounts.cap)
    check_zone = reads(accounts.check_zone)
    course = reads(browsing.course)
    doubts = reads(doubts.count)
    durations = reads(browsing.durations)
    ended_since = reads(browsing.ended_since)
    ended_span = reads(browsing.ended_span)
    find_batch = reads(views.find_batch)
    found_after = reads(browsing.found_after)
    found_and_asked = reads(holding.count_found)
    future_days = reads(accounts.future_days)
    held_for = reads(holding.count)
    integrity = reads(_integrity)
    is_awaited = reads(looks.is_awaited)
    unanswered = reads(looks.unanswered)
    is_served = reads(handing.is_served)
    may_be_given_up = reads(steering.may_be_given_up)
    may_be_retried = reads(steering.may_be_retried)
    newest_number = reads(browsing.newest_number)
    owners = reads(_owners)
    page = reads(browsing.page)
    paid_twice = reads(_paid_twice)
    parts = reads(outstanding.parts)
    queued = reads(views.queued_jobs)
    queued_by_kind = reads(views.queued_by_kind)
    recent = reads(browsing.recent)
    rows_of = reads(steering.rows_of)
    stop_is_asked = reads(accounts.stop_is_asked)
    served_batches = reads(outstanding.served_batches)
    taken = reads(browsing.taken)
    today = reads(accounts.today)
    twice_micros = reads(latecomers.twice_micros)
    under_way = reads(browsing.under_way)
    verdicts = reads(browsing.verdicts)
    videos = reads(browsing.videos)
    videos_since = reads(browsing.count_since)
    kinds = reads(browsing.kinds)
    waiting = reads(takeovers.waiting)
    wishes = reads(takeovers.wishes)
