"""Rows refused for a reason that may pass: rate limit, money, the account.

Others go first: from its second time on if it was throttled, at once if the words were about the
account. After each acceptance the row that has waited longest is tried again before the rest.

A rate limit or a used-up quota concerns every row. If one row hears it each time, while other rows
sent within seconds after it are accepted without having heard it first, then it is refused for what
it asks for: it fails, at no cost. Only seconds count, because a slot of the account may be free
again later: the row that goes first after an acceptance comes just when the slot was taken. If
nothing else is accepted so soon, the reason stays open.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, text, update

from ..database.tables import ATTEMPT, BATCH, JOB, LATER
from ..evidence.blame import Heard, same_words
from ..model.provider import RefusalCause
from ..model.states import AttemptState, FailureKind
from . import outcomes
from .prepared import Prepared, columns_from
from .queues import BEHIND, FRONT
from .records import PastAttempt

MOST = 5
"""How often a row hears it, with an acceptance soon after each but the last, until it fails."""

SOON = timedelta(seconds=10)
"""How soon the next accepted submission shows that the account takes others: longer than the first
wait after a 429 without Retry-After, and shorter than any video takes."""

_RELEASED = tuple(f"{cause}: " for cause in RefusalCause)
"""How the error of an attempt begins whose job was queued again after a refusal."""

MOST_LOOKED_AT = 50
"""Most earlier refusals of a job that are compared, the newest first."""

SAME_NIGHT = timedelta(days=1)
"""An acceptance this long before a refusal shows that the account took submissions then."""

LASTING = timedelta(hours=1)
"""A row that hears the same this long after the first time did not just meet a bad hour of the
account: refused rows and a refused account look the same for a while."""

_ATTEMPT = select(*columns_from(ATTEMPT, PastAttempt))
_THIS = Prepared(_ATTEMPT.where(ATTEMPT.c.id == bindparam("attempt")), PastAttempt)
_BEFORE = _ATTEMPT.where(
    ATTEMPT.c.job_id == bindparam("job"),
    ATTEMPT.c.id < bindparam("attempt"),
    ATTEMPT.c.fingerprint == bindparam("fingerprint"),
).order_by(ATTEMPT.c.id.desc())
_EARLIER = Prepared(_BEFORE.limit(100), PastAttempt)
_REFUSED = Prepared(
    _BEFORE.where(text(f"+state = '{AttemptState.REJECTED}'")).limit(MOST_LOOKED_AT), PastAttempt
)
# what was taken over from the list held no money, and shows nothing about submissions
_TAKEN = _ATTEMPT.where(text("+generation_id IS NOT NULL"), ATTEMPT.c.hold_micros > 0).limit(1)
_TAKEN_AFTER = Prepared(
    _TAKEN.where(
        ATTEMPT.c.id > bindparam("attempt"), ATTEMPT.c.job_id != bindparam("job")
    ).order_by(ATTEMPT.c.id),
    PastAttempt,
)
"""The next submission of another row that was accepted."""
_TAKEN_SINCE = Prepared(_TAKEN.where(ATTEMPT.c.id > bindparam("attempt")), PastAttempt)
_TAKEN_BEFORE = Prepared(
    _TAKEN.where(ATTEMPT.c.id < bindparam("attempt")).order_by(ATTEMPT.c.id.desc()), PastAttempt
)
"""The last submission before an attempt that was accepted."""

_OTHER, _LATER = ATTEMPT.alias(), ATTEMPT.alias()
_PASSED = Prepared(
    select(func.max(_OTHER.c.id)).where(
        _OTHER.c.id > bindparam("first"),
        _OTHER.c.job_id != bindparam("job"),
        _OTHER.c.state == AttemptState.REJECTED,
        _OTHER.c.error.like(bindparam("said")),
        select(_LATER.c.id)
        .where(
            _LATER.c.job_id == _OTHER.c.job_id,
            _LATER.c.id > _OTHER.c.id,
            _LATER.c.generation_id.is_not(None),
        )
        .exists(),
    )
)
"""The last attempt of another row that heard the same and was accepted later: it had passed."""

_LONGEST = Prepared(
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
_LET_FORWARD = Prepared(update(JOB).where(JOB.c.id == bindparam("job")).values(due_at=None))


def let_forward(connection: Connection) -> None:
    """Move the row that has waited longest to the front once: something was accepted."""
    job = _LONGEST.scalar(connection)
    if job is not None:  # rarely: to look alone is cheap
        _LET_FORWARD.run(connection, job=job)


def throttle(connection: Connection, attempt_id: int, words: str, now: datetime) -> None:
    """Queue a throttled job again, or fail it if only this row is refused; it was not created."""
    said = words or "429 too many requests"
    earlier = _heard_before(connection, attempt_id, RefusalCause.BUSY)
    if not _fails(connection, attempt_id, earlier, RefusalCause.BUSY, said, now):
        due_at = _behind(attempt_id) if earlier else None
        outcomes.release(connection, attempt_id, f"{RefusalCause.BUSY}: {said}", due_at)


def refuse(
    connection: Connection, attempt_id: int, cause: RefusalCause, message: str, now: datetime
) -> None:
    """Queue a job again, behind the others, whose refusal ends the run; it was not created.

    In front, a row that is refused for its own sake would end every run before the others are sent.
    """
    outcomes.release(connection, attempt_id, f"{cause}: {message}", BEHIND, refused_at=now)


def set_aside(
    connection: Connection, attempt_id: int, cause: RefusalCause, message: str, now: datetime
) -> None:
    """Queue a job again, behind the others, that was refused in words about the account.

    They may be about its row alone: then it fails as in :func:`throttle`. It was not created.
    """
    earlier = _heard_before(connection, attempt_id, cause)
    if not _fails(connection, attempt_id, earlier, cause, message, now):
        due_at = _behind(attempt_id)
        outcomes.release(connection, attempt_id, f"{cause}: {message}", due_at, refused_at=now)


def _behind(attempt_id: int) -> datetime:
    """Return a due time behind the others, in the order of refusals."""
    return BEHIND + timedelta(seconds=attempt_id)


def _fails(
    connection: Connection,
    attempt_id: int,
    earlier: Sequence[PastAttempt],
    cause: RefusalCause,
    said: str,
    now: datetime,
) -> bool:
    """Fail the job if only it hears this; return whether it failed.

    Earlier attempts count if another row was accepted soon after them, and since another row last
    heard the same and was accepted later: until then the reason concerned every row.
    """
    if len(earlier) < MOST - 1:
        return False
    job = earlier[0].job_id
    passed = _PASSED.scalar(connection, job=job, first=earlier[-1].id, said=f"{cause}: %") or 0
    taken = set()
    for one in earlier:
        after = _TAKEN_AFTER.first(connection, job=job, attempt=one.id)
        if one.id > passed and after is not None and after.intent_at - one.intent_at <= SOON:
            taken.add(after.id)
    times = 1 + len(taken)
    if times < MOST:
        return False
    told = f"{said}; the same {times} times, and others were accepted between: no cost"
    return outcomes.reject(connection, attempt_id, FailureKind.VALIDATION, told, now)


def _heard_before(
    connection: Connection, attempt_id: int, cause: RefusalCause
) -> list[PastAttempt]:
    """List the attempts of a job's request that heard the same, back to one that ended it."""
    this = _THIS.one(connection, attempt=attempt_id)
    found = []
    for one in _EARLIER.all(
        connection, job=this.job_id, attempt=attempt_id, fingerprint=this.fingerprint
    ):
        said = one.error or ""
        released = one.state == AttemptState.REJECTED and said.startswith(_RELEASED)
        if one.ended_at is not None and not released:  # void, or failed and ordered again
            break
        if said.startswith(f"{cause}: "):
            found.append(one)
    return found


def heard(connection: Connection, attempt_id: int, message: str) -> Heard:
    """Return whether a row has heard a refusal before, for the same request."""
    this = _THIS.one(connection, attempt=attempt_id)
    words = same_words(message)
    earlier = _REFUSED.all(
        connection, job=this.job_id, attempt=attempt_id, fingerprint=this.fingerprint
    )
    alike = [one for one in earlier if same_words(one.error or "").endswith(words)]
    if not alike:
        return Heard.NEVER
    oldest = alike[-1]  # what was accepted since is no less so because it was refused again
    if _TAKEN_SINCE.first(connection, attempt=oldest.id) is not None:
        return Heard.AND_OTHERS_TAKEN
    taken = _TAKEN_BEFORE.first(connection, attempt=oldest.id)
    same_night = taken is not None and oldest.intent_at - taken.intent_at <= SAME_NIGHT
    lasts = this.intent_at - oldest.intent_at >= LASTING
    return Heard.AFTER_OTHERS if same_night and lasts else Heard.BEFORE
