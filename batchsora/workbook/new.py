"""New workbooks, for results that do not come from a workbook; written row by row."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO, Final

from batchsora.result_columns import USUAL_WIDTH, WIDTHS
from batchsora.workbook import WorkbookError, letters
from batchsora.workbook.cells import LONGEST_TEXT, Link, legal, too_long
from batchsora.workbook.links import MOST_LINKS
from batchsora.workbook.styles import BLUE, RED

MOST_ROWS: Final = 1_048_575
"""Below the header, as many as a sheet has."""
PROMPT_WIDTH: Final = 60
LONGEST_TITLE: Final = 31
_NOT_IN_TITLES: Final = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a new workbook; widths are in characters, where they are not the usual ones.

    Rows are by header; values are texts, numbers, aware times, :class:`Link` and None. Characters
    that a title can't have are replaced, and duplicates numbered. ``failed`` returns whether a row
    is marked.
    """

    title: str
    columns: Sequence[str]
    rows: Iterable[Mapping[str, object]]
    failed: Callable[[Mapping[str, object]], bool]
    widths: Mapping[str, int] = field(default_factory=lambda: WIDTHS)


def write_workbook(target: BinaryIO, sheets: Iterable[Sheet]) -> None:
    """Write sheets into a new workbook, one after the other; the rows of each are read in its turn.

    Raises WorkbookError if there are more rows than a sheet has, or a text is too long for a cell.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - 150 ms for those who write one

    book = Workbook(write_only=True)
    titles: set[str] = set()
    for one in sheets:
        sheet = book.create_sheet(_title(one.title, titles))
        _fill(sheet, one)
    book.save(target)


def _title(wanted: str, taken: set[str]) -> str:
    """Return a sheet name that Excel accepts: 31 characters, no brackets, no duplicate."""
    bare = _NOT_IN_TITLES.sub("_", legal(wanted)).strip().strip("'") or "Videos"
    title, number = bare[:LONGEST_TITLE], 2
    while title.casefold() in taken or title.casefold() == "history":
        ending = f" ({number})"
        title, number = bare[: LONGEST_TITLE - len(ending)] + ending, number + 1
    taken.add(title.casefold())
    return title


def _fill(sheet: Any, wanted: Sheet) -> None:
    sheet.freeze_panes = "A2"
    for number, column in enumerate(wanted.columns, 1):
        usual = PROMPT_WIDTH if column.casefold() == "prompt" else USUAL_WIDTH
        width = wanted.widths.get(column, usual)
        sheet.column_dimensions[letters(number)].width = width
    sheet.auto_filter.ref = f"A1:{letters(max(1, len(wanted.columns)))}1"
    make = _Maker(sheet)
    sheet.append([make.head(column) for column in wanted.columns])
    for number, row in enumerate(wanted.rows, 1):
        if number > MOST_ROWS:
            raise WorkbookError(
                f"a sheet has {MOST_ROWS} rows at most", "Export as .csv, or a part with --status."
            )
        red = wanted.failed(row)
        sheet.append([make.cell(row.get(column), red=red) for column in wanted.columns])


class _Maker:
    def __init__(self, sheet: Any) -> None:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as above
        from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415 - as above

        self._cell = partial(WriteOnlyCell, sheet)
        self._links = 0
        self._bold = Font(bold=True)
        self._link = Font(color=BLUE, underline="single")
        self._red = PatternFill("solid", fgColor=RED)
        self._top = Alignment(vertical="top", wrap_text=True)

    def head(self, column: str) -> Any:
        cell = self._text(column)
        cell.font = self._bold
        return cell

    def cell(self, value: object, *, red: bool) -> Any:
        """Make a cell; a text is never a formula."""
        match value:
            case Link():
                cell = self._text(value.text)
                if value.target is not None and self._links < MOST_LINKS:
                    self._links += 1
                    cell.hyperlink = value.target
                    cell.font = self._link
            case datetime():
                cell = self._cell(value.astimezone(UTC).replace(tzinfo=None))
                cell.number_format = "yyyy-mm-dd hh:mm:ss"
            case int() | float() | Decimal():
                cell = self._cell(value)  # type: ignore[arg-type]  # it takes decimals
            case _:
                cell = self._text("" if value is None else str(value))
        cell.alignment = self._top
        if red:
            cell.fill = self._red
        return cell

    def _text(self, text: str) -> Any:
        if too_long(text):  # the library would cut it without a word
            raise WorkbookError(
                f"a text is longer than {LONGEST_TEXT} characters", "Export as .csv or .json."
            )
        cell = self._cell(legal(text) or None)
        if text:
            cell.data_type = "s"
        return cell
