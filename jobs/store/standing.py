"""Whether jobs may be bought again or given up, and giving them up.

:mod:`jobs.model.retry` decides, inside the transaction that moves them.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, and_, select, text, update

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, JOB
from ..model.retry import Patience, Standing, WhyNot, why_not_again, why_not_given_up
from ..model.states import LIVE_ATTEMPTS, AttemptState, FailureKind, JobState
from .prepared import Prepared, as_list, one_of
from .records.jobs import StandingJob
from .rows import move_attempt, move_job

GIVEN_UP: Final = "given up by a person: it stays paid for, and may still finish"

_STANDING = Prepared(
    select(
        JOB.c.id,
        JOB.c.state,
        JOB.c.held_back,
        JOB.c.in_manifest,
        ATTEMPT.c.state.label("live"),
        ATTEMPT.c.id.label("live_id"),
        ATTEMPT.c.accepted_at,
        ATTEMPT.c.price_micros,
    )
    .outerjoin(
        ATTEMPT,
        and_(
            ATTEMPT.c.job_id == JOB.c.id,
            text(f"attempt.state IN {sql_list([*LIVE_ATTEMPTS])}"),
        ),
    )
    .where(JOB.c.id.in_(one_of("jobs")))
    .order_by(JOB.c.id),
    StandingJob,
)


def of(connection: Connection, job_ids: Collection[int]) -> dict[int, Standing]:
    """Read what decides that, by job number."""
    return {
        row.id: Standing(
            state=JobState(row.state),
            held_back=row.held_back is not None,
            in_manifest=row.in_manifest,
            live=None if row.live is None else AttemptState(row.live),
            live_id=row.live_id,
            accepted_at=row.accepted_at,
            paid=row.price_micros or 0,
        )
        for row in _STANDING.all(connection, jobs=as_list(job_ids))
    }


def may_be_retried(
    connection: Connection, job_ids: Collection[int], give_up: Patience | None = None
) -> dict[int, WhyNot | None]:
    """Return why each of some jobs may not be bought again; None if it may."""
    found = of(connection, job_ids)
    return {number: why_not_again(job, give_up) for number, job in found.items()}


def may_be_given_up(
    connection: Connection, job_ids: Collection[int], patience: Patience
) -> dict[int, WhyNot | None]:
    """Return why the attempt of each of some jobs may not be given up; None if it may."""
    found = of(connection, job_ids)
    return {number: why_not_given_up(job, patience) for number, job in found.items()}


def give_up(connection: Connection, job_ids: Collection[int], patience: Patience) -> list[int]:
    """Abandon attempts that will not end: their charges stay, and they are still looked at."""
    return [
        number
        for number, job in of(connection, job_ids).items()
        if why_not_given_up(job, patience) is None and _given_up(connection, number, job, patience)
    ]


def _given_up(connection: Connection, job_id: int, job: Standing, patience: Patience) -> bool:
    now = patience.now
    if job.live_id is None or not move_attempt(
        connection,
        job.live_id,
        "abandon",
        AttemptState.ABANDONED,
        overdue_at=now,  # whatever a look shows later, the job's own time is over
        ended_at=now,
        error=GIVEN_UP,
    ):
        return False
    words = f"{GIVEN_UP}; {patience.next_step}" if patience.next_step else GIVEN_UP
    if job.state is JobState.FAILED:
        failed = update(JOB).where(JOB.c.id == job_id, JOB.c.state == JobState.FAILED)
        return connection.execute(failed.values(error=words)).rowcount == 1
    return move_job(
        connection,
        job_id,
        "abandon",
        JobState.FAILED,
        error_kind=FailureKind.OVERDUE,
        error=words,
        completed_at=now,
    )
