"""Handing jobs to the runner that is alive: exactly those that a person named or was shown.

A batch is served only by the run that was started for it. Whatever else a person asks for beside
a living run (retry, resume, ``generate``, a button of the page) is handed over job by job, so that
nothing else of their batches is bought (docs/decisions/0014-consent-is-state-of-the-row.md). The
mark lasts as long as the runner: :func:`take_back`, at the start and the end of each.

A runner takes up what is handed over only while it serves (:func:`set_serving`): not in its look
before it buys, nor once it submits no more. It stops serving in the transaction in which it finds
nothing left to do, so that what was handed over before is seen, and nothing is handed over after.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, bindparam, not_, or_, select, text, update

from ..database.tables import ACCOUNT, BATCH, HANDED, JOB
from ..model.states import HeldBack, JobState
from .prepared import Prepared, as_list, one_of

IN_HAND = text("handed AND state = 'queued' AND (held_back IS NULL OR held_back = 'unasked')")
"""Jobs that the runner may buy because they were handed to it.

Handing a job over is asking for it, so 'unasked' does not stand in the way: ``generate`` hands its
row over and leaves it unasked, so that nobody buys it when both it and that runner are gone.
"""

_HAND = Prepared(update(JOB).where(JOB.c.id.in_(one_of("jobs"))).values(handed=True))
_OFFERED = (
    select(JOB.c.id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(JOB.c.id.in_(one_of("jobs")), not_(BATCH.c.paused))
)
_ASKED_FOR = Prepared(_OFFERED.where(JOB.c.held_back.is_(None)))
_OR_UNASKED = Prepared(
    _OFFERED.where(or_(JOB.c.held_back.is_(None), JOB.c.held_back == HeldBack.UNASKED))
)
_WAITS_NO_MORE = Prepared(
    update(BATCH)
    .where(
        BATCH.c.waiting_for.is_not(None),
        BATCH.c.id.in_(select(JOB.c.batch_id).where(JOB.c.id.in_(one_of("jobs")))),
    )
    .values(waiting_for=None)
)
_SERVING = Prepared(select(ACCOUNT.c.serving))
_SET_SERVING = Prepared(update(ACCOUNT).values(serving=bindparam("to")))
_ALL = Prepared(select(JOB.c.id).where(HANDED))
_ANY = Prepared(select(JOB.c.id).where(HANDED).limit(1))
_IN_STATE = Prepared(select(JOB.c.id).where(HANDED, JOB.c.state == bindparam("state")).limit(1))
_NEXT_BATCH = Prepared(
    select(JOB.c.batch_id)
    .where(HANDED, JOB.c.state == bindparam("state"), JOB.c.batch_id > bindparam("after"))
    .order_by(JOB.c.batch_id)
    .limit(1)
)


def hand_over(connection: Connection, job_ids: Collection[int]) -> None:
    """Let the runner that is alive buy these jobs and bring them to their end, and no others."""
    jobs = as_list(job_ids)
    _WAITS_NO_MORE.run(connection, jobs=jobs)  # of before; the runner says what it waits for now
    _HAND.run(connection, jobs=jobs)


def set_serving(connection: Connection, *, serving: bool) -> None:
    """Write down whether the runner takes up what is handed over from now on."""
    _SET_SERVING.run(connection, to=serving)


def is_served(connection: Connection) -> bool:
    """Check whether the runner takes up what is handed over; a killed one may have left it so."""
    return bool(_SERVING.scalar(connection))


def offer(connection: Connection, job_ids: Collection[int], *, unasked: bool = False) -> bool:
    """Hand jobs over where the runner takes them up; False leaves them as they are.

    Those of a paused batch are handed over by its resume: no run waits for that until then. Those
    that are held back are not: a load may have edited one since a person asked for it. ``unasked``:
    a single video was just typed, and that is asking for it.
    """
    served = is_served(connection)
    if served:
        free = _OR_UNASKED if unasked else _ASKED_FOR
        hand_over(connection, free.column(connection, jobs=as_list(job_ids)))
    return served


def take_back(connection: Connection) -> None:
    """Take everything out of the runner's hands: one has just begun, or ends."""
    connection.execute(update(JOB).where(HANDED).values(handed=False))


def jobs(connection: Connection) -> list[int]:
    """List what is in the runner's hands, finished jobs among it."""
    return _ALL.column(connection)


def anything(connection: Connection) -> bool:
    """Check whether anything is in the runner's hands."""
    return _ANY.first(connection) is not None


def in_state(connection: Connection, state: JobState) -> bool:
    """Check whether a job in this state is in the runner's hands."""
    return _IN_STATE.first(connection, state=state) is not None


def batches(connection: Connection, states: Iterable[JobState]) -> Sequence[int]:
    """List the batches that have jobs of these states in the runner's hands.

    One look into the index for each batch: a million jobs of one batch cost as much as one.
    """
    found: set[int] = set()
    for state in states:
        after = 0
        while (batch := _NEXT_BATCH.scalar(connection, state=state, after=after)) is not None:
            found.add(batch)
            after = batch
    return sorted(found)
