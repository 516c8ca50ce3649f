"""Taking over generations that this database did not buy."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, case, func, null, or_, select, update
from sqlalchemy.sql import ColumnElement

from ..database.tables import ATTEMPT, HELD_BACK, JOB, LIVE, NAMED, QUEUED
from ..evidence.echo import Echo
from ..evidence.looked_for import Wish
from ..evidence.matching import WantedRow
from ..evidence.suspects import Appeared
from ..model.provider import Generation
from ..model.spec import AskedRow, asked_key
from ..model.states import FOUND, NOTHING_FOUND, AttemptState, HeldBack, JobState
from ..model.text import prompt_key, text_key
from ..ports.selection import Sought
from . import accounts, doubts, holding, latecomers
from .prepared import Prepared, as_list, columns_from, one_of, read
from .records.attempts import NewestKnown, PromptSent, SentAt
from .records.jobs import ListedJob, OwningJob, WishRow
from .rows import ASKED, REQUEST, move_job, new_attempt

if TYPE_CHECKING:
    from .database import Store


def _wanted(sought: Sought) -> tuple[ColumnElement[bool], ...]:
    """Return the queued rows that are looked for in the account's list."""
    return (
        *holding.where(sought),
        JOB.c.in_manifest,
        or_(JOB.c.held_back.is_(None), JOB.c.held_back != HeldBack.PAID_BEFORE),
    )


def count_wanted(connection: Connection, sought: Sought) -> int:
    """Count the queued rows that a run may buy."""
    return connection.execute(
        select(func.count()).select_from(JOB).where(*_wanted(sought))
    ).scalar_one()


def wishes(connection: Connection, sought: Sought, *, free: bool = False) -> dict[int, Wish]:
    """Read what the queued rows ask for that a run may buy, of those that a look must know.

    Unless some jobs are named, these are the rows that were tried or asked for by name before: the
    others were never anything but queued, and there may be a million.
    """
    rows = select(JOB.c.id, JOB.c.fingerprint, JOB.c.attempt_id).where(*_wanted(sought))
    if sought.jobs is None:
        rows = rows.where(or_(JOB.c.attempt_id.is_not(None), NAMED))
    if free:
        rows = rows.where(or_(JOB.c.held_back.is_(None), JOB.c.held_back.not_in(FOUND)))
    return {
        row.id: Wish(row.fingerprint, row.attempt_id) for row in read(connection, rows, WishRow)
    }


def wanted_rows(connection: Connection, sought: Sought) -> Iterator[WantedRow]:
    """Stream the queued rows that a run may buy, in the manifests' order.

    Only a known generation of the same prompt counts as ours, whatever their attempts say: after a
    restored backup, or a lost 429, attempts do not show what was made.
    """
    newest = _newest_known(connection, sought)
    listed = (
        select(
            JOB.c.id,
            *REQUEST,
            JOB.c.held_back,
            JOB.c.held_back_by,
            JOB.c.overruled_at,
        )
        .where(*_wanted(sought))
        .order_by(JOB.c.batch_id, JOB.c.row, JOB.c.id)
    )
    for row in read(connection, listed, ListedJob):
        since, created_since = newest.get((row.id, text_key(row.asked.prompt)), (None, None))
        found_before = None if row.held_back in NOTHING_FOUND else row.held_back
        yield WantedRow(
            row.id,
            row.asked.prompt,
            row.asked.fingerprint,
            asked_key(row.asked),
            since,
            created_since,
            found_before,
            row.held_back_by,
            row.overruled_at,
        )


def _newest_known(
    connection: Connection, sought: Sought
) -> dict[tuple[int, str], tuple[datetime, datetime | None]]:
    """Read when the newest known generation of each row's prompt was sent, and created.

    The acceptance time would be wrong: a doubt may have been found a day later. A generation that
    was taken over was sent by somebody else.
    """
    sent_at = case((ATTEMPT.c.idempotency_key != "", ATTEMPT.c.intent_at), else_=null())
    rows = (
        select(
            ATTEMPT.c.job_id,
            ATTEMPT.c.prompt,
            func.coalesce(sent_at, ATTEMPT.c.accepted_at).label("sent_at"),
            ATTEMPT.c.created_at,
        )
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .where(
            *_wanted(sought), JOB.c.attempt_id.is_not(None), ATTEMPT.c.generation_id.is_not(None)
        )
        .order_by(ATTEMPT.c.id)
    )
    return {
        (row.job_id, text_key(row.prompt)): (row.sent_at, row.created_at)
        for row in read(connection, rows, NewestKnown)
        if row.sent_at is not None
    }


def doubtful(connection: Connection) -> dict[str, datetime]:
    """Return prompts whose generation may be there unknown to us, and when each was first sent."""
    sent = (
        select(ATTEMPT.c.prompt, ATTEMPT.c.intent_at)
        .where(LIVE, ATTEMPT.c.state.in_([AttemptState.OPEN, AttemptState.IN_DOUBT]))
        .order_by(ATTEMPT.c.intent_at.desc())
    )
    return {row.prompt: row.intent_at for row in read(connection, sent, PromptSent)}


def requests_like(connection: Connection, shown: Container[str], echo: Echo) -> dict[str, set[str]]:
    """Map shown prompts, folded, to the requests of all rows that they may belong to.

    Args:
        shown: the prompts.
        echo: what the list does to prompts.
    """
    found: dict[str, set[str]] = {}
    for row in read(connection, select(*REQUEST), AskedRow):
        key = echo.text(row.prompt)
        if key in shown:
            found.setdefault(key, set()).add(asked_key(row))
    return found


_KNOWN = Prepared(
    select(ATTEMPT.c.generation_id).where(ATTEMPT.c.generation_id.in_(one_of("generations")))
)


def known_ids(connection: Connection, generation_ids: Iterable[str]) -> set[str]:
    """Find which of some generation ids belong to attempts of ours."""
    return set(_KNOWN.column(connection, generations=as_list(generation_ids)))


def known(store: "Store", generation_ids: Iterable[str]) -> set[str]:
    """Find, in a snapshot of its own, which of some generation ids belong to attempts of ours."""
    return store.read(lambda connection: known_ids(connection, generation_ids))


def take_over(
    connection: Connection,
    job_id: int,
    generation: Generation,
    now: datetime,
    ahead: float = 0.0,
    fingerprint: str | None = None,
) -> bool:
    """Make a generation a queued job's own, at no charge; False when it did not land.

    If it was made after a void of the job, it is that attempt's: it is charged to the caps, as if
    the list had shown it sooner.

    Args:
        job_id: of a queued job.
        generation: one that no attempt has.
        ahead: seconds by which the provider's clock is ahead of ours.
        fingerprint: what the job must still ask for; None: a person named the generation.
    """
    # checked in this transaction: since the list was read, an answer, a settled doubt or a person
    # may have given the generation to another attempt
    if known_ids(connection, [generation.id]):
        return False
    queued = select(*columns_from(JOB, OwningJob)).where(JOB.c.id == job_id, QUEUED)
    job = next(read(connection, queued, OwningJob), None)
    if job is None or fingerprint not in (None, job.asked.fingerprint):
        return False
    # what a void of ours made was charged to this account: taken over at no cost, it would let one
    # more video pass the caps (test_what_takes_its_place_from_the_list_is_charged)
    void = _void_of(connection, job, generation, ahead)
    if void is not None:
        found = latecomers.reappear(connection, void, generation.id, now)
        landed = found is Appeared.ADOPTED
    else:
        _attach(connection, job, generation, now)
        landed = True
    connection.execute(update(JOB).where(JOB.c.id == job_id).values(**ASKED))
    return landed


def _void_of(
    connection: Connection, job: OwningJob, generation: Generation, ahead: float
) -> int | None:
    """Find the last void of a job that may have made this generation."""
    if generation.created_at is None:
        return None
    voids = (
        select(ATTEMPT.c.id, ATTEMPT.c.intent_at)
        .where(
            ATTEMPT.c.job_id == job.id,
            ATTEMPT.c.state == AttemptState.VOID,
            ATTEMPT.c.request_key == asked_key(job.asked),
        )
        .order_by(ATTEMPT.c.id.desc())
    )
    for void in list(read(connection, voids, SentAt)):
        offset = doubts.clock_offset(connection, void.id)
        by = offset.at_least(timedelta(seconds=ahead)).total_seconds()
        if generation.created_at.timestamp() - by >= void.intent_at.timestamp() - MARGIN:
            return void.id
    return None


MARGIN: Final = 30.0
"""Seconds by which two clocks, and the time that a request takes, may differ."""


def _attach(connection: Connection, job: OwningJob, generation: Generation, now: datetime) -> None:
    attempt_id = connection.execute(
        new_attempt(
            "take_over",
            # nothing was sent: the empty key keeps it out of what our own submissions show, such as
            # the lag of the list and the expected fall of the balance
            job_id=job.id,
            idempotency_key="",
            kind=job.asked.kind,
            prompt=job.asked.prompt,
            prompt_key=prompt_key(job.asked.prompt),
            fingerprint=job.asked.fingerprint,
            request_key=asked_key(job.asked),
            batch_id=job.batch_id,
            campaign=job.campaign,
            hold_micros=0,
            day=accounts.current_day(connection, now),
            intent_at=now,
            send_before=now,
            generation_id=generation.id,
            created_at=generation.created_at,
            price_micros=0,
            price_estimated=True,
            accepted_at=now,
            next_look_at=now,
        )
    ).inserted_primary_key[0]  # type: ignore[index]
    move_job(
        connection,
        job.id,
        "take_over",
        JobState.PENDING,
        add={"attempts": 1},
        attempt_id=attempt_id,
        submitted_at=now,
        due_at=None,
        error_kind=None,
        error=None,
        **ASKED,
    )


def waiting(connection: Connection, batch_ids: Sequence[int]) -> list[int]:
    """List the queued rows that wait because they may be paid for already."""
    found = select(JOB.c.id).where(
        HELD_BACK, QUEUED, JOB.c.batch_id.in_(batch_ids), JOB.c.held_back.in_(FOUND)
    )
    return list(connection.execute(found).scalars())
