"""Looks before buying, in SQLite."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from ..looked_for import Wish
from ..matching import Match
from ..ports.adoption import (
    AdoptionStore,
    Comparison,
    Found,
    Listed,
    ListShown,
    PaidHeld,
    RowsSnapshot,
    T,
    UnlookedHeld,
)
from ..ports.doubts import OwnerJob
from ..ports.selection import Sought
from ..provider import Generation
from ..states import HeldBack
from . import accounts, doubts, holding, late, past, takeovers, words
from .doubt_store import owner_job

if TYPE_CHECKING:
    from .database import Store

F = TypeVar("F", bound=Found)


class SqliteAdoption(AdoptionStore):
    """What :class:`jobs.ports.adoption.AdoptionStore` says.

    Args:
        store: the opened database.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def count(self, sought: Sought) -> int:
        return self._store.read(lambda c: takeovers.count_wanted(c, sought))

    def listed(self, shown: ListShown) -> Listed:
        return self._store.read(lambda c: _listed(c, shown))

    def compare(self, comparison: Comparison[T]) -> T:
        return self._store.read(lambda c: compare(c, comparison))

    def hold_back(self, found: Found) -> None:
        self._store.write(lambda c: hold_found(c, found))

    def take_over(self, matches: Iterable[Match], now: datetime, ahead: float) -> int:
        def work(connection: Connection) -> int:
            return sum(
                takeovers.take_over(
                    connection, one.job_id, one.generation, now, ahead, one.fingerprint
                )
                for one in matches
            )

        return self._store.write(work)

    def take_over_by_word(
        self, job_id: int, generation: Generation, now: datetime, ahead: float
    ) -> OwnerJob | bool:
        def work(connection: Connection) -> OwnerJob | bool:
            owner = owner_job(connection, generation.id)
            return owner or takeovers.take_over(connection, job_id, generation, now, ahead)

        return self._store.write(work)

    def typed(self, job_ids: Collection[int]) -> Mapping[int, Wish]:
        return self._store.read(lambda c: late.typed(c, job_ids))

    async def hold_paid(self, job_ids: Collection[int]) -> PaidHeld:
        def work(connection: Connection) -> PaidHeld:
            found = past.hold_late(connection, job_ids)
            left = set(job_ids) - {one.job_id for one in found}
            sought = Sought((), jobs=late.with_awaiting(connection, left))
            return PaidHeld(
                [(one.batch_id, one.paid.attempt_id) for one in found],
                holding.note(connection, sought),
            )

        return await self._store.commit(work)

    async def hold_found(self, found: Found) -> Mapping[int, Wish]:
        def work(connection: Connection) -> Mapping[int, Wish]:
            hold_found(connection, found)
            return found.unchanged(takeovers.wishes(connection, found.compared, free=True))

        return await self._store.commit(work)

    async def hold_unlooked(self, job_ids: Collection[int]) -> UnlookedHeld:
        def work(connection: Connection) -> UnlookedHeld:
            unsaid = late.without_a_word(connection, job_ids)
            said = Sought((), jobs=set(job_ids) - set(unsaid))
            held = holding.hold_back(connection, dict.fromkeys(unsaid), HeldBack.NOT_LOOKED)
            return UnlookedHeld(held, takeovers.wishes(connection, said))

        return await self._store.commit(work)


def compare(connection: Connection, comparison: Comparison[T]) -> T:
    """Compare rows with what the list showed (:meth:`~jobs.ports.adoption.AdoptionStore.compare`).

    Args:
        connection: a snapshot, or in a transaction.
        comparison: which rows, and how.
    """
    sought, shown = comparison.sought, comparison.shown
    in_run = sought.jobs is not None  # (:mod:`jobs.late_look`)
    return comparison.decide(
        RowsSnapshot(
            listed=None if shown is None else _listed(connection, shown),
            rows=takeovers.wanted_rows(connection, sought),
            doubtful=takeovers.doubtful(connection),
            offset=doubts.newest_offset(connection),
            words=words.that_count(connection, comparison.at, in_run=in_run),
            wishes=takeovers.wishes(connection, sought),
            alike=lambda keys, echo: takeovers.requests_like(connection, keys, echo),
        )
    )


def hold_compared(connection: Connection, comparison: Comparison[F]) -> None:
    """Compare rows with what the list showed, and hold back what that finds, in a transaction."""
    hold_found(connection, compare(connection, comparison))


def hold_found(connection: Connection, found: Found) -> None:
    """Write down with the rows what must wait, and what need not wait any more."""
    if found.looked_for is not None:
        holding.looked_for(connection, found.looked_for)
    holding.release_rows(connection, found.released)
    holding.hold_matched(connection, found.matches)
    holding.hold_back(connection, dict.fromkeys(found.not_looked), HeldBack.NOT_LOOKED)


def _listed(connection: Connection, shown: ListShown) -> Listed:
    return Listed(
        doubts.known(connection, shown.generation_ids),
        doubts.must_show(
            connection, shown.accepted_since, shown.created_since, shown.due_by, shown.newest
        ),
        accounts.list_lag(connection),
    )
