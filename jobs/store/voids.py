"""What counts as never made, and whose row that is: it follows its request to another row.

A void may turn up after all. Then its video is the row's, or its replacement is paid for twice; the
replacement carries its key (money.md, *Settling doubts*). All of that goes by its row. Where that
leaves its manifest, is cancelled, is removed with its batch or asks for something else, a queued
row that asks for the same in any spelling takes the void over, whatever its id and its batch are;
where nobody asked for that one, it leaves it to one that is bought. The money stays with the
budgets that the void was reserved under (money.md, *Caps*).
"""

from collections.abc import Mapping, Sequence
from itertools import product

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from ..columns import sql_list
from ..states import ASKED_BY_NAME, AttemptState, JobState
from ..tables import ATTEMPT, BATCH, JOB
from .latecomers import CREATED
from .prepared import Prepared, read, values_in
from .records.attempts import NumberedState, VoidAttempt
from .records.jobs import TakingJob
from .rows import REQUEST, request_key

_LATER = ATTEMPT.alias("later")
_KNOWN = ATTEMPT.alias("known")
_VOIDS = Prepared(
    select(
        ATTEMPT.c.id,
        ATTEMPT.c.job_id,
        ATTEMPT.c.request_key.label("made_for"),
        ATTEMPT.c.fingerprint.label("sent_as"),
        JOB.c.batch_id,
        JOB.c.in_manifest,
        JOB.c.state,
        JOB.c.held_back,
        BATCH.c.removed_at,
        *REQUEST,
    )
    .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(
        text("attempt.state = 'void'"),  # the partial index's own words
        ATTEMPT.c.request_key.is_not(None),
        ~exists().where(
            _LATER.c.job_id == ATTEMPT.c.job_id,
            _LATER.c.id > ATTEMPT.c.id,
            _LATER.c.request_key == ATTEMPT.c.request_key,
            text(f"later.state IN {sql_list([*CREATED, AttemptState.VOID])}"),
        ),
        ~exists().where(
            _KNOWN.c.job_id == ATTEMPT.c.job_id,
            _KNOWN.c.idempotency_key == ATTEMPT.c.idempotency_key,
            text(f"known.state IN {sql_list(CREATED)}"),
        ),
    ),
    VoidAttempt,
)
"""The last void of each request of each row, where nothing took its place there, or has its key."""

_SERVED = select(BATCH.c.id).where(BATCH.c.source.is_not(None), BATCH.c.removed_at.is_(None))
_QUEUED = (
    select(JOB.c.id, JOB.c.batch_id, JOB.c.held_back, *REQUEST)
    .where(JOB.c.batch_id.in_(_SERVED), text("job.state = 'queued'"), JOB.c.in_manifest)
    .order_by(JOB.c.batch_id, JOB.c.row, JOB.c.id)
)
"""Rows that may take one over; a single video is typed to be bought anew."""

_MAY_FOLD = or_(*(JOB.c.prompt.op("GLOB")(odd) for odd in ("*[^ -~]*", " *", "* ", "*  *")))
"""Prompts that :func:`jobs.text.text_key` may change; so most are compared by SQLite alone."""

_SAME = and_(ATTEMPT.c.job_id == bindparam("job"), ATTEMPT.c.request_key == bindparam("request"))
_SENT = Prepared(
    select(ATTEMPT.c.id)
    .where(_SAME, text(f"state IN {sql_list([*CREATED, AttemptState.VOID])}"))
    .limit(1)
)
"""What is known not to have been created leaves a row as if it had never sent its request."""
_MOVED = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.state)
    .where(_SAME, text("state IN ('void', 'rejected')"))
    .order_by(ATTEMPT.c.id),
    NumberedState,
)


def follow(connection: Connection) -> int:
    """Give what counts as never made to the rows that ask for it now, each to one.

    Asked whenever rows come, leave or ask for something else: until the next claim it is settled
    whose a void is that turns up.

    Args:
        connection: in a writing transaction.

    Returns:
        How many rows took something over.
    """
    left: dict[str, list[VoidAttempt]] = {}
    kept = set()
    for void in _VOIDS.all(connection):
        if _is_its_rows(void):
            if void.held_back not in ASKED_BY_NAME:
                continue
            kept.add(void.id)  # nobody asked for its row: it leaves it to one that is bought
        left.setdefault(void.made_for, []).append(void)
    if not left:
        return 0
    given: set[int] = set()
    for request, rows in _asking(connection, left).items():
        taken = set()
        for void, row in sorted(product(left[request], rows), key=_distance):
            held = void.id in kept and row.held_back in ASKED_BY_NAME
            if void.id in given or row.id in taken or held:
                continue
            _give(connection, void, row)
            given.add(void.id)
            taken.add(row.id)
    return len(given)


def _distance(pair: tuple[VoidAttempt, TakingJob]) -> tuple[bool, bool, bool, int]:
    """Put rows that somebody asked for first, then those of its own batch, then the same spelling.

    Its key is sent again with that spelling alone. Of several voids the newest goes first.
    """
    void, row = pair
    return (
        row.held_back in ASKED_BY_NAME,
        row.batch_id != void.batch_id,
        row.fingerprint != void.sent_as,
        -void.id,
    )


def _is_its_rows(void: VoidAttempt) -> bool:
    """Check whether a void's row would still be bought for it, or might be."""
    wanted = void.removed_at is None and void.in_manifest and void.state != JobState.CANCELLED
    return wanted and request_key(void) == void.made_for


def _asking(
    connection: Connection, requests: Mapping[str, Sequence[VoidAttempt]]
) -> dict[str, list[TakingJob]]:
    """List by request the queued rows that ask for it, and that never sent it themselves."""
    found: dict[str, list[TakingJob]] = {}
    same = JOB.c.fingerprint.in_(values_in(requests))  # of a folded prompt it is the request
    for row in read(connection, _QUEUED.where(or_(same, _MAY_FOLD)), TakingJob):
        request = request_key(row)
        if request in requests and _SENT.first(connection, job=row.id, request=request) is None:
            found.setdefault(request, []).append(row)
    return found


def _give(connection: Connection, void: VoidAttempt, taker: TakingJob) -> None:
    """Let a row have a void, those before it, and what was refused for it meanwhile."""
    moved = _MOVED.all(connection, job=void.job_id, request=void.made_for)
    numbers = [one.id for one in moved]
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id.in_(numbers)).values(job_id=taker.id))
    before = select(func.max(ATTEMPT.c.id)).where(ATTEMPT.c.job_id == void.job_id)
    connection.execute(
        update(JOB)
        .where(JOB.c.id == void.job_id, JOB.c.attempt_id.in_(numbers))
        .values(attempt_id=before.scalar_subquery())
    )
    # what was refused and is sent again was not counted
    count = sum(one.state == AttemptState.VOID for one in moved)
    for number, more in ((void.job_id, -count), (taker.id, count)):
        connection.execute(
            update(JOB).where(JOB.c.id == number).values(attempts=JOB.c.attempts + more)
        )
    connection.execute(update(JOB).where(JOB.c.id == taker.id).values(attempt_id=max(numbers)))
