"""Looks at generations, in SQLite."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ..ports.updates import (
    Completed,
    Due,
    Failed,
    Places,
    U,
    UnendedAttempt,
    Updates,
    UpdateStore,
)
from . import doubts, looks, unended

if TYPE_CHECKING:
    from .database import Store


class SqliteUpdates(UpdateStore):
    """What :class:`jobs.ports.updates.UpdateStore` says.

    Args:
        store: the opened database.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def due(self, now: datetime, limit: int) -> Sequence[Due]:
        return self._store.read(lambda c: looks.due_looks(c, now, limit))

    def given_up(self) -> Sequence[Due]:
        return self._store.read(looks.given_up)

    def next_look(self) -> datetime | None:
        return self._store.read(looks.next_look)

    def places(self, attempt_ids: Sequence[int]) -> Places:
        return Places(*self._store.read(lambda c: looks.newer(c, attempt_ids)))

    async def record(
        self,
        generation_ids: Sequence[str],
        now: datetime,
        decide: Callable[[Mapping[str, UnendedAttempt]], U],
    ) -> U:
        def work(connection: Connection) -> U:
            updates = decide(_unended(connection, generation_ids))
            _write(connection, updates, now)
            return updates

        return await self._store.commit(work)

    async def bring_back(self, now: datetime, farthest: timedelta) -> None:
        await self._store.commit(lambda c: looks.heed_clock(c, now, farthest))


def _unended(connection: Connection, generation_ids: Sequence[str]) -> dict[str, UnendedAttempt]:
    return {
        name: UnendedAttempt(
            id=row.id,
            job_id=row.job_id,
            kind=row.kind,
            accepted_at=row.accepted_at,
            overdue_at=row.overdue_at,
            created_at=row.created_at,
            next_look_at=row.next_look_at,
            percent=row.percent,
            queue_position=row.queue_position,
            said_state=row.said_state,
            job_state=row.job_state,
            retries=row.retries,
        )
        for name, row in looks.pending_ids(connection, generation_ids).items()
    }


def _write(connection: Connection, updates: Updates, now: datetime) -> None:
    for end in updates.ends:
        number = end.attempt_id
        if isinstance(end, Completed):
            looks.complete(connection, number, end.video_url, now, end.created_at)
        elif isinstance(end, Failed):
            looks.fail(connection, number, end.kind, end.message, now, end.retry_after)
        else:
            unended.overdue(connection, number, end.why, now)
    looks.progress(connection, updates.progress)
    doubts.note_created(connection, updates.created)
    looks.postpone(connection, updates.postponed)
