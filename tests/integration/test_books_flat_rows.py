"""A row of height 0 is one that people don't see: it is left out and counted as hidden ones are."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.books import saved_as, seen, told
from support.xlsb import xlsb

from batchsora.manifest.raw import Reading

ROWS = [["id", "prompt"], ["a", "A kite"], ["b", "A secret"], ["c", "A boat"]]
SAID = "Videos!3:3: 1 row is hidden and was left out (row 3). --include-hidden takes it;"


def made(path: Path, height: float | None) -> Path:
    """Save the rows, one of them with a height in points."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    for cells in ROWS:
        sheet.append(cells)
    sheet.row_dimensions[3].height = height
    book.save(path)
    return path


def patched(path: Path, part: str, change: Callable[[str], str]) -> Path:
    """Change a part of a package."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    text = parts[part].decode()
    assert change(text) != text
    parts[part] = change(text).encode()
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def of_openpyxl(folder: Path) -> Path:
    return made(folder / "m.xlsx", 0)


def of_excel(folder: Path) -> Path:
    path = made(folder / "m.xlsx", 20)
    return patched(path, "xl/worksheets/sheet1.xml", lambda text: text.replace('"20"', '"0.0"'))


def as_ods(folder: Path) -> Path:
    path = saved_as("ods", made(folder / "m.xlsx", 20), folder / "office")
    return patched(path, "content.xml", lambda text: re.sub(r'="0\.27\d+in"', '="0in"', text))


def as_xls(folder: Path) -> Path:
    path = saved_as("xls", made(folder / "m.xlsx", 20), folder / "office")
    whole = path.read_bytes()
    row = re.compile(rb"\x08\x02\x10\x00\x02\x00....[\x80-\xa0]\x01", re.DOTALL)
    assert len(row.findall(whole)) == 1  # some 400 twentieths of a point
    path.write_bytes(row.sub(lambda found: found[0][:-2] + b"\0\0", whole))
    return path


def as_xlsb(folder: Path) -> Path:
    return xlsb(folder / "m.xlsb", ROWS, flat=[3])


@pytest.mark.parametrize("write", [of_openpyxl, of_excel, as_ods, as_xls, as_xlsb])
def test_a_row_without_height_is_hidden(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    assert list(seen(path)) == [2, 4]
    (said,) = told(path)
    assert said.startswith(SAID)
    assert list(seen(path, Reading(include_hidden=True))) == [2, 3, 4]


@pytest.mark.parametrize("height", [None, 0.75, 20])
def test_a_low_row_is_a_row(tmp_path: Path, height: float | None) -> None:
    """People see a line of it, at least."""
    assert list(seen(made(tmp_path / "m.xlsx", height))) == [2, 3, 4]
