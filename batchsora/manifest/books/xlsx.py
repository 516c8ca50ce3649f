"""Excel's own format: .xlsx, .xlsm and templates, the ordinary and the strict kind.

The parts are read as a stream and by ECMA-376 itself, because libraries leave out what matters
here: whether a formula has a result, whether a result is an error, whether a row is hidden.
"""

import io
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Final
from zipfile import ZipFile

from lxml import etree

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import (
    NO_FAULTS,
    Area,
    Beside,
    Book,
    Picture,
    SheetRow,
    check_bounds,
)
from batchsora.manifest.books.xlsx_beside import area_of, elements, place_of, read_beside
from batchsora.manifest.books.xlsx_cells import Cells, text_of
from batchsora.manifest.books.xlsx_in_cells import InCells, link_of
from batchsora.manifest.errors import UNCALCULATED, CellError
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.values import UNCALCULATED as NO_RESULT
from batchsora.workbook import WorkbookError
from batchsora.workbook.package import package_of, part, targets, workbook_part

_BLOCK: Final = 1024**2
_END: Final = b"</row>"
_CONTENT: Final = (b"<v", b"<is", b"<f")


class WithoutBlankRows:
    """Reads a part without runs of rows that have no content.

    Only rows with a number are left out, so that those behind them keep theirs.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = io.BytesIO()

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes; none at the end."""
        while not (taken := self._left.read(size)):
            block = self._file.read(_BLOCK)
            if not block:
                return b""
            self._left = io.BytesIO(_thinned(block))
        return taken


def _thinned(block: bytes) -> bytes:
    """Remove the rows of a block if none of its rows has content."""
    first, last = block.find(_END), block.rfind(_END)
    if first == last or any(content in block for content in _CONTENT):
        return block
    rows = block[first + len(_END) : last + len(_END)]
    numbered = rows.count(b'<row r="') == rows.count(b"<row")
    return block[: first + len(_END)] + block[last + len(_END) :] if numbered else block


_MOST_SPILLS: Final = 1000
"""Formulas that fill several cells and have no result, open at once."""


_NO_HEIGHT: Final = re.compile(r"0*(?:\.0*)?")


class Xlsx(Book):
    """A workbook of Excel's format; raises WorkbookError if it is none, damaged, or too large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with package_of(path) as package:
            name = self._book = workbook_part(package)
            root = part(package, name)
            links = targets(package, name)
            self._seen = {}
            self._parts: dict[str, str] = {}
            for one in root.iterfind("{*}sheets/{*}sheet"):
                kind, target = links.get(link_of(one), ("", ""))
                if kind == "worksheet":
                    sheet = one.get("name", "")
                    self._seen[sheet] = one.get("state", "visible") == "visible"
                    self._parts[sheet] = target
            said = root.find("{*}workbookPr")
            self._from_1904 = said is not None and _true(said.get("date1904"))
            said = root.find("{*}calcPr")
            self._to_calculate = said is not None and _true(said.get("fullCalcOnLoad"))
            parts = dict(links.values())
            self._texts_part = parts.get("sharedStrings")
            self._forms = _forms(package, parts.get("styles"))

    def beside(self, sheet: str, *, measured: bool = False) -> Beside:
        """Read what a sheet has beside its rows."""
        with package_of(self._path) as package:
            name = _present(package, self._parts[sheet])
            return read_beside(package, name, measured=measured)

    def rows(self, sheet: str) -> Iterator[SheetRow]:
        """Return a sheet's rows without blank ones."""
        with package_of(self._path) as package:
            cells = Cells(self._texts, self._forms, self._from_1904, self._to_calculate)
            with package.open(_present(package, self._parts[sheet])) as file:
                yield from _Rows(cells).of(file)

    def in_cell(self, key: str) -> Picture | None:
        """Return the picture in a cell; None if it is not one."""
        return self._in_cells.find(key)

    @cached_property
    def _in_cells(self) -> InCells:
        with package_of(self._path) as package:
            return InCells(package, self._book)

    @cached_property
    def _texts(self) -> list[str]:
        """Return the texts that cells refer to by a number."""
        if self._texts_part is None:
            return []
        with package_of(self._path) as package:
            name = _present(package, self._texts_part)
            with package.open(name) as file:
                return [text_of(one) for one in elements(file, "si", "sst")]


def _present(package: ZipFile, name: str) -> str:
    """Return a part's name, which some programs write in other case than the links."""
    names = package.namelist()
    if name in names:
        return name
    for other in names:
        if other.replace("\\", "/").lower() == name.lower():
            return other
    raise WorkbookError(
        f"the workbook is damaged: it has no part {name!r}",
        "Open it in your spreadsheet and save it again.",
    )


def _true(text: str | None) -> bool:
    return text in ("1", "true", "on")


def _forms(package: ZipFile, name: str | None) -> list[str]:
    """Return the number formats of cells, by the number of their style."""
    if name is None:
        return []
    try:
        root = part(package, _present(package, name))
    except WorkbookError:  # a book that other programs open: its numbers are shown as they are
        return []
    own = {_id(one): one.get("formatCode", "") for one in root.iterfind("{*}numFmts/{*}numFmt")}
    return [shown.form_of(_id(one), own) for one in root.iterfind("{*}cellXfs/{*}xf")]


def _id(element: etree._Element) -> int:
    """Return the number of a number format; 0 shows numbers as they are."""
    text = element.get("numFmtId", "0")
    return int(text) if text.isdecimal() else 0


class _Rows:
    def __init__(self, cells: Cells) -> None:
        self._reader = cells
        self._faults: dict[int, CellError] = {}
        self._spills: list[tuple[Area, CellError]] = []

    def of(self, file: IO[bytes]) -> Iterator[SheetRow]:
        number = cells_seen = 0
        for row in elements(WithoutBlankRows(file), "row", "sheetData"):
            number = int(row.get("r") or number + 1)
            cells_seen += len(row)
            check_bounds(number, cells_seen)
            names = _names(row.tag)
            if next(row.iter(*names), None) is None:
                continue
            self._faults = {}
            cells = self._cells(row, *names)
            if self._spills:
                self._spill(number, cells)
            cells_seen += max(0, len(cells) - len(row))  # gaps are filled
            yield SheetRow(number, cells, _is_unseen(row), self._faults or NO_FAULTS)

    def _cells(self, row: etree._Element, v: str, inline: str, f: str) -> list[str]:
        cells: list[str] = []
        place = -1
        for cell in row:
            reference = cell.get("r")
            place = place + 1 if reference is None else place_of(reference)
            stored: dict[str, etree._Element] = {child.tag: child for child in cell}
            if not stored or place > MOST_COLUMNS:  # reported as one too many
                continue
            formula = _text(stored.get(f))
            if inline in stored:
                text = text_of(stored[inline])
                value: str | None = text
            else:
                value = _text(stored.get(v))
                text = self._reader.shown(cell, value, formula)
            if fault := self._reader.trouble(cell, value, formula):
                self._faults[place] = fault
                self._note_spill(stored.get(f), fault)
            if place >= len(cells):
                cells += [""] * (place + 1 - len(cells))
            cells[place] = text
        return cells

    def _note_spill(self, formula: etree._Element | None, fault: CellError) -> None:
        """Note the area that a formula without a result would fill beyond its own cell."""
        if formula is None or fault is not UNCALCULATED or len(self._spills) == _MOST_SPILLS:
            return
        area = area_of(formula.get("ref", ""))
        if area is not None and formula.get("t") == "array":
            self._spills.append((area, fault))

    def _spill(self, number: int, cells: list[str]) -> None:
        """Mark the empty cells of a row that a formula without a result would fill."""
        self._spills = [(area, fault) for area, fault in self._spills if area.bottom >= number]
        for area, fault in self._spills:
            for place in range(area.left, min(area.right, MOST_COLUMNS) + 1):
                if place >= len(cells) or not cells[place]:
                    cells += [""] * (place + 1 - len(cells))
                    cells[place] = NO_RESULT
                    self._faults[place] = fault


def _is_unseen(row: etree._Element) -> bool:
    """Return whether a row is hidden, also by a height of 0, which openpyxl ignores."""
    if _true(row.get("hidden")):
        return True
    height = row.get("ht")
    if height is None:
        return _true(row.get("customHeight"))
    return _NO_HEIGHT.fullmatch(height) is not None


@lru_cache(8)
def _names(row: str) -> tuple[str, str, str]:
    """Return the element names of value, text and formula in the namespace of this row's name."""
    before = row.removesuffix("row")
    return f"{before}v", f"{before}is", f"{before}f"


def _text(element: etree._Element | None) -> str | None:
    return None if element is None else element.text or ""
