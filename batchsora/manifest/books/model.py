"""What is read of a workbook of any format."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from batchsora.manifest.errors import FAILED, CellError
from batchsora.workbook import WorkbookError

ERRORS: Final[Mapping[int, str]] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""How the binary formats number errors (MS-XLS 2.5.10 BErr)."""


MOST_ROWS: Final = 1_048_576
"""Rows of a sheet, as many as Excel has."""
MOST_CELLS: Final = 50_000_000
"""Of all rows, blank ones before the last of each included."""

HIDDEN: Final = CellError(
    "the cell's number format hides its value",
    "Give the cell another format, or clear it.",
)
NO_FAULTS: Final[Mapping[int, CellError]] = MappingProxyType({})


class PictureInCellError(CellError):
    """A cell whose content is a picture; ``key`` finds it (:meth:`Book.in_cell`), or is ""."""

    def __init__(self, key: str = "") -> None:
        super().__init__(
            "the cell contains a picture instead of a file name",
            "Save the picture as a file beside the workbook, and write the file's name into the "
            "cell.",
        )
        self.key = key


class SheetRow(NamedTuple):
    """A row as its sheet has it.

    Attributes:
        number: as the sheet numbers it, from 1.
        cells: their texts as people see them, from the first column.
        faults: why a cell has no usable value, by its place from 0.
    """

    number: int
    cells: list[str]
    hidden: bool = False
    faults: Mapping[int, CellError] = NO_FAULTS

    @property
    def blank(self) -> bool:
        """Return whether there is nothing to see in it."""
        return not self.faults and not any(cell and not cell.isspace() for cell in self.cells)


class Area(NamedTuple):
    """Cells of a sheet: rows from 1, columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


class Picture(NamedTuple):
    """A picture over the cells, with its upper left corner in this one, or inside one.

    Attributes:
        row: from 1.
        column: from 0.
        part: of the package with its bytes; None if they are not in the file.
        over: how much of its height lies over which rows, in EMU; empty: all of it over its own.
        seen: how it is displayed, if differently from its bytes: ``"cropped"``.
        address: where it is, if not in the file.
    """

    row: int
    column: int
    part: str | None
    over: tuple[tuple[int, int], ...] = ()
    seen: str | None = None
    address: str | None = None


@dataclass(slots=True)
class Beside:
    """What a sheet has beside its rows.

    Attributes:
        merges: areas of merged cells.
        totals: the totals rows of table objects.
        hidden_columns: first and last place of each run.
        pictures: over cells.
        loose: how many pictures lie on the sheet over no cell that could be determined.
    """

    merges: list[Area] = field(default_factory=list)
    totals: list[Area] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    loose: int = 0


@dataclass(slots=True)
class Marks(Beside):
    """The same, and what is known about the cells of a sheet; rows from 1, columns from 0.

    Attributes:
        faults: cells without a usable value: what they show, and why, by row and column.
        forms: the number formats of cells whose numbers are not shown as they are.
    """

    faults: defaultdict[int, dict[int, tuple[str, CellError]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    forms: defaultdict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    hidden_rows: set[int] = field(default_factory=set)

    def failed(self, row: int, column: int, error: int) -> None:
        """Note a cell with the number of an error."""
        self.faults[row][column] = ERRORS.get(error, "#ERROR!"), FAILED


class Book(ABC):
    """A workbook; what it can't read raises an exception of its library, or a WorkbookError."""

    _seen: dict[str, bool]
    """The sheets without charts, and whether each is visible."""

    def names(self) -> list[str]:
        """Return the sheets without charts."""
        return list(self._seen)

    def visible(self) -> list[str]:
        """Return the visible sheets."""
        return [name for name, visible in self._seen.items() if visible]

    @abstractmethod
    def beside(self, sheet: str, *, measured: bool = False) -> Beside:
        """Read what a sheet has beside its rows; ``measured``: with rows under pictures."""

    @abstractmethod
    def rows(self, sheet: str) -> Iterator[SheetRow]:
        """Return a sheet's rows in order; blank ones may be left out."""

    def in_cell(self, key: str) -> Picture | None:  # noqa: ARG002 - most formats have none
        """Return the picture in a cell by its key, without a place; None if it is another error."""
        return Picture(0, 0, None)


def check_bounds(rows: int, cells: int) -> None:
    """Raise WorkbookError if a sheet has more than a spreadsheet could hold."""
    if rows > MOST_ROWS or cells > MOST_CELLS:
        raise WorkbookError(
            f"the sheet has more than {MOST_ROWS} rows or {MOST_CELLS} cells",
            "Copy the table alone into a new workbook, or save it as CSV UTF-8.",
        )


POINT: Final = 12_700
"""EMU of a point; heights of rows are in points, those of pictures in EMU."""
MOST_UNDER: Final = 1000
"""Rows of one picture that are looked at."""


class Drawn(NamedTuple):
    """A picture of a drawing, without the rows under it; lengths are in EMU.

    Attributes:
        start: between the upper edge of its row and its own.
        height: None if its lower edge defines it.
        last: the row of its lower edge.
        end: between the upper edge of that row and its lower edge.
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

    One with its own height that begins in a hidden row slips below it, but belongs to that row.
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
