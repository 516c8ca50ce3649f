"""Rows of a table that are none: they are left out and told, and buy nothing."""

import shutil
from pathlib import Path

import pytest
from openpyxl import Workbook
from support.shell import Shell

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from jobs.model.spec import JobSpec

DATA = Path(__file__).parents[1] / "data" / "heads"


def table(folder: Path, rows: list[list[str]], suffix: str) -> Path:
    """Write a table as text or as a workbook."""
    path = folder / f"m{suffix}"
    if suffix == ".xlsx":
        book = Workbook()
        for row in rows:
            book.active.append([cell or None for cell in row])
        book.save(path)
    else:
        sign = "\t" if suffix == ".tsv" else ","
        path.write_text("\n".join(sign.join(row) for row in rows), encoding="utf-8")
    return path


def prompts(manifest: Manifest) -> list[str]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item.request.prompt for item in found if isinstance(item, JobSpec)]


FORMATS = pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx"])


@pytest.mark.parametrize("name", ["concatenated.csv", "concatenated-ids.csv"])
def test_a_repeated_header_is_no_row(name: str) -> None:
    """Two exports in one file, the second with its byte order mark in the middle."""
    manifest = open_manifest(DATA / name)
    assert prompts(manifest) == ["A kite", "A heron"]
    assert manifest.left_out.headers == [3]
    assert manifest.left_out.words() == ["left out: 1 row (3): the header, repeated"]


@FORMATS
def test_a_header_in_another_order_refuses_the_file(tmp_path: Path, suffix: str) -> None:
    """What stands below it would be read as something else."""
    rows = [["prompt", "note"], ["A kite", "x"], ["note", "prompt"], ["y", "A heron"]]
    with pytest.raises(ManifestError, match=r"row 3.*in another order.*Split it into two files"):
        list(open_manifest(table(tmp_path, rows, suffix)).rows())


@FORMATS
def test_comment_lines_are_no_rows(tmp_path: Path, suffix: str) -> None:
    """Behind ``#`` and ``//``, alone or with the rest of a row that was taken out."""
    rows = [
        ["prompt", "duration"],
        ["# first block", ""],
        ["A kite", "10"],
        ["#A heron", "15"],
        ["// A boat", ""],
        ["A #2 pencil", ""],
    ]
    manifest = open_manifest(table(tmp_path, rows, suffix))
    assert prompts(manifest) == ["A kite", "A #2 pencil"]
    assert manifest.left_out.comments == [2, 4, 5]


def test_a_prompt_behind_an_id_is_no_comment(tmp_path: Path) -> None:
    """Nor is a column of one's own that numbers with ``#``."""
    rows = [["#", "id", "prompt"], ["#1", "a", "#1 fan cheers"]]
    assert prompts(open_manifest(table(tmp_path, rows, ".csv"))) == ["#1 fan cheers"]


@pytest.mark.parametrize("name", ["m.csv", "m.txt"])
def test_a_run_stops_at_comment_lines(call: Shell, name: str) -> None:
    """They may be prompts; ``--yes`` leaves them out. A cap alone does not decide it."""
    Path(name).write_text("prompt\nA kite\n# A heron\n")
    said = call("run", name, "--budget", "1")
    assert said.code == 2
    assert "1 row (3) begin with # or //" in said.words
    assert "use --yes to leave them out" in said.words
    plan = call("plan", name, "--json").json
    assert (plan["jobs"], plan["needs"], plan["left_out"]["comments"]) == (1, ["--yes"], [3])


@FORMATS
def test_a_row_is_blank_when_our_columns_are(tmp_path: Path, suffix: str) -> None:
    """Checkboxes down to row 300 are no rows; they are counted, and told as one span."""
    rows = [["prompt", "done"], ["A kite", "TRUE"], *[["", "FALSE"]] * 298]
    manifest = open_manifest(table(tmp_path, rows, suffix))
    assert prompts(manifest) == ["A kite"]
    assert manifest.left_out.words() == [
        "left out: 298 rows (3-300): no value in the columns that are read"
    ]
    again = open_manifest(manifest.path, reading=Reading(defaults={"prompt": "B"}))
    assert prompts(again) == ["A kite"]
    fuller = open_manifest(manifest.path, reading=Reading(defaults={"duration": "15"}))
    assert prompts(fuller) == ["A kite"]


def test_a_forgotten_prompt_is_an_error(tmp_path: Path) -> None:
    """A row that says anything of ours is one."""
    rows = [["prompt", "duration", "note"], ["A kite", "10", ""], ["", "15", "x"]]
    found = list(open_manifest(table(tmp_path, rows, ".csv")).rows())
    assert isinstance(found[1], RowProblem)
    assert "the prompt is empty" in found[1].problem


@FORMATS
@pytest.mark.parametrize(
    "last", [["Total", "25", "3.50"], ["TOTAL:", "", ""], ["Summe", "25", "1.234,50 €"]]
)
def test_a_totals_row_by_hand_is_no_row(tmp_path: Path, suffix: str, last: list[str]) -> None:
    """``Total`` and numbers."""
    rows = [["prompt", "duration", "price"], ["A kite", "10", "1"], ["A fox", "15", "2.5"], last]
    if suffix == ".csv":
        last = [f'"{cell}"' for cell in last]
        rows[-1] = last
    manifest = open_manifest(table(tmp_path, rows, suffix))
    assert prompts(manifest) == ["A kite", "A fox"]
    assert manifest.left_out.totals == [4]


def test_total_beside_words_is_a_prompt(tmp_path: Path) -> None:
    """Only what is clearly a total is none."""
    rows = [["prompt", "note"], ["Total", "of an eclipse"], ["Total eclipse", "1"]]
    manifest = open_manifest(table(tmp_path, rows, ".csv"))
    assert prompts(manifest) == ["Total", "Total eclipse"]


@pytest.mark.parametrize("start", [0, 1])
def test_an_index_as_pandas_writes_it_is_left_alone(tmp_path: Path, start: int) -> None:
    """A first column without a name that counts; after a filter with gaps."""
    rows = [["", "prompt"], [str(start), "A kite"], [str(start + 3), "A heron"]]
    manifest = open_manifest(table(tmp_path, rows, ".csv"))
    assert prompts(manifest) == ["A kite", "A heron"]
    assert "numbers the rows" in manifest.left_out.words()[-1]


@pytest.mark.parametrize("numbers", [["5", "6"], ["0", "0"], ["0", "x"], ["1", "10.5"]])
def test_a_nameless_column_that_does_not_count_is_an_error(
    tmp_path: Path, numbers: list[str]
) -> None:
    """It may be anything, a duration too."""
    rows = [["", "prompt"], *[[number, f"A {number}"] for number in numbers]]
    found = list(open_manifest(table(tmp_path, rows, ".csv")).rows())
    assert any(isinstance(one, RowProblem) and "has no name" in one.problem for one in found)


def test_left_out_rows_are_told_by_the_plan(call: Shell, tmp_path: Path) -> None:
    """In words and as fields."""
    shutil.copy(DATA / "concatenated.csv", tmp_path / "m.csv")
    assert call("plan", "m.csv", "--json").json["left_out"]["repeated_headers"] == [3]
    assert "the header, repeated" in call("plan", "m.csv").words
