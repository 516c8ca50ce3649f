"""Pictures that float over the cells of Excel's format: where they lie, and what of them is seen.

A picture that is cropped, turned or hidden in the sheet looks different from its part.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from zipfile import ZipFile

from lxml import etree

from batchsora.manifest.books.model import Picture
from batchsora.manifest.books.over import POINT, Drawn, Heights, rows_under
from batchsora.workbook.package import links_of, part, targets
from batchsora.workbook.problems import WorkbookError

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


def loose_pictures(package: ZipFile, drawing: str) -> int:
    """Return how many pictures of a drawing have no place among the cells."""
    anchors = part(package, drawing).iterchildren("{*}absoluteAnchor")
    return sum(1 for anchor in anchors for _ in anchor.iter("{*}blip"))


def over_rows(
    package: ZipFile, sheet: str, pictures: Sequence[Drawn], beside: etree._Element
) -> list[Picture]:
    """Return pictures with the rows under them, by the rows' heights; ``beside`` is without rows.

    Raises:
        WorkbookError: there are more than any table has.
    """
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
    """Return the heights of a sheet's rows that have one."""
    found = Heights(usual)
    number = 0
    with package.open(sheet) as file:
        events = etree.iterparse(
            file, events=("end",), tag="{*}row", resolve_entities=False, no_network=True
        )
        for _, row in events:
            number = int(row.get("r") or number + 1)
            if row.get("hidden") in _TRUE:
                found.add(number, number, 0)
            elif row.get("ht"):
                found.add(number, number, _points(row.get("ht"), usual / POINT))
            above = row.getparent()
            row.clear()
            while above is not None and row.getprevious() is not None:
                del above[0]
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
