"""A writer of .xlsb for tests, by MS-XLSB: no program that is free writes it."""

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from struct import pack
from types import MappingProxyType
from typing import Final

_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"


class Failed(str):
    """A cell whose formula has failed: what it shows."""

    __slots__ = ()


_NUMBERS: Final = {"#DIV/0!": 0x07, "#N/A": 0x2A, "#REF!": 0x17}


def record(kind: int, data: bytes = b"") -> bytes:
    """Write a record."""
    numbers = bytearray()
    for number in (kind, len(data)):
        while True:
            number, byte = number >> 7, number & 0x7F  # noqa: PLW2901 - seven bits each
            numbers.append(byte | (0x80 if number else 0))
            if not number:
                break
    return bytes(numbers) + data


def text(words: str) -> bytes:
    """Write a text with its length."""
    return pack("<I", len(words)) + words.encode("utf-16-le")


def _styles(forms: Iterable[str]) -> bytes:
    """Write the styles of cells, one for each number format behind the plain one."""
    numbered = list(enumerate(forms, 164))
    styles = record(278) + record(615, pack("<I", len(numbered)))
    styles += b"".join(record(44, pack("<H", number) + text(form)) for number, form in numbered)
    styles += record(616) + record(626, pack("<I", 1))
    styles += record(47, pack("<6HI", 0xFFFF, 0, 0, 0, 0, 0, 0)) + record(627)
    styles += record(617, pack("<I", len(numbered) + 1))
    for number in (0, *(number for number, _ in numbered)):
        styles += record(47, pack("<6HI", 0, number, 0, 0, 0, 0, 1 << 16))
    return styles + record(618) + record(279)


def xlsb(
    path: Path,
    rows: Sequence[Sequence[str | float | None]],
    *,
    hidden: Sequence[int] = (),
    flat: Sequence[int] = (),
    forms: Mapping[tuple[int, int], str] = MappingProxyType({}),
    merges: Sequence[tuple[int, int, int, int]] = (),
) -> Path:
    """Write a workbook of one sheet.

    Args:
        path: of the file.
        rows: texts, numbers, :class:`Failed`; None is no cell.
        hidden: rows that people don't see, from 1.
        flat: rows whose height is 0, from 1.
        forms: number formats of cells, by row and column from 0.
        merges: first and last row, first and last column of merged cells, all from 0.
    """
    sheet = record(129) + record(147, b"\0" * 23)
    height = len(rows)
    width = max(map(len, rows))
    sheet += record(148, pack("<4I", 0, height - 1, 0, width - 1)) + record(145)
    for number, cells in enumerate(rows):
        flags = 0x10 if number + 1 in hidden else 0x20 if number + 1 in flat else 0
        tall = 0 if number + 1 in flat else 300
        sheet += record(0, pack("<IIHBBBI2I", number, 0, tall, 0, flags, 0, 1, 0, width - 1))
        for column, value in enumerate(cells):
            styles = [*forms].index((number, column)) + 1 if (number, column) in forms else 0
            place = pack("<II", column, styles)
            if isinstance(value, Failed):
                sheet += record(3, place + bytes([_NUMBERS[value]]))
            elif isinstance(value, str):
                sheet += record(6, place + text(value))
            elif value is not None:
                sheet += record(5, place + pack("<d", value))
    sheet += record(146)
    if merges:
        sheet += record(177, pack("<I", len(merges)))
        sheet += b"".join(record(176, pack("<4I", *area)) for area in merges) + record(178)
    sheet += record(130)
    book = (
        record(131) + record(143) + record(156, pack("<II", 0, 1) + text("rId1") + text("Videos"))
    )
    book += record(144) + record(132)
    types = "application/vnd.ms-excel"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f"""<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"
            ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
            <Override PartName="/xl/workbook.bin"
             ContentType="{types}.sheet.binary.macroEnabled.main"/>
            <Override PartName="/xl/styles.bin" ContentType="{types}.styles"/>
            <Override PartName="/xl/worksheets/sheet1.bin" ContentType="{types}.worksheet"/>
            </Types>""",
        "_rels/.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"
            Type="{_LINKS}/officeDocument" Target="xl/workbook.bin"/></Relationships>""",
        "xl/_rels/workbook.bin.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.bin"/>
            <Relationship Id="rId2" Type="{_LINKS}/styles" Target="styles.bin"/>
            </Relationships>""",
        "xl/workbook.bin": book,
        "xl/styles.bin": _styles(forms.values()),
        "xl/worksheets/sheet1.bin": sheet,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path
