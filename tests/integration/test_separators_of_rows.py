"""A row that something else separates than the header is an error, and never one long prompt."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import SpecRow


def read(folder: Path, text: str) -> tuple[list[str], list[RowProblem]]:
    """Give the prompts of a table, and its problems."""
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    rows = list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, [row for row in rows if isinstance(row, RowProblem)]


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("prompt,duration", "A red kite;15", "a semicolon"),
        ("prompt,duration", "A red kite; 15", "a semicolon"),
        ("prompt,duration", "A red kite;15,", "a semicolon"),
        ("prompt,duration", '"A red kite;15"', "a semicolon"),
        ("prompt,duration", "A red kite;", "a semicolon"),
        ("id,prompt,duration", '1;"A red; big kite";15', "a semicolon"),
        ("prompt,duration", "A red kite\t15", "a tab"),
        ("prompt,duration", "A red kite | 15 sec", "a bar"),
        ("id,prompt,duration", "1;A red kite;15", "a semicolon"),
        ("id,prompt,duration", "1,A red kite;15", "a semicolon"),
        ("id,prompt,duration,notes", "1;A red kite;15", "a semicolon"),
        ("prompt,orientation,notes", "A red kite;landscape;", "a semicolon"),
        ("prompt,notes", "A red kite;mine", "a semicolon"),
        ("prompt;duration", "A red kite,15", "a comma"),
        ("prompt;duration", "A red kite\t15", "a tab"),
        ("prompt\tduration", "A red kite,15", "a comma"),
        ("prompt|duration", "A red kite;15", "a semicolon"),
    ],
)
def test_a_row_that_something_else_separates_is_an_error(
    tmp_path: Path, header: str, row: str, words: str
) -> None:
    """It names both separators, and shows the row."""
    separator = next(one for one in ",;|\t" if one in header)
    others = {"id": "2", "prompt": "A boat over the sea"}
    good = separator.join(others.get(name, "") for name in header.split(separator))
    prompts, (problem,) = read(tmp_path, f"{header}\n{row}\n{good}\n")
    assert prompts == ["A boat over the sea"]
    assert problem.row == 2
    assert "kite" in str(problem.found)
    assert f"seem to be separated by {words}, but those of the header by a " in problem.problem


@pytest.mark.parametrize(
    ("header", "row", "prompt"),
    [
        ("prompt,duration", "A kite; the sea", "A kite; the sea"),
        ("prompt,duration", "A kite; the sea; 15 boats", "A kite; the sea; 15 boats"),
        ("prompt,duration", "A kite | the sea,", "A kite | the sea"),
        ("prompt,duration", '"A kite;15",10', "A kite;15"),
        ("prompt,duration", '"A kite;15",', "A kite;15"),
        ("prompt,notes", '"A kite;mine"', "A kite;mine"),
        ("prompt;duration", "A kite, red", "A kite, red"),
        ("prompt;duration;notes", "A kite, red, big, 16:9", "A kite, red, big, 16:9"),
        ("prompt;duration;notes", "A kite, cinematic, 16:9;;", "A kite, cinematic, 16:9"),
        ("prompt;duration;notes", "A kite at 10, 15;;", "A kite at 10, 15"),
        ("prompt,duration,notes", "A kite;mine,15", "A kite;mine"),
    ],
)
def test_prose_with_other_signs_is_one_text(
    tmp_path: Path, header: str, row: str, prompt: str
) -> None:
    assert read(tmp_path, f"{header}\n{row}\n") == ([prompt], [])


@pytest.mark.parametrize("row", ["# A kite;15", "//A kite;15", "sep=,"])
def test_a_row_that_is_none_is_left_out(tmp_path: Path, row: str) -> None:
    assert read(tmp_path, f"prompt,duration\nA boat,15\n{row}\n") == (["A boat"], [])


def test_a_table_whose_rows_are_all_comments_says_so(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as refused:
        read(tmp_path, "prompt,duration\n# A kite over the sea,15\n//A boat,15\n")
    assert "2 rows (2-3): comments (they begin with" in refused.value.problem.problem
