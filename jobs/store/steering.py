"""Changes of batches and jobs: which are served, what they wait for, cancel, retry, remove.

:mod:`jobs.model.retry` decides whether jobs may be bought again or given up, inside the transaction
that moves them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, text, update

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, BATCH, JOB
from ..model.errors import BatchUnderWayError, BatchUnfinishedError
from ..model.ledger import Refunds
from ..model.retry import Patience, Standing, WhyNot, why_not_again, why_not_given_up
from ..model.spec import JobSpec, asked_row, fingerprint, request_of
from ..model.states import LIVE_ATTEMPTS, AttemptState, Blocked, FailureKind, HeldBack, JobState
from ..ports.events import RunFact
from ..queries.batches import UNFINISHED
from . import events, handing, holding, voids
from .prepared import Prepared, as_list, columns_from, one_of, read
from .records import AskedJob
from .rows import (
    ASKED,
    HAS_LIVE,
    NEW,
    change,
    failure,
    move_attempt,
    move_job,
    moving_jobs,
    tally_new,
)


def serve(connection: Connection, batch_ids: Iterable[int], now: datetime) -> None:
    """Let the runner serve these batches: its own, when it begins."""
    events.write(connection, now, RunFact.STARTED)
    connection.execute(
        update(BATCH)
        .where(BATCH.c.id.in_(list(batch_ids)))
        .values(active=True, waiting_for=None, archived_at=None)
    )


def serve_none(connection: Connection) -> None:
    """Forget what was served and handed over: a runner begins or ends."""
    handing.set_serving(connection, serving=False)
    connection.execute(update(BATCH).where(BATCH.c.active).values(active=False))
    handing.take_back(connection)


def set_waiting(
    connection: Connection,
    waits: Mapping[int, str | None],
    now: datetime,
    blocked: Mapping[int, Collection[Blocked]] = MappingProxyType({}),
) -> None:
    """Write down what batches wait for; an active one that is not named waits for nothing.

    ``blocked`` is what stops the rest of a batch, where its own jobs run into that.
    """
    concerned = or_(BATCH.c.active, BATCH.c.id.in_(waits))
    rows = select(BATCH.c.id, BATCH.c.waiting_for).where(concerned)
    for batch_id, before in connection.execute(rows).all():
        wanted = waits.get(batch_id)
        if wanted != before:
            change(connection, BATCH, batch_id, waiting_for=wanted)
            cause = _cause(wanted)
            if cause is not None and cause != _cause(before):
                events.batch_waits(connection, batch_id, cause, blocked.get(batch_id, ()), now)


_PASSING = {Blocked.LEARNING, Blocked.TWIN}


def _cause(waiting_for: str | None) -> str | None:
    """Return the cause without amounts and times; None if it is only a short wait for an answer."""
    cause = (waiting_for or "").partition(" (")[0].partition(" until ")[0]
    return None if not cause or _PASSING.issuperset(cause.split(", ")) else cause


def set_refunds(connection: Connection, batch_id: int, refunds: Refunds) -> Refunds:
    """Keep which failures of a batch are refunded from now on; return what was kept before."""
    old = connection.execute(select(BATCH.c.refunds).where(BATCH.c.id == batch_id)).scalar_one()
    change(connection, BATCH, batch_id, refunds=refunds)
    return Refunds(old)


def rows_of(connection: Connection, batch_id: int) -> list[int]:
    """List the rows of a batch's manifest in their order, each once."""
    rows = select(JOB.c.row).where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
    return list(connection.execute(rows.distinct().order_by(JOB.c.row)).scalars())


def cancel(connection: Connection, job_ids: Sequence[int], now: datetime) -> list[int]:
    """Cancel queued jobs, and return those that were queued: what is paid for stays."""
    cancelled = _cancel(connection, JOB.c.id.in_(job_ids), now)
    voids.follow(connection)
    return cancelled


def _cancel(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[int]:
    moving = moving_jobs(
        "cancel", which, completed_at=now, handed=False, named=False, **ASKED
    ).returning(JOB.c.id)
    return list(connection.execute(moving).scalars())


def add(connection: Connection, batch_id: int, spec: JobSpec, kind: str, now: datetime) -> int:
    """Add one job to a batch of single videos, and return its number; its key must be new.

    It is unasked: it is bought only while it is handed over, and by no later run.
    """
    added = insert(JOB).values(
        **asked_row(spec.request, kind)._asdict(),
        **NEW,
        batch_id=batch_id,
        key=spec.key,
        key_from_content=spec.key_from_content,
        row=spec.row,
        campaign=spec.campaign,
        priority=spec.priority,
        cells=dict(spec.cells),
        in_manifest=True,
        created_at=now,
        held_back=HeldBack.UNASKED,
    )
    number = int(connection.execute(added).inserted_primary_key[0])  # type: ignore[index]
    tally_new(connection, batch_id, 1)
    _unarchive(connection, JOB.c.id == number)
    return number


def retry(
    connection: Connection,
    job_ids: Sequence[int],
    give_up: Patience | None = None,
    *,
    now: datetime | None = None,
) -> list[int]:
    """Queue failed jobs for a new attempt, and cancelled ones for theirs; return those that moved.

    What may be moved is decided by :func:`jobs.model.retry.why_not_again`, as in the dry run.
    Automatic retries start again from none.
    """
    refusals = may_be_retried(connection, job_ids, give_up)
    free = [number for number in job_ids if number in refusals and refusals[number] is None]
    if give_up is not None:
        abandon(connection, free, give_up)
    moved = [
        *_queue(connection, free, "redo", JobState.FAILED),
        *_queue(connection, free, "restore", JobState.CANCELLED),
        *holding.ask_for(connection, free, now),
    ]
    voids.follow(connection)
    return moved


def redo(connection: Connection, job_ids: Sequence[int], now: datetime | None = None) -> list[int]:
    """Queue completed jobs for another attempt, and return those that were completed.

    What they have by ``now`` is no reason to hold them back; None: it is.
    """
    moved = _queue(connection, job_ids, "redo", JobState.COMPLETED)
    if now is not None and moved:
        connection.execute(update(JOB).where(JOB.c.id.in_(moved)).values(overruled_at=now))
    return moved


def reword(
    connection: Connection, job_id: int, prompt: str, give_up: Patience | None = None
) -> bool:
    """Queue a job for a new attempt with another prompt; False when it may not be bought again.

    What its manifest asked for stays known, so that a load follows only edits made there.
    """
    if not retry(connection, [job_id], give_up):
        return False
    named = select(*columns_from(JOB, AskedJob)).where(JOB.c.id == job_id)
    job = next(read(connection, named, AskedJob))
    request = replace(request_of(job.asked), prompt=prompt)
    change(
        connection,
        JOB,
        job_id,
        prompt=prompt,
        fingerprint=fingerprint(request),
        manifest_fingerprint=job.manifest_fingerprint or job.asked.fingerprint,
        overruled_at=None,  # that was about another request
    )
    voids.follow(connection)
    return True


def _queue(
    connection: Connection, job_ids: Sequence[int], transition: str, state: JobState
) -> list[int]:
    """Queue the jobs of a state; its transition allows no other."""
    moving = moving_jobs(
        transition,
        JOB.c.id.in_(job_ids),
        JOB.c.in_manifest,
        ~HAS_LIVE,
        only=state,
        retries=0,
        due_at=None,
        video_url=None,
        error_kind=None,
        error=None,
        completed_at=None,
        named=True,
        **ASKED,
    ).returning(JOB.c.id)
    moved = list(connection.execute(moving).scalars())
    if moved:
        _unarchive(connection, JOB.c.id.in_(moved))
    return moved


def set_paused(connection: Connection, batch_id: int, *, paused: bool) -> bool:
    """Pause or resume a batch; False if it was so already. What is paid for is still polled."""
    done = connection.execute(
        update(BATCH).where(BATCH.c.id == batch_id, BATCH.c.paused != paused).values(paused=paused)
    )
    return done.rowcount == 1


def remove(connection: Connection, batch_id: int, now: datetime) -> int:
    """Remove a batch from all lists, and return how many jobs that cancelled; its name is free.

    Attempts, charges and days stay, so that its generations are never taken for somebody else's.
    """
    live = connection.execute(
        select(func.count())
        .select_from(ATTEMPT)
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .where(ATTEMPT.c.state.in_(LIVE_ATTEMPTS), JOB.c.batch_id == batch_id)
    ).scalar_one()
    name = connection.execute(select(BATCH.c.name).where(BATCH.c.id == batch_id)).scalar_one()
    if live:
        raise BatchUnderWayError(name, live)
    cancelled = _cancel(connection, JOB.c.batch_id == batch_id, now)
    change(
        connection,
        BATCH,
        batch_id,
        name=f"{name} (removed, {batch_id})",
        removed_at=now,
        active=False,
        paused=False,
        waiting_for=None,
    )
    voids.follow(connection)
    return len(cancelled)


def _unarchive(connection: Connection, which: ColumnElement[bool]) -> None:
    """Bring the batches of jobs back that are to be bought: nothing at work is out of sight."""
    batches = BATCH.c.id.in_(select(JOB.c.batch_id).where(which))
    shown = update(BATCH).where(batches, BATCH.c.archived_at.is_not(None))
    connection.execute(shown.values(archived_at=None))


def archive(connection: Connection, batch_id: int, now: datetime | None) -> None:
    """Archive a batch of which no job is left, or bring it back."""
    left = connection.execute(
        select(func.count()).where(JOB.c.batch_id == batch_id, JOB.c.state.in_(UNFINISHED))
    ).scalar_one()
    if now is not None and left:
        name = connection.execute(select(BATCH.c.name).where(BATCH.c.id == batch_id)).scalar_one()
        raise BatchUnfinishedError(name, left)
    change(connection, BATCH, batch_id, archived_at=now)


GIVEN_UP: Final = "given up by a person: it stays paid for, and may still finish"

_STANDING = Prepared(
    select(
        JOB.c.id,
        JOB.c.state,
        JOB.c.held_back.is_not(None),
        JOB.c.in_manifest,
        ATTEMPT.c.state,
        ATTEMPT.c.id,
        ATTEMPT.c.accepted_at,
        func.coalesce(ATTEMPT.c.price_micros, 0),
    )
    .outerjoin(
        ATTEMPT,
        and_(ATTEMPT.c.job_id == JOB.c.id, text(f"attempt.state IN {sql_list([*LIVE_ATTEMPTS])}")),
    )
    .where(JOB.c.id.in_(one_of("jobs")))
    .order_by(JOB.c.id)
)


def standings(connection: Connection, job_ids: Collection[int]) -> dict[int, Standing]:
    """Read what decides that, by job number."""
    return {
        number: Standing(JobState(state), held, here, live and AttemptState(live), *attempt)
        for number, state, held, here, live, *attempt in _STANDING.all(
            connection, jobs=as_list(job_ids)
        )
    }


def may_be_retried(
    connection: Connection, job_ids: Collection[int], give_up: Patience | None = None
) -> dict[int, WhyNot | None]:
    """Return why each of some jobs may not be bought again; None if it may."""
    found = standings(connection, job_ids).items()
    return {number: why_not_again(job, give_up) for number, job in found}


def may_be_given_up(
    connection: Connection, job_ids: Collection[int], patience: Patience
) -> dict[int, WhyNot | None]:
    """Return why the attempt of each of some jobs may not be given up; None if it may."""
    found = standings(connection, job_ids).items()
    return {number: why_not_given_up(job, patience) for number, job in found}


def abandon(connection: Connection, job_ids: Collection[int], patience: Patience) -> list[int]:
    """Abandon attempts that will not end: their charges stay, and they are still looked at."""
    return [
        number
        for number, job in standings(connection, job_ids).items()
        if why_not_given_up(job, patience) is None and _given_up(connection, number, job, patience)
    ]


def _given_up(connection: Connection, job_id: int, job: Standing, patience: Patience) -> bool:
    now = patience.now
    if job.live_id is None or not move_attempt(
        connection,
        job.live_id,
        "abandon",
        AttemptState.ABANDONED,
        overdue_at=now,  # whatever a look shows later, the job's own time is over
        ended_at=now,
        error=GIVEN_UP,
    ):
        return False
    words = f"{GIVEN_UP}; {patience.next_step}" if patience.next_step else GIVEN_UP
    if job.state is JobState.FAILED:
        failed = update(JOB).where(JOB.c.id == job_id, JOB.c.state == JobState.FAILED)
        return connection.execute(failed.values(error=words)).rowcount == 1
    given_up = failure(FailureKind.OVERDUE, words, now)
    return move_job(connection, job_id, "abandon", JobState.FAILED, **given_up)
