"""How long the account's list takes to show what was accepted, measured as it is read. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime


class LagMeter:
    """Measures from the readings of one process; ``longest`` is of earlier runs (None: nothing).

    ``coarsest``: seconds between two readings beyond which a first sight is too inexact.
    """

    def __init__(self, longest: float | None, coarsest: float) -> None:
        self.longest = longest
        self._coarsest = coarsest
        self._first: datetime | None = None
        self._before: datetime | None = None
        self._shown: set[str] = set()

    def measured(
        self, began: datetime, shown: Iterable[tuple[str, datetime]], wrong_by: float
    ) -> float | None:
        """Return the longest lag with another reading, in seconds; it is not remembered.

        Args:
            began: when it began, by our clock.
            shown: ids of generations of ours that it shows, and when we heard of their acceptance.
            wrong_by: seconds by which our clock was set back and forth in between.
        """
        longest = self.longest
        for name, accepted in shown:
            # only of what was accepted since the first reading is it known that it was not there
            if name in self._shown or self._before is None or self._first is None:
                continue
            if accepted < self._first:
                continue
            least = max(0.0, (self._before - accepted).total_seconds())
            most = max(0.0, (began - accepted).total_seconds())
            if wrong_by > self._coarsest or not 0 <= most - least <= self._coarsest:
                continue
            longest = max(longest or 0.0, most + wrong_by)
        return longest

    def heed(self, began: datetime, shown: Sequence[tuple[str, datetime]], wrong_by: float) -> bool:
        """Learn from a reading (:meth:`measured`); returns whether the longest lag has grown."""
        before, self.longest = self.longest, self.measured(began, shown, wrong_by)
        self._shown.update(name for name, _ in shown)
        self._first, self._before = self._first or began, began
        return self.longest != before
