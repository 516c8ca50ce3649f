"""What a failed look at one generation concerns: only it, every request, or the token.

A generation whose status answers 400, 403, 404, 410, 500, HTML or nonsense is looked for in the
list instead, and its own looks become rarer: it slows or stops no other (docs/money.md).
"""

from collections import Counter
from collections.abc import Collection

from ..model.provider import ProviderError, UnreachableError

RAREST = 600.0
"""Seconds between two looks at a generation in trouble, and between two tries of a failing list."""

CROWD = 3
"""So many generations that fail alike, with no other answer, are not a trouble of one."""


def is_outage(errors: Collection[ProviderError], *, answered: bool) -> bool:
    """Check whether single looks that failed together, and any other answered, are an outage."""
    if answered or not errors:
        return False
    if all(isinstance(error, UnreachableError) for error in errors):
        return True  # no answer, or a 5xx: one's own only if others are answered
    return len(errors) >= CROWD and len({type(error) for error in errors}) == 1


class Troubles:
    """Counts the failures in a row of each generation, by attempt, and of the list."""

    def __init__(self) -> None:
        self._failed: Counter[int] = Counter()

    def note(self, attempt_id: int) -> None:
        """Count a failed look."""
        self._failed[attempt_id] += 1

    def clear(self, attempt_id: int) -> None:
        """Forget the failures of a generation that was seen."""
        self._failed.pop(attempt_id, None)

    def __contains__(self, attempt_id: int) -> bool:
        return attempt_id in self._failed

    def delay(self, attempt_id: int, interval: float) -> float:
        """Return the seconds until the next look at one in trouble: doubled each time."""
        return backed_off(self._failed[attempt_id], interval)


def backed_off(failures: int, interval: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(RAREST, interval * 2.0 ** min(failures, 20))
