"""Cells of a workbook that no header is above are named as people see them."""

from pathlib import Path

import openpyxl
import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest


def problem_of(path: Path) -> RowProblem:
    (found,) = [row for row in open_manifest(path).rows() if isinstance(row, RowProblem)]
    return found


@pytest.mark.parametrize(
    ("head", "row", "cell"),
    [
        (["prompt", "duration"], ["A boat", 15, None, None, "mine"], "Sheet!E3"),
        (["prompt", "duration"], ["A boat", 15, "mine", None, "more"], "Sheet!C3"),
        (["prompt", None, "duration"], ["A boat", "mine", 15], "Sheet!B3"),
        (["prompt", " ", "duration"], ["A boat", "mine", 15], "Sheet!B3"),
    ],
)
def test_the_cell_is_named(
    tmp_path: Path, head: list[object], row: list[object], cell: str
) -> None:
    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(head)
    sheet.append(["A kite over the sea"])
    sheet.append(row)
    book.save(path)
    problem = problem_of(path)
    assert problem.cell == cell
    assert problem.found == "mine"
    assert problem.column is None
    assert "header" in problem.remedy
    assert "double quotes" not in problem.remedy


def test_a_text_table_is_told_of_its_separator(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("prompt,duration\nA boat,15,,mine\n")
    problem = problem_of(path)
    assert (problem.cell, problem.found) == (None, "mine")
    assert "double quotes" in problem.remedy
