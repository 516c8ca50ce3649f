"""Taking generations over that this database did not buy."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.sql import ColumnElement

from ..states import AttemptState, JobState
from ..tables import ATTEMPT, JOB, LIVE, QUEUED
from . import accounts
from .rows import ASKED

CHUNK = 500


def _new(batch_ids: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    return (QUEUED, JOB.c.batch_id.in_(batch_ids), JOB.c.attempt_id.is_(None))  # type: ignore[return-value]


def count_new(connection: Connection, batch_ids: Sequence[int]) -> int:
    """Count the queued jobs that were never submitted."""
    return connection.execute(
        select(func.count()).select_from(JOB).where(*_new(batch_ids))
    ).scalar_one()


def new_jobs(connection: Connection, batch_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Stream number and prompt of the queued jobs that were never submitted."""
    for row in connection.execute(
        select(JOB.c.id, JOB.c.prompt).where(*_new(batch_ids)).order_by(JOB.c.id)
    ):
        yield row.id, row.prompt


def doubtful_prompts(connection: Connection) -> list[str]:
    """List the prompts of attempts whose generation may be in the account unknown to us."""
    rows = connection.execute(
        select(ATTEMPT.c.prompt).where(
            LIVE, ATTEMPT.c.state.in_([AttemptState.OPEN, AttemptState.IN_DOUBT])
        )
    )
    return list(rows.scalars())


def known_ids(connection: Connection, generation_ids: Sequence[str]) -> set[str]:
    """Say which of some generation ids belong to attempts of ours."""
    known: set[str] = set()
    for start in range(0, len(generation_ids), CHUNK):
        chunk = generation_ids[start : start + CHUNK]
        known.update(
            connection.execute(
                select(ATTEMPT.c.generation_id).where(ATTEMPT.c.generation_id.in_(chunk))
            ).scalars()
        )
    return known


def take_over(connection: Connection, job_id: int, generation_id: str, now: datetime) -> bool:
    """Make a generation a queued job's own, charged with nothing; False when it did not land."""
    if known_ids(connection, [generation_id]):
        return False
    job = connection.execute(
        select(JOB.c.kind, JOB.c.prompt, JOB.c.batch_id, JOB.c.campaign).where(
            JOB.c.id == job_id, QUEUED, JOB.c.attempt_id.is_(None)
        )
    ).one_or_none()
    if job is None:
        return False
    attempt_id = connection.execute(
        insert(ATTEMPT).values(
            job_id=job_id,
            state=AttemptState.ACCEPTED,
            idempotency_key="",
            kind=job.kind,
            prompt=job.prompt,
            batch_id=job.batch_id,
            campaign=job.campaign,
            hold_micros=0,
            day=accounts.current_day(connection, now),
            intent_at=now,
            send_before=now,
            generation_id=generation_id,
            price_micros=0,
            price_estimated=True,
            accepted_at=now,
            next_look_at=now,
        )
    ).inserted_primary_key[0]  # type: ignore[index]
    connection.execute(
        update(JOB)
        .where(JOB.c.id == job_id, QUEUED)
        .values(
            state=JobState.PENDING, attempt_id=attempt_id, attempts=1, submitted_at=now, **ASKED
        )
    )
    return True
