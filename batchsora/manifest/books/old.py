"""Excel's binary formats, .xls and .xlsb, read whole by calamine."""

from collections.abc import Iterator
from pathlib import Path

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import Beside, SheetRow
from batchsora.manifest.errors import refused
from batchsora.workbook import check_package


class Old:
    """A workbook of a binary format.

    Args:
        path: of the file.

    Raises:
        ManifestError: the library that reads it is not installed.
    """

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

    def names(self) -> list[str]:
        """List the sheets."""
        return list(self._book.sheet_names)

    def visible(self) -> list[str]:
        """List the sheets that people see."""
        return [one.name for one in self._book.sheets_metadata if one.visible == self._visible]

    def beside(self, sheet: str) -> Beside:
        """Read what a sheet has beside its rows."""
        del sheet
        return Beside()

    def rows(self, sheet: str) -> Iterator[SheetRow]:
        """Give all rows of a sheet, blank ones included."""
        table = self._book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        for number, row in enumerate(table, 1):
            yield SheetRow(number, [shown.of_value(value) for value in row])
