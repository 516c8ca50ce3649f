"""Numbers as their formats show them: with words beside them, hidden, scaled, or not at all."""

import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
from support.xlsb import xlsb

from batchsora.manifest.books.shown import number
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import JobSpec, SpecRow

SUFFIXES = [".xlsx", ".ods", ".xls"]


def rows_of(path: Path) -> list[SpecRow | RowProblem]:
    return list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))


def saved(
    folder: Path, cells: list[tuple[object, str]], header: str, suffix: str, more: str = ""
) -> Path:
    """Make a workbook of a column of numbers, as openpyxl or LibreOffice write it."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["prompt", header, more])
    for place, (cell, form) in enumerate(cells, 2):
        sheet.append([f"A kite over hill {place}", cell])
        sheet.cell(place, 2).number_format = form
    path = folder / "t.xlsx"
    book.save(path)
    if suffix == ".xlsx":
        return path
    if (office := shutil.which("soffice")) is None:
        pytest.skip("needs LibreOffice")
    home = f"-env:UserInstallation={(folder / 'office').as_uri()}"
    words = ["--headless", "--convert-to", suffix[1:], "--outdir", str(folder), str(path)]
    subprocess.run([office, home, *words], check=True, capture_output=True, timeout=120)
    return path.with_suffix(suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_unit_by_a_format_is_an_error(tmp_path: Path, suffix: str) -> None:
    """The cell shows ``15 min``: as a text that is an error, as a number it was bought as 15 s."""
    forms = ['0" min"', '0\\ "h"', 'General" frames"', '0 "min"', '"take "0', '[<9]0" s";0" min"']
    found = rows_of(saved(tmp_path, [(15, form) for form in forms], "duration", suffix))
    assert len(found) == len(forms)
    assert all(isinstance(row, RowProblem) for row in found)
    problem = found[0]
    assert isinstance(problem, RowProblem)
    assert (problem.found, problem.cell) == ("15 min", "Sheet!B2")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_shown_is_what_is_bought(tmp_path: Path, suffix: str) -> None:
    cells = [
        (15, '0" s"'),
        (15, '0.0" sec"'),
        (15.2, "0"),
        (15000, "0,"),
        (10, '"15"'),
        (0, "0;-0;;@"),
    ]
    found = rows_of(saved(tmp_path, cells, "duration", suffix))
    said = [row if isinstance(row, RowProblem) else row.duration for row in found]
    assert said == [15, 15, 15, 15, 15, 10]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_number_that_its_format_hides_is_an_error(tmp_path: Path, suffix: str) -> None:
    """People see an empty cell, and whoever hid it a 15; in a column of one's own nobody reads."""
    (found,) = rows_of(saved(tmp_path, [(15, ";;;")], "duration", suffix))
    assert isinstance(found, RowProblem)
    assert (found.problem, found.found) == ("the cell's number format hides its value", "15")
    (found,) = rows_of(saved(tmp_path, [(15, ";;;")], "Notes", suffix))
    assert not isinstance(found, RowProblem)


FAR: list[tuple[object, str]] = [
    (1e20, "[h]:mm:ss"),
    (15, "0"),
    (15 / 86_400, "[h]:mm:ss"),
    (46174, "yyyy-mm-dd"),
    (1e20, "yyyy-mm-dd"),
]


def check_far(path: Path, header: str) -> None:
    """Make sure that the numbers that a clock and a calendar can show are read as ever."""
    found = [
        one.cells[header] if isinstance(one, JobSpec) else one.problem
        for one in open_manifest(path).rows()
    ]
    assert found[1:4] == ["15", "00:00:15", "2026-06-01"]
    if path.suffix != ".ods":  # LibreOffice writes another moment into it
        assert float(found[0]) == float(found[4]) == 1e20


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_number_no_clock_can_show_is_no_damaged_workbook(tmp_path: Path, suffix: str) -> None:
    """It stands in a column that nobody reads; an ``.xls`` with it was refused as a whole."""
    check_far(saved(tmp_path, FAR, "Notes", suffix), "Notes")


def test_nor_is_it_in_an_xlsb(tmp_path: Path) -> None:
    rows = [[f"A kite {place}", float(str(one[0]))] for place, one in enumerate(FAR)]
    forms = {(place, 1): one[1] for place, one in enumerate(FAR, 1)}
    check_far(xlsb(tmp_path / "t.xlsb", [["prompt", "Notes"], *rows], forms=forms), "Notes")


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ('0" min"', ["15 min", "-15 min", "0 min"]),
        ('"ID-"000', ["ID-015", "ID--015", "ID-000"]),
        ("0;;;@", ["15", "-15", ""]),
        ("[Red]", ["15", "-15", "0"]),
        ('[<1]0" s";[>=1]0" min"', ["15 min", "-15 s", "0 s"]),
        ('_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)', ["15", "-15", "0"]),
        ("#,##0;[Red]-#,##0", ["15", "-15", "0"]),
        ("[$EUR] 0", ["EUR 15", "EUR -15", "EUR 0"]),
        ("[$€-407] 0", ["15", "-15", "0"]),
        ('0 "€"', ["15", "-15", "0"]),
        ('0;0;"none"', ["15", "-15", "none"]),
        ("0_m", ["15", "-15", "0"]),
        ('"a;b"0', ["a;b15", "a;b-15", "a;b0"]),
    ],
)
def test_words_and_sections_of_a_format(form: str, shown: list[str]) -> None:
    assert [number(text, form) for text in ("15", "-15", "0")] == shown
