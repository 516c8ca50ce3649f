"""Holding queued rows back, so that no runner buys them before a person has said so (money.md)."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, func, select, update

from ..states import HeldBack
from ..tables import HELD_BACK, JOB, QUEUED
from .prepared import Prepared

_HOLD = Prepared(
    update(JOB)
    .where(QUEUED, JOB.c.id == bindparam("job"))
    .values(held_back=bindparam("reason"), held_back_by=bindparam("by"))
)


def hold_back(connection: Connection, jobs: Mapping[int, str | None], reason: HeldBack) -> int:
    """Hold queued jobs back.

    Args:
        connection: in a writing transaction.
        jobs: by number, the generation or job that is the reason; None where there is none.
        reason: why.

    Returns:
        How many were queued, and are held back now.
    """
    return _HOLD.run_each(
        connection, [{"job": number, "reason": reason, "by": by} for number, by in jobs.items()]
    )


def release(connection: Connection, batch_id: int, reasons: Iterable[HeldBack]) -> int:
    """Let the jobs of a batch be bought that were held back for some reasons; count them."""
    done = connection.execute(
        update(JOB)
        .where(HELD_BACK, JOB.c.batch_id == batch_id, JOB.c.held_back.in_(list(reasons)))
        .values(held_back=None, held_back_by=None)
    )
    return done.rowcount


_RELEASE = Prepared(
    update(JOB)
    .where(HELD_BACK, JOB.c.id == bindparam("job"))
    .values(held_back=None, held_back_by=None)
)


def release_jobs(connection: Connection, job_ids: Iterable[int]) -> int:
    """Let some jobs be bought that were held back; count them."""
    return _RELEASE.run_each(connection, [{"job": number} for number in job_ids])


def counts(connection: Connection, batch_id: int) -> dict[HeldBack, int]:
    """Count the queued jobs of a batch that are held back, by reason."""
    rows = connection.execute(
        select(JOB.c.held_back, func.count())
        .where(HELD_BACK, QUEUED, JOB.c.batch_id == batch_id)
        .group_by(JOB.c.held_back)
    )
    return {HeldBack(reason): count for reason, count in rows}
