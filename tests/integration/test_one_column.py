"""Text tables of one column, and headers in which texts have separators."""

from io import BytesIO
from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.formats.written import check_written
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import ManifestError, open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import JobSpec, SpecRow


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(path: Path, reading: Reading | None = None) -> tuple[list[str], list[RowProblem]]:
    """Give the prompts of a table, and its problems."""
    manifest = open_manifest(path, reading=reading or Reading())
    rows = list(manifest.spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, [row for row in rows if isinstance(row, RowProblem)]


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.tsv"])
@pytest.mark.parametrize(
    "header", ["prompt", "Prompt (what, where; when)", '"prompt"', "\ufeffprompt"]
)
def test_a_comma_is_one_of_the_text(tmp_path: Path, name: str, header: str) -> None:
    """Nothing in the header says that anything separates cells."""
    text = (
        f'{header}\nA kite, red, over a hill\n"A boat,blue\nand ""red"""\nA sign of 1,000 m; old\n'
    )
    wanted = ["A kite, red, over a hill", 'A boat,blue\nand "red"', "A sign of 1,000 m; old"]
    assert read(written(tmp_path, text, name)) == (wanted, [])


def test_empty_cells_at_the_end_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, "prompt\r\nA kite, red,,\r\n,,\r\nA boat, \r\n")
    assert read(path) == (["A kite, red", "A boat"], [])


@pytest.mark.parametrize(
    "row", ["A kite,15", "A kite, 15", "A kite;15", "A kite\t15", "A kite|15", "A kite, 15, quer",
            "A kite,landscape", "kite 2,15", "A kite; portrait; 15 s", "A kite, 15 sec",
            "A boat | landscape", "A boat, 16:9", "A boat, Portrait (9:16)"]
)  # fmt: skip
def test_what_seems_to_be_several_cells_is_an_error(tmp_path: Path, row: str) -> None:
    """It would be bought as the prompt, and its duration or orientation as the default."""
    prompts, problems = read(written(tmp_path, f"prompt\nA boat, blue\n{row}\n"))
    assert prompts == ["A boat, blue"]
    (problem,) = problems
    assert (problem.row, problem.column, problem.found) == (3, "prompt", row)


def test_a_separator_that_a_person_names_separates(tmp_path: Path) -> None:
    path = written(tmp_path, "prompt\nA kite, red\n")
    _, (problem,) = read(path, Reading(delimiter=","))
    assert "the row has 2 cells" in problem.problem


@pytest.mark.parametrize(
    "text",
    [
        "Prompt (what, where, when);Duration (sec);Campaign\nA kite, red;15;x\n",
        "Prompt (what, where);Duration\nA kite, red;15\n",
        "prompt,;Duration\n\nA kite, red, blue;15\n",
        "Duration [10, 15]\tPrompt {a, b, c}\n15\tA kite, red\n",
    ],
)
def test_a_separator_inside_a_header_is_none(tmp_path: Path, text: str) -> None:
    """In brackets it never is; of two that stand there equally often it is the rows' one."""
    (job,) = open_manifest(written(tmp_path, text)).rows()
    assert isinstance(job, JobSpec)
    assert job.request.prompt.startswith("A kite, red")
    assert job.request.duration == 15


def test_a_separator_that_can_not_be_told_is_asked_for(tmp_path: Path) -> None:
    """Half of the prompt would be bought, at the default duration."""
    path = written(tmp_path, "Prompt, please;Duration\nA kite, red; 15\n")
    with pytest.raises(ManifestError, match="Use --delimiter ';' or --delimiter ','"):
        open_manifest(path)
    reading = Reading(delimiter=";", columns={"Prompt, please": "prompt"})
    (job,) = open_manifest(path, reading=reading).rows()
    assert isinstance(job, JobSpec)
    assert (job.request.prompt, job.request.duration) == ("A kite, red", 15)


def test_results_are_written_beside_one_column(tmp_path: Path) -> None:
    """Where no text has a comma; else it would be cut by the columns that are added."""
    headers, said = {"status": "status"}, {2: {"status": "done"}}
    path, target = written(tmp_path, "prompt\r\nA kite\r\n"), BytesIO()
    write_csv_results(path, target, said, headers, {})
    assert target.getvalue() == b"prompt,status\r\nA kite,done\r\n"
    check_written(path, written(tmp_path, target.getvalue().decode(), "draft"), headers, {})
    path, target = written(tmp_path, "prompt\r\nA kite, red\r\n"), BytesIO()
    write_csv_results(path, target, said, headers, {})
    with pytest.raises(ValueError, match="row 2 would be read differently"):
        check_written(path, written(tmp_path, target.getvalue().decode(), "draft"), headers, {})
