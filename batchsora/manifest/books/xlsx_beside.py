"""What a sheet of Excel's format has beside its rows: merged cells, totals, pictures.

It lies before and behind the rows in the same part. The rows are cut out of the text first, so that
a million of them need not be parsed.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from zipfile import ZipFile

from lxml import etree

from batchsora.manifest.books.model import Area, Beside
from batchsora.manifest.books.xlsx_pictures import drawn, loose_pictures, over_rows
from batchsora.workbook.package import SMALL, parsed, part, targets
from batchsora.workbook.problems import WorkbookError

_BEGIN: Final = re.compile(rb"<(?:[\w.-]+:)?sheetData(?:\s[^>]*)?(?P<empty>/)?>")
_END: Final = re.compile(rb"</(?:[\w.-]+:)?sheetData\s*>")
_BLOCK: Final = 1024**2
_LONGEST_TAG: Final = 4096
_AREA: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})(?::\$?([A-Za-z]{1,3})\$?(\d{1,7}))?")


def read_beside(package: ZipFile, sheet: str, *, measured: bool) -> Beside:
    """Read what a sheet has beside its rows; ``measured``: also the rows under each picture.

    That needs reading all rows. Raises WorkbookError if there is more of it than any sheet has.
    """
    root = parsed(_without_rows(package, sheet))
    merges = [
        area
        for one in root.iterfind("{*}mergeCells/{*}mergeCell")
        if (area := area_of(one.get("ref", ""))) is not None
    ]
    hidden = [
        (int(one.get("min", "1")) - 1, int(one.get("max", "1")) - 1)
        for one in root.iterfind("{*}cols/{*}col")
        if one.get("hidden") in ("1", "true")
    ]
    links = list(targets(package, sheet).values())
    there = package.namelist()
    drawings = [name for kind, name in links if kind == "drawing" and name in there]
    pictures = [one for name in drawings for one in drawn(package, name)]
    return Beside(
        merges,
        [
            area
            for kind, name in links
            if kind == "table" and name in there
            for area in _totals(part(package, name))
        ],
        hidden,
        over_rows(package, sheet, pictures, root)
        if measured
        else [one.picture for one in pictures],
        sum(loose_pictures(package, name) for name in drawings),
    )


def _without_rows(package: ZipFile, sheet: str) -> bytes:
    """Return a sheet's part without its rows."""
    kept, seen, began = b"", b"", False
    with package.open(sheet) as file:
        while block := file.read(_BLOCK):
            seen += block
            if not began and (found := _BEGIN.search(seen)) is not None:
                began = True
                kept, seen = seen[: found.end()], seen[found.end() :]
                if found["empty"]:
                    break
            if began and (end := _END.search(seen)) is not None:
                kept += seen[end.start() :]
                seen = b""
                break
            if began:
                seen = seen[-_LONGEST_TAG:]
            _check_size(seen)
        while block := file.read(_BLOCK):
            seen += block
            _check_size(seen)
    # where no rows were found, which another encoding does, all of it is there
    return kept + seen


def _check_size(content: bytes) -> None:
    if len(content) > SMALL:
        raise WorkbookError(
            f"the sheet has more than {SMALL // _BLOCK} MB besides its rows",
            "Copy the table alone into a new workbook.",
        )


def _totals(table: etree._Element) -> Iterator[Area]:
    """Return the area of a table object's totals, if it has any."""
    area = area_of(table.get("ref", ""))
    rows = table.get("totalsRowCount", "0")
    if area is not None and rows.isdecimal() and int(rows):
        yield area._replace(top=max(area.top + 1, area.bottom - int(rows) + 1))


def area_of(reference: str) -> Area | None:
    """Return the area of ``"B2:C4"`` or ``"B2"``; None if it is neither."""
    found = _AREA.fullmatch(reference.strip())
    if found is None:
        return None
    left, top = place_of(found[1]), int(found[2])
    right, bottom = place_of(found[3] or found[1]), int(found[4] or found[2])
    return Area(min(top, bottom), min(left, right), max(top, bottom), max(left, right))


def place_of(reference: str) -> int:
    """Return the column of a cell, from 0: ``"C17"`` is in 2."""
    return _place(reference.rstrip("0123456789").replace("$", ""))


@lru_cache(16_384)
def _place(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            raise WorkbookError(
                "the workbook is damaged: a cell has no position",
                "Open it in your spreadsheet and save it again.",
            )
        number = number * 26 + ord(letter) - 64
    return number - 1
