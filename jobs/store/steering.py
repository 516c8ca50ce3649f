"""What a person does to batches: which are served, what they wait for, how rows are limited."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from ..ledger import Refunds
from ..states import JobState
from ..tables import ATTEMPT, BATCH, JOB, LIVE
from .rows import move_job


def activate(connection: Connection, batch_ids: Iterable[int]) -> None:
    """Make these, and no others, the batches that the runner serves.

    Batches that another terminal or the page activates while the runner lives are served as well.
    """
    wanted = list(batch_ids)
    connection.execute(update(BATCH).values(active=BATCH.c.id.in_(wanted), waiting_for=None))


def set_waiting(connection: Connection, waits: Mapping[int, str]) -> None:
    """Write down what each active batch waits for; the others wait for nothing."""
    for row in connection.execute(
        select(BATCH.c.id, BATCH.c.waiting_for).where(BATCH.c.active)
    ).all():
        wanted = waits.get(row.id)
        if wanted != row.waiting_for:
            connection.execute(update(BATCH).where(BATCH.c.id == row.id).values(waiting_for=wanted))


def set_max_price(connection: Connection, batch_id: int, micros: int) -> Any:
    """Keep the highest price that a batch may pay for one video; returns the one it had."""
    old = connection.execute(
        select(BATCH.c.max_price_micros).where(BATCH.c.id == batch_id)
    ).scalar_one()
    connection.execute(update(BATCH).where(BATCH.c.id == batch_id).values(max_price_micros=micros))
    return old


def set_refunds(connection: Connection, batch_id: int, refunds: Refunds) -> Refunds:
    """Keep which failures of a batch are given back from now on; returns what was kept before."""
    old = connection.execute(select(BATCH.c.refunds).where(BATCH.c.id == batch_id)).scalar_one()
    connection.execute(update(BATCH).where(BATCH.c.id == batch_id).values(refunds=refunds))
    return Refunds(old)


def last_row_of_first(connection: Connection, batch_id: int, rows: int) -> int | None:
    """Say which manifest row is the N-th, for ``--first N``; None when there are fewer."""
    return connection.execute(
        select(JOB.c.row)
        .distinct()
        .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
        .order_by(JOB.c.row)
        .offset(rows - 1)
        .limit(1)
    ).scalar_one_or_none()


def cancel(connection: Connection, job_id: int, now: datetime) -> bool:
    """Take a queued job out of the queue; False when it is not queued: what is paid for stays."""
    return move_job(connection, job_id, "cancel", JobState.CANCELLED, completed_at=now)


def redo_failed(connection: Connection, job_id: int) -> bool:
    """Queue a failed job for a new attempt; False when it did not fail for good.

    An overdue job has: its generation is paid for and may still finish.
    """
    live = connection.execute(select(ATTEMPT.c.id).where(LIVE, ATTEMPT.c.job_id == job_id)).first()
    state = connection.execute(select(JOB.c.state).where(JOB.c.id == job_id)).scalar_one_or_none()
    if live is not None or state != JobState.FAILED:
        return False
    return move_job(
        connection,
        job_id,
        "redo",
        JobState.QUEUED,
        due_at=None,
        error_kind=None,
        error=None,
        completed_at=None,
    )
