"""A formula in a table is an error by its row, or the text that it keeps; never a prompt."""

import csv
import json
from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of
from batchsora.tables import write_table
from jobs.model.spec import JobSpec, SpecRow

RESULTS = ["status", "generation_id", "error_kind"]


def read(path: Path) -> tuple[list[str], list[RowProblem]]:
    """Give the prompts of a table, and its problems."""
    rows = list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, [row for row in rows if isinstance(row, RowProblem)]


def table(folder: Path, *rows: list[str], name: str = "t.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if name.endswith(".tsv") else ",").writerows(rows)
    return path


@pytest.mark.parametrize(
    "text",
    [
        '=B2&" kite"', '=CONCATENATE("A ",C2)', "=B2", "=VERKETTEN(B1;C1)", "=$B$2", " =b2",
        "='My ideas'!B2", "=Ideas!B2", "=$Ideas.B2", "=$'My ideas'.B2", "=[.B2]", "=[@Idea]",
        '="A "&B2', "=+B2", "=-SUM(B2:B3)", "=(B2)", "=_xlfn.CONCAT(B2,C2)", '= "A "&B2&""',
        "=MAJUSCULE.ÉTÉ(B2)", "=B2&C2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_formula_is_an_error(tmp_path: Path, text: str, name: str) -> None:
    """Its result is not in the file."""
    path = table(tmp_path, ["id", "prompt"], ["1", text], ["2", "A boat"], name=name)
    prompts, (problem,) = read(path)
    assert prompts == ["A boat"]
    assert (problem.row, problem.column) == (2, "prompt")
    assert "its result is not in the file" in problem.problem


@pytest.mark.parametrize(
    ("cell", "text"),
    [('="A kite"', "A kite"), ('= "A ""red"" kite"', 'A "red" kite'), ('="=B2"', "=B2")],
)
def test_a_text_that_a_formula_keeps_is_read(tmp_path: Path, cell: str, text: str) -> None:
    """People write ``="007"`` so that Excel leaves it alone."""
    path = table(tmp_path, ["id", "prompt", "duration"], ['="007"', cell, '="15"'])
    (job,) = open_manifest(path).rows()
    assert isinstance(job, JobSpec)
    assert (job.key, job.request.prompt, job.request.duration) == ("007", text, 15)
    path.write_text('id,prompt,duration\n="007",="A kite",="15"\n', encoding="utf-8")
    (job,) = open_manifest(path).rows()
    assert isinstance(job, JobSpec)
    assert (job.key, job.request.prompt, job.request.duration) == ("007", "A kite", 15)


def test_a_kept_text_that_a_separator_cuts_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,prompt,notes\n1,="A kite, red",\n', encoding="utf-8")
    prompts, (problem,) = read(path)
    assert (prompts, problem.column) == ([], "prompt")


@pytest.mark.parametrize(
    "text",
    ["=> a kite", "== Scene one ==", "=-> a kite", "A kite = freedom", "=) a kite", "===="],
)
def test_a_text_that_begins_with_the_sign_is_one(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, ["id", "prompt"], ["1", text], ["2", "A boat"])
    assert read(path) == ([text, "A boat"], [])


def test_a_mark_makes_it_a_text(tmp_path: Path) -> None:
    """That is how our own exports write it."""
    path = table(tmp_path, ["id", "prompt"], ["1", "'=B2"], ["2", '\'="A kite"'])
    assert read(path) == (["=B2", '="A kite"'], [])
    path = tmp_path / "export.csv"
    said = {"prompt": '=CONCATENATE("A ",C2)', "notes": "=B2", "status": "done"}
    write_table(path, ["prompt", "notes", *RESULTS], [said])
    (job,) = open_manifest(path).rows()
    assert isinstance(job, JobSpec)
    assert (job.request.prompt, job.cells["notes"]) == (said["prompt"], "=B2")


def test_a_formula_in_a_column_of_their_own_stays(tmp_path: Path) -> None:
    path = table(tmp_path, ["prompt", "notes"], ["A kite", "=SUM(B2:B3)"], ["A boat", '="007"'])
    jobs = [job for job in open_manifest(path).rows() if isinstance(job, JobSpec)]
    assert [job.cells["notes"] for job in jobs] == ["=SUM(B2:B3)", '="007"']


@pytest.mark.parametrize(
    "text",
    [
        "=$'Bob''s prompts'.A2", "=$'Bob''s prompts'.A2&\"\"", '=5&" kites"', "=#REF!", "=Title",
        "='Bob''s prompts'!A2", "=Table1[@Idea]", "=Table1[[#This Row],[Idea]]", "=@A1", "=B:B",
        "=RC[-1]", "=R2C3", "=Sheet1:Sheet3!A1", "=1+A1", "=(2+3)*A1", "=.5*A1", "=Title Names",
        "='file:///x.ods'#$Sheet1.A1", "\uff1dA1", "=CONCATENATE (A1;B1)", "= a heart of stone",
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".yaml"])
def test_what_may_be_a_formula_is_an_error_that_shows_it(
    tmp_path: Path, text: str, suffix: str
) -> None:
    """In every table whose cells have no type: spreadsheets save them, and scripts copy them.

    The mark that the remedy names makes each a text.
    """
    path = tmp_path / f"t{suffix}"
    for cell in (text, f"'{text}"):
        if suffix in (".csv", ".tsv"):
            table(tmp_path, ["id", "prompt", "notes"], ["1", cell, text], name=path.name)
        else:
            job = {"id": "1", "prompt": cell, "notes": text}
            path.write_text(f"{json.dumps(job if suffix == '.jsonl' else [job])}\n")
        prompts, problems = read(path)
        if cell == text:
            (problem,) = problems
            assert (prompts, problem.column, problem.found) == ([], "prompt", text)
            assert "its result is not in the file" in problem.problem
            assert f"write an apostrophe before it: '{text[0]}" in problem.remedy
        else:
            assert (prompts, problems) == ([text], [])


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_a_tree_with_results_says_what_it_said(tmp_path: Path, suffix: str) -> None:
    """Whoever wrote them had read the text already; a row that was added has a formula."""
    path = tmp_path / f"t{suffix}"
    done = {"status": "done", "generation_id": "g-1", "error_kind": None}
    said = [{"prompt": "=B2", **done}, {"prompt": "'=B3", **done}, {"prompt": "=B4"}]
    write_table(path, ["prompt", *RESULTS], said)
    prompts, (problem,) = read(path)
    assert (prompts, problem.found) == (["=B2", "'=B3"], "=B4")


@pytest.mark.parametrize("text", ["=> a kite", "== Scene ==", "'tis = a kite", "'a = b'"])
def test_a_tree_keeps_other_texts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"prompt": text, "notes": "'=x"}) + "\n")
    (job,) = open_manifest(path).rows()
    assert isinstance(job, JobSpec)
    assert (job.request.prompt, job.cells["notes"]) == (text, "'=x")
