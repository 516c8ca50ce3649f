"""Rows that are looked for during a run (:mod:`jobs.evidence.looked_for`).

A person's word to buy a row counts although the list proves nothing, if it was said for this run.
Where the list proves something, what was made since the word is found in it. Otherwise a word that
a backup brought back would cover what was bought after the backup.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, func, or_, select

from ..database.tables import ACCOUNT, ATTEMPT, HANDED, HELD_BACK, JOB, QUEUED, VOID
from ..evidence.looked_for import Wish
from ..model.clock import LATEST
from ..model.states import HeldBack
from ..ports.adoption import Words
from .prepared import Prepared, as_list, one_of
from .records.jobs import WishRow

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
    ),
    WishRow,
)
_NEWEST = Prepared(select(func.max(ATTEMPT.c.id)))


WITHIN: Final = timedelta(hours=1)
"""How long a word counts for a run that begins later."""


def words_that_count(connection: Connection, now: datetime, *, in_run: bool = False) -> Words:
    """Return which words count now: those of the last hour, except those an earlier run had.

    Args:
        now: by our clock.
        in_run: a run is at work: words for it count until it ends.
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
    return {row.id: Wish(row.fingerprint, row.attempt_id) for row in rows}


def newest_attempt(connection: Connection) -> int:
    """Return the number of the newest attempt; 0: there is none."""
    return int(_NEWEST.scalar(connection) or 0)
