"""Jobs that have failed for us while their generation is still live at the provider.

Our patience ended, not the generation: it is paid, still looked at, and may end after all. Such a
job is not bought again until its attempt has ended or a person has abandoned it.
"""

from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from ..states import AttemptState, JobState
from ..tables import ATTEMPT, JOB
from ..text import folded_id
from .prepared import Prepared

_OF_BATCH = Prepared(
    select(ATTEMPT.c.id)
    .join(JOB, JOB.c.attempt_id == ATTEMPT.c.id)
    .where(
        text("attempt.state = 'accepted'"),
        ATTEMPT.c.overdue_at.is_not(None),
        JOB.c.batch_id == bindparam("batch"),
        JOB.c.state == JobState.FAILED,
    )
    .limit(1)
)


def is_unended(job: Any) -> bool:
    """Return whether a job (a row of :mod:`jobs.store.views`) failed and may still finish."""
    return bool(job.state == JobState.FAILED and job.attempt_state == AttemptState.ACCEPTED)


def any_unended(connection: Connection, batch_id: int) -> bool:
    """Return whether a batch has such a job, so that a run of it has something to look at."""
    return _OF_BATCH.first(connection, batch=batch_id) is not None


def fold_ids(connection: Connection) -> int:
    """Write UUIDs that were kept in capitals as they are compared; returns how many there were.

    One whose folded form another attempt has already is left as it is: they are the same
    generation, and only a person can say whose.
    """
    raised = connection.execute(
        select(ATTEMPT.c.id, ATTEMPT.c.generation_id).where(
            ATTEMPT.c.generation_id != func.lower(ATTEMPT.c.generation_id)
        )
    ).all()
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
