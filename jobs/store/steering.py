"""Changes of batches: which are served, what they wait for, cancel, retry, remove."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from ..database.tables import ATTEMPT, BATCH, JOB
from ..model.errors import BatchUnderWayError
from ..model.ledger import Refunds
from ..model.retry import Patience
from ..model.spec import JobSpec, fingerprint, request_of
from ..model.states import LIVE_ATTEMPTS, Blocked, HeldBack, JobState
from . import events, handing, holding, standing, voids
from .attempt_states import HAS_LIVE
from .prepared import columns_from, read
from .records.accounts import WaitingBatch
from .records.jobs import ManifestJob
from .rows import ASKED, NEW, job_values, moving_jobs, tally_new


def serve(connection: Connection, batch_ids: Iterable[int], now: datetime) -> None:
    """Let the runner serve these batches: its own, when it begins."""
    events.run_started(connection, now)
    connection.execute(
        update(BATCH).where(BATCH.c.id.in_(list(batch_ids))).values(active=True, waiting_for=None)
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

    Args:
        waits: what for, as people read it.
        blocked: what stops the rest of a batch, where its own jobs run into that.
    """
    concerned = or_(BATCH.c.active, BATCH.c.id.in_(waits))
    rows = select(BATCH.c.id, BATCH.c.waiting_for).where(concerned)
    for row in list(read(connection, rows, WaitingBatch)):
        wanted = waits.get(row.id)
        if wanted != row.waiting_for:
            connection.execute(update(BATCH).where(BATCH.c.id == row.id).values(waiting_for=wanted))
            cause = _cause(wanted)
            if cause is not None and cause != _cause(row.waiting_for):
                events.batch_waits(connection, row.id, cause, blocked.get(row.id, ()), now)


_PASSING = {Blocked.LEARNING, Blocked.TWIN}


def _cause(waiting_for: str | None) -> str | None:
    """Return the cause without amounts and times; None if it is only a short wait for an answer."""
    cause = (waiting_for or "").partition(" (")[0].partition(" until ")[0]
    return None if not cause or _PASSING.issuperset(cause.split(", ")) else cause


def max_price(connection: Connection, batch_id: int) -> int | None:
    """Read the highest price that a batch may pay for one video."""
    kept: int | None = connection.execute(
        select(BATCH.c.max_price_micros).where(BATCH.c.id == batch_id)
    ).scalar_one()
    return kept


def set_max_price(connection: Connection, batch_id: int, micros: int) -> None:
    """Keep the highest price that a batch may pay for one video."""
    connection.execute(update(BATCH).where(BATCH.c.id == batch_id).values(max_price_micros=micros))


def set_refunds(connection: Connection, batch_id: int, refunds: Refunds) -> Refunds:
    """Keep which failures of a batch are refunded from now on; return what was kept before."""
    old = connection.execute(select(BATCH.c.refunds).where(BATCH.c.id == batch_id)).scalar_one()
    connection.execute(update(BATCH).where(BATCH.c.id == batch_id).values(refunds=refunds))
    return Refunds(old)


def rows_of(connection: Connection, batch_id: int) -> list[int]:
    """List the rows of a batch's manifest in their order, each once."""
    return list(
        connection.execute(
            select(JOB.c.row)
            .distinct()
            .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
            .order_by(JOB.c.row)
        ).scalars()
    )


def cancel(connection: Connection, job_ids: Sequence[int], now: datetime) -> list[int]:
    """Cancel queued jobs, and return those that were queued: what is paid for stays."""
    cancelled = _cancel(connection, JOB.c.id.in_(job_ids), now)
    voids.follow(connection)
    return cancelled


def _cancel(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[int]:
    moving = moving_jobs(
        "cancel", which, completed_at=now, handed=False, named=False, **ASKED
    ).returning(JOB.c.id)
    moved = connection.execute(moving)
    return list(moved.scalars())


def add(connection: Connection, batch_id: int, spec: JobSpec, kind: str, now: datetime) -> int:
    """Add one job to a batch of single videos, and return its number; its key must be new.

    It is unasked: it is bought only while it is handed over, and by no later run.
    """
    values = job_values(batch_id, spec, kind) | NEW | {"created_at": now}
    values |= {"held_back": HeldBack.UNASKED}
    number = int(connection.execute(insert(JOB).values(values)).inserted_primary_key[0])  # type: ignore[index]
    tally_new(connection, batch_id, 1)
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
    refusals = standing.may_be_retried(connection, job_ids, give_up)
    free = [number for number in job_ids if number in refusals and refusals[number] is None]
    if give_up is not None:
        standing.give_up(connection, free, give_up)
    moved = [
        *_queue(connection, free, "redo", JobState.FAILED),
        *_queue(connection, free, "restore", JobState.CANCELLED),
        *holding.ask_for(connection, free, now),
    ]
    voids.follow(connection)
    return moved


def redo(connection: Connection, job_ids: Sequence[int], now: datetime | None = None) -> list[int]:
    """Queue completed jobs for another attempt, and return those that were completed.

    Args:
        now: what they have by then is no reason to hold them back; None: it is.
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
    named = select(*columns_from(JOB, ManifestJob)).where(JOB.c.id == job_id)
    job = next(read(connection, named, ManifestJob))
    request = replace(request_of(job.asked), prompt=prompt)
    connection.execute(
        update(JOB)
        .where(JOB.c.id == job_id)
        .values(
            prompt=prompt,
            fingerprint=fingerprint(request),
            manifest_fingerprint=job.manifest_fingerprint or job.asked.fingerprint,
            overruled_at=None,  # that was about another request
        )
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
    moved = connection.execute(moving)
    return list(moved.scalars())


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
    connection.execute(
        update(BATCH)
        .where(BATCH.c.id == batch_id)
        .values(
            name=f"{name} (removed, {batch_id})",
            removed_at=now,
            active=False,
            paused=False,
            waiting_for=None,
        )
    )
    voids.follow(connection)
    return len(cancelled)
