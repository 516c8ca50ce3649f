"""What becomes of a row whose submission was throttled: from its second time on others go first.

After each acceptance one of these rows, the one that waits longest, is tried again before the rest.

Who is asked too often says so to anybody. A row that is throttled each time, while others are
accepted between, and none of these was throttled before it was accepted, is refused for what it
asks for: it fails, at no cost. Where nothing else was accepted between nobody can tell.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from ..provider import RefusalCause
from ..states import AttemptState, FailureKind
from ..tables import ATTEMPT, BATCH, JOB, LATER
from . import outcomes
from .prepared import Prepared
from .queues import BEHIND, FRONT
from .refusals import TAKEN_BEFORE

MOST = 5
"""Times that a row is throttled, with an acceptance between each two, until it is to blame."""

_SAID = f"{RefusalCause.BUSY}: "
"""What the error of a throttled attempt begins with."""

_OWN = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.error, ATTEMPT.c.ended_at)
    .where(ATTEMPT.c.job_id == bindparam("job"), ATTEMPT.c.id < bindparam("attempt"))
    .order_by(ATTEMPT.c.id.desc())
    .limit(100)
)
_OTHER = ATTEMPT.alias()
_LATER = ATTEMPT.alias()
_IN_HASTE = Prepared(
    select(func.max(_OTHER.c.id)).where(
        _OTHER.c.id > bindparam("first"),
        _OTHER.c.job_id != bindparam("job"),
        _OTHER.c.state == AttemptState.REJECTED,
        _OTHER.c.error.startswith(_SAID, autoescape=True),
        select(_LATER.c.id)
        .where(
            _LATER.c.job_id == _OTHER.c.job_id,
            _LATER.c.id > _OTHER.c.id,
            _LATER.c.generation_id.is_not(None),
        )
        .exists(),
    )
)
"""The last throttled attempt of another row that was accepted afterwards: that passed."""

_NEXT = (
    select(JOB.c.id)
    .where(
        JOB.c.batch_id.in_(select(BATCH.c.id).where(BATCH.c.active)),
        LATER,
        JOB.c.due_at > BEHIND,
        JOB.c.due_at < FRONT,
    )
    .order_by(JOB.c.due_at)
    .limit(1)
)
_LET_FORWARD = Prepared(update(JOB).where(JOB.c.id == _NEXT.scalar_subquery()).values(due_at=None))


def let_forward(connection: Connection) -> None:
    """Something was accepted: let the row that was throttled longest ago go first once more."""
    _LET_FORWARD.run(connection)


def throttle(connection: Connection, attempt_id: int, words: str, now: datetime) -> None:
    """Known not created, as too much was asked: the job is queued again, or to blame and failed.

    Args:
        connection: in a writing transaction.
        attempt_id: of an open attempt.
        words: the provider's.
        now: the time.
    """
    job_id = connection.execute(
        select(ATTEMPT.c.job_id).where(ATTEMPT.c.id == attempt_id)
    ).scalar_one()
    said = words or "429 too many requests"
    own = [attempt_id, *_earlier(connection, job_id, attempt_id)]
    times = _times(connection, job_id, own)
    if times >= MOST:
        told = f"{said}; the same {times} times, and others were accepted between: no cost"
        outcomes.reject(connection, attempt_id, FailureKind.VALIDATION, told, now)
        return
    # behind the others, in the order in which they were throttled
    due_at = BEHIND + timedelta(seconds=attempt_id) if len(own) > 1 else None
    outcomes.release(connection, attempt_id, f"{_SAID}{said}", due_at)


def _earlier(connection: Connection, job_id: int, attempt_id: int) -> list[int]:
    """List a job's throttled attempts since one of it ended, the newest first."""
    found = []
    for one in _OWN.all(connection, job=job_id, attempt=attempt_id):
        if one.ended_at is not None:  # accepted, void, or failed and ordered anew
            break
        if (one.error or "").startswith(_SAID):
            found.append(one.id)
    return found


def _times(connection: Connection, job_id: int, own: list[int]) -> int:
    """Count a job's throttled attempts, those between which nothing was accepted as one.

    Only what came after the last time that another row was throttled, and then accepted: until
    then it was everybody's.
    """
    if len(own) < MOST:
        return 0
    passed = _IN_HASTE.scalar(connection, job=job_id, first=own[-1]) or 0
    taken = {
        TAKEN_BEFORE.scalar(connection, attempt=number) or 0 for number in own if number > passed
    }
    return len(taken)
