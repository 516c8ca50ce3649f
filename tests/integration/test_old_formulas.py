"""Texts that formulas make, in an .xls whose program stored the number 0 for them."""

from pathlib import Path
from struct import pack

import openpyxl
import pytest
from support.books import saved_as

from batchsora.manifest.books.xls import gives_number
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec


def made(folder: Path, *rows: list[object]) -> Path:
    """Write a workbook with formulas and without results."""
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    path = folder / "t.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("way", [("ods",), ("ods", "xlsx"), ("xls",), ("ods", "xls")])
def test_a_text_that_a_formula_makes_is_read_as_it_is_seen(
    tmp_path: Path, way: tuple[str, ...]
) -> None:
    """Or it is an error by its cell; LibreOffice stores 0 for texts of an .ods in an .xls."""
    path = made(
        tmp_path,
        ["prompt", "city", "priority"],
        ['="A kite in "&B2', "Lisbon", "=1-1"],
        ["=B3", "A boat", "=SUM(3,4)-7"],
        ["=LOWER(B4)", "A HILL", "=ROUND(0.2,0)"],
    )
    for suffix in way:
        path = saved_as(suffix, path, tmp_path / suffix)
    found = list(open_manifest(path).rows())
    assert len(found) == 3
    if way == ("ods", "xls"):
        problems = [one for one in found if isinstance(one, RowProblem)]
        assert [one.cell for one in problems] == ["Sheet!A2", "Sheet!A3", "Sheet!A4"]
        assert {one.problem for one in problems} == {"the formula's result is not in the file"}
    else:
        jobs = [one for one in found if isinstance(one, JobSpec)]
        assert [job.request.prompt for job in jobs] == ["A kite in Lisbon", "A boat", "a hill"]
        assert [job.priority for job in jobs] == [0, 0, 0]


NUMBER, TEXT = b"\x1e\x07\x00", b"\x17\x02\x00xy"
CELL, ROUND, LOWER, IF = (
    b"\x44\x01\x00\x01\xc0",
    b"\x41\x1b\x00",
    b"\x41\x70\x00",
    b"\x42\x03\x01\x00",
)
SUM_OF_ONE, SPACE = b"\x19\x10\x00\x00", b"\x19\x40\x00\x01"


@pytest.mark.parametrize(
    ("tokens", "number"),
    [
        (NUMBER + NUMBER + b"\x04", True),
        (TEXT, False),
        ("\x17\x01\x01Ж".encode("latin-1", "ignore") + "Ж".encode("utf-16-le"), False),
        (TEXT + CELL + b"\x08", False),
        (TEXT + CELL + b"\x08\x15", False),
        (CELL, None),
        (CELL + NUMBER + ROUND, True),
        (CELL + LOWER, False),
        (CELL + NUMBER + TEXT + IF, None),
        (CELL + NUMBER + b"\x0b", True),
        (b"\x25" + bytes(8) + SUM_OF_ONE, True),
        (NUMBER + SPACE, True),
        (b"\x01" + bytes(4), None),
        (b"\x18\x00", None),
        (b"", None),
        (TEXT[:-1], False),
        (b"\x41", None),
        (b"\x17", None),
    ],
)
def test_the_last_token_tells_what_a_formula_gives(tokens: bytes, *, number: bool | None) -> None:
    """Damaged ones tell nothing, or what they seem to."""
    record = bytes(20) + pack("<H", len(tokens)) + tokens
    assert gives_number(record) is number
    assert gives_number(record[:20]) is None
