"""Events of batches and runs, written; all events, read (:mod:`jobs.ports.events`)."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, NamedTuple

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
from .prepared import Prepared, read

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
_LAST_OF_RUNS = Prepared(
    select(EVENT.c.kind)
    .where(NOTABLE, EVENT.c.batch_id.is_(None))  # only those of runs have no batch
    .order_by(EVENT.c.id.desc())
    .limit(1)
)
_LAST_START = Prepared(
    select(EVENT.c.id)
    .where(NOTABLE, EVENT.c.batch_id.is_(None), text("kind = 'run_started'"))
    .order_by(EVENT.c.id.desc())
    .limit(1)
)
_LAST_WAIT = Prepared(
    select(EVENT.c.id, EVENT.c.message)
    .where(NOTABLE, EVENT.c.batch_id == bindparam("batch"), text("kind = 'waiting'"))
    .order_by(EVENT.c.id.desc())
    .limit(1)
)


def write(
    connection: Connection,
    at: datetime,
    fact: BatchFact | RunFact,
    *,
    batch_id: int | None = None,
    reason: str | None = None,
    message: str = "",
) -> None:
    """Write an event down, in the transaction that it tells of.

    Args:
        connection: in that transaction.
        at: the time.
        fact: what happened.
        batch_id: to which batch; None: to a run.
        reason: why, as a value that programs compare.
        message: why, for people.
    """
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
    """Write down that a batch waits: for the same, except for a budget, once a run.

    Args:
        connection: in the transaction that has it wait.
        waiting_for: what for, as people read it.
        blocked: what stands in the way of its rest, where its own jobs run into that.
    """
    fact = BatchFact.WAITING if CAPS.isdisjoint(blocked) else BatchFact.BUDGET_REACHED
    if fact is BatchFact.WAITING:
        told = _LAST_WAIT.first(connection, batch=batch_id)
        if told is not None and told[1] == waiting_for and told[0] > _started(connection):
            return  # a provider that is out of reach for an hour is one event, not 300
    reason = _JOIN.join(sorted(one.name for one in blocked)) or None
    write(connection, now, fact, batch_id=batch_id, reason=reason, message=waiting_for)


def _started(connection: Connection) -> int:
    return int(_LAST_START.scalar(connection) or 0)


def run_started(connection: Connection, now: datetime) -> None:
    """Write down that a run serves batches from now on."""
    write(connection, now, RunFact.STARTED)


def run_ended(connection: Connection, now: datetime, reason: Reason | None, message: str) -> None:
    """Write down how a run ended; ``reason`` is None if an error of ours ended it."""
    write(connection, now, RunFact.ENDED, reason=reason, message=message)


def take_over(connection: Connection, now: datetime) -> None:
    """Write down that the last run was killed, if it was, and delete the oldest events."""
    if _LAST_OF_RUNS.scalar(connection) == RunFact.STARTED:
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


class EventRow(NamedTuple):
    """An event, with what its batch, job and attempt are called now; None: they are gone."""

    id: int
    at: object
    kind: object
    batch_id: int | None
    job_id: int | None
    attempt_id: int | None
    reason: str | None
    message: object
    name: str | None
    key: str | None
    row: int | None
    generation_id: str | None
    price_micros: int | None


def _read(
    connection: Connection, order: ColumnElement[int], *where: ColumnElement[bool], limit: int
) -> list[Event]:
    asked = (
        select(
            EVENT.c.id,
            type_coerce(EVENT.c.at, Text).label("at"),
            EVENT.c.kind,
            EVENT.c.batch_id,
            EVENT.c.job_id,
            EVENT.c.attempt_id,
            EVENT.c.reason,
            EVENT.c.message,
            BATCH.c.name,
            JOB.c.key,
            JOB.c.row,
            ATTEMPT.c.generation_id,
            ATTEMPT.c.price_micros,
        )
        .outerjoin(BATCH, and_(BATCH.c.id == EVENT.c.batch_id, BATCH.c.removed_at.is_(None)))
        .outerjoin(JOB, JOB.c.id == EVENT.c.job_id)
        .outerjoin(ATTEMPT, ATTEMPT.c.id == EVENT.c.attempt_id)
        .where(*where)
        .order_by(order)
        .limit(limit)
    )
    return [event for row in read(connection, asked, EventRow) if (event := _event(row))]


def _event(row: EventRow) -> Event | None:
    """Make an event of its row; None if another program wrote what none of ours writes."""
    try:
        return _made(row)
    except (ValueError, TypeError, KeyError):
        log.warning("event %d is not understood", row.id)
        return None


def _made(row: EventRow) -> Event:
    kind, reason, message = row.kind, row.reason, row.message
    if not (isinstance(kind, str) and isinstance(row.at, str) and isinstance(message, str | None)):
        raise TypeError
    at = datetime.fromisoformat(row.at).replace(tzinfo=UTC)
    if kind in _RUN_FACTS:
        why = None if reason is None else Reason(reason)
        return RunEvent(row.id, at, RunFact(kind), why, message or "")
    batch_id = row.batch_id or 0
    if kind in _BATCH_FACTS:
        blocked = frozenset(Blocked[name] for name in (reason.split(_JOIN) if reason else ()))
        return BatchEvent(row.id, at, BatchFact(kind), batch_id, row.name, blocked, message or "")
    return JobEvent(
        row.id,
        at,
        JobFact(kind),
        batch_id,
        row.job_id or 0,
        row.name,
        row.key,
        row.row,
        row.attempt_id,
        row.generation_id,
        None if row.price_micros is None else Micros(row.price_micros),
        None if reason is None else FailureKind(reason),
        message,
    )


class SqliteEvents(Bound, EventStore):
    """What :class:`jobs.ports.events.EventStore` says."""

    newest = reads(newest)
    notable = reads(notable)
    since = reads(since)
