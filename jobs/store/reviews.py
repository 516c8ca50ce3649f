"""What a person thinks of videos, and the videos of a batch by it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from ..database.tables import ARTIFACT, JOB, REVIEW
from ..model.states import JobState
from ..ports.seen import JobRow
from ..ports.selection import NONE, Shelf, Verdict
from . import views
from .browsing import terms
from .prepared import read
from .records.jobs import VerdictRow


def judge(connection: Connection, attempt_id: int, verdict: Verdict | None, now: datetime) -> None:
    """Keep what a person thinks of an attempt's video; None forgets it."""
    if verdict is None:
        connection.execute(delete(REVIEW).where(REVIEW.c.attempt_id == attempt_id))
        return
    values = {"verdict": verdict, "at": now}
    connection.execute(
        insert(REVIEW)
        .values(attempt_id=attempt_id, **values)
        .on_conflict_do_update(index_elements=[REVIEW.c.attempt_id], set_=values)
    )


def verdicts(connection: Connection, attempt_ids: Sequence[int | None]) -> dict[int, str]:
    """Read the verdicts of some attempts; those without one are left out."""
    judged = select(REVIEW.c.attempt_id, REVIEW.c.verdict).where(
        REVIEW.c.attempt_id.in_(attempt_ids)
    )
    return {row.attempt_id: row.verdict for row in read(connection, judged, VerdictRow)}


def _on(batch_id: int, shelf: Shelf) -> Select[Any]:
    found = (
        select(JOB.c.id)
        .join(
            ARTIFACT,
            and_(ARTIFACT.c.attempt_id == JOB.c.attempt_id, ARTIFACT.c.sha256.is_not(None)),
        )
        .outerjoin(REVIEW, REVIEW.c.attempt_id == JOB.c.attempt_id)
        .where(
            JOB.c.batch_id == batch_id,
            JOB.c.completed_at.is_not(None),
            JOB.c.state == JobState.COMPLETED,
            *terms(shelf.which),
        )
    )
    if shelf.verdict == NONE:
        return found.where(REVIEW.c.verdict.is_(None))
    return found.where(REVIEW.c.verdict == shelf.verdict) if shelf.verdict else found


def videos(
    connection: Connection, batch_id: int, shelf: Shelf, limit: int, offset: int = 0
) -> list[JobRow]:
    """Read some videos that are here."""
    order = (JOB.c.row, JOB.c.id) if shelf.by_row else (JOB.c.completed_at.desc(), JOB.c.id.desc())
    numbers = connection.execute(
        _on(batch_id, shelf).order_by(*order).limit(limit).offset(offset)
    ).scalars()
    return views.numbered(connection, list(numbers))


def count_since(connection: Connection, batch_id: int, shelf: Shelf, since: datetime) -> int:
    """Count the videos that came after a moment."""
    newer = _on(batch_id, shelf).where(JOB.c.completed_at > since).subquery()
    found: int = connection.execute(select(func.count()).select_from(newer)).scalar_one()
    return found
