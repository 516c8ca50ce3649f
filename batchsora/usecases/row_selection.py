"""Trying a manifest with some of its rows: the first ones, or some by chance that stay the same."""

import hashlib
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pick:
    """Which rows are meant.

    Attributes:
        first: the first N rows; None: no limit.
        sample: N random rows.
        seed: the same seed always picks the same rows, so that a run can be resumed.
    """

    first: int | None = None
    sample: int | None = None
    seed: int = 0

    @property
    def everything(self) -> bool:
        """Check that no row is left out."""
        return self.first is None and self.sample is None

    @property
    def chooser(self) -> "Callable[[Iterable[int]], frozenset[int]] | None":
        """Return what picks rows; None if no row is left out."""
        return None if self.everything else self.rows

    def rows(self, rows: Iterable[int]) -> frozenset[int]:
        """Pick from the numbers of all rows, which are ascending and unique."""
        if self.first is not None:
            return frozenset(row for row, _ in zip(rows, range(self.first), strict=False))
        return frozenset(heapq.nsmallest(self.sample or 0, rows, key=self._chance))

    def _chance(self, row: int) -> bytes:
        return hashlib.blake2b(f"{self.seed}:{row}".encode(), digest_size=8).digest()
