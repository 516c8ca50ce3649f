"""What people and the application want to know: read-only questions, answered from one snapshot."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select

from ..errors import NotFoundError
from ..ledger import Budget, Scope, batch_key, twice_key
from ..states import HeldBack, JobState
from ..tables import ACCOUNT, ARTIFACT, ATTEMPT, BATCH, BUDGET, JOB, REVIEW, TALLY
from ..text import folded_id
from . import doubts, files, handing, holding
from .prepared import Prepared, read
from .records.accounts import BatchRow, BudgetRow
from .records.views import (
    AttemptView,
    DoubtView,
    FailureGroup,
    JobView,
    KindJobs,
    OwnedGeneration,
    QueuedKind,
    WantedCount,
)

PAGE = 1000


@dataclass(slots=True)
class BatchStatus:
    """Where a batch stands.

    Attributes:
        jobs: how many jobs are in each state, zeros included.
        failed_kinds: how many failed by each kind.
        active: a runner serves it, or has unfinished jobs of it in hand.
        files_missing: completed jobs whose file is not here.
        twice: what was paid for twice, in micros (:mod:`jobs.store.latecomers`).
        held_back: queued jobs that no runner buys, by :class:`~jobs.states.HeldBack`.
        money: the batch's budget; refunds beside it.
        campaigns: each campaign's budget by its name.
        doubts: from :func:`jobs.store.doubts.of_batch`.
    """

    id: int
    name: str
    source: str | None
    paused: bool
    active: bool
    waiting_for: str | None
    jobs: dict[str, int]
    failed_kinds: dict[str, int]
    files_missing: int
    money: Budget
    refunded: int
    campaigns: dict[str, Budget] = field(default_factory=dict)
    doubts: Sequence[DoubtView] = ()
    held_back: Mapping[HeldBack, int] = field(default_factory=dict)
    twice: int = 0

    @property
    def held(self) -> int:
        """Count the queued jobs that no runner buys."""
        return sum(self.held_back.values())

    @property
    def total(self) -> int:
        """Count all jobs."""
        return sum(self.jobs.values())

    @property
    def left(self) -> int:
        """Count the jobs that are not at an end."""
        ends = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
        return self.total - sum(self.jobs[state] for state in ends)


def find_batches(connection: Connection, name: str | None = None) -> list[BatchRow]:
    """List the batches, or the one of that name.

    Raises:
        NotFoundError: there is none of that name.
    """
    query = select(BATCH).where(BATCH.c.removed_at.is_(None)).order_by(BATCH.c.id)
    if name is None:
        return list(read(connection, query, BatchRow))
    found = list(read(connection, query.where(BATCH.c.name == name), BatchRow))
    if not found:
        names = [repr(row.name) for row in read(connection, query.limit(10), BatchRow)]
        known = f"there are {', '.join(names)}" if names else "the database has no batch yet"
        raise NotFoundError(f"there is no batch {name!r}; {known}")
    return found


def batch_status(connection: Connection, batch: BatchRow) -> BatchStatus:
    """Sum a batch up."""
    jobs = dict.fromkeys(map(str, JobState), 0)
    kinds: dict[str, int] = {}
    counted = connection.execute(
        select(TALLY.c.state, TALLY.c.error_kind, TALLY.c.jobs).where(
            TALLY.c.batch_id == batch.id, TALLY.c.jobs > 0
        )
    )
    for state, kind, count in counted:
        jobs[state] += count
        if kind:
            kinds[kind] = count
    prefix = f"{Scope.CAMPAIGN}:{batch.id}:"
    counted_in = or_(
        BUDGET.c.key.in_([batch_key(batch.id), twice_key(batch.id)]),
        BUDGET.c.key.startswith(prefix, autoescape=True),
    )
    budgets = {
        row.key: row for row in read(connection, select(BUDGET).where(counted_in), BudgetRow)
    }
    own = budgets.pop(batch_key(batch.id), None)
    twice = budgets.pop(twice_key(batch.id), None)
    return BatchStatus(
        id=batch.id,
        name=batch.name,
        source=batch.source,
        paused=batch.paused,
        active=batch.active or handing.works_on(connection, batch.id),
        waiting_for=batch.waiting_for,
        jobs=jobs,
        failed_kinds=kinds,
        files_missing=files.count_wanted(connection, batch.id),
        money=Budget(batch_key(batch.id), None, 0, 0) if own is None else Budget(*own),
        refunded=0 if own is None else own.refunded_micros,
        campaigns={key.removeprefix(prefix): Budget(*row) for key, row in sorted(budgets.items())},
        doubts=doubts.of_batch(connection, batch.id) if jobs[JobState.IN_DOUBT] else (),
        held_back=holding.counts(connection, batch.id) if jobs[JobState.QUEUED] else {},
        twice=0 if twice is None else twice.charged_micros,
    )


_BUDGETS = Prepared(select(BUDGET), BudgetRow)


def budgets(connection: Connection) -> list[Budget]:
    """List every budget, for whoever checks or shows them."""
    return [Budget(*row) for row in _BUDGETS.all(connection)]


_JOB_VIEW = (
    select(
        JOB,
        BATCH.c.name.label("batch"),
        BATCH.c.paused,
        and_(
            not_(BATCH.c.paused),
            or_(and_(BATCH.c.active, JOB.c.held_back.is_(None)), JOB.c.handed),
            select(ACCOUNT.c.serving).scalar_subquery(),
        ).label("served"),
        ATTEMPT.c.state.label("attempt_state"),
        ATTEMPT.c.generation_id,
        ATTEMPT.c.kind.label("attempt_kind"),
        ATTEMPT.c.percent,
        ATTEMPT.c.queue_position,
        ATTEMPT.c.said_state,
        ATTEMPT.c.hold_micros,
        ATTEMPT.c.price_micros.label("attempt_price"),
        ATTEMPT.c.error.label("attempt_error"),
        ATTEMPT.c.intent_at,
        ARTIFACT.c.path.label("file"),
        ARTIFACT.c.sha256,
        ARTIFACT.c.error.label("download_error"),
        REVIEW.c.verdict,
    )
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .outerjoin(ATTEMPT, ATTEMPT.c.id == JOB.c.attempt_id)
    .outerjoin(ARTIFACT, ARTIFACT.c.attempt_id == JOB.c.attempt_id)
    .outerjoin(REVIEW, REVIEW.c.attempt_id == JOB.c.attempt_id)
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; what is empty leaves all.

    Attributes:
        batch: name of a batch.
        states: of :class:`~jobs.states.JobState`.
        kinds: of failure.
        campaigns: names.
        keys: of jobs, or their numbers as ``#12``.
        search: words of which all stand in prompt, key or error, in any case.
    """

    batch: str | None = None
    states: Sequence[str] = ()
    kinds: Sequence[str] = ()
    campaigns: Sequence[str] = ()
    keys: Sequence[str] = ()
    search: str = ""

    def terms(self) -> Iterator[ColumnElement[bool]]:
        """Write it in SQL, on jobs joined with their batches."""
        yield BATCH.c.removed_at.is_(None)
        if self.batch is not None:
            yield BATCH.c.name == self.batch
        for column, values in (
            (JOB.c.state, self.states),
            (JOB.c.error_kind, self.kinds),
            (JOB.c.campaign, self.campaigns),
        ):
            if values:
                yield column.in_(values)
        if self.keys:
            numbers = [int(key[1:]) for key in self.keys if _NUMBER.fullmatch(key)]
            yield or_(JOB.c.key.in_(self.keys), JOB.c.id.in_(numbers))
        yield from with_words(self.search)


def with_words(search: str) -> Iterator[ColumnElement[bool]]:
    """Select the jobs that have all words of a search in prompt, key or error, in any case."""
    for word in search.split():
        yield or_(
            *(
                column.icontains(word, autoescape=True)
                for column in (JOB.c.prompt, JOB.c.key, JOB.c.error)
            )
        )


EVERYTHING = Wanted()
_NUMBER = re.compile("#[0-9]{1,18}")
ORDERS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    # rows that left the manifest come last
    "row": (JOB.c.batch_id, JOB.c.in_manifest.desc(), JOB.c.row, JOB.c.id),
    "state": (JOB.c.state, JOB.c.batch_id, JOB.c.row, JOB.c.id),
    "price": (JOB.c.charged_micros.desc(), JOB.c.id),
    "submitted": (JOB.c.submitted_at.desc().nulls_last(), JOB.c.id),
    "completed": (JOB.c.completed_at.desc().nulls_last(), JOB.c.id),
    "attempts": (JOB.c.attempts.desc(), JOB.c.id),
}
"""What jobs can be sorted by; amounts and times from the highest on."""


def jobs(
    connection: Connection, wanted: Wanted = EVERYTHING, order: str = "row"
) -> Iterator[JobView]:
    """Stream jobs with their last attempt and file.

    Raises:
        NotFoundError: there is no batch of that name.
    """
    if wanted.batch is not None:
        find_batches(connection, wanted.batch)
    query = _JOB_VIEW.where(*wanted.terms()).order_by(*ORDERS[order])
    yield from read(connection.execution_options(yield_per=PAGE), query, JobView)


def failures(connection: Connection, wanted: Wanted) -> list[FailureGroup]:
    """Group failed jobs by kind and words, the most frequent first, each with the first's key."""
    if wanted.batch is not None:
        find_batches(connection, wanted.batch)
    groups = (
        select(
            JOB.c.error_kind,
            JOB.c.error,
            func.count().label("jobs"),
            func.sum(JOB.c.charged_micros).label("charged_micros"),
            func.min(JOB.c.key).label("example"),
        )
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(*wanted.terms(), JOB.c.state == JobState.FAILED)
        .group_by(JOB.c.error_kind, JOB.c.error)
        .order_by(func.count().desc(), JOB.c.error_kind, JOB.c.error)
    )
    return list(read(connection, groups, FailureGroup))


def find_job(connection: Connection, key: str, batch: str | None = None) -> JobView:
    """Find one job by its key (or its number as ``#12``), within a batch if named.

    Raises:
        NotFoundError: none, or several batches have that key.
    """
    within = [row.id for row in find_batches(connection, batch)]  # so that an index finds the key
    query = _JOB_VIEW.where(JOB.c.batch_id.in_(within), JOB.c.key == key)
    if _NUMBER.fullmatch(key):
        query = _JOB_VIEW.where(JOB.c.batch_id.in_(within), JOB.c.id == int(key[1:]))
    found = list(read(connection, query, JobView))
    if len(found) == 1:
        return found[0]
    if not found:
        where = "" if batch is None else f" in the batch {batch!r}"
        raise NotFoundError(f"there is no job {key!r}{where}; 'batchsora jobs' lists them")
    names = ", ".join(repr(row.batch) for row in found)
    raise NotFoundError(f"several batches have a job {key!r} ({names}); say which with --batch")


def numbered(connection: Connection, job_ids: Sequence[int]) -> list[JobView]:
    """Read jobs by their numbers, in that order; removed batches' as well."""
    found: dict[int, JobView] = {}
    for start in range(0, len(job_ids), PAGE):
        chunk = job_ids[start : start + PAGE]
        jobs = read(connection, _JOB_VIEW.where(JOB.c.id.in_(chunk)), JobView)
        found |= {job.id: job for job in jobs}
    return [found[number] for number in job_ids if number in found]


def campaigns(connection: Connection, batch_id: int) -> list[str]:
    """List the campaigns of a batch's rows."""
    found = connection.execute(
        select(JOB.c.campaign)
        .distinct()
        .where(JOB.c.batch_id == batch_id, JOB.c.campaign.is_not(None))
        .order_by(JOB.c.campaign)
    )
    return list(found.scalars())


def attempts_of(connection: Connection, job_id: int) -> list[AttemptView]:
    """List a job's attempts, the first one first."""
    rows = select(ATTEMPT).where(ATTEMPT.c.job_id == job_id).order_by(ATTEMPT.c.id)
    return list(read(connection, rows, AttemptView))


def attempt_of_generation(connection: Connection, generation_id: str) -> OwnedGeneration | None:
    """Find the attempt that has a generation; None when it is no attempt's."""
    folded = folded_id(generation_id)
    owner = (
        select(ATTEMPT.c.id, JOB.c.key, BATCH.c.name.label("batch"))
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(ATTEMPT.c.generation_id.in_({generation_id, folded, folded.upper()}))
    )
    return next(read(connection, owner, OwnedGeneration), None)


def queued_by_kind(
    connection: Connection,
    batch_id: int,
    rows: Collection[int] | None = None,
    held_back: Collection[HeldBack] = (),
) -> dict[str, int]:
    """Count the queued jobs of a batch, or of some of its rows, by price kind.

    Args:
        connection: to read from.
        batch_id: of the batch.
        rows: of the manifest, beside those that were asked for by name; None is all of them.
        held_back: reasons that don't count, because they are overruled.
    """
    queued = to_buy(batch_id, held_back)
    if rows is not None:
        queued = (*queued, holding.in_pick(rows))
    kinds = select(JOB.c.kind, func.count().label("jobs")).where(*queued).group_by(JOB.c.kind)
    return {row.kind: row.jobs for row in read(connection, kinds, KindJobs)}


def to_buy(batch_id: int, held_back: Collection[HeldBack] = ()) -> tuple[ColumnElement[bool], ...]:
    """Select the jobs of a batch that may be bought where some reasons are overruled."""
    beneath = or_(JOB.c.held_beneath.is_(None), JOB.c.held_beneath.in_(held_back))
    free = or_(JOB.c.held_back.is_(None), and_(JOB.c.held_back.in_(held_back), beneath))
    return (JOB.c.batch_id == batch_id, JOB.c.state == JobState.QUEUED, JOB.c.in_manifest, free)


def wanted_counts(connection: Connection, batch_id: int) -> list[WantedCount]:
    """Count the jobs of a batch's manifest by state, reason to hold back, kind and campaign."""
    columns = (JOB.c.state, JOB.c.held_back, JOB.c.kind, JOB.c.campaign)
    counted = (
        select(*columns, func.count().label("jobs"))
        .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
        .group_by(*columns)
    )
    return list(read(connection, counted, WantedCount))


def queued_jobs(
    connection: Connection, batch_id: int, held_back: Collection[HeldBack] = ()
) -> list[QueuedKind]:
    """List number and price kind of the jobs that :func:`to_buy` means."""
    query = select(JOB.c.id, JOB.c.kind).where(*to_buy(batch_id, held_back)).order_by(JOB.c.id)
    return list(read(connection, query, QueuedKind))


def last_row(connection: Connection, batch_id: int) -> int:
    """Return the last row of a batch; 0 when it has none."""
    last: int = connection.execute(
        select(func.coalesce(func.max(JOB.c.row), 0)).where(JOB.c.batch_id == batch_id)
    ).scalar_one()
    return last
