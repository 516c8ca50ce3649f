"""What the active batches still have to do: asked whenever a runner decides whether to go on."""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from ..policy import RunPolicy
from ..states import JobState
from ..tables import BATCH, BUYABLE, JOB, TALLY
from .prepared import Prepared, as_list, one_of


@dataclass(slots=True)
class Outstanding:
    """What the active batches still have to do.

    Attributes:
        ready: something is queued and due.
        paused: something is queued in a batch that a person paused.
        sending: jobs with an open attempt.
        pending: jobs that are paid and not finished.
        in_doubt: jobs that wait for their doubt to be settled.
        next_due: when the first job that is queued for later is due; None: there is none.
    """

    ready: bool = False
    paused: bool = False
    sending: int = 0
    pending: int = 0
    in_doubt: int = 0
    next_due: datetime | None = None


_ACTIVE = Prepared(select(BATCH.c.id, BATCH.c.paused).where(BATCH.c.active))
_COUNTS = Prepared(
    select(TALLY.c.state, TALLY.c.jobs).where(TALLY.c.batch_id == bindparam("batch"))
)
_NOW = bindparam("now", type_=JOB.c.due_at.type)
_QUEUED = (
    select(JOB.c.id)
    .where(
        BUYABLE,
        JOB.c.batch_id == bindparam("batch"),
        JOB.c.in_manifest,  # what left the manifest is not bought
        JOB.c.row <= bindparam("last_row"),
        JOB.c.id.not_in(one_of("left_out")),
    )
    .limit(1)
)
_READY = _QUEUED.where(or_(JOB.c.due_at.is_(None), JOB.c.due_at <= _NOW))
_LATER = (
    _QUEUED.where(JOB.c.due_at.is_not(None), JOB.c.due_at > _NOW)
    .order_by(JOB.c.due_at)
    .with_only_columns(JOB.c.due_at)
)
_ONLY = JOB.c.row.in_(one_of("rows"))
_ASKED = tuple(Prepared(query) for query in (_QUEUED, _READY, _LATER))
_ASKED_OF_ROWS = tuple(Prepared(query.where(_ONLY)) for query in (_QUEUED, _READY, _LATER))


def served_batches(connection: Connection) -> list[int]:
    """List the numbers of the batches that a runner serves, or served last."""
    return [batch.id for batch in _ACTIVE.all(connection)]


def outstanding(connection: Connection, now: datetime, policy: RunPolicy) -> Outstanding:
    """See what the active batches still have to do."""
    left = Outstanding()
    for batch in _ACTIVE.all(connection):
        counts = {row.state: row.jobs for row in _COUNTS.all(connection, batch=batch.id)}
        left.sending += counts.get(JobState.SUBMITTING, 0)
        left.in_doubt += counts.get(JobState.IN_DOUBT, 0)
        left.pending += counts.get(JobState.PENDING, 0) + counts.get(JobState.PROCESSING, 0)
        if counts.get(JobState.QUEUED, 0):
            _add_queued(connection, batch, now, policy, left)
    return left


def _add_queued(
    connection: Connection, batch: Any, now: datetime, policy: RunPolicy, left: Outstanding
) -> None:
    terms: dict[str, Any] = {
        "batch": batch.id,
        "last_row": policy.last_rows.get(batch.id, sys.maxsize),
        "left_out": as_list(policy.left_out),
    }
    only = policy.rows.get(batch.id)
    terms |= {} if only is None else {"rows": as_list(only)}
    queued, ready, later = _ASKED if only is None else _ASKED_OF_ROWS
    if batch.paused:
        if batch.id not in policy.not_awaited:
            left.paused |= queued.first(connection, **terms) is not None
        return
    left.ready |= ready.first(connection, now=now, **terms) is not None
    due = later.scalar(connection, now=now, **terms)
    left.next_due = min(filter(None, (left.next_due, due)), default=None)
