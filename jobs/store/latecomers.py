"""Late arrivals: a void whose generation turns up, the video of an attempt that was given up.

The video is paid for, so it becomes the row's if the row has none and none is under way, and is not
bought again. Only what a later attempt may have bought too is paid for twice (money.md,
*Settling doubts*).
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    text,
    true,
    update,
)

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, BATCH, BUDGET, JOB, LIVE
from ..evidence.suspects import Appeared
from ..model.ledger import Scope, twice_key
from ..model.spec import asked_key
from ..model.states import AttemptState, JobState, sources
from ..ports.seen import SURPLUS, PaidTwice
from ..ports.updates import Due
from .attempt_states import CREATED, sent_later
from .prepared import Prepared
from .records.attempts import AttemptRow, SurplusAttempt
from .records.jobs import ManifestJob, QueuedJob
from .rows import (
    ASKED,
    REQUEST,
    attempt_row,
    budgets_of,
    ensure_budget,
    estimate,
    is_live,
    move_attempt,
    move_job,
    move_money,
    owner_of,
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
    select(JOB.c.id, JOB.c.manifest_fingerprint, *REQUEST).where(JOB.c.id == bindparam("job")),
    ManifestJob,
)
_ASKED = Prepared(select(ATTEMPT.c.request_key).where(ATTEMPT.c.id == _ATTEMPT))
_TWICE = Prepared(select(func.sum(BUDGET.c.charged_micros)).where(*budgets_of(Scope.TWICE)))
_SHARING = JOB.alias("sharing")
_MAY_BE_A_VIDEO = [state for state in CREATED if state != AttemptState.FAILED]
_SURPLUS = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.state, ATTEMPT.c.price_micros, ATTEMPT.c.video_url)
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
_GIVEN_UP = Prepared(
    # from the failed jobs on, by their indexes: there is none over attempts that were given up
    select(
        ATTEMPT.c.id.label("attempt_id"),
        ATTEMPT.c.generation_id,
        ATTEMPT.c.accepted_at,
        true().label("overdue"),
        false().label("announced"),
    )
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


_CLEAN: Final[dict[str, Any]] = {
    "due_at": None,
    "error_kind": None,
    "error": None,
    "completed_at": None,
    **ASKED,
}


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
        _note_twice(connection, row, charge)
        return Appeared.SURPLUS
    if edited and wanted.manifest_fingerprint is None:
        # so that the next load reports a paid row that was edited, and OnChange.REDO buys it
        of_before = update(JOB).where(JOB.c.id == row.job_id)
        connection.execute(of_before.values(manifest_fingerprint=row.fingerprint))
    move_job(
        connection,
        row.job_id,
        "reappear",
        JobState.PENDING,
        add={"charged_micros": charge},
        attempt_id=attempt_id,
        **_CLEAN,
    )
    return Appeared.ADOPTED


def regain(connection: Connection, job: QueuedJob, now: datetime) -> bool:
    """Give a queued row the generation that counted as paid for twice, if nothing replaced it.

    What was sent in its place came to nothing (never made, refused): the row has this video, and
    buys none.

    Returns:
        False if there is none.
    """
    sent = job.attempt_id is not None
    found = _SURPLUS.first(connection, job=job.id, request=asked_key(job.asked)) if sent else None
    if found is None:
        return False
    # no charge: it was charged when it turned up. Only the total paid for twice becomes less, as
    # tests/integration/test_voids_beside_submissions.py counts
    values = {"error": ADOPTED}
    if found.state == AttemptState.COMPLETED:
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == found.id).values(values))
        done = {"video_url": found.video_url, "completed_at": now}
        move_job(
            connection, job.id, "late", JobState.COMPLETED, attempt_id=found.id, **(_CLEAN | done)
        )
    else:
        looked = {"next_look_at": now, "ended_at": None}
        move_attempt(connection, found.id, "regain", AttemptState.ACCEPTED, **values, **looked)
        move_job(connection, job.id, "reappear", JobState.PENDING, attempt_id=found.id, **_CLEAN)
    less = BUDGET.c.charged_micros - found.price_micros
    key = BUDGET.c.key == twice_key(job.batch_id)
    connection.execute(update(BUDGET).where(key).values(charged_micros=less))
    return True


def _edited(connection: Connection, attempt: AttemptRow, wanted: ManifestJob) -> bool:
    """Check whether a job asks for something else than its attempt did.

    Another spelling of the same prompt is the same request.
    """
    if attempt.fingerprint is None or attempt.fingerprint == wanted.asked.fingerprint:
        return False
    asked: str | None = _ASKED.scalar(connection, attempt=attempt.id)
    return (asked or attempt.fingerprint) != asked_key(wanted.asked)


def _note_twice(connection: Connection, attempt: AttemptRow, charge: int) -> None:
    key = twice_key(attempt.job_batch_id)  # reported for the batch whose row it is
    ensure_budget(connection, key)
    more = BUDGET.c.charged_micros + charge
    connection.execute(update(BUDGET).where(BUDGET.c.key == key).values(charged_micros=more))
    charged = JOB.c.charged_micros + charge
    connection.execute(update(JOB).where(JOB.c.id == attempt.job_id).values(charged_micros=charged))


def complete(connection: Connection, attempt: AttemptRow, video_url: str, now: datetime) -> bool:
    """Write down the video of an attempt that was given up, once the attempt is completed.

    It becomes the job's if that has none, has nothing under way, and still asks for that video. If
    the job asks for another one by now, the attempt keeps what it made: rows that ask for it find
    it in our own past (:mod:`jobs.store.past`).

    Returns:
        False when the job should have moved, and did not.
    """
    if attempt.job_state not in sources("late"):
        return True
    # a later attempt is under way: its video is the row's, and this one stays with its attempt; see
    # test_a_late_video_of_a_row_that_was_bought_again_changes_nothing in test_latecomers.py
    if is_live(connection, attempt.job_id):
        return True
    if _edited(connection, attempt, _WANTED.one(connection, job=attempt.job_id)):
        told = told_text(connection, attempt.id, LATE_OF_BEFORE)
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt.id).values(error=told))
        return True
    return move_job(
        connection,
        attempt.job_id,
        "late",
        JobState.COMPLETED,
        attempt_id=attempt.id,
        video_url=video_url,
        **(_CLEAN | {"completed_at": now}),
    )


def told_text(connection: Connection, attempt_id: int, message: str) -> str:
    """Return the text of an attempt that was given up; the mark of paid twice stays in it."""
    told = connection.execute(
        select(ATTEMPT.c.error).where(ATTEMPT.c.id == attempt_id)
    ).scalar_one()
    return f"{SURPLUS}; {message}" if is_surplus(told) else message


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


def given_up(connection: Connection, batch_id: int) -> list[Due]:
    """List the attempts of failed jobs of a batch that were given up, and may still finish."""
    return _GIVEN_UP.all(connection, batch=batch_id)
