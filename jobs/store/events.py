"""Events of batches and runs, written; all events, read (:mod:`jobs.ports.events`)."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)

from ..database.tables import ATTEMPT, BATCH, EVENT, JOB, NOTABLE
from ..model.money import Micros
from ..model.states import Blocked, FailureKind, Reason
from ..ports.events import (
    KEPT,
    BatchEvent,
    BatchFact,
    Event,
    EventStore,
    JobEvent,
    JobFact,
    RunEvent,
    RunFact,
)
from .bound import Bound, reads
from .prepared import Prepared

log = logging.getLogger(__name__)

CAPS: Final = frozenset({Blocked.BATCH_CAP, Blocked.CAMPAIGN_CAP, Blocked.DAY_CAP})
"""What a person lets be spent."""

_RUN_FACTS: Final = frozenset(RunFact)
_BATCH_FACTS: Final = frozenset(BatchFact)
_JOIN: Final = ", "

_NEWEST = Prepared(select(func.coalesce(func.max(EVENT.c.id), 0)))
_INSERT = Prepared(
    insert(EVENT).values(
        at=bindparam("at"),
        kind=bindparam("kind"),
        batch_id=bindparam("batch"),
        reason=bindparam("reason"),
        message=bindparam("message"),
    )
)
_LAST = (
    select(EVENT.c.id, EVENT.c.kind, EVENT.c.message)
    .where(NOTABLE)
    .order_by(EVENT.c.id.desc())
    .limit(1)
)
_OF_RUNS = _LAST.where(EVENT.c.batch_id.is_(None))  # only those of runs have no batch
_LAST_OF_RUNS = Prepared(_OF_RUNS)
_LAST_START = Prepared(_OF_RUNS.where(text("kind = 'run_started'")))
_LAST_WAIT = Prepared(_LAST.where(EVENT.c.batch_id == bindparam("batch"), text("kind = 'waiting'")))


def write(
    connection: Connection,
    at: datetime,
    fact: BatchFact | RunFact,
    *,
    batch_id: int | None = None,
    reason: str | None = None,
    message: str = "",
) -> None:
    """Write an event of a batch or of a run; ``reason`` is for programs, ``message`` for people."""
    _INSERT.insert(
        connection, at=at, kind=fact, batch=batch_id, reason=reason, message=message or None
    )


def newest(connection: Connection) -> int:
    """Return the number of the newest event; 0: there is none."""
    return int(_NEWEST.scalar(connection))


def batch_waits(
    connection: Connection,
    batch_id: int,
    waiting_for: str,
    blocked: Collection[Blocked],
    now: datetime,
) -> None:
    """Write that a batch waits, and what stops its rest: once a run, except for a budget."""
    fact = BatchFact.WAITING if CAPS.isdisjoint(blocked) else BatchFact.BUDGET_REACHED
    if fact is BatchFact.WAITING:
        number, _, before = _LAST_WAIT.first(connection, batch=batch_id) or (0, None, None)
        if before == waiting_for and number > (_LAST_START.scalar(connection) or 0):
            return  # a provider that is out of reach for an hour is one event, not 300
    reason = _JOIN.join(sorted(one.name for one in blocked)) or None
    write(connection, now, fact, batch_id=batch_id, reason=reason, message=waiting_for)


def run_ended(connection: Connection, now: datetime, reason: Reason | None, message: str) -> None:
    """Write down how a run ended; ``reason`` is None if an error of ours ended it."""
    write(connection, now, RunFact.ENDED, reason=reason, message=message)


def take_over(connection: Connection, now: datetime) -> None:
    """Write down that the last run was killed, if it was, and delete the oldest events."""
    last = _LAST_OF_RUNS.first(connection)
    if last is not None and last[1] == RunFact.STARTED:
        write(connection, now, RunFact.CUT_OFF)
    connection.execute(delete(EVENT).where(EVENT.c.id <= newest(connection) - KEPT))


def since(
    connection: Connection, number: int, limit: int, batch_ids: Collection[int] | None = None
) -> list[Event]:
    """List the first events behind a number (:meth:`jobs.ports.events.EventStore.since`)."""
    concerned: list[ColumnElement[bool]] = [EVENT.c.id > number]
    if batch_ids is not None:
        concerned.append(or_(EVENT.c.batch_id.in_(batch_ids), EVENT.c.batch_id.is_(None)))
    return _read(connection, EVENT.c.id, *concerned, limit=limit)


def notable(connection: Connection, batch_id: int, limit: int) -> list[Event]:
    """List the newest events of a batch and of runs (:meth:`~EventStore.notable`)."""
    parts = [
        select(
            select(EVENT.c.id)
            .where(NOTABLE, EVENT.c.batch_id.is_(concerned))
            .order_by(EVENT.c.id.desc())
            .limit(limit)
            .subquery()
        )
        for concerned in (batch_id, None)
    ]
    numbers = union_all(*parts).subquery()
    return _read(connection, EVENT.c.id.desc(), EVENT.c.id.in_(select(numbers.c.id)), limit=limit)


def _read(
    connection: Connection, order: ColumnElement[int], *where: ColumnElement[bool], limit: int
) -> list[Event]:
    # with what its batch, job and attempt are called now; None: they are gone
    asked = (
        select(
            *(EVENT.c.id, type_coerce(EVENT.c.at, Text), EVENT.c.kind, EVENT.c.reason),
            *(EVENT.c.message, EVENT.c.batch_id, BATCH.c.name, EVENT.c.job_id, JOB.c.key),
            *(JOB.c.row, EVENT.c.attempt_id, ATTEMPT.c.generation_id, ATTEMPT.c.price_micros),
        )
        .outerjoin(BATCH, and_(BATCH.c.id == EVENT.c.batch_id, BATCH.c.removed_at.is_(None)))
        .outerjoin(JOB, JOB.c.id == EVENT.c.job_id)
        .outerjoin(ATTEMPT, ATTEMPT.c.id == EVENT.c.attempt_id)
        .where(*where)
        .order_by(order)
        .limit(limit)
    )
    found = []
    for number, *rest in connection.execute(asked):
        try:
            found.append(_event(number, *rest))
        except (ValueError, TypeError, KeyError):  # none of our programs wrote it
            log.warning("event %d is not understood", number)
    return found


def _event(
    number: int,
    time: object,
    kind: object,
    reason: str | None,
    message: object,
    batch_id: int | None,
    batch: str | None,
    job_id: int | None,
    key: str | None,
    row: int | None,
    attempt_id: int | None,
    generation_id: str | None,
    price: int | None,
) -> Event:
    if not (isinstance(kind, str) and isinstance(time, str) and isinstance(message, str | None)):
        raise TypeError
    at = datetime.fromisoformat(time).replace(tzinfo=UTC)
    if kind in _RUN_FACTS:
        why = None if reason is None else Reason(reason)
        return RunEvent(number, at, RunFact(kind), why, message or "")
    if kind in _BATCH_FACTS:
        blocked = frozenset(Blocked[name] for name in (reason.split(_JOIN) if reason else ()))
        fact = BatchFact(kind)
        return BatchEvent(number, at, fact, batch_id or 0, batch, blocked, message or "")
    return JobEvent(
        number,
        at,
        JobFact(kind),
        batch_id or 0,
        job_id or 0,
        batch,
        key,
        row,
        attempt_id,
        generation_id,
        None if price is None else Micros(price),
        None if reason is None else FailureKind(reason),
        message,
    )


class SqliteEvents(Bound, EventStore):
    """What :class:`jobs.ports.events.EventStore` says."""

    newest = reads(newest)
    notable = reads(notable)
    since = reads(since)
