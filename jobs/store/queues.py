"""Where claims find the jobs that may be bought, and in which order.

==================================  ================================================================
first                               what a person handed over, except what is behind the others
then                                the batches that the runner was started for, in their order
last, when all of its batch that    what a run has put back (:data:`BEHIND`), or was throttled again
went before has been answered       and again (:mod:`jobs.store.haste`): what becomes of the others
                                    tells whose fault its refusal was; what was handed over begins
==================================  ================================================================
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, not_, or_, select, text

from ..database.tables import BATCH, BUYABLE, JOB, LATER
from ..model.states import JobState
from . import handing
from .prepared import Prepared, columns_from
from .records import QueuedJob, ServedBatch

BEHIND: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a job is due that a run has put back: long since, and behind all others."""

FRONT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What is due before this is behind the others."""

MOST_ORDERED = 1000
"""Jobs of a batch that are put in order at a time where no index has them in it."""

_TERMS = select(
    BATCH.c.id, BATCH.c.max_price_micros, BATCH.c.source.is_not(None).label("of_manifest")
).where(not_(BATCH.c.paused))
_SERVED = Prepared(_TERMS.where(BATCH.c.active).order_by(BATCH.c.id), ServedBatch)
_HANDED_OF = Prepared(_TERMS.where(BATCH.c.id == bindparam("batch")), ServedBatch)

_WANTED = (JOB.c.batch_id == bindparam("batch"), JOB.c.in_manifest)
_NOW = bindparam("now", type_=JOB.c.due_at.type)
_DUE = or_(JOB.c.due_at.is_(None), (JOB.c.due_at <= _NOW) & (JOB.c.due_at >= FRONT))
_NEXT = (
    select(*columns_from(JOB, QueuedJob))
    .order_by(JOB.c.retries, text("priority DESC"), JOB.c.id)
    .limit(bindparam("most"))
)


def _of_batch(*more: ColumnElement[bool]) -> Select[Any]:
    """Ask for the jobs of a batch that nobody holds back, except those behind the others."""
    return _NEXT.where(BUYABLE, *_WANTED, _DUE, *more)


def _of_handed(due: ColumnElement[bool], *more: ColumnElement[bool]) -> Select[Any]:
    """Ask for the jobs of a batch that were handed over, in order among the first of them."""
    first = select(JOB.c.id).where(handing.IN_HAND, *_WANTED, due, *more).limit(MOST_ORDERED)
    return _NEXT.where(JOB.c.id.in_(first))


def _of_put_back(*more: ColumnElement[bool]) -> Select[Any]:
    """Ask for the jobs of a batch that are behind the others, in order among the first of them."""
    first = (
        select(JOB.c.id)
        .where(LATER, text("+held_back IS NULL"), JOB.c.due_at < FRONT, *_WANTED, *more)
        .order_by(JOB.c.due_at)  # by the index that has it, whatever else is queued
        .limit(MOST_ORDERED)
    )
    return _NEXT.where(JOB.c.id.in_(first))


class Queue:
    """Where jobs come from: the question, as it is asked first, and with what has closed since."""

    def __init__(self, ask: Callable[..., Select[Any]]) -> None:
        self.ask = ask
        self.prepared = Prepared(ask(), QueuedJob)


_BATCH_QUEUE = Queue(_of_batch)
_HANDED_QUEUE = Queue(partial(_of_handed, _DUE))
_HANDED_BEHIND_QUEUE = Queue(
    # by the index of what is handed, not of times
    partial(_of_handed, func.coalesce(JOB.c.due_at, FRONT) < FRONT)
)
_PUT_BACK_QUEUE = Queue(_of_put_back)

_IN_FRONT = Prepared(
    select(JOB.c.id)
    .where(
        JOB.c.batch_id == bindparam("batch"),
        text(f"state = '{JobState.SUBMITTING}'"),
        or_(JOB.c.due_at.is_(None), JOB.c.due_at >= FRONT),
    )
    .limit(1)
)
"""A job that was not behind the others and waits for its answer."""


def queues(connection: Connection) -> Iterator[tuple[ServedBatch, Queue]]:
    """List the batches that are not paused, with what may be bought of each, in order.

    Asked step by step: what was claimed of the queues before is under way then.
    """
    handed = []
    if handing.anything(connection):
        numbers = handing.batches(connection, [JobState.QUEUED])
        found = (_HANDED_OF.first(connection, batch=number) for number in numbers)
        handed = [batch for batch in found if batch is not None]
    for batch in handed:
        yield batch, _HANDED_QUEUE
    served = _SERVED.all(connection)
    for batch in served:
        yield batch, _BATCH_QUEUE
    for batch in handed:
        yield batch, _HANDED_BEHIND_QUEUE
    for batch in served:
        if _IN_FRONT.first(connection, batch=batch.id) is None:
            yield batch, _PUT_BACK_QUEUE
