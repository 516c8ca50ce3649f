"""The records of .xlsb (MS-XLSB) with what calamine leaves out."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from struct import unpack_from
from typing import Final
from zipfile import ZipFile

from batchsora.manifest.books import shown
from batchsora.manifest.books.model import Area, Marks
from batchsora.manifest.books.xlsx_beside import drawn
from batchsora.workbook.package import package_of, targets, workbook_part

_PROPERTIES: Final = 153
_ROW, _ERROR, _FORMULA_ERROR, _COLUMNS = 0, 3, 11, 60
_SHEET, _MERGED, _TABLE = 156, 176, 343
_NUMBERS: Final = (2, 5, 9)
_FORMAT, _STYLE, _STYLES, _STYLES_END = 44, 47, 617, 618
_HIDDEN_ROW: Final = 0x10
_OWN_HEIGHT: Final = 0x20


def marks_of(path: Path, sheet: str) -> Marks:
    """Read what is known about the cells of a sheet; raise WorkbookError if the file is damaged."""
    found = Marks()
    with package_of(path) as package:
        book = workbook_part(package)
        links = targets(package, book)
        part = next((links[link][1] for link, name in _sheets(package, book) if name == sheet), "")
        there = package.namelist()
        if part not in there:
            return found
        styles = dict(links.values()).get("styles", "")
        forms = _forms(package.read(styles)) if styles in there else []
        row = 0
        for kind, data in _records(package.read(part)):
            if kind == _ROW and len(data) >= 12:  # noqa: PLR2004 - the length of what is read
                row = unpack_from("<I", data)[0] + 1
                flat = data[11] & _OWN_HEIGHT and not unpack_from("<H", data, 8)[0]
                if data[11] & _HIDDEN_ROW or flat:
                    found.hidden_rows.add(row)
            elif kind in _NUMBERS and len(data) >= 8:  # noqa: PLR2004
                column, style = unpack_from("<II", data)
                style &= 0xFFFFFF
                if style < len(forms) and forms[style]:
                    found.forms[row][column] = forms[style]
            else:
                _mark(found, row, kind, data)
        for link, name in targets(package, part).values():
            if link == "drawing" and name in there:
                found.pictures += [one.picture for one in drawn(package, name)]
            elif link == "table" and name in there:
                found.totals += _totals(package.read(name))
    return found


def without_forms(data: bytes) -> tuple[bytes, bool]:
    """Return the bytes of a file without its formats, and whether its days begin in 1904."""
    plain = BytesIO()
    with ZipFile(BytesIO(data)) as package, ZipFile(plain, "w") as copy:
        said = [d for k, d in _records(package.read(workbook_part(package))) if k == _PROPERTIES]
        from_1904 = any(one and one[0] & 1 for one in said)
        for entry in package.infolist():
            if not entry.filename.endswith("styles.bin"):
                copy.writestr(entry.filename, package.read(entry))
    return plain.getvalue(), from_1904


def _mark(found: Marks, row: int, kind: int, data: bytes) -> None:
    """Note the facts of a record; one that is too short has none."""
    if kind in (_ERROR, _FORMULA_ERROR) and len(data) >= 9:  # noqa: PLR2004 - as above
        found.failed(row, unpack_from("<I", data)[0], data[8])
    elif kind == _COLUMNS and len(data) >= 18:  # noqa: PLR2004
        first, last = unpack_from("<II", data)
        if data[16] & 1:
            found.hidden_columns.append((first, last))
    elif kind == _MERGED and len(data) >= 16:  # noqa: PLR2004
        found.merges.append(_area(data))


def _forms(styles: bytes) -> list[str]:
    """Return the number formats of cells, by the number of their style."""
    own: dict[int, str] = {}
    numbers: list[int] = []
    inside = False
    for kind, data in _records(styles):
        if kind in (_STYLES, _STYLES_END):
            inside = kind == _STYLES
        elif kind == _FORMAT and len(data) >= 6:  # noqa: PLR2004 - the length of what is read
            own[unpack_from("<H", data)[0]] = _text(data, 2)[0]
        elif kind == _STYLE and inside and len(data) >= 4:  # noqa: PLR2004
            numbers.append(unpack_from("<H", data, 2)[0])
    return [shown.form_of(number, own) for number in numbers]


def _area(data: bytes) -> Area:
    top, bottom, left, right = unpack_from("<4I", data)
    return Area(top + 1, left, bottom + 1, right)


def _totals(table: bytes) -> Iterator[Area]:
    """Return the area of a table object's totals, if it has any."""
    for kind, data in _records(table):
        if kind == _TABLE and len(data) >= 32:  # noqa: PLR2004 - the length of what is read
            rows = unpack_from("<I", data, 28)[0]
            area = _area(data)
            if rows:
                yield area._replace(top=max(area.top + 1, area.bottom - rows + 1))


def _sheets(package: ZipFile, book: str) -> Iterator[tuple[str, str]]:
    """Return the link and the name of each sheet."""
    for kind, data in _records(package.read(book)):
        if kind == _SHEET:
            link, place = _text(data, 8)
            yield link, _text(data, place)[0]


def _text(data: bytes, start: int) -> tuple[str, int]:
    """Return a text, and where it ends."""
    if start + 4 > len(data):
        return "", len(data)
    end = start + 4 + 2 * unpack_from("<I", data, start)[0]
    return data[start + 4 : end].decode("utf-16-le", "replace"), end


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the kind and content of a part's records."""
    place = 0
    while place < len(data):
        kind, place = _number(data, place, 2)
        size, place = _number(data, place, 4)
        yield kind, data[place : place + size]
        place += size


def _number(data: bytes, place: int, most: int) -> tuple[int, int]:
    """Return a number of up to so many bytes, seven bits each, and where it ends."""
    number = 0
    for count, byte in enumerate(data[place : place + most]):
        number |= (byte & 0x7F) << (7 * count)
        place += 1
        if not byte & 0x80:
            break
    return number, place
