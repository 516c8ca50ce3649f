"""Results of looks at generations: progress, an end, or that we waited too long."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, false, func, select, text, true, update

from ..database.columns import UtcDateTime
from ..database.tables import ATTEMPT, BATCH, JOB, TALLY, UNSETTLED
from ..model.families import family_of
from ..model.ledger import Refunds
from ..model.provider import GenerationPhase
from ..model.states import UNENDED, AttemptState, FailureKind, JobState
from ..ports.seen import Unanswered
from ..ports.updates import ANNOUNCED, FAR, Due, Places, Progress, UnendedAttempt
from . import latecomers
from .prepared import Prepared, columns_from, one_of
from .records import AttemptRow
from .rows import (
    ACCEPTED,
    attempt_row,
    change,
    failure,
    move_attempt,
    move_job,
    move_money,
    settle_attempt,
)

_NOW = bindparam("now", type_=UtcDateTime())
_DUE = Prepared(
    select(
        *columns_from(
            ATTEMPT,
            Due,
            attempt_id=ATTEMPT.c.id,
            overdue=ATTEMPT.c.overdue_at.is_not(None),
            announced=ATTEMPT.c.next_look_at == ANNOUNCED,
        )
    )
    .where(ACCEPTED, ATTEMPT.c.next_look_at <= _NOW)
    .order_by(ATTEMPT.c.next_look_at)
    .limit(bindparam("most")),
    Due,
)
_GIVEN_UP = Prepared(
    # from the failed jobs on, by their indexes: there is none over attempts that were given up
    select(*columns_from(ATTEMPT, Due, attempt_id=ATTEMPT.c.id, overdue=true(), announced=false()))
    .select_from(JOB)
    .join(ATTEMPT, ATTEMPT.c.job_id == JOB.c.id)
    .where(
        JOB.c.batch_id == bindparam("batch"),
        JOB.c.state == JobState.FAILED,
        text("+attempt.state = 'abandoned'"),
    )
    .order_by(ATTEMPT.c.id),
    Due,
)
_NEXT_LOOK = Prepared(
    select(ATTEMPT.c.next_look_at).where(ACCEPTED).order_by(ATTEMPT.c.next_look_at).limit(1)
)
PENDING = Prepared(
    select(*columns_from(ATTEMPT, UnendedAttempt, job_state=JOB.c.state, retries=JOB.c.retries))
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .where(
        ATTEMPT.c.generation_id.in_(one_of("generations")),
        text("attempt.state IN ('accepted', 'abandoned')"),
    ),
    UnendedAttempt,
)
_NEWEST = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.generation_id)
    .where(ATTEMPT.c.id >= bindparam("oldest"), ATTEMPT.c.generation_id.is_not(None))
    .order_by(ATTEMPT.c.id.desc())
    .limit(FAR)
)
_UNDER_WAY = Prepared(
    select(func.count()).select_from(ATTEMPT).where(UNSETTLED, text("attempt.state = 'open'"))
)
POSTPONE = Prepared(
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("attempt"), ACCEPTED)
    .values(next_look_at=bindparam("next_look"))
)
_UNANNOUNCED = (
    ATTEMPT.c.generation_id == bindparam("generation"),
    ACCEPTED,
    ATTEMPT.c.next_look_at > ANNOUNCED,
)
_AWAITED = Prepared(select(ATTEMPT.c.id).where(*_UNANNOUNCED))
_ANNOUNCE = Prepared(update(ATTEMPT).where(*_UNANNOUNCED).values(next_look_at=ANNOUNCED))
_NAMELESS = (
    ATTEMPT.c.id == bindparam("attempt"),
    text("attempt.state IN ('open', 'in_doubt', 'void')"),
)
_UNANSWERED = Prepared(
    select(ATTEMPT.c.kind, ATTEMPT.c.idempotency_key).where(*_NAMELESS), Unanswered
)
_NAME = Prepared(update(ATTEMPT).where(*_NAMELESS).values(announced_as=bindparam("generation")))
OVERDUE_DUE = Prepared(
    select(ATTEMPT.c.id)
    .where(ACCEPTED, ATTEMPT.c.next_look_at <= _NOW, ATTEMPT.c.overdue_at.is_not(None))
    .limit(1)
)


def due_looks(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """List the generations whose next look is due, the longest waiting first."""
    return _DUE.all(connection, now=now, most=limit)


def given_up(connection: Connection) -> list[Due]:
    """List the generations that people gave up, of jobs that have failed since."""
    failed = select(TALLY.c.batch_id).where(TALLY.c.state == JobState.FAILED, TALLY.c.jobs > 0)
    batches = connection.execute(failed.distinct()).scalars().all()
    return [due for batch in batches for due in _GIVEN_UP.all(connection, batch=batch)]


def is_awaited(connection: Connection, generation_id: str) -> bool:
    """Check whether a generation is ours, unfinished, and its end not announced yet."""
    return _AWAITED.first(connection, generation=generation_id) is not None


def unanswered(connection: Connection, attempt_id: int) -> Unanswered | None:
    """Return an attempt whose generation is not known, a void too; None: it is known."""
    return _UNANSWERED.first(connection, attempt=attempt_id)


def name(connection: Connection, named: Mapping[int, str]) -> int:
    """Keep which generations callbacks to attempts' own addresses named; return how many."""
    rows = [{"attempt": number, "generation": one} for number, one in named.items()]
    return _NAME.run_each(connection, rows)


def announce(connection: Connection, generation_ids: Sequence[str]) -> int:
    """Make generations due now, because a callback says that they have ended."""
    return _ANNOUNCE.run_each(connection, [{"generation": name} for name in generation_ids])


def places(connection: Connection, family: str, attempt_ids: Sequence[int]) -> Places:
    """Return where in their family's list the generations of some attempts are."""
    newest = _NEWEST.all(connection, oldest=min(attempt_ids, default=0))
    found = [number for number, generation_id in newest if family_of(generation_id) == family]
    asked = set(attempt_ids)
    counts = {number: place for place, number in enumerate(found) if number in asked}
    return Places(counts, int(_UNDER_WAY.scalar(connection)))


def next_look(connection: Connection) -> datetime | None:
    """Return when the next look is due; None when nothing is pending."""
    found: datetime | None = _NEXT_LOOK.scalar(connection)
    return found


def look_again_at_overdue(connection: Connection, now: datetime) -> int:
    """Make every overdue generation due now: it may have finished since the last run."""
    overdue = update(ATTEMPT).where(ACCEPTED, ATTEMPT.c.overdue_at.is_not(None))
    return connection.execute(overdue.values(next_look_at=now)).rowcount


def heed_clock(connection: Connection, now: datetime, farthest: timedelta) -> None:
    """Make due what lies further ahead than anything is planned: the clock was set back."""
    far = now + farthest
    looks = update(ATTEMPT).where(ACCEPTED, ATTEMPT.c.next_look_at > far)
    connection.execute(looks.values(next_look_at=now))
    queued = update(JOB).where(text("job.state = 'queued'"), JOB.c.due_at > far)
    connection.execute(queued.values(due_at=now))


_PROGRESS = Prepared(
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("attempt"), ACCEPTED)
    .values(
        percent=bindparam("seen_percent"),
        queue_position=bindparam("seen_position"),
        said_state=bindparam("seen_state"),
        next_look_at=bindparam("next_look"),
    )
)


def progress(connection: Connection, found: Sequence[Progress]) -> None:
    """Write down the progress of unfinished generations, in one statement."""
    seen = (
        {
            "attempt": item.attempt.id,
            "seen_percent": item.seen.percent,
            "seen_position": item.seen.queue_position,
            "seen_state": item.seen.said_state,
            "next_look": item.next_look_at,
        }
        for item in found
    )
    _PROGRESS.run_each(connection, seen)
    for item in found:
        processing = item.seen.phase is GenerationPhase.PROCESSING
        if processing and item.attempt.job_state == JobState.PENDING:
            move_job(connection, item.attempt.job_id, "progress", JobState.PROCESSING)


def complete(
    connection: Connection,
    attempt_id: int,
    video_url: str,
    now: datetime,
    created_at: datetime | None = None,
) -> bool:
    """Write down a finished video, even if its job or its attempt was given up."""
    done: dict[str, Any] = {"ended_at": now, "percent": 100, "said_state": None}
    if created_at is not None:
        done["created_at"] = created_at
    row = settle_attempt(
        connection, attempt_id, "complete", AttemptState.COMPLETED, video_url=video_url, **done
    )
    if row is None:
        return False
    if row.state == AttemptState.ABANDONED:
        return latecomers.complete(connection, row, video_url, now)
    if row.current_attempt != attempt_id or (
        row.job_state == JobState.FAILED and row.error_kind not in UNENDED
    ):
        return True  # its job has moved on
    made: dict[str, Any] = {"video_url": video_url, "completed_at": now}
    made |= {"error_kind": None, "error": None}
    return move_job(connection, row.job_id, "complete", JobState.COMPLETED, **made)


def fail(
    connection: Connection,
    attempt_id: int,
    kind: FailureKind,
    message: str,
    now: datetime,
    retry_after: timedelta | None,
) -> bool:
    """Write down a failed generation; with a delay the job is queued for a new attempt.

    A job that was given up stays failed, now with the provider's own reason, and is not retried
    automatically. The charge stays, and counts as spent unless the batch's refunds cover it.
    """
    row = attempt_row(connection, attempt_id)
    if row is None:
        return False
    told = message
    if row.state == AttemptState.ABANDONED:
        told = latecomers.told_text(connection, attempt_id, message)
    if not move_attempt(
        connection, attempt_id, "fail", AttemptState.FAILED, ended_at=now, error=told
    ):
        return False
    _refund(connection, row, kind)
    if row.current_attempt != attempt_id:
        return True
    failed = failure(kind, message, now)
    if row.job_state == JobState.FAILED:
        unended = (JOB.c.id == row.job_id, JOB.c.error_kind.in_(UNENDED))
        connection.execute(update(JOB).where(*unended).values(failed))
        return True
    if retry_after is None:
        return move_job(connection, row.job_id, "fail", JobState.FAILED, **failed)
    again: dict[str, Any] = {"due_at": now + retry_after, "error_kind": kind, "error": message}
    return move_job(connection, row.job_id, "retry_later", JobState.QUEUED, {"retries": 1}, **again)


def _refund(connection: Connection, attempt: AttemptRow, kind: FailureKind) -> None:
    refunds = select(BATCH.c.refunds).where(BATCH.c.id == attempt.batch_id)
    if Refunds(connection.execute(refunds).scalar_one()).covers(kind):
        price = attempt.price_micros or 0
        change(connection, ATTEMPT, attempt.id, refunded_micros=price)
        move_money(connection, attempt, held=0, refunded=price)
