"""The rows that a load added: which of them an older row that was paid for may really be."""

from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ..tables import JOB


class FreshRows:
    """The rows that are added to a batch from now on.

    Args:
        connection: in a writing transaction.
        batch_id: which batch.
    """

    def __init__(self, connection: Connection, batch_id: int) -> None:
        self._connection = connection
        last = connection.execute(select(func.max(JOB.c.id))).scalar_one() or 0
        self._batch_id, self._last = batch_id, last
        self._added = (JOB.c.batch_id == batch_id, JOB.c.id > last)

    def rows(self) -> Sequence[Any]:
        """List those that are still there, in the manifest's order."""
        return self._connection.execute(
            select(JOB).where(*self._added).order_by(JOB.c.row, JOB.c.id)
        ).all()

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
        for row in self._connection.execute(
            select(JOB.c.id, JOB.c.fingerprint).where(*self._added).order_by(JOB.c.row, JOB.c.id)
        ):
            found.setdefault(row.fingerprint, deque()).append(row.id)
        return found

    def take(self, fingerprint: str) -> Any:
        """Return the first that asks for a video, each once; None where none is left."""
        ids = self._by_request.get(fingerprint)
        if not ids:
            return None
        return self._connection.execute(select(JOB).where(JOB.c.id == ids.popleft())).one()
