"""Write results into a copy of a workbook, in which everything else stays as it was.

A library that reads and saves a workbook drops what it does not know: charts, slicers, the stored
results of formulas. So the package is copied part by part, and only the sheet, its links and the
styles are edited.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZipFile

from lxml import etree

from batchsora.result_columns import USUAL_WIDTH, WIDTHS
from batchsora.workbook import WorkbookError, letters
from batchsora.workbook.cells import (
    Link,
    Rows,
    area_of,
    cell_at,
    cells_of,
    insert_behind,
    tag,
    write,
)
from batchsora.workbook.kinds import calculated_when_opened, of_kind
from batchsora.workbook.links import BEFORE_COLUMNS, Links
from batchsora.workbook.package import package_of, part, sheet_part, targets, workbook_part
from batchsora.workbook.styles import Styles


def widen(sheet: etree._Element, column: int, width: int) -> None:
    """Set the width of a new column (from 1) in characters unless it has one, and show it."""
    widths = sheet.find(tag("cols"))
    if widths is None:
        widths = etree.Element(tag("cols"))
        insert_behind(sheet, widths, BEFORE_COLUMNS)
    after = None
    for one in widths:
        first, last = int(one.get("min") or 1), int(one.get("max") or 1)
        if first <= column <= last:
            if one.get("hidden", "0").lower() in ("1", "true") or one.get("width") == "0":
                _show(one, first, last, column, width)
            return
        if first < column:
            after = one
    made = etree.Element(
        tag("col"), min=str(column), max=str(column), width=str(width), customWidth="1"
    )
    if after is None:
        widths.insert(0, made)
    else:
        after.addnext(made)


def _show(hidden: etree._Element, first: int, last: int, column: int, width: int) -> None:
    """Separate one column from those that are hidden together, and show it."""
    if column < last:
        right = deepcopy(hidden)
        right.set("min", str(column + 1))
        hidden.addnext(right)
    shown = deepcopy(hidden)
    shown.set("min", str(column))
    shown.set("max", str(column))
    shown.set("width", str(width))
    shown.set("customWidth", "1")
    for name in ("hidden", "collapsed", "outlineLevel"):
        shown.attrib.pop(name, "")
    hidden.addnext(shown)
    if column > first:
        hidden.set("max", str(column - 1))
    else:
        parent = hidden.getparent()
        if parent is not None:
            parent.remove(hidden)


MOST_COLUMNS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the results of a sheet go: headers, those ``there`` already (from 1), and its width."""

    headers: Mapping[str, str]
    there: Mapping[str, int] = field(default_factory=dict)
    width: int = 0


def annotate(
    source: Path,
    target: BinaryIO,
    sheet: str,
    header_row: int,
    results: Mapping[int, Mapping[str, object]],
    failed: Collection[int],
    columns: Columns,
    suffix: str | None = None,
) -> list[str]:
    """Copy a workbook with results in columns of their own, replacing those of an earlier export.

    Only cells of rows with results, in columns of ours, and the headers of new columns are written.
    Values are texts, numbers, aware times, :class:`Link` and None, by row and result. The results
    of ``failed`` rows are marked. The copy becomes the kind of workbook of ``suffix``; None keeps
    it.

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
        links = Links(package, name, root)
        settings = part(package, book).find(tag("workbookPr"))
        said = "0" if settings is None else settings.get("date1904", "0")
        edit = _Edit(root, styles, links, since_1904=said.lower() in ("1", "true"))
        written = edit.write(header_row, results, failed, columns)
        changed = {name: root} | links.changed()
        changed |= calculated_when_opened(package, book, root, sheet, written)
        if styles_name is not None and styles_root is not None and styles and styles.changed:
            changed[styles_name] = styles_root
        gone: set[str] = set()
        notes = [] if styles else ["the workbook has no styles: failed rows are not marked"]
        if suffix is not None:
            kind, gone, dropped = of_kind(package, book, suffix)
            changed |= kind
            notes += dropped
        _copy(package, target, changed, gone)
        if any(part_name.startswith("_xmlsignatures") for part_name in package.namelist()):
            notes.append("the workbook was signed; the copy's signature is no longer valid")
        return notes + edit.notes + links.notes


def _copy(
    package: ZipFile,
    target: BinaryIO,
    changed: Mapping[str, etree._Element],
    gone: Collection[str],
) -> None:
    with ZipFile(target, "w") as copy:
        for info in package.infolist():
            if info.filename in gone:
                continue
            if (root := changed.get(info.filename)) is not None:
                content = _serialized(root)
            else:
                content = package.read(info)
            copy.writestr(info, content, info.compress_type)
        for name, root in changed.items():
            if name not in package.namelist():
                copy.writestr(name, _serialized(root), ZIP_DEFLATED)


def _serialized(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


class _Edit:
    def __init__(
        self, root: etree._Element, styles: Styles | None, links: Links, *, since_1904: bool
    ) -> None:
        self._root = root
        self._styles = styles
        self._links = links
        self._since_1904 = since_1904
        data = root.find(tag("sheetData"))
        if data is None:
            data = etree.Element(tag("sheetData"))
            insert_behind(root, data, (*BEFORE_COLUMNS, "cols"))
        self._rows = Rows(data)
        self._own: list[str] = []

    @property
    def notes(self) -> list[str]:
        """Return which cells were not written."""
        if not self._own:
            return []
        more = f" and {len(self._own) - 3} more" if len(self._own) > 3 else ""  # noqa: PLR2004
        return [f"your own formulas stay in result columns: {', '.join(self._own[:3])}{more}"]

    def write(
        self,
        header_row: int,
        results: Mapping[int, Mapping[str, object]],
        failed: Collection[int],
        columns: Columns,
    ) -> list[int]:
        """Write everything, and return the columns of the results."""
        places = dict(columns.there)
        missing = [name for name in columns.headers if name not in places]
        first = max(self._last_used(header_row, results), columns.width, *places.values(), 0) + 1
        if first + len(missing) > MOST_COLUMNS:
            raise WorkbookError(
                "the sheet has no room for the results: its last columns are in use",
                "Write a table with -o results.csv instead.",
            )
        added = {name: first + number for number, name in enumerate(missing)}
        self._links.forget(set(places.values()), set(results))
        self._name_columns(header_row, columns.headers, added)
        places |= added
        for number in sorted(set(results) - {header_row}):
            self._write_row(number, results[number], places, red=number in failed)
        self._set_size([header_row, *results], max(places.values(), default=1))
        return sorted(places.values())

    def _last_used(self, header_row: int, results: Collection[int]) -> int:
        """Find the last column in use, or covered by a merged cell in a row that we write."""
        last = self._rows.last_used_column()
        for one in self._root.iterfind(f"{tag('mergeCells')}/{tag('mergeCell')}"):
            area = area_of(one.get("ref") or "")
            if area is not None:
                (top, _), (bottom, right) = area
                if right > last and any(top <= row <= bottom for row in (header_row, *results)):
                    last = right
        return last

    def _name_columns(
        self, header_row: int, headers: Mapping[str, str], added: Mapping[str, int]
    ) -> None:
        if not added:
            return
        row = self._rows.row(header_row)
        there = dict(cells_of(row))
        left = there.get(min(added.values()) - 1)
        for name, column in added.items():
            cell = cell_at(row, header_row, column, there)
            if left is not None and left.get("s"):
                cell.set("s", left.get("s") or "")
            write(cell, headers[name], since_1904=False)
            widen(self._root, column, WIDTHS.get(name, USUAL_WIDTH))
        row.attrib.pop("spans", "")

    def _write_row(
        self, number: int, results: Mapping[str, object], places: Mapping[str, int], *, red: bool
    ) -> None:
        row = self._rows.row(number)
        there = dict(cells_of(row))
        for name, column in places.items():
            value = results.get(name)
            if column not in there and value in (None, "") and not red:
                continue
            cell = cell_at(row, number, column, there)
            if cell.find(tag("f")) is not None:
                self._own.append(f"{letters(column)}{number}")
                continue
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

    def _set_size(self, rows: Collection[int], last: int) -> None:
        size = self._root.find(tag("dimension"))
        area = None if size is None else area_of(size.get("ref") or "")
        if size is None or area is None:
            return
        (top, left), (bottom, right) = area
        top, bottom = min(top, *rows), max(bottom, *rows)
        size.set("ref", f"{letters(left)}{top}:{letters(max(right, last))}{bottom}")
