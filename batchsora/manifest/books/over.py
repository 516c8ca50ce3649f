"""Over which rows a picture lies, by its place and their heights."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from batchsora.manifest.books.model import MOST_ROWS, Picture

POINT: Final = 12_700
"""EMU of a point; heights of rows are in points, those of pictures in EMU."""
MOST_UNDER: Final = 10_000
"""Rows of one picture that are looked at."""


class Drawn(NamedTuple):
    """A picture of a drawing.

    Attributes:
        picture: without the rows that it lies over.
        start: EMU between the upper edge of its row and its own.
        height: in EMU; None where its lower edge tells it.
        last: the row of its lower edge.
        end: EMU between the upper edge of that row and its lower one.
    """

    picture: Picture
    start: int
    height: int | None
    last: int
    end: int


def rows_under(one: Drawn, heights: Mapping[int, int], usual: int) -> tuple[tuple[int, int], ...]:
    """Follow a picture down from its upper edge.

    Args:
        one: the picture.
        heights: of rows, in EMU; hidden ones have none.
        usual: the height of every other row.

    Returns:
        How much of its height lies over which rows.
    """
    found: list[tuple[int, int]] = []
    left, row, start = one.height, one.picture.row, one.start
    while row <= MOST_ROWS and len(found) < MOST_UNDER:
        height = max(0, heights.get(row, usual) - start)
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
