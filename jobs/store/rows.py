"""Small pieces that every transition shares: rows to values, guarded updates, moving money."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Table,
    TextClause,
    Update,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, BATCH, BUDGET, JOB, LIVE, PRICE, TALLY
from ..model.ledger import ACCOUNT_KEY, Budget, Scope, keys_of
from ..model.spec import AskedRow, JobSpec, asked_row
from ..model.states import (
    AttemptState,
    JobState,
    attempt_beginning,
    attempt_sources,
    attempt_target,
    sources,
    target,
)
from .prepared import Prepared, Statement, columns_from
from .records.accounts import BudgetRow
from .records.attempts import AttemptRow
from .records.jobs import KeyedState, LoadedJob

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

NEW = {"state": JobState.QUEUED, "attempts": 0, "retries": 0, "charged_micros": 0}
"""What a job begins with, beside what is wanted."""

ASKED: Final[Mapping[str, Any]] = MappingProxyType(
    {"held_back": None, "held_back_by": None, "held_beneath": None}
)
"""What becomes of holding a job back when a person asks for it, or it leaves the queue for good."""


def job_values(batch_id: int, spec: JobSpec, kind: str) -> dict[str, Any]:
    """Write a wanted video as the values of its row."""
    return asked_row(spec.request, kind)._asdict() | {
        "batch_id": batch_id,
        "key": spec.key,
        "key_from_content": spec.key_from_content,
        "row": spec.row,
        "manifest_fingerprint": None,
        "campaign": spec.campaign,
        "priority": spec.priority,
        "cells": dict(spec.cells),
        "in_manifest": True,
    }


def tally_new(connection: Connection, batch_id: int, jobs: int) -> None:
    """Count jobs that were just inserted as queued: no trigger does that, for loading's sake."""
    new = {"batch_id": batch_id, "state": JobState.QUEUED, "error_kind": "", "jobs": jobs}
    counted = sqlite.insert(TALLY).values(new)
    connection.execute(
        counted.on_conflict_do_update(set_={"jobs": TALLY.c.jobs + counted.excluded.jobs})
    )


REQUEST: Final = tuple(columns_from(JOB, AskedRow))
"""What a job's row asks for: the columns that :func:`~jobs.model.spec.asked_key` needs."""


@cache
def _moving(
    moved: Table, allowed: tuple[str, ...], set_to: tuple[str, ...], added: tuple[str, ...]
) -> Statement:
    """Make the guarded update that every transition is."""
    values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in set_to}
    values |= {name: moved.c[name] + bindparam(f"more_{name}") for name in added}
    guard = text(f"{moved.name}.state IN {sql_list(allowed)}")
    return Prepared(update(moved).where(moved.c.id == bindparam("number"), guard).values(values))


def _move(
    connection: Connection,
    moved: Table,
    number: int,
    allowed: tuple[str, ...],
    values: Mapping[str, Any],
    add: Mapping[str, int],
) -> bool:
    bound = {f"to_{name}": value for name, value in values.items()}
    bound |= {f"more_{name}": value for name, value in add.items()}
    statement = _moving(moved, allowed, tuple(values), tuple(add))
    return statement.run(connection, number=number, **bound) == 1


def move_job(
    connection: Connection,
    job_id: int,
    transition: str,
    to: JobState,
    add: Mapping[str, int] = _NOTHING,
    **values: Any,
) -> bool:
    """Move a job along a legal transition; False when it was in none of its source states.

    Args:
        transition: one of :data:`jobs.model.states.JOB_TRANSITIONS`.
        to: the new state.
        add: by how much columns grow.
        values: what columns become.

    Raises:
        ValueError: the transition leads to another state.
    """
    _check(transition, to, target(transition))
    return _move(connection, JOB, job_id, sources(transition), {"state": to, **values}, add)


def move_attempt(
    connection: Connection, attempt_id: int, transition: str, to: AttemptState, **values: Any
) -> bool:
    """Move an attempt along a legal transition; False when it was in none of its source states."""
    _check(transition, to, attempt_target(transition))
    allowed = attempt_sources(transition)
    return _move(connection, ATTEMPT, attempt_id, allowed, {"state": to, **values}, _NOTHING)


def _check(transition: str, to: str, leads_to: str) -> None:
    if to != leads_to:
        raise ValueError(f"{transition!r} leads to {leads_to!r}, not to {to!r}")


def moving_jobs(
    transition: str,
    *where: ColumnElement[bool] | TextClause,
    only: JobState | None = None,
    **values: Any,
) -> Update:
    """Make the guarded update that moves many jobs, or a prepared one, along a legal transition.

    Args:
        transition: one of :data:`jobs.model.states.JOB_TRANSITIONS`.
        where: which jobs.
        only: the one of its source states from which they are moved; None: each.
        values: what columns become beside the state.

    Raises:
        ValueError: there is no such transition, or it does not start from that state.
    """
    allowed = sources(transition)
    if only is not None:
        if only not in allowed:
            raise ValueError(f"{transition!r} does not start from {only!r}")
        allowed = (only,)
    guard = text(f"job.state IN {sql_list(allowed)}")
    return update(JOB).where(guard, *where).values(state=target(transition), **values)


_AS_ASKED: Final = {
    (JobState.QUEUED, JobState.CANCELLED): "cancel",
    (JobState.CANCELLED, JobState.QUEUED): "restore",
    (JobState.FAILED, JobState.QUEUED): "redo",
    (JobState.COMPLETED, JobState.QUEUED): "redo",
    (JobState.QUEUED, JobState.FAILED): "revert",
    (JobState.CANCELLED, JobState.FAILED): "revert",
}
"""By which transition a job moves for what a manifest asks."""


def change_job(
    connection: Connection,
    job: LoadedJob | KeyedState,
    values: Mapping[str, Any],
    to: JobState | None = None,
) -> None:
    """Change a job's columns as a manifest asks, and move it where its state becomes another one.

    The guard: a runner may have moved the job since this transaction's snapshot only on a database
    without SQLite's single writer.

    Args:
        job: its row, as it was read there.
        values: what columns become.
        to: its new state; None: it stays.

    Raises:
        KeyError: no manifest moves a job from its state to that one.
    """
    this = JOB.c.id == job.id
    if to in (None, job.state):
        written = update(JOB).where(this, JOB.c.state == job.state).values(values)
    else:
        moved = _AS_ASKED[JobState(job.state), to]
        written = moving_jobs(moved, this, only=JobState(job.state), **values)
    connection.execute(written)


def new_attempt(transition: str, **values: Any) -> Insert:
    """Make the insert of an attempt that comes to be by a transition of its job.

    Args:
        transition: one of :data:`jobs.model.states.ATTEMPT_BEGINNINGS`.
        values: the other columns.

    Raises:
        ValueError: no attempt comes to be by it.
    """
    return insert(ATTEMPT).values(state=attempt_beginning(transition), **values)


_ATTEMPT = Prepared(
    select(
        ATTEMPT.c.id,
        ATTEMPT.c.job_id,
        ATTEMPT.c.state,
        ATTEMPT.c.kind,
        ATTEMPT.c.hold_micros,
        ATTEMPT.c.price_micros,
        ATTEMPT.c.day,
        ATTEMPT.c.fingerprint,
        # what it was reserved under: whatever becomes of its job, its money moves there
        func.coalesce(ATTEMPT.c.batch_id, JOB.c.batch_id).label("batch_id"),
        JOB.c.batch_id.label("job_batch_id"),
        ATTEMPT.c.campaign,
        JOB.c.attempt_id.label("current_attempt"),
        JOB.c.state.label("job_state"),
        JOB.c.error_kind,
        JOB.c.retries,
        JOB.c.key.label("job_key"),
        BATCH.c.source,
        PRICE.c.last_micros,
        PRICE.c.highest_micros,
        PRICE.c.source.label("price_source"),
        PRICE.c.seen_at.label("price_seen_at"),
        PRICE.c.odd_micros,
        PRICE.c.odd_at,
    )
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .outerjoin(PRICE, PRICE.c.kind == ATTEMPT.c.kind)
    .where(ATTEMPT.c.id == bindparam("attempt")),
    AttemptRow,
)


_OWNER = Prepared(select(ATTEMPT.c.id).where(ATTEMPT.c.generation_id == bindparam("generation")))


def owner_of(connection: Connection, generation_id: str) -> int | None:
    """Return the attempt that has a generation, or None."""
    found: int | None = _OWNER.scalar(connection, generation=generation_id)
    return found


_LIVE_OF = Prepared(select(ATTEMPT.c.id).where(LIVE, ATTEMPT.c.job_id == bindparam("job")).limit(1))


def is_live(connection: Connection, job_id: int) -> bool:
    """Check whether an attempt of a job is under way, in doubt, or may still end."""
    return _LIVE_OF.first(connection, job=job_id) is not None


def attempt_row(connection: Connection, attempt_id: int) -> AttemptRow | None:
    """Read what a transition needs of an attempt, its job and its kind's price, or None."""
    return _ATTEMPT.first(connection, attempt=attempt_id)


def estimate(attempt: AttemptRow) -> int:
    """Return what an attempt is charged with, in micros, where no answer told its price."""
    highest = attempt.highest_micros
    return attempt.hold_micros if highest is None else highest


_MOVE_MONEY = Prepared(
    update(BUDGET)
    .where(BUDGET.c.key == bindparam("k"))
    .values(
        held_micros=BUDGET.c.held_micros + bindparam("held"),
        charged_micros=BUDGET.c.charged_micros + bindparam("charged"),
        refunded_micros=BUDGET.c.refunded_micros + bindparam("refunded"),
    )
)


def move_money(
    connection: Connection, attempt: AttemptRow, held: int, charged: int = 0, refunded: int = 0
) -> None:
    """Add to the totals of every budget that an attempt counts in.

    A refund counts in none for the account: what its balance is, only its readings tell.
    """
    keys = keys_of(attempt.batch_id, attempt.campaign, attempt.day)
    _MOVE_MONEY.run_each(
        connection,
        [
            {
                "k": key,
                "held": held,
                "charged": charged,
                "refunded": 0 if key == ACCOUNT_KEY else refunded,
            }
            for key in keys
        ],
    )


_BUDGET = Prepared(
    select(
        BUDGET.c.key,
        BUDGET.c.cap_micros,
        BUDGET.c.charged_micros,
        BUDGET.c.held_micros,
        BUDGET.c.refunded_micros,
    ).where(BUDGET.c.key == bindparam("key")),
    BudgetRow,
)


def add_holds(connection: Connection, held: Mapping[str, int]) -> None:
    """Add to what budgets hold, by their keys."""
    nothing = {"charged": 0, "refunded": 0}
    _MOVE_MONEY.run_each(
        connection, [{"k": key, "held": more, **nothing} for key, more in held.items()]
    )


def ensure_budget(connection: Connection, key: str, cap: int | None = None) -> None:
    """Make sure that a budget row is there; an existing one is left as it is."""
    if _BUDGET.first(connection, key=key) is None:
        connection.execute(
            BUDGET.insert().values(
                key=key, cap_micros=cap, charged_micros=0, held_micros=0, refunded_micros=0
            )
        )


def budgets_of(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Select the budgets of a scope that has several.

    By a range, not a prefix: what ``LIKE`` compares without case has no index.
    """
    return BUDGET.c.key >= f"{scope}:", BUDGET.c.key < f"{scope};"


def load_budget(connection: Connection, key: str) -> Budget:
    """Read a budget's totals."""
    return Budget(*_BUDGET.one(connection, key=key))
