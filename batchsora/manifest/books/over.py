"""The rows under a picture, by its place and their heights."""

from bisect import bisect_right
from typing import Final, NamedTuple

from batchsora.manifest.books.model import MOST_ROWS, Picture

POINT: Final = 12_700
"""EMU of a point; heights of rows are in points, those of pictures in EMU."""
MOST_UNDER: Final = 1000
"""Rows of one picture that are looked at."""


class Drawn(NamedTuple):
    """A picture of a drawing.

    Attributes:
        picture: without the rows that it lies over.
        start: EMU between the upper edge of its row and its own.
        height: in EMU; None if its lower edge defines it.
        last: the row of its lower edge.
        end: EMU between the upper edge of that row and its lower one.
    """

    picture: Picture
    start: int
    height: int | None
    last: int
    end: int


class Heights:
    """The heights of a sheet's rows, in EMU; a run of equal rows takes one entry."""

    def __init__(self, usual: int) -> None:
        self._usual = usual
        self._first: list[int] = []
        self._last: list[int] = []
        self._heights: list[int] = []

    def add(self, first: int, last: int, height: int) -> None:
        """Note the height of rows, in order; hidden ones have 0."""
        if self._last and self._last[-1] + 1 == first and self._heights[-1] == height:
            self._last[-1] = last
            return
        self._first.append(first)
        self._last.append(last)
        self._heights.append(height)

    def of(self, row: int) -> int:
        """Return the height of a row."""
        place = bisect_right(self._first, row) - 1
        known = place >= 0 and row <= self._last[place]
        return self._heights[place] if known else self._usual


def rows_under(one: Drawn, heights: Heights) -> tuple[tuple[int, int], ...]:
    """Return how much of a picture's height lies over which rows.

    One with a height of its own that begins in a hidden row slips below it, but belongs to that
    row.
    """
    found: list[tuple[int, int]] = []
    left, row, start = one.height, one.picture.row, one.start
    if left is not None and not heights.of(row):
        return ((row, 0),)
    while row <= MOST_ROWS and len(found) < MOST_UNDER:
        height = max(0, heights.of(row) - start)
        if left is not None:
            height = min(height, left)
            left -= height
        elif row > one.last or (row == one.last and not one.end):
            break
        elif row == one.last:
            height = max(0, one.end - start)
        found.append((row, height))
        if left == 0:
            break
        row, start = row + 1, 0
    return tuple(found)
