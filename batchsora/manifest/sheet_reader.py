"""Reads a workbook's sheet: Excel's .xlsx and .xlsm, and what calamine reads (.ods, .xls, .xlsb).

A cell says what people see in it, as far as that can be told: ``007`` where the format writes three
digits, ``16:09`` where a program took 16:9 for a time of day. Of formulas the stored results are
read; one that was never calculated is :data:`UNCALCULATED`, which no column of ours takes.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from batchsora.manifest.columns import MOST_COLUMNS
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.raw import PLAIN, RawRow, Reading, Settings, check_regular
from batchsora.manifest.values import UNCALCULATED
from batchsora.workbook import WorkbookError, check_package

MOST_ROWS: Final = 1_048_576
"""Rows of a sheet, as many as Excel has."""
MOST_CELLS: Final = 50_000_000
"""Of all rows, blank ones before the last of each included."""

_ZEROS = re.compile("0+")
_DECIMALS = re.compile(r"(?P<thousands>#,##)?0(?:\.(?P<decimals>0+))?(?P<percent>%)?")
_SECONDS = re.compile("s", re.IGNORECASE)
_FORMULA = re.compile(rb"<(?:[A-Za-z0-9_.-]+:)?f[\s>/]")
_SCANNED: Final = 1024**2


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A sheet whose header has been read.

    Attributes:
        path: the workbook.
        sheet: its name.
        headers: as seen, without empty ones at the end.
        header_row: its first row that is not blank.
        first: whether it is the one that is read when nobody names one.
    """

    path: Path
    sheet: str
    first: bool
    headers: tuple[str, ...]
    header_row: int

    @property
    def settings(self) -> Settings:
        """Call the batch of another sheet than the first one after both."""
        return Settings() if self.first else Settings(batch=f"{self.path.stem}-{self.sheet}")

    def rows(self) -> Iterator[RawRow]:
        """Read the rows below the header; wholly blank ones are left out.

        Raises:
            ManifestError: the workbook can't be read to its end, or has another header than before.
        """
        rows = _rows(self.path, self.sheet)
        if _header(next(rows, RawRow(0, ())).cells) != self.headers:
            raise refused(
                str(self.path), "the file changed while it was read", "Start the command again."
            )
        yield from rows


def open_sheet(path: Path, reading: Reading = PLAIN) -> SheetTable:
    """Open a workbook, and read the header of one of its sheets.

    Raises:
        ManifestError: it is no workbook, is encrypted or damaged, or has no such sheet.
    """
    check_regular(path)
    with _opened(path) as book:
        names = book.names()
        first = next(iter(book.visible() or names), None)
        sheet = first if reading.sheet is None else reading.sheet
        if sheet is None or sheet not in names:
            raise _no_sheet(path, names, sheet)
        for row in _not_blank(book, sheet):
            return SheetTable(path, sheet, sheet == first, _header(row.cells), row.row)
    raise refused(
        str(path),
        f"the sheet {sheet!r} is empty",
        "Its first row must hold the columns' names; --sheet names another sheet.",
    )


def _no_sheet(path: Path, names: list[str], wanted: str | None) -> ManifestError:
    near = get_close_matches(wanted or "", names, 1)
    return refused(
        str(path),
        "the workbook has no sheet" if wanted is None else f"there is no sheet {wanted!r}",
        (f"Did you mean {near[0]!r}? " if near else "")
        + f"It has: {', '.join(repr(name) for name in names[:20]) or 'none'}.",
    )


def _header(cells: Any) -> tuple[str, ...]:
    last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return tuple(cells[:last])


def _rows(path: Path, sheet: str) -> Iterator[RawRow]:
    with _opened(path) as book:
        yield from _not_blank(book, sheet)


def _not_blank(book: "_Excel | _Other", sheet: str) -> Iterator[RawRow]:
    """Give the rows that are not blank, numbered as the sheet numbers them."""
    for number, cells in enumerate(book.rows(sheet), 1):
        if any(cell and not cell.isspace() for cell in cells):
            yield RawRow(number, cells)


@contextmanager
def _opened(path: Path) -> "Iterator[_Excel | _Other]":
    """Open a workbook; whatever its library says of a damaged one becomes ours."""
    kind: type[_Excel | _Other] = _Excel if path.suffix.lower() in EXCEL else _Other
    try:
        book = kind(path)
    except (ManifestError, MemoryError):
        raise
    except WorkbookError as error:
        raise refused(str(path), error.problem, error.remedy) from error
    except Exception as error:  # each library has its own, and some of none: see the tests
        raise _damaged(path, error) from error
    try:
        yield book
    except (ManifestError, MemoryError, GeneratorExit):
        raise
    except WorkbookError as error:
        raise refused(str(path), error.problem, error.remedy) from error
    except Exception as error:
        raise _damaged(path, error) from error
    finally:
        book.close()


def _damaged(path: Path, error: Exception) -> ManifestError:
    said = " ".join(str(error).split()) or type(error).__name__
    return refused(
        str(path),
        f"the workbook can't be read: {said}",
        "Open it in your spreadsheet and save it again as .xlsx, or as CSV UTF-8.",
    )


EXCEL: Final = (".xlsx", ".xlsm", ".xltx", ".xltm")
OTHERS: Final = (".ods", ".xls", ".xlsb")


class _Excel:
    """A workbook of Excel's own format, read row by row."""

    def __init__(self, path: Path) -> None:
        from openpyxl import load_workbook  # noqa: PLC0415 - 150 ms for those who have a workbook

        check_package(path)
        # what it finds odd and leaves out (styles, links, validations) is not for us to tell
        warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
        self._written = None
        with ExitStack() as files:  # the library leaves a file open that it fails to understand
            file = files.enter_context(path.open("rb"))
            self._calculated = load_workbook(file, read_only=True, data_only=True)
            if _has_formulas(path):
                other = files.enter_context(path.open("rb"))
                self._written = load_workbook(other, read_only=True, data_only=False)
            self._files = files.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def names(self) -> list[str]:
        """List the sheets, charts left out."""
        return [sheet.title for sheet in self._calculated.worksheets]

    def visible(self) -> list[str]:
        """List the sheets that people see."""
        return [
            sheet.title for sheet in self._calculated.worksheets if sheet.sheet_state == "visible"
        ]

    def rows(self, name: str) -> Iterator[list[str]]:
        """Give all rows of a sheet, blank ones included."""
        values = _cells(self._calculated[name])
        if self._written is None:
            for row in values:
                yield [_seen(cell) for cell in row]
            return
        for row, written in zip(values, _cells(self._written[name]), strict=True):
            yield [
                UNCALCULATED if cell.value is None and formula.data_type == "f" else _seen(cell)
                for cell, formula in zip(row, written, strict=True)
            ]


def _cells(sheet: Any) -> Iterator[Any]:
    sheet.reset_dimensions()  # some programs write wrong ones, and the rest would be cut off
    cells = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells += len(row)
        # the library fills gaps, and a hostile sheet has gaps without end
        if number > MOST_ROWS or cells > MOST_CELLS:
            raise WorkbookError(
                f"the sheet has more than {MOST_ROWS} rows or {MOST_CELLS} cells",
                "Copy the table alone into a new workbook, or save it as CSV UTF-8.",
            )
        yield row[: MOST_COLUMNS + 1]  # one too many is told by whoever reads the header


def _has_formulas(path: Path) -> bool:
    """Whether any sheet has one, so that those that were never calculated must be looked for."""
    with ZipFile(path) as package:
        for name in package.namelist():
            if "worksheets/" not in name or not name.endswith(".xml"):
                continue
            with package.open(name) as member:
                tail = b""
                while chunk := member.read(_SCANNED):
                    if _FORMULA.search(tail + chunk):
                        return True
                    tail = chunk[-64:]
    return False


class _Other:
    """A workbook of another format, read whole by calamine."""

    def __init__(self, path: Path) -> None:
        try:
            from python_calamine import CalamineWorkbook, SheetVisibleEnum  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise refused(
                str(path),
                f"reading {path.suffix} needs a library that is not installed",
                'Install it: pip install "batchsora[ods]". Or save it as .xlsx or CSV UTF-8.',
            ) from error
        if path.suffix.lower() != ".xls":
            check_package(path)
        self._visible = SheetVisibleEnum.Visible
        self._book = CalamineWorkbook.from_path(path)

    def close(self) -> None:
        """Close the file."""
        self._book.close()

    def names(self) -> list[str]:
        """List the sheets."""
        return list(self._book.sheet_names)

    def visible(self) -> list[str]:
        """List the sheets that people see."""
        return [one.name for one in self._book.sheets_metadata if one.visible == self._visible]

    def rows(self, name: str) -> Iterator[list[str]]:
        """Give all rows of a sheet, blank ones included."""
        for row in self._book.get_sheet_by_name(name).to_python(skip_empty_area=False):
            yield [_text(value, "") for value in row]


def _seen(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if type(value) is str:
        return value
    return _text(value, cell.number_format or "")


def _text(value: Any, form: str) -> str:
    """Write a value as people see it.

    Args:
        value: of a cell.
        form: its number format; what is not understood of it is left out.
    """
    match value:
        case bool():
            return str(value).upper()
        case int() | float():
            return _number(value, form)
        case datetime() | date() | time() | timedelta():
            return _moment(value, form)
    return "" if value is None else str(value)


def _moment(value: datetime | date | time | timedelta, form: str) -> str:
    match value:
        case datetime():
            midnight = value.time() == time()
            return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
        case time():
            exact = value.second or _SECONDS.search(form)
            return value.isoformat("seconds" if exact else "minutes")
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat()


def _number(value: float, form: str) -> str:
    """Write a number as its format does, where that is one of digits, thousands or percent."""
    form = form.partition(";")[0]
    if _ZEROS.fullmatch(form):
        return f"{round(value):0{len(form)}}"
    known = _DECIMALS.fullmatch(form)
    if known is None:
        return str(value) if isinstance(value, int) else f"{value:.15g}"
    shown = value * 100 if known["percent"] else value
    comma = "," if known["thousands"] else ""
    return f"{shown:{comma}.{len(known['decimals'] or '')}f}{known['percent'] or ''}"
