"""What a sheet of Excel's format has beside its rows: merged cells, totals, pictures.

It lies before and behind the rows in the same part. The rows are cut out of the text first, so that
a million of them need not be parsed.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final
from zipfile import ZipFile

from lxml import etree

from batchsora.manifest.books.model import POINT, Area, Beside, Drawn, Heights, Picture, rows_under
from batchsora.workbook import WorkbookError
from batchsora.workbook.package import SMALL, links_of, parsed, part, targets

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
        sum(
            len(list(anchor.iter("{*}blip")))
            for name in drawings
            for anchor in part(package, name).iterchildren("{*}absoluteAnchor")
        ),
    )


def _without_rows(package: ZipFile, sheet: str) -> bytes:
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
    return _column(reference.rstrip("0123456789").replace("$", ""))


@lru_cache(16_384)
def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            raise WorkbookError(
                "the workbook is damaged: a cell has no position",
                "Open it in your spreadsheet and save it again.",
            )
        number = number * 26 + ord(letter) - 64
    return number - 1


USUAL_HEIGHT: Final = 15.0
"""Points of a row that says nothing else."""
LEAST_CROPPED: Final = 1000
"""Of 100,000: less is rounding."""
MOST_PICTURES: Final = 10_000

_TRUE: Final = ("1", "true")


def drawn(package: ZipFile, drawing: str) -> Iterator[Drawn]:
    """Return the pictures of a drawing that have a place among the cells."""
    links = targets(package, drawing)
    outside = _addresses(package, drawing)
    for anchor in part(package, drawing):
        corner = anchor.find("{*}from")
        row, start = _place(corner, "row"), _place(corner, "rowOff") or 0
        column = _place(corner, "col")
        if row is None or column is None:
            continue
        to, size = anchor.find("{*}to"), anchor.find("{*}ext")
        height = None if size is None else _number(size.get("cy"))
        last, end = _place(to, "row"), _place(to, "rowOff") or 0
        if last is None:
            last, height = row, height or 0
        for blip in anchor.iter("{*}blip"):
            named = {str(k).rpartition("}")[2]: str(v) for k, v in blip.attrib.items()}
            _, name = links.get(named.get("embed", ""), ("", ""))
            address = outside.get(named.get("link", "")) or outside.get(named.get("embed", ""))
            found = Picture(
                row + 1, column, name or None, (), _seen(blip), None if name else address
            )
            yield Drawn(found, start, height, last + 1, end)


def over_rows(
    package: ZipFile, sheet: str, pictures: Sequence[Drawn], beside: etree._Element
) -> list[Picture]:
    """Return pictures with the rows under them; raise WorkbookError for more than any table has."""
    if not pictures:
        return []
    if len(pictures) > MOST_PICTURES:
        raise WorkbookError(
            f"more than {MOST_PICTURES} pictures are on the sheet", "Split the table."
        )
    form = beside.find("{*}sheetFormatPr")
    usual = _points("" if form is None else form.get("defaultRowHeight", ""), USUAL_HEIGHT)
    last = max(max(one.last, one.picture.row) for one in pictures)
    heights = _heights(package, sheet, last, usual)
    return [one.picture._replace(over=rows_under(one, heights)) for one in pictures]


def _heights(package: ZipFile, sheet: str, last: int, usual: int) -> Heights:
    found = Heights(usual)
    number = 0
    with package.open(sheet) as file:
        for row in elements(file, "row", "sheetData"):
            number = int(row.get("r") or number + 1)
            if row.get("hidden") in _TRUE:
                found.add(number, number, 0)
            elif row.get("ht"):
                found.add(number, number, _points(row.get("ht"), usual / POINT))
            if number >= last + 1:
                break
    return found


def _points(text: str | None, usual: float) -> int:
    try:
        height = float(text or usual)
    except ValueError:
        height = usual
    return round(min(4096.0, max(0.0, height)) * POINT)  # in this order NaN is 0


def _seen(blip: etree._Element) -> str | None:
    """Return how a picture is displayed, if differently from its bytes."""
    fill = blip.getparent()
    if fill is None:
        return None
    crop = fill.find("{*}srcRect")
    if crop is not None and any(
        abs(_number(side)) > LEAST_CROPPED for side in crop.attrib.values()
    ):
        return "cropped"
    shape = fill.getparent()
    if shape is not None:
        place = shape.find("{*}spPr/{*}xfrm")
        if place is not None and (
            _number(place.get("rot")) or any(place.get(way) in _TRUE for way in ("flipH", "flipV"))
        ):
            return "turned"
        said = shape.find("{*}nvPicPr/{*}cNvPr")
        if said is not None and said.get("hidden") in _TRUE:
            return "hidden"
    return None


def _place(corner: etree._Element | None, name: str) -> int | None:
    text = "" if corner is None else (corner.findtext(f"{{*}}{name}") or "").strip()
    return int(text) if text.isdecimal() and len(text) < len("2147483648") else None


def _number(text: object) -> int:
    """Return a whole number; 0 if it is not one."""
    said = str(text or "").strip()
    return int(said) if said.lstrip("-").isdecimal() and len(said) < 12 else 0  # noqa: PLR2004


def _addresses(package: ZipFile, name: str) -> dict[str, str]:
    """Return the targets of a part's links that leave the package."""
    links = links_of(name)
    if links not in package.namelist():
        return {}
    return {
        link.get("Id", ""): link.get("Target", "")
        for link in part(package, links)
        if link.get("TargetMode") == "External"
    }


def elements(file: Any, name: str, parent: str) -> Iterator[etree._Element]:
    """Return the elements of one name as they end, and free them afterwards."""
    events = etree.iterparse(
        file,
        events=("end",),
        tag=f"{{*}}{name}",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    for _, element in events:
        above = element.getparent()
        if above is None or not above.tag.endswith(parent):
            continue
        yield element
        element.clear()
        while element.getprevious() is not None:
            del above[0]
