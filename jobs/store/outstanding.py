"""What a runner still has to do: asked whenever it decides whether the run is over."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, or_, select, text

from ..database.tables import BATCH, BUYABLE, JOB, LATER, TALLY
from ..model.states import HeldBack, JobState
from ..ports.purchases import Outstanding
from ..ports.seen import Part
from . import handing
from .files import UNFILED_JOB
from .prepared import Prepared, as_list, one_of
from .records import PausableBatch

_BATCH = select(BATCH.c.id, BATCH.c.paused)
_ACTIVE = Prepared(_BATCH.where(BATCH.c.active), PausableBatch)
_ONE = Prepared(_BATCH.where(BATCH.c.id == bindparam("batch")), PausableBatch)
_COUNTS = Prepared(
    select(TALLY.c.state, TALLY.c.jobs).where(TALLY.c.batch_id == bindparam("batch"))
)
_NOW = bindparam("now", type_=JOB.c.due_at.type)
_WANTED = (JOB.c.batch_id == bindparam("batch"), JOB.c.in_manifest)
"""What left the manifest is not bought."""


class _Queue:
    """What is asked about what may be bought of a batch, or later, by the index of that."""

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


_ALIKE = (JOB.c.batch_id, JOB.c.state, JOB.c.held_back)
_PARTS = Prepared(
    select(*_ALIKE, func.count(), func.count().filter(UNFILED_JOB))
    .where(JOB.c.id.in_(one_of("jobs")))
    .group_by(*_ALIKE)
)


def parts(connection: Connection, job_ids: Collection[int]) -> dict[int, Part]:
    """Count some jobs by batch and state."""
    found: dict[int, Part] = {}
    for batch, state, held_back, jobs, unfiled in _PARTS.all(connection, jobs=as_list(job_ids)):
        part = found.setdefault(batch, Part())
        part.jobs[state] += jobs
        part.files_missing += unfiled
        if held_back is not None and state == JobState.QUEUED:
            part.held_back[HeldBack(held_back)] = jobs
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
    """See what is still to do; some batches are not waited for while they are paused."""
    sending = pending = in_doubt = 0
    queued: list[Outstanding] = []
    for batch in _ACTIVE.all(connection):
        counts = Counter(dict(_COUNTS.all(connection, batch=batch.id)))
        sending += counts[JobState.SUBMITTING]
        in_doubt += counts[JobState.IN_DOUBT]
        pending += counts[JobState.PENDING] + counts[JobState.PROCESSING]
        if counts[JobState.QUEUED]:
            queued.append(_queued(connection, batch, now, not_awaited, _OF_BATCH))
    if handing.anything(connection):
        sending += handing.in_state(connection, JobState.SUBMITTING)
        in_doubt += handing.in_state(connection, JobState.IN_DOUBT)
        pending += handing.in_state(connection, JobState.PENDING)
        pending += handing.in_state(connection, JobState.PROCESSING)
        for number in handing.batches(connection, [JobState.QUEUED]):
            batch = _ONE.one(connection, batch=number)
            queued.append(_queued(connection, batch, now, not_awaited, _OF_HANDED))
    return Outstanding(
        ready=any(part.ready for part in queued),
        paused=any(part.paused for part in queued),
        sending=sending,
        pending=pending,
        in_doubt=in_doubt,
        next_due=min((part.next_due for part in queued if part.next_due), default=None),
    )


def _queued(
    connection: Connection,
    batch: PausableBatch,
    now: datetime,
    not_awaited: Collection[int],
    queue: _Queue,
) -> Outstanding:
    if batch.paused:
        awaited = batch.id not in not_awaited
        return Outstanding(
            paused=awaited and queue.any.first(connection, batch=batch.id) is not None
        )
    return Outstanding(
        ready=queue.ready.first(connection, now=now, batch=batch.id) is not None,
        next_due=queue.later.scalar(connection, now=now, batch=batch.id),
    )
