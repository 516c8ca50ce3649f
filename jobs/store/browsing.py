"""What a page shows of a batch: a page of its jobs, and its course over time; never all of it.

Jobs stand in the order of their numbers, which is that of the rows as they were loaded. A page is
found from the number before it, in the index of each state, however far down it is.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, or_, select, union_all

from ..database.tables import ARTIFACT, ATTEMPT, BATCH, JOB
from ..model.states import JobState
from ..ports.seen import Bucket, JobRow, Page, Taken
from ..ports.selection import Filter
from . import views
from .prepared import read
from .records.jobs import EndedCount, SpanCount, TakenTime


def terms(which: Filter) -> Iterator[ColumnElement[bool]]:
    """Return in SQL which jobs are meant, but for the states."""
    if which.kinds:
        yield JOB.c.error_kind.in_(which.kinds)
    if which.campaigns:
        yield JOB.c.campaign.in_(which.campaigns)
    for word in which.search.split():
        yield or_(
            *(
                column.icontains(word, autoescape=True)
                for column in (JOB.c.prompt, JOB.c.key, JOB.c.error)
            )
        )


def page(
    connection: Connection,
    batch_id: int,
    which: Filter,
    limit: int,
    *,
    after: int = 0,
    before: int | None = None,
) -> Page:
    """Read a page of a batch's jobs."""
    forward = before is None
    edge = after if before is None else before
    found = _numbers(connection, batch_id, which, limit + 1, edge, forward=forward)
    more = len(found) > limit
    numbers = found[:limit]
    if not forward:
        numbers.reverse()
    jobs = views.numbered(connection, numbers)
    if forward:
        return Page(jobs, earlier=after > 0, later=more)
    return Page(jobs, earlier=more, later=True)


def _numbers(
    connection: Connection, batch_id: int, which: Filter, limit: int, edge: int, *, forward: bool
) -> list[int]:
    """Merge the first numbers of each state beyond an edge: each comes from an index in order."""
    beyond = JOB.c.id > edge if forward else JOB.c.id < edge
    parts = [
        select(
            select(JOB.c.id)
            .where(JOB.c.batch_id == batch_id, JOB.c.state == state, beyond, *terms(which))
            .order_by(JOB.c.id if forward else JOB.c.id.desc())
            .limit(limit)
            .subquery()
        )
        for state in which.states or tuple(JobState)
    ]
    merged = union_all(*parts).subquery()
    order = merged.c.id if forward else merged.c.id.desc()
    return list(connection.execute(select(merged.c.id).order_by(order).limit(limit)).scalars())


def course(connection: Connection, batch_id: int, seconds: int) -> list[Bucket]:
    """Sum up what ended, by spans of so many seconds: in SQLite, as there may be 100,000 jobs."""
    number = cast(func.strftime("%s", JOB.c.completed_at), Integer) / seconds
    while_ = cast(number, Integer).label("number")
    ended = (
        select(
            while_,
            func.sum(case((JOB.c.state == JobState.COMPLETED, 1), else_=0)).label("completed"),
            func.sum(case((JOB.c.state == JobState.FAILED, 1), else_=0)).label("failed"),
            func.sum(JOB.c.charged_micros).label("charged"),
        )
        .where(JOB.c.batch_id == batch_id, JOB.c.completed_at.is_not(None))
        .group_by(while_)
        .order_by(while_)
    )
    return [
        Bucket(
            datetime.fromtimestamp(row.number * seconds, UTC),
            row.completed,
            row.failed,
            row.charged,
        )
        for row in read(connection, ended, EndedCount)
        if row.completed or row.failed
    ]


def ended_span(connection: Connection, batch_id: int) -> tuple[datetime, datetime] | None:
    """Return when the first and the last job of a batch ended; None when none has."""
    first, last = connection.execute(
        select(func.min(JOB.c.completed_at), func.max(JOB.c.completed_at)).where(
            JOB.c.batch_id == batch_id, JOB.c.completed_at.is_not(None)
        )
    ).one()
    return None if first is None else (first, last)


def ended_since(
    connection: Connection, batch_id: int, since: datetime
) -> tuple[int, datetime] | None:
    """Count the jobs that ended since a moment, and return when the first of them did."""
    count, first = connection.execute(
        select(func.count(), func.min(JOB.c.completed_at)).where(
            JOB.c.batch_id == batch_id,
            JOB.c.completed_at.is_not(None),
            JOB.c.completed_at >= since,
        )
    ).one()
    return (count, first) if count else None


def durations(connection: Connection, batch_id: int, seconds: int) -> list[tuple[int, int]]:
    """Count completed jobs by how long they took from submission to completion."""
    took = func.julianday(JOB.c.completed_at) - func.julianday(JOB.c.submitted_at)
    number = cast(took * (86_400.0 / seconds), Integer).label("number")
    spans = (
        select(number, func.count().label("jobs"))
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.state == JobState.COMPLETED,
            JOB.c.submitted_at.is_not(None),
        )
        .group_by(number)
        .order_by(number)
    )
    return [(row.number * seconds, row.jobs) for row in read(connection, spans, SpanCount)]


def taken(connection: Connection, batch_id: int) -> Taken | None:
    """Return how long the completed jobs of a batch took; None when there is none."""
    took = func.julianday(JOB.c.completed_at) - func.julianday(JOB.c.submitted_at)
    query = select(JOB.c.key, (took * 86_400.0).label("seconds")).where(
        JOB.c.batch_id == batch_id,
        JOB.c.state == JobState.COMPLETED,
        JOB.c.submitted_at.is_not(None),
    )
    count: int = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    if not count:
        return None
    ordered = query.order_by(took, JOB.c.id)
    middle = next(read(connection, ordered.offset((count - 1) // 2).limit(1), TakenTime))
    last = next(read(connection, ordered.offset(count - 1).limit(1), TakenTime))
    return Taken(middle.seconds, last.seconds, last.key)


def newest_number(connection: Connection) -> int:
    """Return the highest number of a job; 0 when there is none."""
    found: int = connection.execute(select(func.coalesce(func.max(JOB.c.id), 0))).scalar_one()
    return found


def found_after(connection: Connection, batch: str, number: int, prompt: str) -> JobRow | None:
    """Find the first job of a batch with this prompt and a higher number."""
    numbers = connection.execute(
        select(JOB.c.id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(JOB.c.id > number, BATCH.c.name == batch, JOB.c.prompt == prompt)
        .order_by(JOB.c.id)
        .limit(1)
    )
    return next(iter(views.numbered(connection, list(numbers.scalars()))), None)


def recent(connection: Connection, batch_id: int, limit: int) -> list[JobRow]:
    """List the completed jobs whose files came last, the newest first."""
    numbers = connection.execute(
        select(JOB.c.id)
        .join(ARTIFACT, ARTIFACT.c.attempt_id == JOB.c.attempt_id)
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.completed_at.is_not(None),
            JOB.c.state == JobState.COMPLETED,
            ARTIFACT.c.sha256.is_not(None),
        )
        .order_by(JOB.c.completed_at.desc())
        .limit(limit)
    )
    return views.numbered(connection, list(numbers.scalars()))


def under_way(connection: Connection, batch_id: int, limit: int) -> list[JobRow]:
    """List the jobs that are paid for and not finished, the most advanced first."""
    numbers = connection.execute(
        select(JOB.c.id)
        .join(ATTEMPT, ATTEMPT.c.id == JOB.c.attempt_id)
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.state.in_((JobState.SUBMITTING, JobState.PENDING, JobState.PROCESSING)),
        )
        .order_by(
            ATTEMPT.c.percent.desc().nulls_last(),
            ATTEMPT.c.queue_position.asc().nulls_last(),
            JOB.c.id,
        )
        .limit(limit)
    )
    return views.numbered(connection, list(numbers.scalars()))
