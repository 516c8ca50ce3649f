"""Pictures in cells of Excel's format: placed there, or shown by a formula of WPS.

Excel names them by a chain of numbers: a cell's ``vm`` is an index of the metadata, this one of the
rich values, this one of their links. WPS names them by an id, in a part of its own.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeVar
from zipfile import ZipFile

from lxml import etree

from batchsora.manifest.books.model import Picture
from batchsora.manifest.books.xlsx_cells import RICH_VALUE
from batchsora.workbook.package import part, targets

T = TypeVar("T")

_BY_WPS: Final = re.compile(r"DISPIMG\s*\(\s*\"([^\"]{1,255})\"", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\bIMAGE\s*\(\s*\"+(https?://[^\"]{1,2000})\"", re.IGNORECASE)
_LINKED: Final = re.compile(r"\bIMAGE\s*\(", re.IGNORECASE)
_LOCAL: Final = "_localImage"
_WEB: Final = "_webImage"
_IDENTIFIER: Final = "_rvRel:LocalImageIdentifier"


class InCells:
    """The pictures in the cells of a workbook."""

    def __init__(self, package: ZipFile, book: str) -> None:
        parts: dict[str, str] = {}
        for kind, name in targets(package, book).values():
            if name in package.namelist():
                parts.setdefault(kind.lower(), name)
        self._by_number = _placed(package, parts)
        images = parts.get("cellimage") or parts.get("cellimages")
        self._by_id = {} if images is None else _of_wps(package, images)

    def find(self, key: str) -> Picture | None:
        """Return a picture by what its cell says (:class:`PictureInCellError`)."""
        if key.startswith(RICH_VALUE):
            return self._by_number.get(key.removeprefix(RICH_VALUE), _NOWHERE)
        found = _BY_WPS.search(key)
        if found is not None:
            return Picture(0, 0, self._by_id.get(found[1]))
        if _LINKED.search(key) is not None:
            address = _ADDRESS.search(key)
            return Picture(0, 0, None, address="" if address is None else address[1])
        return _NOWHERE


_NOWHERE: Final = Picture(0, 0, None)


def _placed(package: ZipFile, parts: Mapping[str, str]) -> dict[str, Picture | None]:
    """Follow the chain from the numbers of cells; None for a rich value that is not a picture."""
    names = ("sheetmetadata", "rdrichvalue", "rdrichvaluestructure", "richvaluerel")
    if any(name not in parts for name in names):
        return {}
    metadata, values, structures, links = (part(package, parts[name]) for name in names)
    leads = targets(package, parts["richvaluerel"])
    linked = [leads.get(link_of(one), ("", ""))[1] for one in links.iterfind("{*}rel")]
    kinds = [
        (one.get("t", ""), [key.get("n", "") for key in one.iterfind("{*}k")])
        for one in structures.iterfind("{*}s")
    ]
    rich: list[Picture | None] = []
    for one in values.iterfind("{*}rv"):
        kind, keys = _at(kinds, one.get("s")) or ("", [])
        said = dict(zip(keys, [value.text or "" for value in one.iterfind("{*}v")], strict=False))
        if kind == _LOCAL:
            rich.append(Picture(0, 0, _at(linked, said.get(_IDENTIFIER)) or None))
        else:
            rich.append(Picture(0, 0, None, address="") if kind == _WEB else None)
    return _numbered(metadata, rich)


def _numbered(metadata: etree._Element, rich: list[Picture | None]) -> dict[str, Picture | None]:
    types = [one.get("name", "") for one in metadata.iterfind("{*}metadataTypes/{*}metadataType")]
    blocks: list[str | None] = []
    for future in metadata.iterfind("{*}futureMetadata"):
        if future.get("name") == "XLRICHVALUE":
            found_in = (one.iter("{*}rvb") for one in future.iterfind("{*}bk"))
            blocks = [next((one.get("i") for one in each), None) for each in found_in]
    found: dict[str, Picture | None] = {}
    for number, one in enumerate(metadata.iterfind("{*}valueMetadata/{*}bk"), 1):
        for record in one.iterfind("{*}rc"):
            kind = record.get("t", "")
            place = str(int(kind) - 1) if kind.isdecimal() and kind != "0" else None
            if _at(types, place) == "XLRICHVALUE":
                value = _at(blocks, record.get("v"))
                found[str(number)] = None if value is None else _at(rich, value)
    return found


def _at(items: list[T], place: str | None) -> T | None:
    """Return the item with the number that a part gives; None if there is none."""
    if place is None or not place.isdecimal() or len(place) > 9:  # noqa: PLR2004
        return None
    return items[int(place)] if int(place) < len(items) else None


def _of_wps(package: ZipFile, name: str) -> dict[str, str]:
    """Return the part of each id of WPS."""
    leads = targets(package, name)
    found: dict[str, str] = {}
    for picture in part(package, name).iter("{*}pic"):
        said = picture.find("{*}nvPicPr/{*}cNvPr")
        blip = picture.find("{*}blipFill/{*}blip")
        if said is not None and blip is not None:
            found[said.get("name", "")] = leads.get(link_of(blip, "embed"), ("", ""))[1]
    return found


def link_of(element: etree._Element, name: str = "id") -> str:
    """Return a link, whose attribute has another namespace in the strict kind."""
    ending = f"}}{name}"
    return next((str(v) for k, v in element.attrib.items() if str(k).endswith(ending)), "")
