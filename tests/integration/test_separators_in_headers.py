"""A header with several signs that separate: the rows tell which one does, or a person is asked."""

from pathlib import Path

import pytest

from batchsora.manifest.read import ManifestError, Reading, open_manifest
from jobs.model.spec import JobSpec


def read(folder: Path, text: str, delimiter: str | None = None) -> list[tuple[str, int]]:
    """Give the prompts and durations of a table; a row that is none is an error."""
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    columns = {"Prompt, English": "prompt", "Duration, sec": "duration"}
    jobs = list(open_manifest(path, reading=Reading(delimiter=delimiter, columns=columns)).rows())
    assert all(isinstance(job, JobSpec) for job in jobs)
    return [(job.request.prompt, job.request.duration) for job in jobs if isinstance(job, JobSpec)]


HEADER = "Prompt, English;Duration, sec\n"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("A kite over hills;15\nA boat;15\n", [("A kite over hills", 15), ("A boat", 15)]),
        ("A kite, red;15\nA boat, old, blue, small;10\n",
         [("A kite, red", 15), ("A boat, old, blue, small", 10)]),
        ('"A kite; red";15\n\n"A\nboat;";10\n', [("A kite; red", 15), ("A\nboat;", 10)]),
    ],
)  # fmt: skip
def test_the_rows_tell(tmp_path: Path, rows: str, found: list[tuple[str, int]]) -> None:
    """German Excel separates by semicolons; the commas are of the header's texts."""
    assert read(tmp_path, HEADER + rows) == found


@pytest.mark.parametrize(
    "rows",
    [
        "A kite;15\nA boat\n",
        "A kite;15\nA boat; red;10\n",
        "A kite, old, red;15\n",
        "A kite, red;15\n",
    ],
)
def test_where_they_do_not_a_person_is_asked(tmp_path: Path, rows: str) -> None:
    with pytest.raises(ManifestError, match="Use --delimiter ';' or --delimiter ','"):
        read(tmp_path, HEADER + rows)
    if "; red" not in rows:
        assert read(tmp_path, HEADER + rows, ";")[0][1] == 15


def test_a_sign_in_a_header_separates_nothing_where_the_rows_lack_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for rows in ("1,A kite; red,x\n", "1,A kite,x\n2,A boat\n3,A hill, old,y\n", "1,A; b\n", ""):
        path.write_text(f"id,prompt,what; why\n{rows}4,A kite,z\n", encoding="utf-8")
        assert open_manifest(path).columns == ("id", "prompt", "what; why")
