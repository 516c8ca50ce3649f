"""Times are written as dates into any workbook, and each result column once."""

import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

QUICK = ("--budget", "9", "--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


@pytest.fixture
def table(call: Shell, tmp_path: Path) -> Path:  # noqa: ARG001 - its folder
    """A workbook as LibreOffice writes it: its ``General`` is a format of its own (164)."""
    if (office := shutil.which("soffice")) is None:
        pytest.skip("needs LibreOffice")
    made = openpyxl.Workbook()
    for row in (["id", "prompt", "Notes"], ["a", "A kite", "n"], ["b", "A boat", "n"]):
        made.worksheets[0].append(row)
    made.save("drawn.xlsx")
    words = ["--headless", "--convert-to", "xlsx", "--outdir", "saved", "drawn.xlsx"]
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    subprocess.run([office, home, *words], check=True, capture_output=True, timeout=120)
    return Path("saved/drawn.xlsx")


def headers(path: Path) -> list[str]:
    book = openpyxl.load_workbook(path)
    return [str(cell.value) for cell in book.worksheets[0][1]]


def test_times_are_shown_as_dates(call: Shell, table: Path) -> None:
    """People see 46356.43 as it is."""
    assert call("run", str(table), *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    sheet = openpyxl.load_workbook(table).worksheets[0]
    cell = sheet.cell(2, headers(table).index("submitted_at") + 1)
    assert cell.is_date, (cell.value, cell.number_format)


def test_a_second_export_adds_no_columns(call: Shell, table: Path) -> None:
    """It makes ``batchsora_submitted_at``, a third one ``batchsora_batchsora_submitted_at``."""
    assert call("run", str(table), *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    first = headers(table)
    next(Path("saved").glob("drawn.*.xlsx")).unlink()  # the backup: its name has the second
    again = call("run", str(table), *QUICK)
    assert "2 unchanged" in again.words
    assert call("export", "--in-place").code == 0
    assert headers(table) == first


@pytest.mark.parametrize(("form", "whole"), [("@", True), ("0.00", True), ("@", False)])
def test_a_sheet_that_is_formatted_as_text_gets_each_column_once(
    call: Shell, form: str, *, whole: bool
) -> None:
    """Select all, *Text*: that is what people do, so that 16:9 is no time of day."""
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for row in (["id", "prompt", "orientation"], ["a", "A kite", "16:9"], ["b", "A boat", "9:16"]):
        sheet.append(row)
    for cells in sheet.iter_rows(max_col=3):
        for cell in cells:
            cell.number_format = form
    if whole:
        columns = sheet.column_dimensions["A"]
        columns.min, columns.max, columns.number_format = 1, 16384, form
    made.save("t.xlsx")
    table = Path("t.xlsx")
    assert call("run", "t.xlsx", *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    first = headers(table)
    sheet = openpyxl.load_workbook(table).worksheets[0]
    cell = sheet.cell(2, first.index("submitted_at") + 1)
    next(Path().glob("t.*.xlsx")).unlink()  # the backup: its name has the second
    call("run", "t.xlsx", *QUICK)
    assert call("export", "--in-place").code == 0
    assert headers(table) == first
    assert cell.is_date, (cell.value, cell.number_format)
