"""Rows, single videos and files, written to SQLite (:class:`jobs.ports.loading.LoadStore`)."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ..ports.control import Terms, TermsKept
from ..ports.figures import FileRow
from ..ports.loading import (
    LoadOrder,
    LoadReport,
    Place,
    StagedCount,
    StagedRow,
    WantedFile,
)
from ..ports.queries import QueryStore
from ..ports.selection import Sought
from ..spec import JobSpec, SpecRow
from . import batches, files, holding, incoming, loading, steering, terms, views
from .query_store import Queries

if TYPE_CHECKING:
    from .database import Store


class Loading:
    """Brings rows in, and keeps which files are here.

    Args:
        store: that writes; what is staged and noted is in its own temporary tables.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def stage(self, rows: Iterable[SpecRow]) -> int:
        return self._store.spool(lambda c: incoming.fill(c, rows))

    def staged_rows(self) -> list[int]:
        return self._store.spool(incoming.row_numbers)

    def staged_counts(self, rows: Collection[int] | None = None) -> list[StagedCount]:
        return self._store.spool(lambda c: incoming.counts(c, rows))

    def staged_first(self, most: int, rows: Collection[int] | None = None) -> list[StagedRow]:
        return self._store.spool(lambda c: incoming.first(c, most, rows))

    def load(
        self,
        order: LoadOrder,
        said: Terms,
        now: datetime,
        agree: Callable[[LoadReport], object],
    ) -> tuple[LoadReport, TermsKept]:
        def work(connection: Connection) -> tuple[LoadReport, TermsKept]:
            batch_id = batches.open_batch(
                connection,
                order.name,
                order.default_name,
                order.source,
                order.columns,
                now,
                order.reading,
            )
            report = loading.merge(
                connection,
                batch_id,
                now,
                order.on_change,
                whole=order.whole,
                held_back=order.held_back,
            )
            agree(report)
            return report, terms.keep(connection, batch_id, said, now)

        return self._store.write(work)

    def add(
        self,
        batch: str,
        columns: Sequence[str],
        check: Callable[[QueryStore], object],
        make: Callable[[int], tuple[JobSpec, str]],
        said: Terms,
        now: datetime,
    ) -> tuple[int, TermsKept]:
        def work(connection: Connection) -> tuple[int, TermsKept]:
            batch_id = batches.open_batch(connection, batch, batch, None, columns, now)
            check(Queries.on(connection))
            spec, kind = make(views.last_row(connection, batch_id) + 1)
            job_id = steering.add(connection, batch_id, spec, kind, now)
            return job_id, terms.keep(connection, batch_id, said, now)

        return self._store.write(work)

    def note(
        self,
        batch_ids: Sequence[int],
        *,
        named: bool,
        pick: Callable[[Sequence[int]], Collection[int]] | None = None,
    ) -> Sought:
        return self._store.spool(
            lambda c: holding.note(c, rows_sought(c, batch_ids, named=named, pick=pick))
        )

    def note_sought(self, sought: Sought) -> Sought:
        return self._store.spool(lambda c: holding.note(c, sought))

    def keep_written(
        self, batch_ids: Collection[int], name: str, change: Callable[[Any], Any]
    ) -> None:
        def work(connection: Connection) -> None:
            for batch in views.find_batches(connection):
                if batch.id in batch_ids:
                    kept = change((batch.reading or {}).get(name))
                    batches.keep_written(connection, batch.id, name, kept)

        self._store.write(work)

    def wanted_files(
        self,
        batch_ids: Sequence[int],
        limit: int,
        *,
        after: Place = (0, 0),
        keys: Sequence[str] = (),
    ) -> list[WantedFile]:
        return self._store.read(
            lambda c: files.wanted_files(c, batch_ids, limit, after=after, keys=keys)
        )

    def files_there(self, batch_ids: Sequence[int]) -> list[FileRow]:
        return self._store.read(lambda c: files.files_there(c, batch_ids))

    def file_of(self, attempt_id: int) -> FileRow | None:
        return self._store.read(lambda c: files.file_of(c, attempt_id))

    async def plan_file(self, wanted: WantedFile, path: str) -> None:
        await self._store.commit(lambda c: files.plan_file(c, wanted, path))

    async def record_file(
        self, wanted: WantedFile, path: str, size: int, sha256: str, now: datetime
    ) -> None:
        await self._store.commit(lambda c: files.record_file(c, wanted, path, size, sha256, now))

    async def record_file_error(self, wanted: WantedFile, error: str) -> None:
        await self._store.commit(lambda c: files.record_file_error(c, wanted, error))

    def forget_files(self, gone: Iterable[FileRow]) -> None:
        def work(connection: Connection) -> None:
            for one in gone:
                files.forget_file(connection, one.attempt_id, one.job_id)

        self._store.write(work)


def rows_sought(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    named: bool,
    pick: Callable[[Sequence[int]], Collection[int]] | None = None,
) -> Sought:
    """Name the rows that a run may buy: what else is queued is neither looked for nor changed.

    Args:
        connection: any.
        batch_ids: whose rows.
        named: a person named the batches.
        pick: chooses among the rows of a batch's manifest; None takes them all.
    """
    rows = {}
    if pick is not None:
        rows = {number: pick(steering.rows_of(connection, number)) for number in batch_ids}
    return Sought(batch_ids, named, rows)
