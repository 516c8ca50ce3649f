"""Small pieces that every transition shares: rows to values, guarded updates, moving money."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Insert,
    Table,
    TextClause,
    Update,
    bindparam,
    exists,
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
from ..model.spec import AskedRow
from ..model.states import (
    AttemptState,
    FailureKind,
    JobState,
    attempt_beginning,
    attempt_sources,
    attempt_target,
    sources,
    target,
)
from .prepared import Prepared, Statement, columns_from
from .records import AttemptRow, LoadedJob

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

NEW = {"state": JobState.QUEUED, "attempts": 0, "retries": 0, "charged_micros": 0}
"""What a job begins with, beside what is wanted."""

ASKED: Final[Mapping[str, Any]] = MappingProxyType(
    {"held_back": None, "held_back_by": None, "held_beneath": None}
)
"""What becomes of holding a job back when a person asks for it, or it leaves the queue for good."""

CLEAN: Final = {"due_at": None, "error_kind": None, "error": None, "completed_at": None, **ASKED}
"""What remains of earlier failures and waits when a job gets a video that was made before."""


def failure(kind: FailureKind, message: str, now: datetime) -> dict[str, Any]:
    """Return what columns of a job become when it fails."""
    return {"error_kind": kind, "error": message, "completed_at": now}


# Each is written out as SQL with the table's name: SQLite uses a partial index only where a query
# repeats its predicate to the letter, and a job has a state, too (docs/performance.md)
CREATED: Final = (
    AttemptState.OPEN,
    AttemptState.IN_DOUBT,
    AttemptState.ACCEPTED,
    AttemptState.COMPLETED,
    AttemptState.FAILED,
    AttemptState.ABANDONED,
)
"""An attempt in these states may have been created: what is rejected or void was not."""

ACCEPTED: Final = text(f"attempt.state = '{AttemptState.ACCEPTED}'")
VOID: Final = text(f"attempt.state = '{AttemptState.VOID}'")
UNSETTLED: Final = text("attempt.state IN ('open', 'in_doubt')")
"""Attempts whose generation may be in the account under an id we do not know."""

HAS_LIVE: Final = exists().where(LIVE, ATTEMPT.c.job_id == JOB.c.id)
"""Jobs of which an attempt is under way, in doubt, or may still end."""

_LATER: Final = ATTEMPT.alias("later")
_KNOWN: Final = ATTEMPT.alias("known")


def sent_later(same: str, states: Iterable[AttemptState]) -> Exists:
    """Select the attempts after which their row asked for the same again.

    Args:
        same: the column that says so: ``request_key`` is the request in any spelling,
            ``fingerprint`` is the very text that its idempotency key goes with.
    """
    return exists().where(
        _LATER.c.job_id == ATTEMPT.c.job_id,
        _LATER.c.id > ATTEMPT.c.id,
        _LATER.c[same] == ATTEMPT.c[same],
        text(f"later.state IN {sql_list(states)}"),
    )


def key_is_taken() -> Exists:
    """Select the attempts whose key made another attempt of their row: it buys nothing again."""
    return exists().where(
        _KNOWN.c.job_id == ATTEMPT.c.job_id,
        _KNOWN.c.idempotency_key == ATTEMPT.c.idempotency_key,
        text(f"known.state IN {sql_list(CREATED)}"),
    )


def tally_new(connection: Connection, batch_id: int, jobs: int) -> None:
    """Count jobs that were just inserted as queued: no trigger does that, for loading's sake."""
    new = {"batch_id": batch_id, "state": JobState.QUEUED, "error_kind": "", "jobs": jobs}
    counted = sqlite.insert(TALLY).values(new)
    connection.execute(
        counted.on_conflict_do_update(set_={"jobs": TALLY.c.jobs + counted.excluded.jobs})
    )


REQUEST: Final = tuple(columns_from(JOB, AskedRow))
"""What a job's row asks for: the columns that :func:`~jobs.model.spec.asked_key` needs."""


def change(connection: Connection, table: Table, number: int, **values: Any) -> None:
    """Set columns of one row, but never its state: :func:`move_job`, :func:`move_attempt`."""
    connection.execute(update(table).where(table.c.id == number).values(values))


@cache
def _moving(
    moved: Table, allowed: tuple[str, ...], set_to: tuple[str, ...], added: tuple[str, ...]
) -> Statement:
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

    ``add`` is by how much columns grow. A transition that leads to another state is a ValueError.

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


def settle_attempt(
    connection: Connection, attempt_id: int, transition: str, to: AttemptState, **values: Any
) -> AttemptRow | None:
    """Move an attempt as :func:`move_attempt`; return what it was, or None if it did not land."""
    row = attempt_row(connection, attempt_id)
    landed = row and move_attempt(connection, attempt_id, transition, to, **values)
    return row if landed else None


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

    ``only`` is the one of its source states from which they are moved; any other is a ValueError.

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
    job: LoadedJob,
    values: Mapping[str, Any],
    to: JobState | None = None,
) -> None:
    """Change a job's columns as a manifest asks, and move it where its state becomes another one.

    The guard: a runner may have moved the job since this transaction's snapshot only on a database
    without SQLite's single writer. A move that no manifest makes is a KeyError.

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
    """Make the insert of an attempt that begins by a transition of its job, else a ValueError.

    Raises:
        ValueError: no attempt begins by it.
    """
    return insert(ATTEMPT).values(state=attempt_beginning(transition), **values)


_ATTEMPT = Prepared(
    select(
        *columns_from(
            ATTEMPT,
            AttemptRow,
            # what it was reserved under: whatever becomes of its job, its money moves there
            batch_id=func.coalesce(ATTEMPT.c.batch_id, JOB.c.batch_id),
            job_batch_id=JOB.c.batch_id,
            current_attempt=JOB.c.attempt_id,
            job_state=JOB.c.state,
            error_kind=JOB.c.error_kind,
            retries=JOB.c.retries,
            job_key=JOB.c.key,
            source=BATCH.c.source,
            last_micros=PRICE.c.last_micros,
            highest_micros=PRICE.c.highest_micros,
            price_source=PRICE.c.source,
            price_seen_at=PRICE.c.seen_at,
            odd_micros=PRICE.c.odd_micros,
            odd_at=PRICE.c.odd_at,
        )
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
    """Return what an attempt is charged with, in micros, if no answer had its price."""
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

    A refund does not count for the account: only readings show its balance.
    """
    moved = {"held": held, "charged": charged}
    keys = keys_of(attempt.batch_id, attempt.campaign, attempt.day)
    _MOVE_MONEY.run_each(
        connection,
        [{"k": key, **moved, "refunded": 0 if key == ACCOUNT_KEY else refunded} for key in keys],
    )


_TOTALS = {name: BUDGET.c[f"{name}_micros"] for name in ("cap", "charged", "held", "refunded")}
_BUDGET = Prepared(
    select(*columns_from(BUDGET, Budget, **_TOTALS)).where(BUDGET.c.key == bindparam("key")), Budget
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
    """Select the budgets of a scope, by a range: what ``LIKE`` compares has no index."""
    return BUDGET.c.key >= f"{scope}:", BUDGET.c.key < f"{scope};"


def load_budget(connection: Connection, key: str) -> Budget:
    """Read a budget's totals."""
    return _BUDGET.one(connection, key=key)
