"""Read a workbook's sheet: what people see in each cell, or why that is unknown.

In a column of ours an error, a formula that was never calculated, or a picture instead of a value
is a problem of its row, named by its cell. Hidden rows are left out, and counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from batchsora.manifest.books.choosing import EXCEL, OTHERS, book_of
from batchsora.manifest.books.covered import HeaderCoversError, covered, without_headings
from batchsora.manifest.books.model import Area, SheetRow
from batchsora.manifest.errors import FAILED, ManifestError, RowProblem, cell_name, refused
from batchsora.manifest.formats.sheet_choice import (
    header_of,
    named,
    no_sheet,
    other_sheet,
    others_with_prompts,
    quoted,
)
from batchsora.manifest.formats.sheet_pictures import SheetPictures
from batchsora.manifest.raw import PLAIN, Embedded, RawRow, Reading, Settings, check_regular
from batchsora.manifest.rows.columns import understand
from batchsora.manifest.rows.spelling import folded
from batchsora.manifest.values import has_failed
from batchsora.workbook import WorkbookError

__all__ = ["EXCEL", "OTHERS", "SheetTable", "open_sheet"]

SHOWN: Final = 10
"""How many hidden rows are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A sheet whose header was read; ``first``: it is the one that is read if none is named.

    ``warnings`` are about hidden rows and columns; they are complete when all rows were read.
    """

    path: Path
    sheet: str
    first: bool
    headers: tuple[str, ...]
    header_row: int
    _titles: tuple[int, ...]
    _pictures: SheetPictures
    warnings: list[RowProblem] = field(default_factory=list)
    _hidden: list[int] = field(default_factory=list)
    _headings: list[int] = field(default_factory=list)

    @property
    def embedded(self) -> Sequence[Embedded]:
        """Return the pictures at rows; complete when all rows were read."""
        return self._pictures.found

    @property
    def hidden(self) -> bool:
        """Return whether hidden rows were left out."""
        return bool(self._hidden)

    @property
    def settings(self) -> Settings:
        """Return a batch's name from file and sheet, if it is not the first sheet."""
        return Settings() if self.first else Settings(batch=f"{self.path.stem}-{self.sheet}")

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows below the header; raise ManifestError if the workbook is unreadable."""
        self.warnings.clear()
        self._hidden.clear()
        self._headings[:] = self._titles
        self._pictures.begin()
        with understood(self.path):
            try:
                yield from self._below()
            except HeaderCoversError as error:
                raise self._header_covers(error.area) from error
            self._pictures.place()
        self.warnings.extend(
            [
                *self._pictures.loose(),
                *self._columns_hidden(),
                *self._rows_hidden(),
                *self._sheets_left(),
                *self._told_headings(),
            ]
        )

    def _below(self) -> Iterator[RawRow | RowProblem]:
        seen, start, merges = self._pictures, self.header_row, self._pictures.beside.merges
        below = (row for row in seen.book.rows(self.sheet) if row.number >= start)
        rows = without_headings(below, merges, start, self.headers, seen.ours, self._headings)
        for row in covered(rows, merges, start):
            if row.number <= self.header_row or row.blank:
                continue
            if total := self._total(row.number):
                self.warnings.append(
                    RowProblem(
                        str(self.path),
                        "the totals row of a table was left out",
                        "No action is needed.",
                        row=row.number,
                        cell=cell_name(self.sheet, row.number, total.left),
                    )
                )
            elif row.hidden and not self._pictures.reading.include_hidden:
                self._hidden.append(row.number)
                self._pictures.hidden.add(row.number)
            else:
                shown = self._pictures.taken(row)
                yield from self._problems(shown) or (RawRow(row.number, shown.cells),)

    def _problems(self, row: SheetRow) -> Sequence[RowProblem]:
        """Return what is wrong with the cells of a row in our columns."""
        cells, faults = row.cells, row.faults
        found = [*self._pictures.problems(row)]
        for place in self._pictures.ours.values():
            if place >= len(cells):
                continue
            text = cells[place]
            fault = faults.get(place)
            if fault is None and text and has_failed(text.strip()):
                fault = FAILED
            if fault is not None:
                remedy = self._pictures.remedy(place, fault)
                found.append(self._pictures.problem(row.number, place, fault.problem, remedy, text))
        return found

    def _total(self, number: int) -> Area | None:
        """Return the area if a row is the totals row of the table object that has the prompts."""
        place = self._pictures.ours.get("prompt")
        for area in self._pictures.beside.totals:
            if area.top <= number <= area.bottom and (
                place is None or area.left <= place <= area.right
            ):
                return area
        return None

    def _rows_hidden(self) -> Iterator[RowProblem]:
        hidden = self._hidden
        if not hidden:
            return
        rows = _numbers(hidden)
        one = len(hidden) == 1
        yield RowProblem(
            str(self.path),
            f"{len(hidden)} row{' is' if one else 's are'} hidden and {'was' if one else 'were'} "
            f"left out (row{'' if one else 's'} {rows})",
            f"--include-hidden takes {'it' if one else 'them'}; or show {'it' if one else 'them'}, "
            "and clear the filter if there is one.",
            cell=cell_name(self.sheet, hidden[0], None),
        )

    def _told_headings(self) -> Iterator[RowProblem]:
        if found := self._headings:
            one = len(found) == 1
            yield RowProblem(
                str(self.path),
                f"{len(found)} row{' is a heading' if one else 's are headings'} merged over the "
                f"columns, and {'was' if one else 'were'} left out "
                f"(row{'' if one else 's'} {_numbers(found)})",
                f"If {'it is a prompt' if one else 'they are prompts'}, unmerge the cells.",
                cell=cell_name(self.sheet, found[0], None),
            )

    def _columns_hidden(self) -> Iterator[RowProblem]:
        for first, last in self._pictures.beside.hidden_columns:
            for name, place in self._pictures.ours.items():
                if first <= place <= last:
                    yield self._pictures.problem(
                        self.header_row,
                        place,
                        f"the column is hidden, but still read as {name!r}",
                        "Show it, and check its values.",
                    )

    def _sheets_left(self) -> Iterator[RowProblem]:
        """Return which sheets are not read, unless a person chose one."""
        if self._pictures.reading.sheet is not None or not self.first:
            return
        if others := list(others_with_prompts(self._pictures.book, self.sheet)):
            shown = ", ".join(map(repr, others))
            yield RowProblem(
                str(self.path),
                f"only the sheet {self.sheet!r} is read; there are prompts in {shown}, too",
                f"Each is a separate batch: --sheet {quoted(others[0])}.",
            )

    def _header_covers(self, area: Area) -> ManifestError:
        return ManifestError(
            RowProblem(
                str(self.path),
                f"the header's cell is merged with rows below it, down to row {area.bottom}, "
                "but these rows have cells of their own",
                "Unmerge it: the header must be one row.",
                row=area.top,
                cell=cell_name(self.sheet, area.top, area.left),
            )
        )


def _numbers(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:SHOWN])) + (", …" if len(rows) > SHOWN else "")


def open_sheet(path: Path, reading: Reading = PLAIN) -> SheetTable:
    """Read a sheet's header; raise ManifestError for a missing sheet or unusable workbook."""
    check_regular(path)
    with understood(path):
        book = book_of(path)
        names = book.names()
        first = next(iter(book.visible() or names), None)
        sheet = first if reading.sheet is None else named(names, reading.sheet)
        if sheet is None:
            raise no_sheet(path, names, reading.sheet)
        hidden = bool(reading.include_hidden)
        header, titles = header_of(
            book, sheet, include_hidden=hidden, said=reading.columns, at=reading.header_row
        )
        if header is None:
            raise refused(
                str(path),
                f"the sheet {sheet!r} is empty"
                + ("" if reading.header_row is None else f" from row {reading.header_row} on"),
                "Its first row must contain the column names; choose another sheet with --sheet."
                + other_sheet(book, sheet),
            )
        cells = trimmed(header.cells)
        _check_header(path, sheet, header, len(cells))
        ours = _ours(path, cells, header.number, reading)
        if "prompt" not in {*ours, *reading.defaults} and (other := other_sheet(book, sheet)):
            raise refused(str(path), f"the sheet {sheet!r} has no column 'prompt'", other.strip())
        beside = book.beside(sheet, measured=bool(reading.embedded_images))
        pictures = SheetPictures(path, sheet, cells, ours, reading, book, beside)
        return SheetTable(path, sheet, sheet == first, cells, header.number, titles, pictures)


def trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return tuple(cells[:last])


def _check_header(path: Path, sheet: str, header: SheetRow, width: int) -> None:
    """Raise ManifestError if a header can't be read: a column under a broken one may be ours."""
    for place, fault in header.faults.items():
        if place < width:
            raise ManifestError(
                RowProblem(
                    str(path),
                    fault.problem,
                    fault.remedy,
                    row=header.number,
                    found=header.cells[place],
                    cell=cell_name(sheet, header.number, place),
                )
            )


def _ours(path: Path, headers: Sequence[str], row: int, reading: Reading) -> Mapping[str, int]:
    """Return the places of our columns; faults of the headers are reported by who reads them."""
    there = {folded(header) for header in headers}
    said = {header: name for header, name in reading.columns.items() if folded(header) in there}
    try:
        return understand(str(path), headers, row, said).known
    except ManifestError:
        return {}


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever a library raises for a damaged workbook into our errors."""
    try:
        yield
    except (ManifestError, MemoryError, GeneratorExit):
        raise
    except WorkbookError as error:
        raise refused(str(path), error.problem, error.remedy) from error
    except Exception as error:  # each library has its own, and some of none: see the tests
        said = " ".join(str(error).split()) or type(error).__name__
        raise refused(
            str(path),
            f"the workbook can't be read: {said}",
            "Open it in your spreadsheet and save it again as .xlsx, or as CSV UTF-8.",
        ) from error
