"""Rows, single videos and files, written to SQLite (:class:`jobs.ports.loading.LoadStore`)."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ..database.tables import BATCH
from ..model.spec import JobSpec
from ..ports.control import Terms, TermsKept
from ..ports.loading import LoadOrder, LoadReport
from ..ports.queries import QueryStore
from ..ports.selection import Sought
from . import files, holding, incoming, loading, rows, steering, views
from .bound import Bound, commits, reads, spools, writes
from .control_store import keep_terms
from .query_store import Queries


def _load(
    connection: Connection,
    order: LoadOrder,
    said: Terms,
    now: datetime,
    agree: Callable[[LoadReport], object],
) -> tuple[LoadReport, TermsKept]:
    of = (order.name, order.default_name, order.source, order.columns)
    batch_id = views.open_batch(connection, *of, now, order.reading)
    report = loading.merge(
        connection, batch_id, now, order.on_change, whole=order.whole, held_back=order.held_back
    )
    agree(report)
    return report, keep_terms(connection, batch_id, said, now)


def _add(
    connection: Connection,
    batch: str,
    columns: Sequence[str],
    check: Callable[[QueryStore], object],
    make: Callable[[int], tuple[JobSpec, str]],
    said: Terms,
    now: datetime,
) -> tuple[int, TermsKept]:
    before = views.batch_of(connection, batch, batch, None)
    of_all = dict.fromkeys([*(before.columns if before is not None else ()), *columns])
    batch_id = views.open_batch(connection, batch, batch, None, of_all, now)
    check(Queries.on(connection))
    spec, kind = make(views.last_row(connection, batch_id) + 1)
    job_id = steering.add(connection, batch_id, spec, kind, now)
    return job_id, keep_terms(connection, batch_id, said, now)


def _note(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    named: bool,
    pick: Callable[[Sequence[int]], Collection[int]] | None = None,
) -> Sought:
    return holding.note(connection, rows_sought(connection, batch_ids, named=named, pick=pick))


def _keep_written(
    connection: Connection,
    batch_ids: Collection[int],
    name: str,
    change: Callable[[Any], Any],
) -> None:
    for batch in views.find_batches(connection):
        if batch.id in batch_ids:
            kept = batch.reading or {}
            reading = {**kept, name: change(kept.get(name))}
            rows.change(connection, BATCH, batch.id, reading=reading)


def rows_sought(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    named: bool,
    pick: Callable[[Sequence[int]], Collection[int]] | None = None,
) -> Sought:
    """Name the rows that a run may buy: what else is queued is neither looked for nor changed."""
    if pick is None:
        return Sought(batch_ids, named)
    picked = {number: pick(steering.rows_of(connection, number)) for number in batch_ids}
    return Sought(batch_ids, named, picked)


class Loading(Bound):
    """Brings rows in, by the store's own temporary tables, and keeps which files are here."""

    add = writes(_add)
    file_of = reads(files.file_of)
    files_there = reads(files.files_there)
    forget_files = writes(files.forget_files)
    is_of_another = reads(files.is_of_another)
    keep_written = writes(_keep_written)
    load = writes(_load)
    note = spools(_note)
    note_sought = spools(holding.note)
    plan_file = commits(files.plan_file)
    record_file = commits(files.record_file)
    record_file_error = commits(files.record_file_error)
    stage = spools(incoming.fill)
    staged_counts = spools(incoming.counts)
    staged_first = spools(incoming.first)
    staged_rows = spools(incoming.row_numbers)
    wanted_files = reads(files.wanted_files)
