"""OpenDocument sheets (.ods): read whole, because rows contain merged cells and pictures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

from lxml import etree

from batchsora.manifest.books.model import (
    MOST_ROWS,
    NO_FAULTS,
    POINT,
    Area,
    Beside,
    Book,
    Drawn,
    Heights,
    Picture,
    SheetRow,
    check_bounds,
    rows_under,
)
from batchsora.manifest.books.ods_cells import DRAW, LINK, STYLE, SVG, TABLE, text_and_fault
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.workbook import WorkbookError
from batchsora.workbook.package import package_of

_CONTENT: Final = "content.xml"
_BODY: Final = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}spreadsheet"
_SHEET, _ROW, _COLUMN = f"{TABLE}table", f"{TABLE}table-row", f"{TABLE}table-column"
_CELL, _COVERED = f"{TABLE}table-cell", f"{TABLE}covered-table-cell"
_SHAPES: Final = f"{TABLE}shapes"
_STYLE: Final = f"{STYLE}style"
_UNSEEN: Final = ("collapse", "filter")
_USUAL_HEIGHT: Final = 164_592
"""EMU of a row that says nothing else: 0.45 cm, as LibreOffice has it."""
_EMU: Final = {"cm": 360_000, "mm": 36_000, "in": 914_400, "pt": POINT, "px": 9525}
_LENGTH: Final = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)(cm|mm|in|pt|px)", re.ASCII)


class Ods(Book):
    """An OpenDocument sheet; raises WorkbookError if it is none, is damaged, or far too large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = {}
        self._heights: dict[str, int] = {}
        unseen: set[str] = set()
        with package_of(path) as package:
            if _CONTENT not in package.namelist():
                raise WorkbookError("not a workbook", "Save it again as .ods or .xlsx.")
            with package.open(_CONTENT) as file:
                for event, element in _events(file, _STYLE, _SHEET, _ROW):
                    if event == "end":
                        if element.tag == _STYLE:
                            name = element.get(f"{STYLE}name", "")
                            if _is_unseen(element):
                                unseen.add(name)
                            height = _height_of(element)
                            if height is not None:
                                self._heights[name] = height
                        elif element.tag == _ROW:
                            _forget(element)
                    elif element.tag == _SHEET and _is_sheet(element):
                        style = element.get(f"{TABLE}style-name", "")
                        self._seen[element.get(f"{TABLE}name", "")] = style not in unseen
        self._of = lru_cache(1)(self._read)

    def beside(self, sheet: str, *, measured: bool = False) -> Beside:  # noqa: ARG002 - always
        """Read what a sheet has beside its rows."""
        return self._of(sheet)

    def rows(self, sheet: str) -> Iterator[SheetRow]:
        """Return a sheet's rows without blank ones."""
        for row, repeated in self._of(sheet).rows:
            for number in range(row.number, row.number + repeated):
                yield row._replace(number=number)

    def _read(self, sheet: str) -> "_Sheet":
        found = _Sheet(styles=self._heights)
        inside = False
        with package_of(self._path) as package, package.open(_CONTENT) as file:
            for event, element in _events(file, _SHEET, _ROW, _COLUMN, _SHAPES):
                if element.tag == _SHEET:
                    if not _is_sheet(element):
                        continue
                    if inside and event == "end":
                        break
                    inside = event == "start" and element.get(f"{TABLE}name", "") == sheet
                elif event == "end":
                    if inside and element.tag == _ROW:
                        found.add_row(element)
                    elif inside and element.tag == _COLUMN:
                        found.add_columns(element)
                    elif inside:
                        found.loose += sum(1 for _ in element.iter(f"{DRAW}image"))
                    if element.tag == _ROW:
                        _forget(element)
        found.pictures = [
            one.picture._replace(over=rows_under(one, found.heights)) for one in found.drawn
        ]
        return found


@dataclass
class _Sheet(Beside):
    """One sheet as it is read: heights of ``styles`` in EMU, ``rows`` not blank with repeats."""

    styles: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[SheetRow, int]] = field(default_factory=list)
    heights: Heights = field(default_factory=lambda: Heights(_USUAL_HEIGHT))
    drawn: list[Drawn] = field(default_factory=list)
    _number: int = 0
    _cells: int = 0
    _columns: int = 0

    def add_columns(self, element: etree._Element) -> None:
        repeated = _number(element, f"{TABLE}number-columns-repeated")
        if element.get(f"{TABLE}visibility") in _UNSEEN:
            self.hidden_columns.append((self._columns, self._columns + repeated - 1))
        self._columns += repeated

    def add_row(self, element: etree._Element) -> None:
        repeated = _number(element, f"{TABLE}number-rows-repeated")
        number, self._number = self._number + 1, self._number + repeated
        height = self.styles.get(element.get(f"{TABLE}style-name", ""))
        hidden = height == 0 or element.get(f"{TABLE}visibility") in _UNSEEN
        if hidden or height is not None:
            self.heights.add(number, number + repeated - 1, 0 if hidden else height or 0)
        cells: list[str] = []
        faults: dict[int, Any] = {}
        place = 0
        for cell in element.iterchildren(_CELL, _COVERED):
            times = _number(cell, f"{TABLE}number-columns-repeated")
            if place > MOST_COLUMNS:  # reported when the header is read
                break
            if cell.tag == _CELL:
                text, fault = text_and_fault(cell)
                self._note(cell, number, place)
                last = min(place + times, MOST_COLUMNS + 1)
                if text or fault is not None:
                    cells += [""] * (place - len(cells)) + [text] * (last - place)
                if fault is not None:
                    faults |= dict.fromkeys(range(place, last), fault)
            place += times
        if not cells:
            return
        self._cells += len(cells) * repeated
        check_bounds(self._number, self._cells)
        row = SheetRow(number, cells, hidden, faults or NO_FAULTS)
        if not row.blank:
            self.rows.append((row, repeated))

    def _note(self, cell: etree._Element, row: int, column: int) -> None:
        """Note how far a cell spreads, and the pictures in it."""
        down = _number(cell, f"{TABLE}number-rows-spanned")
        right = _number(cell, f"{TABLE}number-columns-spanned")
        if down > 1 or right > 1:
            bottom = min(row + down - 1, MOST_ROWS)
            self.merges.append(Area(row, column, bottom, min(column + right - 1, MOST_COLUMNS)))
        if len(cell):
            for frame in cell.iter(f"{DRAW}frame"):
                self._add_picture(frame, row, column)

    def _add_picture(self, frame: etree._Element, row: int, column: int) -> None:
        """Note a picture; if a frame has several forms of it, the first is the one to show."""
        image = frame.find(f"{DRAW}image")
        if image is None:
            return
        target = image.get(f"{LINK}href") or ""
        part = target.removeprefix("./")
        address = part if ":" in part or part.startswith(("/", "../")) else None
        seen = "turned" if frame.get(f"{DRAW}transform") else None
        found = Picture(row, column, None if address else part or None, (), seen, address)
        height = _length(frame.get(f"{SVG}height"))
        self.drawn.append(Drawn(found, _length(frame.get(f"{SVG}y")), height, row, 0))


def _events(file: IO[bytes], *tags: str) -> Iterator[tuple[str, etree._Element]]:
    yield from etree.iterparse(
        file,
        events=("start", "end"),
        tag=tags,
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )


def _forget(row: etree._Element) -> None:
    """Free the memory of a row and those before it."""
    row.clear()
    above = row.getparent()
    if above is not None:
        while row.getprevious() is not None:
            del above[0]


def _is_sheet(table: etree._Element) -> bool:
    """Return whether a table is a sheet, and not one in a chart or in another cell."""
    above = table.getparent()
    return above is not None and above.tag == _BODY


def _is_unseen(style: etree._Element) -> bool:
    return any(
        one.get(f"{TABLE}display") == "false"
        for one in style.iterchildren(f"{STYLE}table-properties")
    )


def _height_of(style: etree._Element) -> int | None:
    """Return the height of a style's rows in EMU; 0 hides them, None if it is not given."""
    for one in style.iterchildren(f"{STYLE}table-row-properties"):
        said = one.get(f"{STYLE}row-height", "")
        fits = one.get(f"{STYLE}use-optimal-row-height") == "true"
        return _length(said) or (0 if _LENGTH.fullmatch(said) and not fits else None)
    return None


def _length(text: str | None) -> int:
    """Return a length in EMU; 0 if it is not valid."""
    found = _LENGTH.fullmatch(text or "")
    return 0 if found is None else round(float(found[1]) * _EMU[found[2]])


def _number(element: etree._Element, name: str) -> int:
    """Return a repeat or span count; 1 if it is not given."""
    text = element.get(name)
    return max(1, int(text)) if text is not None and text.isdecimal() else 1
