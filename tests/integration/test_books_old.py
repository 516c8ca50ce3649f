"""Excel's binary formats: failed, merged and hidden cells, which their library leaves out."""

from pathlib import Path

import openpyxl
import pytest
from support.books import DATA, faults, read, saved_as, told
from support.xlsb import Failed, xlsb

from batchsora.manifest.books.xls import Xls
from batchsora.manifest.raw import RawRow, Reading
from batchsora.workbook import WorkbookError

ROWS = (
    ["id", "prompt", "duration", "note"],
    ["a", "A fox", 15, Failed("#N/A")],
    ["b", "A heron", None, "x"],
    ["c", "Hidden", 10, None],
    ["d", Failed("#DIV/0!"), 10, None],
)


def test_errors_of_an_old_file_are_named_by_their_cells() -> None:
    """Failed formulas, and errors that were pasted as values."""
    found = faults(DATA / "errors.xls")
    assert {cell: one.found for cell, one in found.items()} == {
        "Videos!C2": "#N/A",
        "Videos!D2": "#DIV/0!",
    }


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a table of all kinds of cells as .xls, by LibreOffice."""
    folder = tmp_path_factory.mktemp("office")
    made = folder / "made.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Videos"
    for cells in (
        ["id", "prompt", "duration", "note"],
        ["a", "A fox", 15, "=NA()"],
        ["b", "A\nheron", None, '=IF(1=2,"x","")'],
        ["c", "Hidden", 10, None],
        ["d", "=1/0", 10, None],
        ["e", "=NA()", "=NOSUCH()", None],
    ):
        sheet.append(cells)
    sheet.merge_cells("C2:C3")
    sheet.row_dimensions[4].hidden = True
    sheet.column_dimensions["C"].hidden = True
    book.save(made)
    return saved_as("xls", made, folder / "office")


def test_what_libreoffice_saves_as_xls(old: Path) -> None:
    """Merged, hidden and failed cells; a formula that says nothing is calculated."""
    assert [item for item in read(old) if isinstance(item, tuple)] == [
        RawRow(2, ["a", "A fox", "15", "#N/A"]),
        RawRow(3, ["b", "A\nheron", "15", ""]),
    ]
    assert {cell: one.found for cell, one in faults(old).items()} == {
        "Videos!B5": "#DIV/0!",
        "Videos!B6": "#N/A",
        "Videos!C6": "#NAME?",
    }
    column, rows = told(old)
    assert column.startswith("Videos!C1, column 'duration': the column is hidden")
    assert rows.startswith("Videos!4:4: 1 row is hidden and was left out (row 4)")
    assert 4 in [item.row for item in read(old, Reading(include_hidden=True))]


def test_a_damaged_container_is_told(old: Path, tmp_path: Path) -> None:
    """Cut off anywhere, or changed: an error of ours, or what is still there."""
    whole = old.read_bytes()
    for place in range(0, 4096, 8):
        path = tmp_path / "bad.xls"
        path.write_bytes(whole[:place] + b"\xff\xfe\xfd\x7f" + whole[place + 4 :])
        try:
            Xls(path).marks(0)
        except WorkbookError as error:
            assert error.remedy  # noqa: PT017 - most of these files can still be read
    for size in range(8, len(whole), 512):
        path.write_bytes(whole[:size])
        try:
            Xls(path).marks(0)
        except WorkbookError as error:
            assert error.remedy  # noqa: PT017 - as above


def test_a_binary_workbook(tmp_path: Path) -> None:
    """The same of .xlsb."""
    path = xlsb(tmp_path / "m.xlsb", ROWS, hidden=[4], merges=[(1, 2, 2, 2)])
    assert read(path)[:2] == [
        RawRow(2, ["a", "A fox", "15", "#N/A"]),
        RawRow(3, ["b", "A heron", "15", "x"]),
    ]
    assert {cell: one.found for cell, one in faults(path).items()} == {"Videos!B5": "#DIV/0!"}
    (hidden,) = told(path)
    assert hidden.startswith("Videos!4:4: 1 row is hidden")


def test_the_binary_workbook_of_these_tests_is_one(tmp_path: Path) -> None:
    """LibreOffice reads it as we do."""
    path = xlsb(tmp_path / "m.xlsb", ROWS, hidden=[4], merges=[(1, 2, 2, 2)])
    again = saved_as("xlsx", path, tmp_path / "office")
    book = openpyxl.load_workbook(again)
    sheet = book["Videos"]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["C2:C3"]
    assert sheet.row_dimensions[4].hidden
    assert read(again)[:2] == read(path)[:2]
