"""Looks before buying, in SQLite."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from ..evidence.looked_for import Wish
from ..evidence.matching import Match
from ..model.provider import Generation
from ..model.states import HeldBack
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
from ..ports.seen import GenerationOwner
from ..ports.selection import Sought
from . import accounts, doubts, holding, past, takeovers
from .bound import Bound, commits, reads, writes
from .views import attempt_of_generation

F = TypeVar("F", bound=Found)


def _take_over(
    connection: Connection, matches: Iterable[Match], now: datetime, ahead: float
) -> int:
    return sum(
        takeovers.take_over(connection, one.job_id, one.generation, now, ahead, one.fingerprint)
        for one in matches
    )


def _take_over_by_word(
    connection: Connection, job_id: int, generation: Generation, now: datetime, ahead: float
) -> GenerationOwner | bool:
    owner = attempt_of_generation(connection, generation.id)
    return owner or takeovers.take_over(connection, job_id, generation, now, ahead)


def _hold_paid(connection: Connection, job_ids: Collection[int]) -> PaidHeld:
    found = past.hold_late(connection, job_ids)
    left = set(job_ids) - {one.job_id for one in found}
    sought = Sought((), jobs=takeovers.with_awaiting(connection, left))
    return PaidHeld(
        [(one.batch_id, one.paid.attempt_id) for one in found], holding.note(connection, sought)
    )


def _hold_late_found(connection: Connection, found: Found) -> Mapping[int, Wish]:
    hold_found(connection, found)
    return found.unchanged(takeovers.wishes(connection, found.compared, free=True))


def _hold_unlooked(connection: Connection, job_ids: Collection[int]) -> UnlookedHeld:
    unsaid = takeovers.without_a_word(connection, job_ids)
    said = Sought((), jobs=set(job_ids) - set(unsaid))
    held = holding.hold_back(connection, dict.fromkeys(unsaid), HeldBack.NOT_LOOKED)
    return UnlookedHeld(held, takeovers.wishes(connection, said))


def compare(connection: Connection, comparison: Comparison[T]) -> T:
    """Compare rows with what the list showed, on one snapshot; return what was decided."""
    sought, shown = comparison.sought, comparison.shown
    in_run = sought.jobs is not None  # (:mod:`jobs.services.late_look`)
    return comparison.decide(
        RowsSnapshot(
            listed=None if shown is None else _listed(connection, shown),
            rows=takeovers.wanted_rows(connection, sought),
            doubtful=takeovers.doubtful(connection, sought.kinds),
            offset=doubts.newest_offset(connection),
            words=takeovers.words_that_count(connection, comparison.at, in_run=in_run),
            wishes=takeovers.wishes(connection, sought),
            alike=lambda keys, echo: takeovers.requests_like(connection, sought.kinds, keys, echo),
        )
    )


def hold_compared(connection: Connection, comparison: Comparison[F]) -> None:
    """Compare rows with what the list showed, and hold back what that finds, in a transaction."""
    hold_found(connection, compare(connection, comparison))


def hold_found(connection: Connection, found: Found) -> None:
    """Write down with the rows what must wait, and what need not wait any more."""
    for sought in found.looked_for:
        holding.release(connection, sought, [HeldBack.NOT_LOOKED])
    holding.release_rows(connection, found.released)
    holding.hold_matched(connection, found.matches)
    holding.hold_back(connection, dict.fromkeys(found.not_looked), HeldBack.NOT_LOOKED)


def _listed(connection: Connection, shown: ListShown) -> Listed:
    return Listed(
        doubts.known(connection, shown.generation_ids),
        doubts.must_show(connection, shown),
        accounts.list_lag(connection, shown.family.name),
    )


class SqliteAdoption(Bound, AdoptionStore):
    """What :class:`jobs.ports.adoption.AdoptionStore` says."""

    compare = reads(compare)
    count = reads(takeovers.count_wanted)
    hold_back = writes(hold_found)
    hold_found = commits(_hold_late_found)
    hold_paid = commits(_hold_paid)
    hold_unlooked = commits(_hold_unlooked)
    listed = reads(_listed)
    take_over = writes(_take_over)
    take_over_by_word = writes(_take_over_by_word)
    typed = reads(takeovers.typed)
