"""Merged cells: they apply to all rows and columns that they cover; headings are left out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final

from batchsora.manifest.books.model import Area, SheetRow
from batchsora.manifest.errors import CellError

FEWEST: Final = 2
"""Columns with a header that a heading spreads over."""


def without_headings(
    rows: Iterable[SheetRow],
    merges: Iterable[Area],
    header: int,
    headers: Sequence[str],
    ours: Mapping[str, int],
    found: list[int],
) -> Iterator[SheetRow]:
    """Leave out rows whose only text spreads over the prompt and all other columns of ours.

    It would be the prompt, the campaign and the id at once, which nobody means. If the prompt is
    the only column of ours, it must spread over all columns with a header. ``found`` gets the
    numbers of the rows left out.
    """
    named = {place for place, text in enumerate(headers) if text.strip()}
    must = set(ours.values()) if len(ours) > 1 else named
    # a column whose header is merged with the one before it has none: see ``covered``
    wide = {
        area.top: area
        for area in merges
        if area.top > header
        and "prompt" in ours
        and must <= set(range(area.left, area.right + 1))
        and len(named & set(range(area.left, area.right + 1))) >= FEWEST
    }
    for row in rows:
        area = wide.get(row.number)
        if area is not None and not row.faults:
            filled = [place for place, cell in enumerate(row.cells) if cell.strip()]
            if filled == [area.left]:
                found.append(row.number)
                continue
        yield row


class HeaderCoversError(Exception):
    """A row that is not blank lies under a merged cell (``area``) of the header."""

    def __init__(self, area: Area) -> None:
        super().__init__(area)
        self.area = area


def covered(rows: Iterable[SheetRow], merges: Iterable[Area], header: int) -> Iterator[SheetRow]:
    """Fill the cells of rows with the text of the merged cell that covers them.

    A row without content of its own stays as it is: people merge all cells of two rows to make one
    tall row. A column without a header, because the one before it covers both, is not a column, nor
    is anything after the last header. The header must be the first of the rows; HeaderCoversError
    is raised if it covers a row that has content of its own.

    Raises:
        HeaderCoversError: the header spreads over a row that has something of its own.
    """
    waiting = sorted((area for area in merges if area.bottom >= header), reverse=True)
    if not waiting:
        yield from rows
        return
    nameless = {
        place
        for area in waiting
        if area.top <= header
        for place in range(area.left + 1, area.right + 1)
    }
    open_ones: list[tuple[int, Area, str, CellError | None]] = []
    for row in rows:
        if row.number == header:
            last = max((place for place, cell in enumerate(row.cells) if cell.strip()), default=0)
            behind = max((area.right for area in waiting), default=0) + 1
            nameless |= set(range(last + 1, behind))
            yield row
            continue
        while waiting and waiting[-1].top <= row.number:
            area = waiting.pop()
            if area.bottom < row.number:
                continue
            if area.top == row.number:
                text = row.cells[area.left] if area.left < len(row.cells) else ""
                heappush(open_ones, (area.bottom, area, text, row.faults.get(area.left)))
            elif area.top == header and area.bottom > header:
                heappush(open_ones, (area.bottom, area, "", None))
        while open_ones and open_ones[0][0] < row.number:
            heappop(open_ones)
        yield _filled(row, open_ones, nameless, header) if open_ones and not row.blank else row


def _filled(
    row: SheetRow,
    areas: Iterable[tuple[int, Area, str, CellError | None]],
    nameless: set[int],
    header: int,
) -> SheetRow:
    cells, faults = [*row.cells], {**row.faults}
    for _, area, text, fault in areas:
        if area.top == header:
            raise HeaderCoversError(area)
        if not text and fault is None:
            continue
        if len(cells) <= area.right:
            cells += [""] * (area.right + 1 - len(cells))
        for place in range(area.left, area.right + 1):
            if place in nameless and place != area.left:
                continue
            cells[place] = text
            if fault is not None:
                faults[place] = fault
    return row._replace(cells=cells, faults=faults)
