"""Cells of a sheet's XML: finding them, and writing what can't be taken for a formula."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from lxml import etree

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
    """A cell that can be clicked.

    Attributes:
        url: a web address, or a path relative to the workbook.
        text: what the cell says.
    """

    url: str
    text: str

    @property
    def target(self) -> str | None:
        """Return the address as a workbook has it; None where it is not to be clicked."""
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


def letters(column: int) -> str:
    """Name a column, counted from 1, as people see it."""
    named = ""
    while column:
        column, rest = divmod(column - 1, 26)
        named = chr(ord("A") + rest) + named
    return named


def column_of(place: str) -> int | None:
    """Return which column a place like ``C17`` is in, from 1; None if it is no place."""
    found = _PLACE.fullmatch(place.replace("$", ""))
    if found is None:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def row_of(place: str) -> int | None:
    """Return which row a place like ``C17`` is in; None if it is not a place."""
    found = _PLACE.fullmatch(place.replace("$", ""))
    return None if found is None else int(found[2])


def area_of(place: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first and last row and column of ``C17`` or ``A1:B2``; None if it is neither."""
    first, _, last = place.partition(":")
    corners = [(row_of(one), column_of(one)) for one in (first, last or first)]
    (top, left), (bottom, right) = corners
    if top is None or left is None or bottom is None or right is None:
        return None
    return (top, left), (bottom, right)


def insert_behind(root: etree._Element, one: etree._Element, before: Collection[str]) -> None:
    """Put an element into a part behind those that must come before it."""
    behind = None
    for child in root.iterchildren("{*}*"):
        if etree.QName(child).localname in before:
            behind = child
    if behind is None:
        root.insert(0, one)
    else:
        behind.addnext(one)


class Rows:
    """The rows of a sheet, by number; those that are missing are made."""

    def __init__(self, data: etree._Element) -> None:
        self._data = data
        self._rows: dict[int, etree._Element] = {}
        number = 0
        for row in data.iterchildren(tag("row")):
            number = int(row.get("r") or number + 1)
            self._rows[number] = row

    def numbers(self) -> list[int]:
        """List the rows that are there."""
        return list(self._rows)

    def row(self, number: int) -> etree._Element:
        """Return a row."""
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
        """Find the last column in which anything stands."""
        last = 0
        for row in self._rows.values():
            for column, cell in cells_of(row):
                if column > last and len(cell):
                    last = column
        return last


def cells_of(row: etree._Element) -> list[tuple[int, etree._Element]]:
    """List a row's cells with their columns; one without a place comes after the one before."""
    found = []
    column = 0
    for cell in row.iterchildren(tag("c")):
        column = column_of(cell.get("r") or "") or column + 1
        found.append((column, cell))
    return found


def cell_at(
    row: etree._Element, number: int, column: int, there: dict[int, etree._Element]
) -> etree._Element:
    """Return a row's cell, made if need be.

    Args:
        row: the row.
        number: its own.
        column: from 1.
        there: its cells by their columns; a new one is added.
    """
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
    """Write a value into a cell, which keeps its place and its style.

    Args:
        cell: whatever it said is gone.
        value: text, a number, an aware time, a :class:`Link`, or None.
        since_1904: as the workbook counts its days.
    """
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
    """Make a text such that a workbook can hold it; its length is the caller's business."""
    return _ILLEGAL.sub("\ufffd", text)


def length(text: str) -> int:
    """Count a text's characters as Excel does, for which an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def too_long(text: str) -> bool:
    """Check whether a cell can't hold a text."""
    return len(text) * 2 > LONGEST_TEXT and length(text) > LONGEST_TEXT


def shortened(text: str, ending: str) -> str:
    """Keep as many lines of a text as a cell can hold, and say at the end that there is more.

    Args:
        text: one that is :func:`too_long`.
        ending: a last line, which says where the rest is.
    """
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
