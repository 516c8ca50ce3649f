"""Looks at generations, in SQLite; and jobs that failed for us while theirs is still live.

We stopped waiting for these, but they did not end: they are paid for, still polled, and may
complete. Such a job is not bought again until its attempt has ended or a person has abandoned it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from ..database.tables import ATTEMPT, JOB
from ..model.states import UNENDED, AttemptState, JobState
from ..model.text import folded_id
from ..ports.updates import Completed, Failed, Overdue, U, UnendedAttempt, UpdateStore
from . import doubts, looks
from .bound import Bound, commits, reads
from .prepared import Prepared, as_list
from .rows import attempt_row, change, failure, move_job, owner_of

_OF_BATCH = Prepared(
    select(ATTEMPT.c.id)
    .join(JOB, JOB.c.attempt_id == ATTEMPT.c.id)
    .where(
        or_(
            and_(ATTEMPT.c.state == AttemptState.ACCEPTED, ATTEMPT.c.overdue_at.is_not(None)),
            ATTEMPT.c.state == AttemptState.ABANDONED,  # a person gave it up: it may still finish
        ),
        JOB.c.batch_id == bindparam("batch"),
        JOB.c.state == JobState.FAILED,
    )
    .limit(1)
)


def any_unended(connection: Connection, batch_id: int) -> bool:
    """Check whether a batch has such a job, or one that was given up: a run must look at it."""
    return _OF_BATCH.first(connection, batch=batch_id) is not None


def overdue(connection: Connection, attempt_id: int, why: Overdue, now: datetime) -> bool:
    """Stop waiting for a generation in this run: its job fails, its attempt stays live.

    If it was given up before for another reason, the job fails for the latest one.
    """
    row = attempt_row(connection, attempt_id)
    if row is None or row.state != AttemptState.ACCEPTED:
        return False
    change(
        connection,
        ATTEMPT,
        attempt_id,
        overdue_at=case((ATTEMPT.c.overdue_at.is_(None), now), else_=ATTEMPT.c.overdue_at),
        next_look_at=why.next_look_at,
        said_state=why.said_state,
    )
    if row.job_state != JobState.FAILED:
        failed = failure(why.kind, why.message, now)
        return move_job(connection, row.job_id, "overdue", JobState.FAILED, **failed)
    for_another = update(JOB).where(
        JOB.c.id == row.job_id,
        JOB.c.attempt_id == attempt_id,
        JOB.c.error_kind.in_(set(UNENDED) - {why.kind}),
    )
    connection.execute(for_another.values(error_kind=why.kind, error=why.message))
    return True


def fold_ids(connection: Connection) -> int:
    """Fold UUIDs that were kept in capitals, as they are compared; return how many there were.

    If another attempt has the folded form already, it stays: they are the same generation, and only
    a person can decide whose.
    """
    capital = select(ATTEMPT.c.id, ATTEMPT.c.generation_id).where(
        ATTEMPT.c.generation_id != func.lower(ATTEMPT.c.generation_id)
    )
    folded = 0
    for number, generation_id in connection.execute(capital).all():
        name = folded_id(generation_id)
        if name != generation_id and owner_of(connection, name) is None:
            change(connection, ATTEMPT, number, generation_id=name)
            folded += 1
    return folded


def _record(
    connection: Connection,
    generation_ids: Sequence[str],
    now: datetime,
    decide: Callable[[Mapping[str, UnendedAttempt]], U],
) -> U:
    pending = looks.PENDING.all(connection, generations=as_list(generation_ids))
    updates = decide({row.generation_id: row for row in pending})
    for end in updates.ends:
        number = end.attempt_id
        if isinstance(end, Completed):
            looks.complete(connection, number, end.video_url, now, end.created_at)
        elif isinstance(end, Failed):
            looks.fail(connection, number, end.kind, end.message, now, end.retry_after)
        else:
            overdue(connection, number, end, now)
    looks.progress(connection, updates.progress)
    doubts.note_created(connection, updates.created)
    postponed = updates.postponed.items()
    looks.POSTPONE.run_each(connection, [{"attempt": n, "next_look": at} for n, at in postponed])
    return updates


class SqliteUpdates(Bound, UpdateStore):
    """What :class:`jobs.ports.updates.UpdateStore` says."""

    bring_back = commits(looks.heed_clock)
    due = reads(looks.due_looks)
    given_up = reads(looks.given_up)
    next_look = reads(looks.next_look)
    places = reads(looks.places)
    record = commits(_record)
