"""Numbers of the binary formats are read as they are shown, as those of .xlsx are."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.books import saved_as, seen
from support.xlsb import xlsb

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec

HEADER = ["id", "prompt", "count", "duration", "note"]
SHOWN: list[tuple[float, str, str]] = [
    (1000, "#,##0", "1000"),
    (1.4, "0", "1"),
    (7, "000", "007"),
    (0.15, "0%", "15%"),
    (0.155, "0.0%", "15.5%"),
    (15, '0" s"', "15 s"),
    (15, '0" min"', "15 min"),
    (15, 'General" frames"', "15 frames"),
    (0, "0;-0;;@", ""),
    (15, '"10"', "10"),
    (15000, "0,", "15"),
    (15, "0.00", "15.00"),
    (12345.6, "#,##0.0", "12,345.6"),
    (46174, "dd.mm.yyyy", "2026-06-01"),
    (969 / 1440, "h:mm", "16:09"),
    (15 / 86400, "[h]:mm:ss", "00:00:15"),
    (2.5, "General", "2.5"),
    (2, "0", "2"),
]


def made(path: Path) -> Path:
    """Save each number with its format, beside a prompt."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    sheet.append(HEADER)
    for number, (value, form, _) in enumerate(SHOWN, 2):
        sheet.append([None, f"A kite {number}", None, None, value])
        sheet.cell(number, 5).number_format = form
    book.save(path)
    return path


def as_xlsx(folder: Path) -> Path:
    return made(folder / "m.xlsx")


def as_xls(folder: Path) -> Path:
    return saved_as("xls", made(folder / "m.xlsx"), folder / "office")


def as_xlsb(folder: Path) -> Path:
    rows = [[None, f"A kite {number}", None, None, one[0]] for number, one in enumerate(SHOWN, 2)]
    forms = {(number, 4): one[1] for number, one in enumerate(SHOWN, 1)}
    return xlsb(folder / "m.xlsb", [HEADER, *rows], forms=forms)


@pytest.mark.parametrize("write", [as_xlsx, as_xls, as_xlsb])
def test_a_number_is_read_as_it_is_shown(tmp_path: Path, write: object) -> None:
    assert callable(write)
    found = [cells[4] for cells in seen(write(tmp_path)).values()]
    assert found == [shown for _, _, shown in SHOWN]


@pytest.mark.parametrize("form", ["xlsx", "xls"])
def test_what_is_bought_is_what_is_shown(tmp_path: Path, form: str) -> None:
    """A date or a percentage is no number of videos, nor a duration."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    rows = [
        (7, "000", 2, "0", 15, '0" s"'),
        (8, "0", 1.2, "0", 15, "0.00"),
        (9, "0", 2, "0%", 15, "0%"),
        (10, "0", 1, "0", 15, "dd.mm.yyyy"),
        (11, "0", 1000, "#,##0", dt.time(0, 0, 15), "hh:mm:ss"),
    ]
    sheet.append(HEADER)
    for number, (key, one, count, other, duration, third) in enumerate(rows, 2):
        sheet.append([key, "A kite", count, duration])
        for column, shown in ((1, one), (3, other), (4, third)):
            sheet.cell(number, column).number_format = shown
    book.save(tmp_path / "m.xlsx")
    path = tmp_path / "m.xlsx"
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    items = list(open_manifest(path).rows())
    jobs = [(job.key, job.request.duration) for job in items if isinstance(job, JobSpec)]
    assert jobs[:3] == [("007", 15), ("007#2", 15), ("8", 15)]
    assert len(jobs) == 1003
    assert {one.row for one in items if isinstance(one, RowProblem)} == {4, 5}


def test_libreoffice_reads_the_formats_of_these_tests(tmp_path: Path) -> None:
    again = saved_as("xlsx", as_xlsb(tmp_path), tmp_path / "office")
    assert [cells[4] for cells in seen(again).values()] == [shown for _, _, shown in SHOWN]
