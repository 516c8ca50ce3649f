"""Excel's binary formats, .xls and .xlsb: values by calamine, and what it leaves out by records."""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import HIDDEN, NO_FAULTS, Beside, Book, Marks, SheetRow
from batchsora.manifest.books.xls import Xls
from batchsora.manifest.books.xlsb import marks_of, without_forms
from batchsora.manifest.errors import CellError, refused
from batchsora.workbook.package import check_package


class Old(Book):
    """A workbook of a binary format; raises an error if it is damaged, or a library missing."""

    def __init__(self, path: Path) -> None:
        try:
            from python_calamine import (  # noqa: PLC0415 - an extra
                CalamineWorkbook,
                SheetTypeEnum,
                SheetVisibleEnum,
            )
        except ImportError as error:
            raise refused(
                str(path),
                f"reading {path.suffix} needs a library that is not installed",
                "Install batchsora with the extra 'ods': pip install '.[ods]' in the folder of its "
                "source. Or save it as .xlsx or CSV UTF-8.",
            ) from error
        self._path = path
        self._binary = path.suffix.lower() == ".xlsb"
        if self._binary:
            check_package(path)
        self._book = CalamineWorkbook.from_path(path)
        self._all = [one.name for one in self._book.sheets_metadata]
        self._seen = {
            one.name: one.visible == SheetVisibleEnum.Visible
            for one in self._book.sheets_metadata
            if one.typ == SheetTypeEnum.WorkSheet
        }
        self._marks = lru_cache(1)(self._marked)

    def beside(self, sheet: str, *, measured: bool = False) -> Beside:  # noqa: ARG002 - never
        """Read what a sheet has beside its rows."""
        return self._marks(sheet)

    def rows(self, sheet: str) -> Iterator[SheetRow]:
        """Return all rows of a sheet, including blank ones."""
        marks = self._marks(sheet)
        table, from_1904 = self._values(sheet)
        for number, values in enumerate(table, 1):
            cells = [shown.line_ends(shown.of_value(value)) for value in values]
            faults: dict[int, CellError] = {}
            for column, form in marks.forms.get(number, {}).items():
                value = values[column] if column < len(values) else None
                if isinstance(value, int | float) and not isinstance(value, bool):
                    cells[column] = shown.number(repr(value), form, from_1904=from_1904)
                    if shown.hides(repr(value), form):
                        faults[column] = HIDDEN
            for column, (text, fault) in marks.faults.get(number, {}).items():
                cells += [""] * (column + 1 - len(cells))
                cells[column], faults[column] = text, fault
            yield SheetRow(number, cells, number in marks.hidden_rows, faults or NO_FAULTS)

    def _values(self, sheet: str) -> tuple[list[list[Any]], bool]:
        """Return the values of a sheet, and whether days that are numbers count from 1904.

        The library returns dates and spans, unless one is out of their range. Then all are read as
        plain numbers.
        """
        try:
            return self._book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), False
        except OverflowError:
            pass
        data = self._path.read_bytes()
        plain, from_1904 = (without_forms if self._binary else Xls(self._path).without_forms)(data)
        book = type(self._book).from_filelike(BytesIO(plain))
        return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), from_1904

    def _marked(self, sheet: str) -> Marks:
        if self._binary:
            return marks_of(self._path, sheet)
        return Xls(self._path).marks(self._all.index(sheet))
