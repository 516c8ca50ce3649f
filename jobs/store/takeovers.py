"""Rows that are looked for in the account's list, and taking over what this database did not buy.

A person's word to buy a row counts although the list proves nothing, if it was said for this run
(:mod:`jobs.evidence.looked_for`). Where the list proves something, what was made since the word is
found in it.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, case, func, null, or_, select
from sqlalchemy.sql import ColumnElement

from ..database.tables import ACCOUNT, ATTEMPT, HANDED, HELD_BACK, JOB, LIVE, NAMED, QUEUED, VOID
from ..evidence.echo import Echo
from ..evidence.looked_for import Wish
from ..evidence.matching import WantedRow
from ..evidence.suspects import Appeared
from ..model.clock import LATEST
from ..model.provider import Generation
from ..model.spec import AskedRow, asked_key
from ..model.states import FOUND, NOTHING_FOUND, AttemptState, HeldBack, JobState
from ..model.text import prompt_key, text_key
from ..ports.adoption import Words
from ..ports.selection import Sought
from . import accounts, doubts, holding, latecomers
from .prepared import Prepared, as_list, columns_from, one_of, read
from .records import AskedJob, PastAttempt
from .rows import ASKED, REQUEST, change, move_job, new_attempt, owner_of


def _wanted(sought: Sought) -> tuple[ColumnElement[bool], ...]:
    """Return the queued rows that are looked for in the account's list."""
    return (
        *holding.where(sought),
        JOB.c.in_manifest,
        or_(JOB.c.held_back.is_(None), JOB.c.held_back != HeldBack.PAID_BEFORE),
    )


def count_wanted(connection: Connection, sought: Sought) -> Counter[str]:
    """Count the queued rows that a run may buy, by their kinds."""
    wanted = select(JOB.c.kind, func.count()).where(*_wanted(sought)).group_by(JOB.c.kind)
    return Counter(dict(connection.execute(wanted).all()))


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
    return {number: Wish(*wish) for number, *wish in connection.execute(rows)}


def wanted_rows(connection: Connection, sought: Sought) -> Iterator[WantedRow]:
    """Stream the queued rows that a run may buy, in the manifests' order.

    Only a known generation of the same prompt counts as ours, whatever their attempts say: after a
    restored backup, or a lost 429, attempts do not show what was made.
    """
    newest = _newest_known(connection, sought)
    listed = (
        select(*columns_from(JOB, AskedJob))
        .where(*_wanted(sought))
        .order_by(JOB.c.batch_id, JOB.c.row, JOB.c.id)
    )
    for row in read(connection, listed, AskedJob):
        since, created_since = newest.get((row.id, text_key(row.asked.prompt)), (None, None))
        yield WantedRow(
            row.id,
            row.asked.prompt,
            row.asked.fingerprint,
            asked_key(row.asked),
            since,
            created_since,
            None if row.held_back in NOTHING_FOUND else row.held_back,
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
            func.coalesce(sent_at, ATTEMPT.c.accepted_at),
            ATTEMPT.c.created_at,
        )
        .join(JOB, JOB.c.id == ATTEMPT.c.job_id)
        .where(
            *_wanted(sought), JOB.c.attempt_id.is_not(None), ATTEMPT.c.generation_id.is_not(None)
        )
        .order_by(ATTEMPT.c.id)
    )
    return {
        (job, text_key(prompt)): (sent_at, created_at)
        for job, prompt, sent_at, created_at in connection.execute(rows)
        if sent_at is not None
    }


def doubtful(connection: Connection, kinds: str) -> dict[str, datetime]:
    """Return prompts whose generation may be there unknown to us, and when each was first sent.

    ``kinds``: how their kinds begin.
    """
    sent = (
        select(ATTEMPT.c.prompt, ATTEMPT.c.intent_at)
        .where(
            LIVE,
            ATTEMPT.c.state.in_([AttemptState.OPEN, AttemptState.IN_DOUBT]),
            ATTEMPT.c.kind.startswith(kinds, autoescape=True),
        )
        .order_by(ATTEMPT.c.intent_at.desc())
    )
    return dict(connection.execute(sent).all())


def requests_like(
    connection: Connection, kinds: str, shown: Container[str], echo: Echo
) -> dict[str, set[str]]:
    """Map shown prompts, folded, to the requests of all rows that they may belong to.

    ``kinds``: how the kinds of these rows begin.
    """
    found: dict[str, set[str]] = {}
    rows = select(*REQUEST).where(JOB.c.kind.startswith(kinds, autoescape=True))
    for row in read(connection, rows, AskedRow):
        key = echo.text(row.prompt)
        if key in shown:
            found.setdefault(key, set()).add(asked_key(row))
    return found


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
        ahead: seconds by which the provider's clock is ahead of ours.
        fingerprint: what the job must still ask for; None: a person named the generation.
    """
    # checked in this transaction: since the list was read, an answer, a settled doubt or a person
    # may have given the generation to another attempt
    if owner_of(connection, generation.id) is not None:
        return False
    queued = select(*columns_from(JOB, AskedJob)).where(JOB.c.id == job_id, QUEUED)
    job = next(read(connection, queued, AskedJob), None)
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
    change(connection, JOB, job_id, **ASKED)
    return landed


def _void_of(
    connection: Connection, job: AskedJob, generation: Generation, ahead: float
) -> int | None:
    """Find the last void of a job that may have made this generation."""
    voids = (
        select(*columns_from(ATTEMPT, PastAttempt))
        .where(
            ATTEMPT.c.job_id == job.id,
            ATTEMPT.c.state == AttemptState.VOID,
            ATTEMPT.c.request_key == asked_key(job.asked),
        )
        .order_by(ATTEMPT.c.id.desc())
    )
    for void in list(read(connection, voids, PastAttempt)):
        offset = doubts.clock_offset(connection, void.id)
        by = offset.at_least(timedelta(seconds=ahead)).total_seconds()
        created = generation.created_at
        if created is None or created.timestamp() - by >= void.intent_at.timestamp() - MARGIN:
            return void.id
    return None


MARGIN: Final = 30.0
"""Seconds by which two clocks, and the time that a request takes, may differ."""


def _attach(connection: Connection, job: AskedJob, generation: Generation, now: datetime) -> None:
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
    taken = {"attempt_id": attempt_id, "submitted_at": now, "due_at": None, **ASKED}
    taken |= {"error_kind": None, "error": None}
    move_job(connection, job.id, "take_over", JobState.PENDING, {"attempts": 1}, **taken)


def waiting(connection: Connection, batch_ids: Sequence[int]) -> list[int]:
    """List the queued rows that wait because they may be paid for already."""
    found = select(JOB.c.id).where(
        HELD_BACK, QUEUED, JOB.c.batch_id.in_(batch_ids), JOB.c.held_back.in_(FOUND)
    )
    return list(connection.execute(found).scalars())


_LOOKED = JOB.alias("looked")
_SENT_AT = select(ATTEMPT.c.intent_at).where(ATTEMPT.c.id == JOB.c.attempt_id).scalar_subquery()
_WITHOUT_A_WORD = Prepared(
    select(JOB.c.id).where(
        QUEUED,
        JOB.c.id.in_(one_of("jobs")),
        or_(
            JOB.c.overruled_at.is_(None),
            JOB.c.overruled_at < _SENT_AT,
            JOB.c.overruled_at <= bindparam("since", type_=JOB.c.overruled_at.type),
        ),
    )
)
"""A word counts until the row was sent again."""

_AWAITING = Prepared(
    select(JOB.c.id).where(
        HELD_BACK,
        QUEUED,
        JOB.c.held_back == HeldBack.EXISTS,
        JOB.c.prompt.in_(select(_LOOKED.c.prompt).where(_LOOKED.c.id.in_(one_of("jobs")))),
    )
)
_VOIDED = Prepared(
    select(ATTEMPT.c.job_id).where(
        VOID, ATTEMPT.c.ended_at > bindparam("since", type_=ATTEMPT.c.ended_at.type)
    )
)
_TYPED = Prepared(
    select(JOB.c.id, JOB.c.fingerprint, JOB.c.attempt_id).where(
        HANDED, QUEUED, JOB.c.held_back == HeldBack.UNASKED, JOB.c.id.in_(one_of("jobs"))
    )
)
_NEWEST = Prepared(select(func.max(ATTEMPT.c.id)))

WITHIN: Final = timedelta(hours=1)
"""How long a word counts for a run that begins later."""


def words_that_count(connection: Connection, now: datetime, *, in_run: bool = False) -> Words:
    """Return which words count now: those of the last hour, except those an earlier run had.

    Words for a run that is at work count until it ends. Where the list proves nothing, older ones
    count for nothing: a word that a backup brought back would cover what was bought after it.
    """
    began: datetime | None = connection.execute(select(ACCOUNT.c.run_at)).scalar_one_or_none()
    if began is None:
        return Words(now - WITHIN, now)
    return Words(began - WITHIN if in_run else max(began, now - WITHIN), now)


def with_awaiting(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Return rows, and those that wait for a generation of the same prompts, to compare them."""
    return sorted({*job_ids, *_AWAITING.column(connection, jobs=as_list(job_ids))})


def without_a_word(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Return those of some queued rows that nobody said to buy anyway in this run, or for it."""
    said = words_that_count(connection, LATEST, in_run=True)
    return _WITHOUT_A_WORD.column(connection, jobs=as_list(job_ids), since=said.since)


def voided(connection: Connection, since: datetime) -> list[int]:
    """Return the rows with a void since a time: it may still turn up."""
    return _VOIDED.column(connection, since=since)


def typed(connection: Connection, job_ids: Collection[int]) -> dict[int, Wish]:
    """Return the requests of some queued rows that are single videos handed to a run."""
    rows = _TYPED.all(connection, jobs=as_list(job_ids))
    return {number: Wish(*wish) for number, *wish in rows}


def newest_attempt(connection: Connection) -> int:
    """Return the number of the newest attempt; 0: there is none."""
    return int(_NEWEST.scalar(connection) or 0)
