"""What became of a POST: one function per transition out of ``open`` and ``in_doubt``.

Each is one guarded step that says whether it landed, moving the job, the attempt and the money
together.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from ..states import AttemptState, FailureKind, JobState
from ..tables import ATTEMPT, JOB, LIVE, PRICE
from .prepared import Prepared
from .rows import ASKED, attempt_row, move_attempt, move_job, move_money

_OWNER = Prepared(select(ATTEMPT.c.id).where(ATTEMPT.c.generation_id == bindparam("generation")))


def accept(
    connection: Connection,
    attempt_id: int,
    generation_id: str,
    price: int | None,
    now: datetime,
    first_look: timedelta,
) -> bool:
    """Write an acceptance down: the hold becomes a charge, the job pends, the price is learned.

    An id that another attempt has already is an alarm, never a second acceptance: the attempt goes
    in doubt. A price that could not be read counts as the hold, the highest price known, and is
    marked as estimated.

    Returns:
        False when it did not land: the attempt was settled already, or the id is another's. An
        answer that comes after its attempt went in doubt settles the doubt.
    """
    try:
        return _accepted(connection, attempt_id, "accept", generation_id, price, now, first_look)
    except sqlite3.IntegrityError as error:
        # the unique index on generations, by its name; the statement did nothing
        if "attempt.generation_id" not in str(error):
            raise
        owner = _OWNER.scalar(connection, generation=generation_id)
    reason = f"the answer named generation {generation_id}, which attempt {owner} has"
    doubt(connection, attempt_id, reason, now)
    return False


def adopt(connection: Connection, attempt_id: int, generation_id: str, now: datetime) -> bool:
    """Settle a doubt: this generation of the account is the attempt's; it is looked at at once.

    The list shows no price, so it counts as the attempt's hold and is marked as estimated.
    """
    return _accepted(connection, attempt_id, "adopt", generation_id, None, now, timedelta(0))


def _accepted(
    connection: Connection,
    attempt_id: int,
    transition: str,
    generation_id: str,
    price: int | None,
    now: datetime,
    first_look: timedelta,
) -> bool:
    row = attempt_row(connection, attempt_id)
    if row is None:
        return False
    charge = _estimate(row) if price is None else price
    landed = move_attempt(
        connection,
        attempt_id,
        transition,
        AttemptState.ACCEPTED,
        generation_id=generation_id,
        price_micros=charge,
        price_estimated=price is None,
        accepted_at=now,
        next_look_at=now + first_look,
        error=None,
        candidates=None,
    )
    if not landed:
        return False
    move_job(
        connection,
        row.job_id,
        transition,
        JobState.PENDING,
        add={"charged_micros": charge},
        **ASKED,
    )
    move_money(connection, row, held=-row.hold_micros, charged=charge)
    if price:  # a price of nothing is written down, and teaches nothing: a hold of 0 guards nothing
        _learn(connection, row, price, now)
    return True


def _estimate(attempt: Any) -> int:
    highest = attempt.highest_micros
    return int(attempt.hold_micros if highest is None else highest)


def _learn(connection: Connection, attempt: Any, price: int, now: datetime) -> None:
    kind = attempt.kind
    if attempt.last_micros is None:
        connection.execute(
            PRICE.insert().values(
                kind=kind, last_micros=price, highest_micros=price, source="learned", seen_at=now
            )
        )
    elif attempt.last_micros != price or attempt.price_source != "learned":
        connection.execute(
            update(PRICE)
            .where(PRICE.c.kind == kind)
            .values(
                last_micros=price,
                highest_micros=max(price, attempt.highest_micros),
                source="learned",
                seen_at=now,
            )
        )


def release(connection: Connection, attempt_id: int, reason: str, due_at: datetime | None) -> bool:
    """Known not created, and worth sending again: the hold is released, the job queued again."""
    row = attempt_row(connection, attempt_id)
    if row is None or not move_attempt(
        connection, attempt_id, "release", AttemptState.REJECTED, error=reason
    ):
        return False
    move_job(
        connection,
        row.job_id,
        "release",
        JobState.QUEUED,
        add={"attempts": -1},  # nothing was bought, nothing was refused for its content
        due_at=due_at,
    )
    move_money(connection, row, held=-row.hold_micros)
    return True


def reject(
    connection: Connection, attempt_id: int, kind: FailureKind, message: str, now: datetime
) -> bool:
    """Known not created, and refused for good: the hold is released, the job failed."""
    row = attempt_row(connection, attempt_id)
    if row is None or not move_attempt(
        connection, attempt_id, "reject", AttemptState.REJECTED, error=message, ended_at=now
    ):
        return False
    move_job(
        connection,
        row.job_id,
        "reject",
        JobState.FAILED,
        error_kind=kind,
        error=message,
        completed_at=now,
        **ASKED,
    )
    move_money(connection, row, held=-row.hold_micros)
    return True


def doubt(
    connection: Connection, attempt_id: int, reason: str, now: datetime, boot: str | None = None
) -> bool:
    """Nobody knows: the attempt keeps its hold, and the job waits until the doubt is settled.

    Args:
        connection: in a writing transaction.
        attempt_id: of an open attempt.
        reason: what happened, for people.
        now: the last moment at which the request could still have been under way; the grace
            counts from here.
        boot: that moment by :meth:`jobs.clock.Clock.boot`.
    """
    row = attempt_row(connection, attempt_id)
    if row is None or not move_attempt(
        connection,
        attempt_id,
        "doubt",
        AttemptState.IN_DOUBT,
        error=reason,
        doubt_since=now,
        doubt_clock=boot,
    ):
        return False
    move_job(connection, row.job_id, "doubt", JobState.IN_DOUBT)
    return True


def void(
    connection: Connection, attempt_id: int, reason: str, now: datetime, most: int | None = None
) -> bool:
    """Settle a doubt: shown never created. The hold is released and the job queued again.

    Args:
        connection: in a writing transaction.
        attempt_id: of an attempt in doubt.
        reason: for people.
        now: when it was settled.
        most: after so many voids the job fails instead: a provider that answers none of its
            submissions is not asked for ever.
    """
    row = attempt_row(connection, attempt_id)
    if row is None or not move_attempt(
        connection,
        attempt_id,
        "void",
        AttemptState.VOID,
        error=reason,
        ended_at=now,
        candidates=None,
    ):
        return False
    move_money(connection, row, held=-row.hold_micros)
    voids = connection.execute(
        select(func.count())
        .select_from(ATTEMPT)
        .where(ATTEMPT.c.job_id == row.job_id, ATTEMPT.c.state == AttemptState.VOID)
    ).scalar_one()
    if most is None or voids < most:
        move_job(connection, row.job_id, "void", JobState.QUEUED, due_at=None)
        return True
    move_job(
        connection,
        row.job_id,
        "exhaust",
        JobState.FAILED,
        error_kind=FailureKind.SYSTEM,
        error=f"{voids} submissions got no answer, and nothing was made of them: no cost",
        completed_at=now,
        **ASKED,
    )
    return True


def reappear(connection: Connection, attempt_id: int, generation_id: str, now: datetime) -> bool:
    """Take back a void whose generation turned up after all: it is charged, whatever the caps say.

    Returns:
        False when its replacement was sent already: then it is paid for nothing, ``abandoned``.
    """
    row = attempt_row(connection, attempt_id)
    if row is None:
        return False
    job = connection.execute(select(JOB.c.fingerprint).where(JOB.c.id == row.job_id)).one()
    waiting = (
        row.job_state == JobState.QUEUED
        and row.current_attempt == attempt_id
        and job.fingerprint == row.fingerprint  # an edited row wants another video
    )
    charge = _estimate(row)
    landed = move_attempt(
        connection,
        attempt_id,
        "reappear" if waiting else "surplus",
        AttemptState.ACCEPTED if waiting else AttemptState.ABANDONED,
        generation_id=generation_id,
        price_micros=charge,
        price_estimated=True,
        accepted_at=now,
        next_look_at=now,
        ended_at=None,
        error=None if waiting else "turned up after it had counted as never made; it was replaced",
    )
    if not landed:
        return False
    move_money(connection, row, held=0, charged=charge)
    if waiting:
        more = {"charged_micros": charge}
        move_job(connection, row.job_id, "reappear", JobState.PENDING, add=more, **ASKED)
    else:
        charged = JOB.c.charged_micros + charge
        connection.execute(update(JOB).where(JOB.c.id == row.job_id).values(charged_micros=charged))
    return bool(waiting)


def doubt_all_open(connection: Connection, now: datetime, boot: str | None = None) -> int:
    """Put every attempt that a crash left open in doubt; returns how many there were.

    Only a runner that holds the lock may call this: an open attempt of a living runner is no crash.
    """
    left = connection.execute(
        select(ATTEMPT.c.id, ATTEMPT.c.send_before).where(
            LIVE,  # the partial index's own predicate, so that it is used
            ATTEMPT.c.state == AttemptState.OPEN,
        )
    ).all()
    for attempt in left:
        doubt(
            connection,
            attempt.id,
            "the runner ended while the submission was under way",
            max(now, attempt.send_before),
            boot,
        )
    return len(left)
