"""Cells of a sheet's XML: found, and written so that nothing is taken for a formula."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from lxml import etree

from batchsora.workbook import letters
from batchsora.workbook.package import MAIN

LONGEST_TEXT: Final = 32_767
"""Characters of a cell, as many as Excel has."""
LONGEST_LINK: Final = 2_079
"""Characters of a link's address, as many as Excel takes."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_PLACE = re.compile("([A-Z]{1,3})([0-9]{1,7})")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
SINCE_1904: Final = 1462
"""Days by which old Macintosh workbooks count later."""


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that can be clicked: ``url`` is a web address, or a path relative to the workbook."""

    url: str
    text: str

    @property
    def target(self) -> str | None:
        """Return the address as a workbook has it; None if it must not be clickable."""
        if self.url.lower().startswith(("http://", "https://")):
            address = quote(self.url, safe="%/:=&?~#+!$,;'@()*[]")
        elif _SCHEME.match(self.url) or self.url.startswith(("/", "\\")):
            return None
        else:
            address = quote(self.url, safe="/")
        return address if len(address) <= LONGEST_LINK else None


def tag(name: str) -> str:
    """Name an element of a sheet."""
    return f"{{{MAIN}}}{name}"


def place_of(place: str) -> tuple[int, int] | None:
    """Return the row and the column of a place like ``C17``, from 1; None if it is not a place."""
    found = _PLACE.fullmatch(place.replace("$", ""))
    if found is None:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]), column


def area_of(place: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first and last row and column of ``C17`` or ``A1:B2``; None if it is neither."""
    first, _, last = place.partition(":")
    top_left, bottom_right = place_of(first), place_of(last or first)
    return None if top_left is None or bottom_right is None else (top_left, bottom_right)


def insert_behind(root: etree._Element, one: etree._Element, before: Collection[str]) -> None:
    """Insert an element behind those that must come before it."""
    behind = None
    for child in root.iterchildren("{*}*"):
        if etree.QName(child).localname in before:
            behind = child
    if behind is None:
        root.insert(0, one)
    else:
        behind.addnext(one)


class Rows:
    """The rows of a sheet, by number; missing ones are made."""

    def __init__(self, data: etree._Element) -> None:
        self._data = data
        self._rows: dict[int, etree._Element] = {}
        number = 0
        for row in data.iterchildren(tag("row")):
            number = int(row.get("r") or number + 1)
            self._rows[number] = row

    def row(self, number: int) -> etree._Element:
        """Return a row, made if it is missing."""
        if (there := self._rows.get(number)) is not None:
            return there
        made = etree.Element(tag("row"), r=str(number))
        later = min((other for other in self._rows if other > number), default=None)
        if later is None:
            self._data.append(made)
        else:
            self._rows[later].addprevious(made)
        self._rows[number] = made
        return made

    def last_used_column(self) -> int:
        """Return the last column with any content."""
        last = 0
        for row in self._rows.values():
            for column, cell in cells_of(row):
                if column > last and len(cell):
                    last = column
        return last


def cells_of(row: etree._Element) -> list[tuple[int, etree._Element]]:
    """Return a row's cells with their columns; one without a place follows the one before it."""
    found = []
    column = 0
    for cell in row.iterchildren(tag("c")):
        column = (place_of(cell.get("r") or "") or (0, column + 1))[1]
        found.append((column, cell))
    return found


def cell_at(
    row: etree._Element, number: int, column: int, there: dict[int, etree._Element]
) -> etree._Element:
    """Return the cell of a row and column (numbers from 1); a new one is added to ``there``."""
    if column in there:
        return there[column]
    made = etree.Element(tag("c"), r=f"{letters(column)}{number}")
    before = max((place for place in there if place < column), default=None)
    if before is None:
        row.insert(0, made)
    else:
        there[before].addnext(made)
    there[column] = made
    return made


def write(cell: etree._Element, value: object, *, since_1904: bool) -> None:
    """Write a text, number, aware time, :class:`Link` or None; place and style stay."""
    place, style = cell.get("r"), cell.get("s")
    for child in list(cell):
        cell.remove(child)
    cell.attrib.clear()
    if place is not None:
        cell.set("r", place)
    if style is not None:
        cell.set("s", style)
    match value:
        case None | "":
            return
        case datetime():
            days = (value - EPOCH) / timedelta(days=1) - (SINCE_1904 if since_1904 else 0)
            etree.SubElement(cell, tag("v")).text = f"{days:.8f}"
        case bool():
            _write_text(cell, str(value))
        case int() | float() | Decimal():
            etree.SubElement(cell, tag("v")).text = f"{value}"
        case Link():
            _write_text(cell, value.text)
        case _:
            _write_text(cell, str(value))


def _write_text(cell: etree._Element, text: str) -> None:
    cell.set("t", "inlineStr")
    words = etree.SubElement(etree.SubElement(cell, tag("is")), tag("t"))
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    words.text = legal(text)


def legal(text: str) -> str:
    """Replace characters that a workbook can't hold; the caller checks the length."""
    return _ILLEGAL.sub("\ufffd", text)


def length(text: str) -> int:
    """Count a text's characters as Excel does, for which an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def too_long(text: str) -> bool:
    """Return whether a text is too long for a cell."""
    return len(text) * 2 > LONGEST_TEXT and length(text) > LONGEST_TEXT


def shortened(text: str, ending: str) -> str:
    """Return as many lines of a :func:`too_long` text as fit, and ``ending`` as the last line."""
    room = LONGEST_TEXT - length(ending) - 1
    kept: list[str] = []
    for line in text.split("\n"):
        room -= length(line) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:
        kept = [text[: (LONGEST_TEXT - length(ending) - 1) // 2]]
    return "\n".join([*kept, ending])
