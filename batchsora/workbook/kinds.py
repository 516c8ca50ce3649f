"""What a workbook's package says about itself: its kind, its macros, and whether to recalculate."""

import re
from collections.abc import Collection, Mapping
from typing import Final
from xml.sax.saxutils import escape
from zipfile import ZipFile

from lxml import etree

from batchsora.workbook import WorkbookError
from batchsora.workbook.cells import area_of, insert_behind, tag
from batchsora.workbook.package import links_of, part, targets

CONTENT_TYPES: Final = "[Content_Types].xml"
KINDS: Final[Mapping[str, str]] = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    ".xltx": "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    ".xltm": "application/vnd.ms-excel.template.macroEnabled.main+xml",
}
"""The content type of the main part, by suffix; Excel refuses a file in which they disagree."""
WITHOUT_MACROS: Final = (".xlsx", ".xltx")

_BEFORE_CALCULATION: Final = (
    "fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets",
    "functionGroups", "externalReferences", "definedNames",
)  # fmt: skip
_REFERENCES: Final = (
    re.compile(r"\$?([A-Z]{1,3})\$?[0-9]{1,7}(?::\$?([A-Z]{1,3})\$?[0-9]{1,7})?"),
    re.compile(r"\$?([A-Z]{1,3}):\$?([A-Z]{1,3})"),
)
"""A cell or an area, and whole columns."""


def of_kind(
    package: ZipFile, book: str, suffix: str
) -> tuple[dict[str, etree._Element], set[str], list[str]]:
    """Return what makes a package the kind of workbook that the suffix of the new file stands for.

    That is the parts that change, the parts that are left out, and what a person should know.
    Raises WorkbookError for macro sheets (Excel 4.0), which a file of that suffix may not have.
    """
    types = part(package, CONTENT_TYPES)
    changed: dict[str, etree._Element] = {}
    gone: set[str] = set()
    notes: list[str] = []
    for one in types:
        if one.get("PartName", "").lower() == f"/{book}".lower():
            if one.get("ContentType") == KINDS[suffix]:
                return {}, set(), []
            one.set("ContentType", KINDS[suffix])
            changed[CONTENT_TYPES] = types
    if suffix in WITHOUT_MACROS:
        kinds = targets(package, book)
        if any("macrosheet" in kind.lower() for kind, _ in kinds.values()):
            raise WorkbookError(
                f"the workbook has macro sheets, which a {suffix} file can't have",
                "Name a file that ends with .xlsm.",
            )
        dropped = {id_: path for id_, (kind, path) in kinds.items() if kind == "vbaProject"}
        if dropped:
            notes.append(
                f"the macros were left out: a {suffix} file can't have any; .xlsm keeps them"
            )
            links = part(package, links_of(book))
            for link in list(links):
                if link.get("Id") in dropped:
                    links.remove(link)
            changed[links_of(book)] = links
            for path in dropped.values():
                gone |= {path, links_of(path)}
                gone |= {other for _, other in targets(package, path).values()}
            _forget(types, gone)
    return changed, gone, notes


def _forget(types: etree._Element, gone: Collection[str]) -> None:
    """Remove the content types of parts that are left out."""
    for one in list(types):
        if one.get("PartName", "").lstrip("/") in gone or "vbaProject" in one.get(
            "ContentType", ""
        ):
            types.remove(one)


def calculated_when_opened(
    package: ZipFile, book: str, sheet: etree._Element, title: str, columns: Collection[int]
) -> dict[str, etree._Element]:
    """Return the main part, changed to recalculate when opened, if a formula refers to the results.

    The formula's stored value belongs to the earlier results; nothing else in the package says so.
    """
    if not (_looks_at(sheet, columns) or _looked_at_from_elsewhere(package, book, title)):
        return {}
    root = part(package, book)
    calculation = root.find(tag("calcPr"))
    if calculation is None:
        calculation = etree.Element(tag("calcPr"))
        insert_behind(root, calculation, _BEFORE_CALCULATION)
    said = calculation.get("fullCalcOnLoad", "0").lower() in ("1", "true")
    if said or calculation.get("calcMode") == "manual":
        return {}
    calculation.set("fullCalcOnLoad", "1")
    return {book: root}


def _looks_at(sheet: etree._Element, columns: Collection[int]) -> bool:
    """Return whether a formula of the sheet may refer to some of its columns."""
    for formula in sheet.iter(tag("f")):
        text = formula.text or ""
        if "[" in text:  # columns of a table, by their names
            return True
        for first, last in (found for one in _REFERENCES for found in one.findall(text)):
            area = area_of(f"{first}1:{last or first}1")
            if area and any(area[0][1] <= column <= area[1][1] for column in columns):
                return True
    return False


def _looked_at_from_elsewhere(package: ZipFile, book: str, title: str) -> bool:
    """Return whether another sheet has a formula that names this one."""
    named = (title.encode(), escape(title.replace("'", "''")).encode())
    for kind, path in targets(package, book).values():
        if kind == "worksheet" and path in package.namelist():
            content = package.read(path)
            if any(name in content for name in named) and re.search(rb"<(?:\w+:)?f[\s>]", content):
                return True
    return False
