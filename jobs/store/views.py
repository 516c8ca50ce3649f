"""The lists of :mod:`jobs.queries` inside a transaction, and finding and making batches."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from sqlite3 import Connection as Sqlite
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, or_, select

from ..database.tables import ATTEMPT, BATCH, JOB
from ..model.errors import NamesakeError
from ..model.states import HeldBack, JobState
from ..model.text import folded_id
from ..ports.loading import WRITTEN
from ..ports.seen import BatchRow, GenerationOwner, QueuedJob
from ..queries import batches as plain_batches
from ..queries import jobs as plain_jobs
from . import holding
from .prepared import Prepared, driver, read
from .rows import change

P = ParamSpec("P")
T = TypeVar("T")


def _plain(work: Callable[Concatenate[Sqlite, P], T]) -> Callable[Concatenate[Connection, P], T]:
    """Make a question of :mod:`jobs.queries` one that is asked inside a transaction."""

    def asked(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return work(driver(connection), *args, **kwargs)

    return asked


find_batches = _plain(plain_batches.find_batches)
batch_status = _plain(plain_batches.batch_status)
budgets = _plain(plain_batches.budgets)
jobs = _plain(plain_jobs.each_job)
failures = _plain(plain_jobs.failures)
find_job = _plain(plain_jobs.find_job)
numbered = _plain(plain_jobs.numbered)
attempts_of = _plain(plain_jobs.attempts_of)


def campaigns(connection: Connection, batch_id: int) -> list[str]:
    """List the campaigns of a batch's rows."""
    found = connection.execute(
        select(JOB.c.campaign)
        .distinct()
        .where(JOB.c.batch_id == batch_id, JOB.c.campaign.is_not(None))
        .order_by(JOB.c.campaign)
    )
    return list(found.scalars())


def attempt_of_generation(connection: Connection, generation_id: str) -> GenerationOwner | None:
    """Find the attempt that has a generation, or None."""
    folded = folded_id(generation_id)
    owner = (
        select(ATTEMPT.c.id, JOB.c.key, BATCH.c.name.label("batch"))
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(ATTEMPT.c.generation_id.in_({generation_id, folded, folded.upper()}))
    )
    return next(read(connection, owner, GenerationOwner), None)


def queued_by_kind(
    connection: Connection,
    batch_id: int,
    rows: Collection[int] | None = None,
    held_back: Collection[HeldBack] = (),
) -> dict[str, int]:
    """Count the queued jobs of a batch, or of some of its rows, by price kind."""
    queued = to_buy(batch_id, held_back)
    if rows is not None:
        queued = (*queued, holding.in_pick(rows))
    kinds = select(JOB.c.kind, func.count()).where(*queued).group_by(JOB.c.kind)
    return dict(connection.execute(kinds).all())


def to_buy(batch_id: int, held_back: Collection[HeldBack] = ()) -> tuple[ColumnElement[bool], ...]:
    """Select the jobs of a batch that may be bought if some reasons are overruled."""
    beneath = or_(JOB.c.held_beneath.is_(None), JOB.c.held_beneath.in_(held_back))
    free = or_(JOB.c.held_back.is_(None), and_(JOB.c.held_back.in_(held_back), beneath))
    return (JOB.c.batch_id == batch_id, JOB.c.state == JobState.QUEUED, JOB.c.in_manifest, free)


def wanted_counts(
    connection: Connection, batch_id: int
) -> Iterable[tuple[str, str | None, str, str | None, int]]:
    """Count the jobs of a batch's manifest by state, reason to hold back, kind and campaign."""
    columns = (JOB.c.state, JOB.c.held_back, JOB.c.kind, JOB.c.campaign)
    counted = (
        select(*columns, func.count())
        .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
        .group_by(*columns)
    )
    return connection.execute(counted).all()


def queued_jobs(
    connection: Connection, batch_id: int, held_back: Collection[HeldBack] = ()
) -> list[QueuedJob]:
    """List the jobs that :func:`to_buy` means."""
    query = select(JOB.c.id, JOB.c.kind).where(*to_buy(batch_id, held_back)).order_by(JOB.c.id)
    return [QueuedJob(*row) for row in connection.execute(query)]


def last_row(connection: Connection, batch_id: int) -> int:
    """Return the last row of a batch; 0 when it has none."""
    last: int = connection.execute(
        select(func.coalesce(func.max(JOB.c.row), 0)).where(JOB.c.batch_id == batch_id)
    ).scalar_one()
    return last


_NAMED = Prepared(select(BATCH).where(BATCH.c.name == bindparam("name")), BatchRow)
_FROM = Prepared(
    select(BATCH)
    .where(BATCH.c.source == bindparam("source"), BATCH.c.removed_at.is_(None))
    .order_by(BATCH.c.id.desc())
    .limit(1),
    BatchRow,
)


def find_batch(connection: Connection, name: str | None, source: str) -> BatchRow | None:
    """Find the batch that a manifest was loaded as, by name if given, else by its path."""
    if name is not None:
        return _NAMED.first(connection, name=name)
    return _FROM.first(connection, source=source)


def batch_of(
    connection: Connection, name: str | None, default_name: str, source: str | None
) -> BatchRow | None:
    """Find the batch that :func:`open_batch` would open; None when it would make one."""
    batch = find_batch(connection, name, source or "")
    if batch is not None or name is not None:
        return batch
    namesake = find_batch(connection, default_name, source or "")
    if namesake is not None and namesake.source not in (None, source):
        raise NamesakeError(default_name, namesake.source)
    return namesake


def open_batch(
    connection: Connection,
    name: str | None,
    default_name: str,
    source: str | None,
    columns: Iterable[str],
    now: datetime,
    reading: Mapping[str, Any] | None = None,
) -> int:
    """Find or make the batch of a manifest (:class:`jobs.ports.loading.LoadOrder`).

    Raises:
        NamesakeError: another file is loaded under the default name.
    """
    batch = batch_of(connection, name, default_name, source)
    if batch is not None:
        written = WRITTEN if source == batch.source else WRITTEN[:1]
        kept = {name: said for name, said in (batch.reading or {}).items() if name in written}
        read_as = {**kept, **(reading or {})} or None
        there = {"source": source, "columns": list(columns), "archived_at": None}
        change(connection, BATCH, batch.id, reading=read_as, **there)
        return batch.id
    new = insert(BATCH).values(
        name=name or default_name,
        source=source,
        columns=list(columns),
        reading=reading,
        active=False,
        paused=False,
        created_at=now,
    )
    return int(connection.execute(new).inserted_primary_key[0])  # type: ignore[index]
