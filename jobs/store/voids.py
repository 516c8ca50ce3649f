"""Voids (attempts that count as never made), and which row each belongs to.

A void may turn up after all. Then its video is the row's, or its replacement is paid for twice; the
replacement carries its key (money.md, *Settling doubts*). All of that goes by its row. If the row
leaves its manifest, is cancelled, is removed with its batch or asks for something else, a queued
row of any batch that asks for the same in any spelling takes the void over. A row that nobody asked
to buy leaves it to one that is bought. The money stays with the budgets under which the void was
reserved (money.md, *Caps*).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text, update

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, BATCH, JOB
from ..model.spec import asked_key
from ..model.states import ASKED_BY_NAME, AttemptState, JobState
from .prepared import Prepared, columns_from, read, values_in
from .records import AskedJob, VoidAttempt
from .rows import CREATED, VOID, change, key_is_taken, sent_later

LONGEST_WAIT: Final = timedelta(hours=1)
"""Longest wait until a job is sent again whose submissions came to nothing."""

_MADE_OR_VOID = (*CREATED, AttemptState.VOID)
_VOIDS = Prepared(
    select(
        *columns_from(
            JOB,
            VoidAttempt,
            id=ATTEMPT.c.id,
            job_id=ATTEMPT.c.job_id,
            made_for=ATTEMPT.c.request_key,
            sent_as=ATTEMPT.c.fingerprint,
            removed_at=BATCH.c.removed_at,
        )
    )
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(
        VOID,
        ATTEMPT.c.request_key.is_not(None),
        ~sent_later("request_key", _MADE_OR_VOID),
        ~key_is_taken(),
    ),
    VoidAttempt,
)
"""The last void of each request of each row, unless something replaced it or has its key."""

_SERVED = select(BATCH.c.id).where(BATCH.c.source.is_not(None), BATCH.c.removed_at.is_(None))
_QUEUED = (
    select(*columns_from(JOB, AskedJob))
    .where(JOB.c.batch_id.in_(_SERVED), text("job.state = 'queued'"), JOB.c.in_manifest)
    .order_by(JOB.c.batch_id, JOB.c.row, JOB.c.id)
)
"""Rows that may take a void over; not single videos, which are typed to be bought again."""

_MAY_FOLD = or_(*(JOB.c.prompt.op("GLOB")(odd) for odd in ("*[^ -~]*", " *", "* ", "*  *")))
"""Prompts that :func:`jobs.model.text.text_key` may change; SQLite alone compares the others."""

_SAME = and_(ATTEMPT.c.job_id == bindparam("job"), ATTEMPT.c.request_key == bindparam("request"))
_SENT = Prepared(
    select(ATTEMPT.c.id).where(_SAME, text(f"state IN {sql_list(_MADE_OR_VOID)}")).limit(1)
)
"""A request that was known not to be created counts as never sent by its row."""
_MOVED = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.state)
    .where(_SAME, text("state IN ('void', 'rejected')"))
    .order_by(ATTEMPT.c.id)
)


def follow(connection: Connection) -> None:
    """Move each void to the one row that asks for its request now.

    Called whenever rows come, leave or ask for something else, so that before the next claim it is
    clear to which row a void belongs that turns up.
    """
    left: dict[str, list[VoidAttempt]] = {}
    kept = set()
    for void in _VOIDS.all(connection):
        if _is_its_rows(void):
            if void.held_back not in ASKED_BY_NAME:
                continue
            # nobody asked for its row, so its key is not sent: an equal row that is bought sends
            # that key instead, or both videos would be paid for (test_rows_around_voids.py)
            kept.add(void.id)
        left.setdefault(void.made_for, []).append(void)
    if not left:
        return
    given: set[int] = set()
    for request, rows in _asking(connection, left).items():
        # one void per row and one row per void: a key that two rows send makes one video, and the
        # other row would wait for it or get the first one's (test_whose_void_it_is.py)
        taken = set()
        for void, row in sorted(product(left[request], rows), key=_distance):
            held = void.id in kept and row.held_back in ASKED_BY_NAME
            if void.id in given or row.id in taken or held:
                continue
            _give(connection, void, row)
            given.add(void.id)
            taken.add(row.id)


def _distance(pair: tuple[VoidAttempt, AskedJob]) -> tuple[bool, bool, bool, int]:
    """Sort rows that somebody asked for first, then its own batch, then the same spelling.

    A key is sent again only with the same spelling. Of several voids the newest goes first.
    """
    void, row = pair
    return (
        row.held_back in ASKED_BY_NAME,
        row.batch_id != void.batch_id,
        row.asked.fingerprint != void.sent_as,
        -void.id,
    )


def _is_its_rows(void: VoidAttempt) -> bool:
    """Check whether a void's row would still be bought for it, or might be."""
    wanted = void.removed_at is None and void.in_manifest and void.state != JobState.CANCELLED
    return wanted and asked_key(void.asked) == void.made_for


def _asking(
    connection: Connection, requests: Mapping[str, Sequence[VoidAttempt]]
) -> dict[str, list[AskedJob]]:
    """List the queued rows that ask for each request, and never sent it themselves."""
    # a row that sent the request itself has an attempt of its own to be watched: with a void of
    # another row it would have two keys for one video (test_a_row_that_was_sent_itself_takes_none)
    found: dict[str, list[AskedJob]] = {}
    same = JOB.c.fingerprint.in_(values_in(requests))  # of a folded prompt it is the request
    for row in read(connection, _QUEUED.where(or_(same, _MAY_FOLD)), AskedJob):
        request = asked_key(row.asked)
        if request in requests and _SENT.first(connection, job=row.id, request=request) is None:
            found.setdefault(request, []).append(row)
    return found


def _give(connection: Connection, void: VoidAttempt, taker: AskedJob) -> None:
    """Move a void to a row, with those before it and what was refused for it meanwhile."""
    # all together: one that stayed behind would have its key sent by a second row, once its own
    # row is queued again (test_all_voids_of_a_request_go_together)
    moved = _MOVED.all(connection, job=void.job_id, request=void.made_for)
    numbers = [number for number, _ in moved]
    # only the row changes: batch_id, campaign and day, under which it was reserved, stay, so that
    # it is charged there should it turn up (test_rows_around_voids.py)
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id.in_(numbers)).values(job_id=taker.id))
    before = select(func.max(ATTEMPT.c.id)).where(ATTEMPT.c.job_id == void.job_id)
    connection.execute(
        update(JOB)
        .where(JOB.c.id == void.job_id, JOB.c.attempt_id.in_(numbers))
        .values(attempt_id=before.scalar_subquery())
    )
    # what was refused and is sent again was not counted
    voided = sum(state == AttemptState.VOID for _, state in moved)
    change(connection, JOB, void.job_id, attempts=JOB.c.attempts - voided)
    change(connection, JOB, taker.id, attempts=JOB.c.attempts + voided, attempt_id=max(numbers))


def count(connection: Connection, job_id: int) -> int:
    """Count a job's voids; those without any acceptance of any job between them count as one.

    They show an outage, which is not the job's fault: one outage must not use up its tries.
    """
    taken = ATTEMPT.alias()
    last_taken = (
        select(func.max(taken.c.id))
        .where(taken.c.generation_id.is_not(None), taken.c.id < ATTEMPT.c.id)
        .scalar_subquery()
    )
    voids = select(func.count(func.coalesce(last_taken, 0).distinct())).where(
        ATTEMPT.c.job_id == job_id, ATTEMPT.c.state == AttemptState.VOID
    )
    return connection.execute(voids).scalar_one()


def due_after(
    connection: Connection, job_id: int, attempt_id: int, now: datetime
) -> datetime | None:
    """Return when a job is sent again: from its second void on, others go first.

    A job whose submissions are never answered must not use every try of an outage. It waits as long
    as its doubt took to settle, then twice, three times … as long.
    """
    others = ATTEMPT.alias()
    voids = (
        select(func.count())
        .select_from(others)
        .where(others.c.job_id == job_id, others.c.state == AttemptState.VOID)
        .scalar_subquery()
    )
    found = select(voids, ATTEMPT.c.intent_at).where(ATTEMPT.c.id == attempt_id)
    count, intent_at = connection.execute(found).one()
    wait = (now - intent_at) * (count - 1)
    return now + min(wait, LONGEST_WAIT) if wait > timedelta(0) else None
