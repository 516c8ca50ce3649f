"""Merged cells: what people see in them holds for every row and column that they cover."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from batchsora.manifest.books.model import Area, SheetRow
from batchsora.manifest.errors import CellError


class HeaderCoversError(Exception):
    """A row that is not blank lies under a merged cell of the header.

    Attributes:
        area: the merged cells.
    """

    def __init__(self, area: Area) -> None:
        super().__init__(area)
        self.area = area


def covered(rows: Iterable[SheetRow], merges: Iterable[Area], header: int) -> Iterator[SheetRow]:
    """Write into the cells of rows what the merged cell says that covers them.

    A row that has nothing of its own stays as it is: tall rows are made of two by merging all of
    their cells. A column that has no header because the one before it covers both is none, and
    nothing is covered behind the last header: there is no column.

    Args:
        rows: of a sheet, in order, the header first.
        merges: its merged areas.
        header: the header's row.

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
