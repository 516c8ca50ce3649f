"""What a runner still has to do: asked whenever it decides whether the run is over."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, or_, select, text

from ..states import HeldBack, JobState
from ..tables import BATCH, BUYABLE, JOB, LATER, TALLY
from . import handing
from .files import UNFILED_JOB
from .prepared import Prepared, as_list, one_of
from .records.accounts import PausableBatch, StateCount
from .records.jobs import PartCount


@dataclass(slots=True)
class Outstanding:
    """What is still to do of the active batches, and of the jobs that were handed over.

    Attributes:
        ready: something is queued and due.
        paused: something is queued in a batch that a person paused.
        sending: jobs with an open attempt, at least.
        pending: jobs that are paid and not finished, at least.
        in_doubt: jobs that wait for their doubt to be settled, at least.
        next_due: when the first job that is queued for later is due; None: there is none.
    """

    ready: bool = False
    paused: bool = False
    sending: int = 0
    pending: int = 0
    in_doubt: int = 0
    next_due: datetime | None = None


@dataclass(slots=True)
class Part:
    """How some jobs of a batch stand.

    Attributes:
        jobs: how many are in each state, zeros included.
        held_back: how many of the queued ones no runner buys, by reason.
        files_missing: how many are completed and have no file here.
    """

    jobs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, JobState), 0))
    held_back: dict[HeldBack, int] = field(default_factory=dict)
    files_missing: int = 0


_BATCH = select(BATCH.c.id, BATCH.c.paused)
_ACTIVE = Prepared(_BATCH.where(BATCH.c.active), PausableBatch)
_ONE = Prepared(_BATCH.where(BATCH.c.id == bindparam("batch")), PausableBatch)
_COUNTS = Prepared(
    select(TALLY.c.state, TALLY.c.jobs).where(TALLY.c.batch_id == bindparam("batch")), StateCount
)
_NOW = bindparam("now", type_=JOB.c.due_at.type)
_WANTED = (JOB.c.batch_id == bindparam("batch"), JOB.c.in_manifest)
"""What left the manifest is not bought."""


class _Queue:
    """The questions about one kind of queue.

    Args:
        queued: what may be bought of a batch.
        later: the same, found by the index of what is due later.
    """

    def __init__(self, queued: Select[Any], later: Select[Any]) -> None:
        self.any = Prepared(queued.limit(1))
        due = or_(JOB.c.due_at.is_(None), JOB.c.due_at <= _NOW)
        self.ready = Prepared(queued.where(due).limit(1))
        self.later = Prepared(
            later.where(LATER, JOB.c.due_at > _NOW).order_by(JOB.c.due_at).limit(1)
        )


_OF_BATCH = _Queue(
    select(JOB.c.id).where(BUYABLE, *_WANTED), select(JOB.c.due_at).where(BUYABLE, *_WANTED)
)
_OF_HANDED = _Queue(
    select(JOB.c.id).where(handing.IN_HAND, *_WANTED),
    select(JOB.c.due_at).where(text(f"+{handing.IN_HAND}"), *_WANTED),  # not by their own index
)


_PARTS = Prepared(
    select(
        JOB.c.batch_id,
        JOB.c.state,
        JOB.c.held_back,
        func.count().label("jobs"),
        func.count().filter(UNFILED_JOB).label("unfiled"),
    )
    .where(JOB.c.id.in_(one_of("jobs")))
    .group_by(JOB.c.batch_id, JOB.c.state, JOB.c.held_back),
    PartCount,
)


def parts(connection: Connection, job_ids: Collection[int]) -> dict[int, Part]:
    """Count how some jobs stand, by batch."""
    found: dict[int, Part] = {}
    for row in _PARTS.all(connection, jobs=as_list(job_ids)):
        part = found.setdefault(row.batch_id, Part())
        part.jobs[row.state] += row.jobs
        part.files_missing += row.unfiled
        if row.held_back is not None and row.state == JobState.QUEUED:
            reason = HeldBack(row.held_back)
            part.held_back[reason] = part.held_back.get(reason, 0) + row.jobs
    return found


def served_batches(connection: Connection) -> list[int]:
    """List the batches that a runner serves, and those of which jobs were handed to it."""
    found = {batch.id for batch in _ACTIVE.all(connection)}
    if handing.anything(connection):
        found.update(handing.batches(connection, JobState))
    return sorted(found)


def outstanding(
    connection: Connection, now: datetime, not_awaited: Collection[int] = ()
) -> Outstanding:
    """See what is still to do.

    Args:
        connection: a snapshot.
        now: what is due by then is ready.
        not_awaited: batches that are not waited for while they are paused.
    """
    left = Outstanding()
    for batch in _ACTIVE.all(connection):
        counts = {row.state: row.jobs for row in _COUNTS.all(connection, batch=batch.id)}
        left.sending += counts.get(JobState.SUBMITTING, 0)
        left.in_doubt += counts.get(JobState.IN_DOUBT, 0)
        left.pending += counts.get(JobState.PENDING, 0) + counts.get(JobState.PROCESSING, 0)
        if counts.get(JobState.QUEUED, 0):
            _add_queued(connection, batch, now, not_awaited, left, _OF_BATCH)
    if handing.anything(connection):
        left.sending += handing.in_state(connection, JobState.SUBMITTING)
        left.in_doubt += handing.in_state(connection, JobState.IN_DOUBT)
        left.pending += handing.in_state(connection, JobState.PENDING)
        left.pending += handing.in_state(connection, JobState.PROCESSING)
        for number in handing.batches(connection, [JobState.QUEUED]):
            batch = _ONE.one(connection, batch=number)
            _add_queued(connection, batch, now, not_awaited, left, _OF_HANDED)
    return left


def _add_queued(
    connection: Connection,
    batch: PausableBatch,
    now: datetime,
    not_awaited: Collection[int],
    left: Outstanding,
    queue: _Queue,
) -> None:
    if batch.paused:
        if batch.id not in not_awaited:
            left.paused |= queue.any.first(connection, batch=batch.id) is not None
        return
    left.ready |= queue.ready.first(connection, now=now, batch=batch.id) is not None
    due = queue.later.scalar(connection, now=now, batch=batch.id)
    left.next_due = min(filter(None, (left.next_due, due)), default=None)
