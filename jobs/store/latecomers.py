"""Late arrivals: a void whose generation turns up, the video of an attempt that was given up.

The video is paid for, so it becomes the row's if the row has none and none is under way, and is not
bought again. Only what a later attempt may have bought too is paid for twice (money.md,
*Settling doubts*).
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, BATCH, BUDGET, JOB, LIVE
from ..evidence.suspects import Appeared
from ..model.ledger import Scope, twice_key
from ..model.spec import asked_key
from ..model.states import AttemptState, JobState, sources
from ..ports.seen import SURPLUS, PaidTwice
from .prepared import Prepared, columns_from
from .records import AskedJob, AttemptRow, QueuedJob, SurplusAttempt
from .rows import (
    CLEAN,
    CREATED,
    attempt_row,
    budgets_of,
    change,
    ensure_budget,
    estimate,
    is_live,
    move_attempt,
    move_job,
    move_money,
    owner_of,
    sent_later,
)

ADOPTED: Final = "turned up after it had counted as never made; its video is the row's"
OF_BEFORE: Final = f"{ADOPTED}, made for the prompt that the row had then"
LATE_OF_BEFORE: Final = "finished after it was given up, for the prompt that the row had then"

_VOID = ATTEMPT.alias("void")
_ATTEMPT = bindparam("attempt", type_=ATTEMPT.c.id.type)
_REQUEST = select(_VOID.c.request_key).where(_VOID.c.id == _ATTEMPT).scalar_subquery()
_SENDING = Prepared(
    select(ATTEMPT.c.id).where(LIVE, ATTEMPT.c.job_id == bindparam("job"), text("state = 'open'"))
)
_OTHER = Prepared(
    select(ATTEMPT.c.id)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.id != _ATTEMPT,
        or_(
            LIVE,
            and_(
                ATTEMPT.c.id > _ATTEMPT,
                text(f"state IN {sql_list(CREATED)}"),
                # a row that asks for this may have been sent with another prompt in between
                or_(
                    bindparam("edited"),
                    func.coalesce(ATTEMPT.c.request_key == _REQUEST, True),  # unknown: it may be
                ),
            ),
        ),
    )
    .limit(1)
)
_WANTED = Prepared(
    select(*columns_from(JOB, AskedJob)).where(JOB.c.id == bindparam("job")), AskedJob
)
_ASKED = Prepared(select(ATTEMPT.c.request_key).where(ATTEMPT.c.id == _ATTEMPT))
_TWICE = Prepared(select(func.sum(BUDGET.c.charged_micros)).where(*budgets_of(Scope.TWICE)))
_SHARING = JOB.alias("sharing")
_MAY_BE_A_VIDEO = [state for state in CREATED if state != AttemptState.FAILED]
_SURPLUS = Prepared(
    select(*columns_from(ATTEMPT, SurplusAttempt))
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.request_key == bindparam("request"),
        text("attempt.state IN ('abandoned', 'completed')"),
        text(f"attempt.error GLOB '{SURPLUS}*'"),
        ~sent_later("request_key", _MAY_BE_A_VIDEO),
        ~exists().where(_SHARING.c.attempt_id == ATTEMPT.c.id),
    )
    .order_by(ATTEMPT.c.id)
    .limit(1),
    SurplusAttempt,
)
"""What is paid for twice and no row has, where nothing that was sent later is or may be a video."""
_PAID_TWICE = Prepared(
    select(BATCH.c.name.label("batch"), JOB.c.key, ATTEMPT.c.generation_id, ATTEMPT.c.price_micros)
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(JOB.c.batch_id == bindparam("batch"), text(f"attempt.error GLOB '{SURPLUS}*'"))
    .order_by(ATTEMPT.c.id),
    PaidTwice,
)


def reappear(
    connection: Connection, attempt_id: int, generation_id: str, now: datetime
) -> Appeared | None:
    """Take back a void whose generation turned up: it is charged, even above the caps.

    It is the row's video, whether the row is queued, cancelled or failed, and even if it was edited
    since: it is paid for.

    Returns:
        Whether it was adopted, or is paid for twice because a later attempt may have been created
        as well; None if it is no longer a void, another attempt has the generation, or its row is
        being sent, so that the answer decides.
    """
    row = attempt_row(connection, attempt_id)
    if row is None or owner_of(connection, generation_id) is not None:
        return None
    # its key may be under way: the answer then names this very generation, and settles it; adopted
    # here, the attempt under way would be left without one (test_voids_that_turn_up.py)
    if _SENDING.first(connection, job=row.job_id) is not None:
        return None
    wanted = _WANTED.one(connection, job=row.job_id)
    edited = _edited(connection, row, wanted)
    other = _OTHER.first(connection, job=row.job_id, attempt=attempt_id, edited=edited)
    adopted = other is None and row.job_state in sources("reappear")
    edited = adopted and edited
    charge = estimate(row)
    landed = move_attempt(
        connection,
        attempt_id,
        "reappear" if adopted else "surplus",
        AttemptState.ACCEPTED if adopted else AttemptState.ABANDONED,
        generation_id=generation_id,
        price_micros=charge,
        price_estimated=True,
        accepted_at=now,
        next_look_at=now,
        ended_at=None,
        error=(OF_BEFORE if edited else ADOPTED) if adopted else SURPLUS,
    )
    if not landed:
        return None
    # even above the caps: the provider has charged it, and a total that hides a charge would let
    # a later claim pass the cap (test_voids_that_move.py: the cap counts it)
    move_money(connection, row, held=0, charged=charge)
    if not adopted:
        _add_twice(connection, row.job_batch_id, charge)  # reported for the batch whose row it is
        change(connection, JOB, row.job_id, charged_micros=JOB.c.charged_micros + charge)
        return Appeared.SURPLUS
    if edited and wanted.manifest_fingerprint is None:
        # so that the next load reports a paid row that was edited, and OnChange.REDO buys it
        change(connection, JOB, row.job_id, manifest_fingerprint=row.fingerprint)
    made = {"attempt_id": attempt_id, **CLEAN}
    add = {"charged_micros": charge}
    move_job(connection, row.job_id, "reappear", JobState.PENDING, add, **made)
    return Appeared.ADOPTED


def regain(connection: Connection, job: QueuedJob, now: datetime) -> bool:
    """Assign to a queued row the generation that counted as paid for twice, if nothing replaced it.

    What was sent in its place came to nothing (never made, refused): the row has this video.
    Return False if there is none.
    """
    sent = job.attempt_id is not None
    found = _SURPLUS.first(connection, job=job.id, request=asked_key(job.asked)) if sent else None
    if found is None:
        return False
    # no charge: it was charged when it turned up. Only the total paid for twice becomes less, as
    # tests/integration/test_voids_beside_submissions.py counts
    if found.state == AttemptState.COMPLETED:
        change(connection, ATTEMPT, found.id, error=ADOPTED)
        _give(connection, job.id, found.id, found.video_url, now)
    else:
        looked = {"next_look_at": now, "ended_at": None, "error": ADOPTED}
        move_attempt(connection, found.id, "regain", AttemptState.ACCEPTED, **looked)
        move_job(connection, job.id, "reappear", JobState.PENDING, attempt_id=found.id, **CLEAN)
    _add_twice(connection, job.batch_id, -found.price_micros)
    return True


def _edited(connection: Connection, attempt: AttemptRow, wanted: AskedJob) -> bool:
    """Check whether a job asks for something else than its attempt did, in any spelling."""
    if attempt.fingerprint is None or attempt.fingerprint == wanted.asked.fingerprint:
        return False
    asked: str | None = _ASKED.scalar(connection, attempt=attempt.id)
    return (asked or attempt.fingerprint) != asked_key(wanted.asked)


def _add_twice(connection: Connection, batch_id: int, micros: int) -> None:
    key = twice_key(batch_id)
    ensure_budget(connection, key)
    more = BUDGET.c.charged_micros + micros
    connection.execute(update(BUDGET).where(BUDGET.c.key == key).values(charged_micros=more))


def complete(connection: Connection, attempt: AttemptRow, video_url: str, now: datetime) -> bool:
    """Write down the video of an attempt that was given up, once the attempt is completed.

    It becomes the job's if that has none, has nothing under way, and still asks for that video. If
    the job asks for another one by now, the attempt keeps what it made: rows that ask for it find
    it in our own past (:mod:`jobs.store.past`). Return False when the job should have moved, and
    did not.
    """
    if attempt.job_state not in sources("late"):
        return True
    # a later attempt is under way: its video is the row's, and this one stays with its attempt; see
    # test_a_late_video_of_a_row_that_was_bought_again_changes_nothing in test_latecomers.py
    if is_live(connection, attempt.job_id):
        return True
    if _edited(connection, attempt, _WANTED.one(connection, job=attempt.job_id)):
        told = told_text(connection, attempt.id, LATE_OF_BEFORE)
        change(connection, ATTEMPT, attempt.id, error=told)
        return True
    return _give(connection, attempt.job_id, attempt.id, video_url, now)


def _give(
    connection: Connection, job_id: int, attempt_id: int, video_url: str | None, now: datetime
) -> bool:
    done = {**CLEAN, "attempt_id": attempt_id, "video_url": video_url, "completed_at": now}
    return move_job(connection, job_id, "late", JobState.COMPLETED, **done)


def told_text(connection: Connection, attempt_id: int, message: str) -> str:
    """Return the text of an attempt that was given up; the mark of paid twice stays in it."""
    error = select(ATTEMPT.c.error).where(ATTEMPT.c.id == attempt_id)
    told = is_surplus(connection.execute(error).scalar_one())
    return f"{SURPLUS}; {message}" if told else message


def surplus_of(connection: Connection, attempt_ids: Collection[int]) -> int:
    """Count which of some attempts are paid for twice; a row may have got its video since."""
    if not attempt_ids:
        return 0
    found = select(ATTEMPT.c.error).where(ATTEMPT.c.id.in_(attempt_ids))
    return sum(map(is_surplus, connection.execute(found).scalars()))


def is_surplus(error: str | None) -> bool:
    """Return whether an attempt's text says that it is paid for twice."""
    return error is not None and error.startswith(SURPLUS)


def twice_micros(connection: Connection) -> int:
    """Return what all batches together paid for twice, in micros."""
    return int(_TWICE.scalar(connection) or 0)


def paid_twice(connection: Connection, batch_id: int) -> list[PaidTwice]:
    """List what a batch paid for twice: job, generation and price."""
    return _PAID_TWICE.all(connection, batch=batch_id)
