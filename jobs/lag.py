"""How long the account's list takes to show what was accepted, measured as it is read. Pure."""

from collections.abc import Iterable
from datetime import datetime


class LagMeter:
    """Measures from the readings of one process.

    Args:
        longest: what earlier runs measured, in seconds; None: nothing yet.
        coarsest: seconds between two readings beyond which a first sight tells too little.
    """

    def __init__(self, longest: float | None, coarsest: float) -> None:
        self.longest = longest
        self._coarsest = coarsest
        self._first: datetime | None = None
        self._before: datetime | None = None
        self._shown: set[str] = set()

    def heed(self, began: datetime, shown: Iterable[tuple[str, datetime]], wrong_by: float) -> bool:
        """Learn from a reading.

        Args:
            began: when it began, by our clock.
            shown: ids of generations of ours that it shows, and when we heard of their acceptance.
            wrong_by: seconds by which our clock was set back and forth meanwhile.

        Returns:
            Whether the longest lag has grown.
        """
        before, self._before = self._before, began
        grown = False
        for name, accepted in shown:
            fresh = name not in self._shown
            self._shown.add(name)
            # only of what was accepted since the first reading is it known that it was not there
            if not fresh or before is None or self._first is None or accepted < self._first:
                continue
            least = max(0.0, (before - accepted).total_seconds())
            most = max(0.0, (began - accepted).total_seconds())
            if wrong_by > self._coarsest or not 0 <= most - least <= self._coarsest:
                continue
            most += wrong_by
            if self.longest is None or most > self.longest:
                self.longest, grown = most, True
        self._first = self._first or began
        return grown
