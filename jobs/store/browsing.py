"""What a page shows of a batch: some of its jobs, its course over time, and its videos.

Jobs come in the order of their numbers, which is that of the rows as they were loaded. A page is
found from the number before it, in the index of each state, however far down it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    TextClause,
    case,
    cast,
    delete,
    func,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.sqlite import insert

from ..database.tables import ARTIFACT, ATTEMPT, BATCH, JOB, REVIEW
from ..model.states import JobState
from ..ports.seen import Bucket, JobRow, Page, Taken
from ..ports.selection import NONE, Filter, Shelf, Verdict
from ..queries.jobs import narrow
from ..queries.typed import Where
from . import views


def _read(connection: Connection, numbers: Select[Any]) -> list[JobRow]:
    return views.numbered(connection, list(connection.execute(numbers).scalars()))


def _terms(which: Filter) -> TextClause:
    """Return in SQL which jobs are meant, but for the states."""
    where = Where("TRUE")
    narrow(where, which)
    return text(where.all).bindparams(**where.values)


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
            .where(JOB.c.batch_id == batch_id, JOB.c.state == state, beyond, _terms(which))
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
    """Sum up what ended and what was charged, by spans: in SQLite, as there may be 100,000 jobs.

    What was charged is counted when it was, so that the sum is what the batch has spent.
    """
    of_batch = JOB.c.batch_id == batch_id
    when = _span_of(JOB.c.completed_at, seconds)
    ended = (
        select(
            when,
            func.sum(case((JOB.c.state == JobState.COMPLETED, 1), else_=0)),
            func.sum(case((JOB.c.state == JobState.FAILED, 1), else_=0)),
        )
        .where(of_batch, JOB.c.completed_at.is_not(None))
        .group_by(when)
    )
    when = _span_of(func.coalesce(ATTEMPT.c.accepted_at, ATTEMPT.c.intent_at), seconds)
    charged = (
        select(when, func.sum(ATTEMPT.c.price_micros))
        .select_from(JOB)
        .join(ATTEMPT, ATTEMPT.c.job_id == JOB.c.id)
        .where(of_batch, ATTEMPT.c.price_micros > 0)
        .group_by(when)
    )
    ends = {number: (done, failed) for number, done, failed in connection.execute(ended)}
    spent = {number: int(micros) for number, micros in connection.execute(charged)}
    return [
        Bucket(datetime.fromtimestamp(number * seconds, UTC), *ends.get(number, (0, 0)), money)
        for number in sorted(ends.keys() | spent.keys())
        if (money := spent.get(number, 0)) or any(ends[number])
    ]


def _span_of(moment: ColumnElement[Any], seconds: int) -> ColumnElement[int]:
    """Return the number of the span that a moment is in."""
    return cast(cast(func.strftime("%s", moment), Integer) / seconds, Integer)


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
    number = cast(took * (86_400.0 / seconds), Integer)
    spans = (
        select(number, func.count())
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.state == JobState.COMPLETED,
            JOB.c.submitted_at.is_not(None),
        )
        .group_by(number)
        .order_by(number)
    )
    return [(number * seconds, jobs) for number, jobs in connection.execute(spans)]


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
    _, median = connection.execute(ordered.offset((count - 1) // 2).limit(1)).one()
    slowest, longest = connection.execute(ordered.offset(count - 1).limit(1)).one()
    return Taken(median, longest, slowest)


def newest_number(connection: Connection) -> int:
    """Return the highest number of a job; 0 when there is none."""
    found: int = connection.execute(select(func.coalesce(func.max(JOB.c.id), 0))).scalar_one()
    return found


def found_after(connection: Connection, batch: str, number: int, prompt: str) -> JobRow | None:
    """Find the first job of a batch with this prompt and a higher number."""
    numbers = (
        select(JOB.c.id)
        .join(BATCH, BATCH.c.id == JOB.c.batch_id)
        .where(JOB.c.id > number, BATCH.c.name == batch, JOB.c.prompt == prompt)
        .order_by(JOB.c.id)
        .limit(1)
    )
    return next(iter(_read(connection, numbers)), None)


def recent(connection: Connection, batch_id: int, limit: int) -> list[JobRow]:
    """List the completed jobs whose files came last, the newest first."""
    order = JOB.c.completed_at.desc()
    return _read(connection, _here(batch_id).order_by(order).limit(limit))


def _here(batch_id: int) -> Select[Any]:
    """Select the completed jobs of a batch whose files are here."""
    return (
        select(JOB.c.id)
        .join(ARTIFACT, ARTIFACT.c.attempt_id == JOB.c.attempt_id)
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.completed_at.is_not(None),
            JOB.c.state == JobState.COMPLETED,
            ARTIFACT.c.sha256.is_not(None),
        )
    )


def under_way(connection: Connection, batch_id: int, limit: int) -> list[JobRow]:
    """List the jobs that are paid for and not finished, the most advanced first."""
    numbers = (
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
    return _read(connection, numbers)


def judge(connection: Connection, attempt_id: int, verdict: Verdict | None, now: datetime) -> None:
    """Keep what a person thinks of an attempt's video; None forgets it."""
    if verdict is None:
        connection.execute(delete(REVIEW).where(REVIEW.c.attempt_id == attempt_id))
        return
    values = {"verdict": verdict, "at": now}
    connection.execute(
        insert(REVIEW)
        .values(attempt_id=attempt_id, **values)
        .on_conflict_do_update(index_elements=[REVIEW.c.attempt_id], set_=values)
    )


def verdicts(connection: Connection, attempt_ids: Sequence[int | None]) -> dict[int, str]:
    """Read the verdicts of some attempts; those without one are left out."""
    judged = select(REVIEW.c.attempt_id, REVIEW.c.verdict).where(
        REVIEW.c.attempt_id.in_(attempt_ids)
    )
    return dict(connection.execute(judged).all())


def _on(batch_id: int, shelf: Shelf) -> Select[Any]:
    found = (
        _here(batch_id)
        .outerjoin(REVIEW, REVIEW.c.attempt_id == JOB.c.attempt_id)
        .where(_terms(shelf.which))
    )
    if shelf.verdict == NONE:
        return found.where(REVIEW.c.verdict.is_(None))
    return found.where(REVIEW.c.verdict == shelf.verdict) if shelf.verdict else found


def videos(
    connection: Connection, batch_id: int, shelf: Shelf, limit: int, offset: int = 0
) -> list[JobRow]:
    """Read some videos that are here."""
    order = (JOB.c.row, JOB.c.id) if shelf.by_row else (JOB.c.completed_at.desc(), JOB.c.id.desc())
    return _read(connection, _on(batch_id, shelf).order_by(*order).limit(limit).offset(offset))


def count_since(connection: Connection, batch_id: int, shelf: Shelf, since: datetime) -> int:
    """Count the videos that came after a moment."""
    newer = _on(batch_id, shelf).where(JOB.c.completed_at > since).subquery()
    found: int = connection.execute(select(func.count()).select_from(newer)).scalar_one()
    return found


def kinds(connection: Connection, batch_id: int) -> list[str]:
    """Read the price kinds of a batch's jobs, each once."""
    found = select(JOB.c.kind).where(JOB.c.batch_id == batch_id).distinct().order_by(JOB.c.kind)
    return list(connection.execute(found).scalars())
