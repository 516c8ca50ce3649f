"""Holding queued rows back, so that no runner buys them before a person has said so (money.md)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from ..states import HeldBack
from ..tables import BUYABLE, HELD_BACK, JOB, QUEUED
from .prepared import Prepared, as_list, one_of
from .rows import ASKED

ASKED_BY_NAME: Final = (HeldBack.UNASKED, HeldBack.LEFT_OUT)
"""Who names a batch to a run without a pick asks for these rows of it."""

FOUND: Final = tuple(reason for reason in HeldBack if reason not in ASKED_BY_NAME)
"""Rows that something was found about; a person says what to do (``--buy-again`` …)."""

_HOLD = Prepared(
    update(JOB)
    .where(QUEUED, JOB.c.id == bindparam("job"))
    .values(held_back=bindparam("reason"), held_back_by=bindparam("by"), handed=False)
)
_BATCH = JOB.c.batch_id == bindparam("batch")
_IN_PICK = JOB.c.row.in_(one_of("rows"))
_PICK = Prepared(
    update(JOB)
    .where(HELD_BACK, _BATCH, JOB.c.held_back.in_(one_of("reasons")), _IN_PICK)
    .values(**ASKED)
)
_LEAVE_OUT = Prepared(
    update(JOB).where(BUYABLE, _BATCH, ~_IN_PICK).values(held_back=HeldBack.LEFT_OUT, handed=False)
)
_STILL_UNASKED = Prepared(
    update(JOB)
    .where(HELD_BACK, _BATCH, JOB.c.held_back == HeldBack.UNASKED)
    .values(held_back=HeldBack.LEFT_OUT, handed=False)
)
_ASK_FOR = Prepared(
    update(JOB)
    .where(HELD_BACK, QUEUED, JOB.c.id.in_(one_of("jobs")))
    .values(**ASKED)
    .returning(JOB.c.id)
)
_COUNTS = Prepared(  # from the index alone: a million rows may be left out
    select(JOB.c.held_back, func.count().label("jobs"))
    .where(HELD_BACK, _BATCH, JOB.c.held_back != HeldBack.UNASKED)
    .group_by(JOB.c.held_back)
)
_UNASKED = Prepared(  # a single video stays unasked until its purchase is known
    select(func.count()).where(HELD_BACK, QUEUED, _BATCH, JOB.c.held_back == HeldBack.UNASKED)
)


def hold_back(connection: Connection, jobs: Mapping[int, str | None], reason: HeldBack) -> int:
    """Hold queued jobs back, also those that a runner has in hand.

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
        .values(**ASKED)
    )
    return done.rowcount


def pick(
    connection: Connection, batch_id: int, rows: Collection[int], reasons: Iterable[HeldBack]
) -> None:
    """Let only some rows of a batch be bought (``--first``, ``--sample``), and leave out the rest.

    Args:
        connection: in a writing transaction.
        batch_id: of the batch.
        rows: of its manifest.
        reasons: overruled for these rows; what else holds them back still does.
    """
    _PICK.run(connection, batch=batch_id, rows=as_list(rows), reasons=as_list(reasons))
    _LEAVE_OUT.run(connection, batch=batch_id, rows=as_list(rows))
    _STILL_UNASKED.run(connection, batch=batch_id)


def ask_for(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Let queued jobs be bought that were held back for any reason; returns which these were."""
    return _ASK_FOR.column(connection, jobs=as_list(job_ids))


_RELEASE = Prepared(update(JOB).where(HELD_BACK, JOB.c.id == bindparam("job")).values(**ASKED))


def release_jobs(connection: Connection, job_ids: Iterable[int]) -> int:
    """Let some jobs be bought that were held back; count them."""
    return _RELEASE.run_each(connection, [{"job": number} for number in job_ids])


def counts(connection: Connection, batch_id: int) -> dict[HeldBack, int]:
    """Count the queued jobs of a batch that are held back, by reason."""
    found = {
        HeldBack(row.held_back): int(row.jobs) for row in _COUNTS.all(connection, batch=batch_id)
    }
    unasked = int(_UNASKED.scalar(connection, batch=batch_id))
    return found | ({HeldBack.UNASKED: unasked} if unasked else {})
