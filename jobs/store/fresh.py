"""The rows that a load added: which of them an older row that was paid for may really be.

And the rows that it edited: which of them ask for the video of a row that kept its own.
"""

from collections import deque
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from ..database.tables import ATTEMPT, JOB, LIVE
from ..model.errors import MovedRowsError
from ..model.spec import asked_in, asked_key
from ..model.states import JobState
from .prepared import columns_from, read
from .records.attempts import MadeFor
from .records.jobs import FreshJob, FreshRequest, LoadedJob

_FRESH = select(*columns_from(JOB, FreshJob))


class FreshRows:
    """The rows that are added to a batch from now on."""

    def __init__(self, connection: Connection, batch_id: int) -> None:
        self._connection = connection
        last = connection.execute(select(func.max(JOB.c.id))).scalar_one() or 0
        self._batch_id, self._last = batch_id, last
        self._added = (JOB.c.batch_id == batch_id, JOB.c.id > last)

    def rows(self) -> list[FreshJob]:
        """List those that are still there, in the manifest's order."""
        rows = _FRESH.where(*self._added).order_by(JOB.c.row, JOB.c.id)
        return list(read(self._connection, rows, FreshJob))

    @property
    def asked(self) -> Select[Any]:
        """Select what they ask for, by its fingerprint."""
        new = JOB.alias()
        return select(new.c.fingerprint).where(
            new.c.batch_id == self._batch_id, new.c.id > self._last
        )

    @cached_property
    def _by_request(self) -> dict[str, deque[int]]:
        """Map what they ask for to their numbers: read once, as there may be as many old rows."""
        found: dict[str, deque[int]] = {}
        added = select(JOB.c.id, JOB.c.fingerprint).where(*self._added)
        ordered = added.order_by(JOB.c.row, JOB.c.id)
        for row in read(self._connection, ordered, FreshRequest):
            found.setdefault(row.fingerprint, deque()).append(row.id)
        return found

    @cached_property
    def _spelled_otherwise(self) -> dict[str, deque[int]]:
        """Map what they ask for, folded, to those that spell it in another way."""
        found: dict[str, deque[int]] = {}
        for row in self.rows():
            if (request := asked_key(row.asked)) != row.asked.fingerprint:
                found.setdefault(request, deque()).append(row.id)
        return found

    def take(self, fingerprint: str) -> FreshJob | None:
        """Return the first that asks for a video, each once; None if none is left."""
        return self._first(self._by_request.get(fingerprint))

    def take_request(self, request: str) -> FreshJob | None:
        """Return the first that asks for a request in any spelling, each once; else None."""
        found = self.take(request)  # folded, that is its fingerprint
        return self._first(self._spelled_otherwise.get(request)) if found is None else found

    def _first(self, ids: deque[int] | None) -> FreshJob | None:
        while ids:
            found = _FRESH.where(JOB.c.id == ids.popleft())
            row = next(read(self._connection, found, FreshJob), None)
            if row is not None:  # else it was taken under its other name
                return row
        return None


class Moves:
    """What the edits of a load ask for, and whose edits are not followed.

    Args:
        keys: those that rows had before this load, by their numbers, where these changed.
    """

    def __init__(self, connection: Connection, keys: Mapping[int, str]) -> None:
        self._connection, self._keys = connection, keys
        self._kept: list[tuple[LoadedJob, str]] = []
        self._asking: dict[str, str] = {}

    def note(self, job: LoadedJob, values: Mapping[str, Any], *, followed: bool) -> None:
        """Note an edit.

        Args:
            job: as it was.
            values: as the manifest has them.
            followed: False if the row keeps what it has, as that is paid for.
        """
        request = asked_key(asked_in(values))
        if followed:
            self._asking.setdefault(request, values["key"])
        else:
            self._kept.append((job, request))

    def check(self, fresh: FreshRows, busy: Collection[str]) -> None:
        """Make sure that no row asks for the video of one whose own edit is not followed.

        Rows moved under their ids then: what they had would be bought again, and what is new never.

        Args:
            fresh: the rows that were added.
            busy: keys of those whose edits are not followed because they are under way.

        Raises:
            LoadError: one does.
        """
        if not self._kept:
            return
        asking = self._asking | {asked_key(row.asked): row.key for row in fresh.rows()}
        moved = [
            (job, prompt, asking[request])
            for job, wanted in self._kept
            for request, prompt in self._videos(job)
            if request in asking and request != wanted
        ]
        if not moved:
            return
        first, prompt, taker = moved[0]
        under_way = any(job.key in busy for job, *_ in moved)
        holder = self._keys.get(first.id, first.key)
        raise MovedRowsError(len(moved), holder, taker, prompt, under_way=under_way)

    def _videos(self, job: LoadedJob) -> list[tuple[str, str]]:
        """List request and prompt of a row's videos, or of what it waits for.

        One that turned up late was perhaps made for what the row asked for before.
        """
        made = and_(LIVE, ATTEMPT.c.job_id == job.id)
        if job.state == JobState.COMPLETED:
            made = or_(made, ATTEMPT.c.id == job.attempt_id)
        found = select(ATTEMPT.c.request_key, ATTEMPT.c.prompt).where(made)
        # an upgrade could not tell the request of each
        return [
            (one.request_key or asked_key(job.asked), one.prompt)
            for one in read(self._connection, found, MadeFor)
        ]
