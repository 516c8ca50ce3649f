"""Results written into a copy of a workbook, in which everything else stays as it was.

A library that reads a workbook and saves it again drops what it does not know: charts, slicers, the
stored results of formulas. So the package is copied part by part, and only the sheet, its links and
the styles are edited.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import ZipFile

from lxml import etree

from batchsora.workbook.cells import (
    Link,
    Rows,
    cell_at,
    cells_of,
    column_of,
    letters,
    tag,
    write,
)
from batchsora.workbook.package import (
    LINKS,
    PACKAGE_LINKS,
    links_of,
    package_of,
    part,
    sheet_part,
    targets,
    workbook_part,
)
from batchsora.workbook.styles import Styles

MOST_LINKS: Final = 65_530
"""Links of a sheet, as many as Excel has."""
WIDTHS: Final[Mapping[str, int]] = {
    "video_url": 40,
    "file": 34,
    "error": 40,
    "generation_id": 38,
    "submitted_at": 20,
    "completed_at": 20,
}
"""Characters of the columns that need more than others."""
USUAL_WIDTH: Final = 13

_BEFORE_COLUMNS: Final = ("sheetPr", "dimension", "sheetViews", "sheetFormatPr")
_BEFORE_LINKS: Final = (
    *_BEFORE_COLUMNS, "cols", "sheetData", "sheetCalcPr", "sheetProtection", "protectedRanges",
    "scenarios", "autoFilter", "sortState", "dataConsolidate", "customSheetViews", "mergeCells",
    "phoneticPr", "conditionalFormatting", "dataValidations",
)  # fmt: skip
"""What stands before an element in a sheet (ECMA-376, CT_Worksheet)."""


def annotate(
    source: Path,
    target: BinaryIO,
    sheet: str,
    header_row: int,
    headers: Sequence[str],
    results: Mapping[int, Mapping[str, object]],
    failed: Collection[int],
    columns: Sequence[str],
) -> list[str]:
    """Copy a workbook with results in columns of their own, those of an earlier export replaced.

    Args:
        source: the workbook.
        target: where the copy goes.
        sheet: the name of the sheet.
        header_row: the row of its header, from 1.
        headers: as they stand there, from the first column on.
        results: by row and column; values are texts, numbers, aware times, :class:`Link` and None.
        failed: the rows whose results are marked.
        columns: of the results, in order.

    Returns:
        What a person should know about the copy.

    Raises:
        WorkbookError: the workbook can't be read.
    """
    with package_of(source) as package:
        book = workbook_part(package)
        name = sheet_part(package, book, sheet)
        styles_name = next(
            (path for kind, path in targets(package, book).values() if kind == "styles"), None
        )
        styles_root = None if styles_name is None else part(package, styles_name)
        styles = None if styles_root is None else Styles(styles_root)
        root = part(package, name)
        links = _Links(package, name, root)
        edit = _Edit(root, styles, links, since_1904=_since_1904(part(package, book)))
        edit.write(header_row, headers, results, failed, columns)
        changed = {name: root} | links.changed()
        if styles_name is not None and styles_root is not None and styles and styles.changed:
            changed[styles_name] = styles_root
        _copy(package, target, changed)
        notes = [] if styles else ["the workbook has no styles: failed rows are not marked"]
        if any(part_name.startswith("_xmlsignatures") for part_name in package.namelist()):
            notes.append("the workbook was signed; the copy's signature is no longer valid")
        return notes + links.notes


def _since_1904(book: etree._Element) -> bool:
    settings = book.find(tag("workbookPr"))
    return settings is not None and settings.get("date1904", "0").lower() in ("1", "true")


def _copy(package: ZipFile, target: BinaryIO, changed: Mapping[str, etree._Element]) -> None:
    with ZipFile(target, "w") as copy:
        for info in package.infolist():
            if (root := changed.get(info.filename)) is not None:
                content = _serialized(root)
            else:
                content = package.read(info)
            copy.writestr(info, content, info.compress_type)
        for name, root in changed.items():
            if name not in package.namelist():
                copy.writestr(name, _serialized(root))


def _serialized(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


class _Links:
    """The links of a sheet: those of its cells, and where they lead."""

    def __init__(self, package: ZipFile, name: str, sheet: etree._Element) -> None:
        self._name = links_of(name)
        self._sheet = sheet
        there = self._name in package.namelist()
        self._leads = (
            part(package, self._name)
            if there
            else etree.Element(f"{{{PACKAGE_LINKS}}}Relationships", nsmap={None: PACKAGE_LINKS})  # type: ignore[dict-item]
        )
        self._used = {link.get("Id") for link in self._leads}
        self._cells = sheet.find(tag("hyperlinks"))
        self._count = 0 if self._cells is None else len(self._cells)
        self._next = 1
        self.notes: list[str] = []

    def changed(self) -> dict[str, etree._Element]:
        """Give the part, if anything of it is to be written."""
        if self._cells is not None and not len(self._cells):
            self._sheet.remove(self._cells)
        return {self._name: self._leads} if len(self._leads) else {}

    def forget(self, columns: Collection[int], rows: Collection[int]) -> None:
        """Remove the links of an earlier export."""
        gone = set()
        for link in [] if self._cells is None else list(self._cells):
            place = (link.get("ref") or "").partition(":")[0]
            digits = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$")
            if column_of(place) in columns and digits.isdecimal() and int(digits) in rows:
                link.getparent().remove(link)  # type: ignore[union-attr]
                gone.add(link.get(f"{{{LINKS}}}id"))
                self._count -= 1
        for link in list(self._leads):
            if link.get("Id") in gone:
                self._leads.remove(link)
        self._used -= gone

    def add(self, place: str, target: str) -> bool:
        """Make a cell clickable; False when the sheet has as many links as it may."""
        if self._count >= MOST_LINKS:
            if not self.notes:
                self.notes.append(f"a sheet has {MOST_LINKS} links at most; the others are texts")
            return False
        while f"rId{self._next}" in self._used:
            self._next += 1
        number = f"rId{self._next}"
        self._used.add(number)
        etree.SubElement(
            self._leads, f"{{{PACKAGE_LINKS}}}Relationship", Id=number, Type=f"{LINKS}/hyperlink",
            Target=target, TargetMode="External",
        )  # fmt: skip
        if self._cells is None:
            self._cells = etree.Element(tag("hyperlinks"))
            _insert(self._sheet, self._cells, _BEFORE_LINKS)
        link = etree.SubElement(self._cells, tag("hyperlink"), ref=place)
        link.set(f"{{{LINKS}}}id", number)
        self._count += 1
        return True


class _Edit:
    """One sheet, while it gets its results."""

    def __init__(
        self, root: etree._Element, styles: Styles | None, links: _Links, *, since_1904: bool
    ) -> None:
        self._root = root
        self._styles = styles
        self._links = links
        self._since_1904 = since_1904
        data = root.find(tag("sheetData"))
        if data is None:
            data = etree.Element(tag("sheetData"))
            _insert(root, data, (*_BEFORE_COLUMNS, "cols"))
        self._rows = Rows(data)

    def write(
        self,
        header_row: int,
        headers: Sequence[str],
        results: Mapping[int, Mapping[str, object]],
        failed: Collection[int],
        columns: Sequence[str],
    ) -> None:
        """Write everything."""
        places = _places(headers, columns)
        if places:  # also rows that have no results any more
            self._links.forget(set(places.values()), self._rows.numbers())
        else:
            first = max(self._rows.last_used_column(), len(headers)) + 1
            places = {name: first + number for number, name in enumerate(columns)}
            self._name_columns(header_row, places)
        for number in sorted({*results, *self._rows.numbers()} - {header_row}):
            self._write_row(number, results.get(number), places, red=number in failed)
        self._set_size(max(places.values()))

    def _name_columns(self, header_row: int, places: Mapping[str, int]) -> None:
        row = self._rows.row(header_row)
        there = dict(cells_of(row))
        left = there.get(min(places.values()) - 1)
        for name, column in places.items():
            cell = cell_at(row, header_row, column, there)
            if left is not None and left.get("s"):
                cell.set("s", left.get("s") or "")
            write(cell, name, since_1904=False)
            self._widen(column, WIDTHS.get(name, USUAL_WIDTH))
        row.attrib.pop("spans", "")

    def _write_row(
        self,
        number: int,
        results: Mapping[str, object] | None,
        places: Mapping[str, int],
        *,
        red: bool,
    ) -> None:
        row = self._rows.row(number)
        there = dict(cells_of(row))
        for name, column in places.items():
            value = None if results is None else results.get(name)
            if column not in there and (results is None or (value in (None, "") and not red)):
                continue
            cell = cell_at(row, number, column, there)
            write(cell, value, since_1904=self._since_1904)
            linked = (
                isinstance(value, Link)
                and value.target is not None
                and self._links.add(f"{letters(column)}{number}", value.target)
            )
            if self._styles is not None:
                moment = name.endswith("_at") and value not in (None, "")
                style = self._styles.derived(
                    int(cell.get("s") or 0), red=red, link=linked, moment=moment
                )
                if style or cell.get("s"):
                    cell.set("s", str(style))
        row.attrib.pop("spans", "")

    def _widen(self, column: int, width: int) -> None:
        """Give a column a width, unless it has one."""
        widths = self._root.find(tag("cols"))
        if widths is None:
            widths = etree.Element(tag("cols"))
            _insert(self._root, widths, _BEFORE_COLUMNS)
        after = None
        for one in widths:
            if int(one.get("min") or 1) <= column <= int(one.get("max") or 1):
                return
            if int(one.get("min") or 1) < column:
                after = one
        made = etree.Element(
            tag("col"), min=str(column), max=str(column), width=str(width), customWidth="1"
        )
        if after is None:
            widths.insert(0, made)
        else:
            after.addnext(made)

    def _set_size(self, last: int) -> None:
        size = self._root.find(tag("dimension"))
        if size is not None:
            rows = [*self._rows.numbers()] or [1]
            size.set("ref", f"A{min(rows)}:{letters(last)}{max(rows)}")


def _places(headers: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """Find the columns of an earlier export; some of them alone are the person's own."""
    there = {header.strip().casefold(): place for place, header in enumerate(headers, 1)}
    if not all(name in there for name in columns):
        return {}
    return {name: there[name] for name in columns}


def _insert(root: etree._Element, one: etree._Element, before: Collection[str]) -> None:
    """Put an element into a sheet behind those that must stand before it."""
    behind = None
    for child in root.iterchildren("{*}*"):
        if etree.QName(child).localname in before:
            behind = child
    if behind is None:
        root.insert(0, one)
    else:
        behind.addnext(one)
