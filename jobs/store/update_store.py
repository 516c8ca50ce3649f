"""Looks at generations, in SQLite."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from ..ports.updates import (
    Completed,
    Failed,
    U,
    UnendedAttempt,
    Updates,
    UpdateStore,
)
from . import doubts, looks, unended
from .bound import Bound, commits, reads


def _record(
    connection: Connection,
    generation_ids: Sequence[str],
    now: datetime,
    decide: Callable[[Mapping[str, UnendedAttempt]], U],
) -> U:
    updates = decide(looks.pending_ids(connection, generation_ids))
    _write(connection, updates, now)
    return updates


def _write(connection: Connection, updates: Updates, now: datetime) -> None:
    for end in updates.ends:
        number = end.attempt_id
        if isinstance(end, Completed):
            looks.complete(connection, number, end.video_url, now, end.created_at)
        elif isinstance(end, Failed):
            looks.fail(connection, number, end.kind, end.message, now, end.retry_after)
        else:
            unended.overdue(connection, number, end, now)
    looks.progress(connection, updates.progress)
    doubts.note_created(connection, updates.created)
    looks.postpone(connection, updates.postponed)


class SqliteUpdates(Bound, UpdateStore):
    """What :class:`jobs.ports.updates.UpdateStore` says."""

    bring_back = commits(looks.heed_clock)
    due = reads(looks.due_looks)
    given_up = reads(looks.given_up)
    next_look = reads(looks.next_look)
    places = reads(looks.places)
    record = commits(_record)
