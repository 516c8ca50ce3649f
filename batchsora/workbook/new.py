"""New workbooks, for results that come from no workbook: written row by row, never held."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from batchsora.workbook.annotate import MOST_LINKS, USUAL_WIDTH, WIDTHS
from batchsora.workbook.cells import Link, legal, letters
from batchsora.workbook.problems import WorkbookError
from batchsora.workbook.styles import BLUE, RED

MOST_ROWS: Final = 1_048_575
"""Below the header, as many as a sheet has."""
PROMPT_WIDTH: Final = 60


def write_workbook(
    target: BinaryIO,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    failed: Callable[[Mapping[str, object]], bool],
) -> None:
    """Write a table as a workbook.

    Args:
        target: the file.
        columns: the headers, in order.
        rows: by header; values are texts, numbers, aware times, :class:`Link` and None.
        failed: says which rows are marked.

    Raises:
        WorkbookError: there are more rows than a sheet has.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - 150 ms for those who write one

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Videos")
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        width = PROMPT_WIDTH if column.casefold() == "prompt" else WIDTHS.get(column, USUAL_WIDTH)
        sheet.column_dimensions[letters(number)].width = width
    sheet.auto_filter.ref = f"A1:{letters(max(1, len(columns)))}1"
    make = _Maker(sheet)
    sheet.append([make.head(column) for column in columns])
    for number, row in enumerate(rows, 1):
        if number > MOST_ROWS:
            raise WorkbookError(
                f"a sheet has {MOST_ROWS} rows at most", "Export as .csv, or a part with --status."
            )
        red = failed(row)
        sheet.append([make.cell(row.get(column), red=red) for column in columns])
    book.save(target)


class _Maker:
    """Makes cells."""

    def __init__(self, sheet: Any) -> None:
        from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415 - as above

        self._sheet = sheet
        self._links = 0
        self._bold = Font(bold=True)
        self._link = Font(color=BLUE, underline="single")
        self._red = PatternFill("solid", fgColor=RED)
        self._top = Alignment(vertical="top", wrap_text=True)

    def head(self, column: str) -> Any:
        """Make a header's cell."""
        cell = self._text(column)
        cell.font = self._bold
        return cell

    def cell(self, value: object, *, red: bool) -> Any:
        """Make a cell; a text is never a formula."""
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as above

        match value:
            case Link():
                cell = self._text(value.text)
                if value.target is not None and self._links < MOST_LINKS:
                    self._links += 1
                    cell.hyperlink = value.target
                    cell.font = self._link
            case datetime():
                cell = WriteOnlyCell(self._sheet, value.astimezone(UTC).replace(tzinfo=None))
                cell.number_format = "yyyy-mm-dd hh:mm:ss"
            case int() | float() | Decimal():
                cell = WriteOnlyCell(self._sheet, value)  # type: ignore[arg-type]  # it takes decimals
            case _:
                cell = self._text("" if value is None else str(value))
        cell.alignment = self._top
        if red:
            cell.fill = self._red
        return cell

    def _text(self, text: str) -> Any:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as above

        cell = WriteOnlyCell(self._sheet, legal(text) or None)
        if text:
            cell.data_type = "s"
        return cell
