"""What the active batches still have to do: asked whenever a runner decides whether to go on."""

import sys
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select, text

from ..policy import RunPolicy
from ..states import JobState
from ..tables import BATCH, JOB, QUEUED


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What the active batches still have to do.

    Attributes:
        ready: queued and due.
        later: queued for a time to come.
        paused: queued in a batch that a person paused.
        sending: with an open attempt.
        pending: paid and not finished.
        in_doubt: waiting for their doubt to be settled.
        next_due: when the first of the later ones is due.
    """

    ready: int
    later: int
    paused: int
    sending: int
    pending: int
    in_doubt: int
    next_due: datetime | None


_ACTIVE = select(BATCH.c.id, BATCH.c.paused).where(BATCH.c.active)
_QUEUED_COUNT = select(func.count()).where(
    QUEUED,
    JOB.c.batch_id == bindparam("batch"),
    JOB.c.row <= bindparam("last_row"),
    JOB.c.id.not_in(bindparam("left_out", expanding=True)),
    JOB.c.in_manifest,  # what left the manifest is not bought
)
_LATER = _QUEUED_COUNT.where(JOB.c.due_at > bindparam("now", type_=JOB.c.due_at.type)).add_columns(
    func.min(JOB.c.due_at)
)
_ONLY = JOB.c.row.in_(bindparam("rows", expanding=True))
_COUNTS = (_QUEUED_COUNT, _LATER)
_COUNTS_OF_ROWS = (_QUEUED_COUNT.where(_ONLY), _LATER.where(_ONLY))
_UNDER_WAY = (
    select(JOB.c.state, func.count().label("jobs"))
    .where(
        JOB.c.batch_id == bindparam("batch"),
        text("job.state IN ('submitting', 'in_doubt', 'pending', 'processing')"),
    )
    .group_by(JOB.c.state)
)


def served_batches(connection: Connection) -> list[int]:
    """List the numbers of the batches that a runner serves, or served last."""
    return [batch_id for batch_id, _ in connection.execute(_ACTIVE)]


def outstanding(connection: Connection, now: datetime, policy: RunPolicy) -> Outstanding:
    """Count what the active batches still have to do."""
    total = {"ready": 0, "later": 0, "paused": 0, "sending": 0, "pending": 0, "in_doubt": 0}
    next_due: datetime | None = None
    for batch_id, paused in connection.execute(_ACTIVE).all():
        last_row = policy.last_rows.get(batch_id, sys.maxsize)
        terms = {"batch": batch_id, "last_row": last_row, "left_out": list(policy.left_out)}
        only = policy.rows.get(batch_id)
        terms |= {} if only is None else {"rows": list(only)}
        count, count_later = _COUNTS if only is None else _COUNTS_OF_ROWS
        queued = connection.execute(count, terms).scalar_one()
        if paused:
            total["paused"] += 0 if batch_id in policy.not_awaited else queued
        else:
            later, first = connection.execute(count_later, terms | {"now": now}).one()
            total["later"] += later
            total["ready"] += queued - later
            next_due = min(filter(None, (next_due, first)), default=None)
        under_way = connection.execute(_UNDER_WAY, {"batch": batch_id})
        counts = {row.state: row.jobs for row in under_way}
        total["sending"] += counts.get(JobState.SUBMITTING, 0)
        total["in_doubt"] += counts.get(JobState.IN_DOUBT, 0)
        total["pending"] += counts.get(JobState.PENDING, 0) + counts.get(JobState.PROCESSING, 0)
    return Outstanding(next_due=next_due, **total)
