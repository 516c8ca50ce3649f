"""Which rows a run may buy without another look at the account's list.

The look before a run says what there is of the rows that are queued then. What becomes queued
later may have been bought elsewhere since this database knew of it (a backup was restored): a row
whose generation was under way and fails, one that a person queues again, one that is handed over.
"""

from collections.abc import Collection
from typing import Any

from .states import HeldBack


class LookedFor:
    """Remembers which rows were looked for, and which wait for that.

    Args:
        known: numbers of rows that the look before the run has looked for, of those that were
            tried or asked for by name before; None: of the run's own batches none needs a look.
        newest: number of the newest attempt when the run began.
    """

    def __init__(self, known: Collection[int] | None = None, newest: int = 0) -> None:
        self._own_too = known is not None
        self._known = set(known or ())
        self._newest = newest
        self._again: set[int] = set()
        self._waiting: set[int] = set()

    def lacks(self, job: Any) -> bool:
        """Check whether a queued row must be looked for first; it is remembered then.

        What this run has bought itself needs no look, nor does a single video that is handed over
        while it is unasked: whoever typed it wants it anew.
        """
        number: int = job.id
        if number not in self._again and (number in self._known or not self._may_be_there(job)):
            return False
        self._waiting.add(number)
        return True

    def _may_be_there(self, job: Any) -> bool:
        if job.attempt_id is not None and job.attempt_id > self._newest:
            return False
        if job.handed:
            return bool(job.held_back != HeldBack.UNASKED)
        return self._own_too and (job.attempt_id is not None or bool(job.named))

    def forget(self, jobs: Collection[int]) -> None:
        """Let rows be looked for again before they are bought: what they paid for may turn up."""
        self._again.update(jobs)

    @property
    def again(self) -> frozenset[int]:
        """Name the rows that were forgotten, and not looked for since."""
        return frozenset(self._again)

    @property
    def waiting(self) -> Collection[int]:
        """Name the rows that wait for a look."""
        return sorted(self._waiting)

    def looked(self, jobs: Collection[int]) -> None:
        """Remember that rows were looked for: those that must wait are held back by now."""
        self._known.update(jobs)
        self._again.difference_update(jobs)
        self._waiting.difference_update(jobs)
