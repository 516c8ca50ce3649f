"""Jobs that have failed for us while their generation is still live at the provider.

We stopped waiting, but the generation did not end: it is paid for, still polled, and may complete.
Such a job is not bought again until its attempt has ended or a person has abandoned it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from ..database.tables import ATTEMPT, JOB
from ..model.states import UNENDED, AttemptState, JobState
from ..model.text import folded_id
from ..ports.updates import Overdue
from .prepared import Prepared, read
from .records.attempts import NamedGeneration
from .rows import attempt_row, move_job

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
    connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.id == attempt_id)
        .values(
            overdue_at=case((ATTEMPT.c.overdue_at.is_(None), now), else_=ATTEMPT.c.overdue_at),
            next_look_at=why.next_look_at,
            said_state=why.said_state,
        )
    )
    told: dict[str, Any] = {"error_kind": why.kind, "error": why.message}
    if row.job_state == JobState.FAILED:
        connection.execute(
            update(JOB)
            .where(
                JOB.c.id == row.job_id,
                JOB.c.attempt_id == attempt_id,
                JOB.c.error_kind.in_(set(UNENDED) - {why.kind}),
            )
            .values(told)
        )
        return True
    return move_job(connection, row.job_id, "overdue", JobState.FAILED, completed_at=now, **told)


def fold_ids(connection: Connection) -> int:
    """Fold UUIDs that were kept in capitals, as they are compared; return how many there were.

    If another attempt has the folded form already, it stays: they are the same generation, and only
    a person can decide whose.
    """
    capital = select(ATTEMPT.c.id, ATTEMPT.c.generation_id).where(
        ATTEMPT.c.generation_id != func.lower(ATTEMPT.c.generation_id)
    )
    raised = list(read(connection, capital, NamedGeneration))
    folded = 0
    for attempt in raised:
        name = folded_id(attempt.generation_id)
        taken = select(ATTEMPT.c.id).where(ATTEMPT.c.generation_id == name)
        if name != attempt.generation_id and connection.execute(taken).first() is None:
            connection.execute(
                ATTEMPT.update().where(ATTEMPT.c.id == attempt.id).values(generation_id=name)
            )
            folded += 1
    return folded
