"""Quotes behind a space, or inside a cell: ``1, "A kite, red"`` is one prompt, never half of it."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.formats.written import check_written
from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import SpecRow


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(path: Path) -> tuple[list[str], list[RowProblem]]:
    """Give the prompts of a table, and its problems."""
    rows = list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))
    prompts = [row.prompt for row in rows if isinstance(row, SpecRow)]
    return prompts, [row for row in rows if isinstance(row, RowProblem)]


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ('id, prompt\n1, "A kite, red"\n', ["A kite, red"]),
        ('id, prompt, notes\n1, "A kite, red"\n2, A boat, "x, y"\n', ["A kite, red", "A boat"]),
        ('id; prompt\n1; "A kite; red"\n', ["A kite; red"]),
        ('"id", "prompt", "notes"\n"1",   "A ""red"" kite, high", "x"\n', ['A "red" kite, high']),
        ('id, prompt\n1, "A kite,\nred"\n2, "A boat"\n', ["A kite,\nred", "A boat"]),
        (' "prompt", "seconds"\n "A kite, red", 15\n', ["A kite, red"]),
        ('prompt,notes\n"He said, ""go""",x\n', ['He said, "go"']),
        ('prompt,notes\nA 5" pipe,8" long\n', ['A 5" pipe']),
        ('id,prompt\n1, "A kite" flies\n2,A "red" kite\n', ['"A kite" flies', 'A "red" kite']),
        ('prompt,notes\n"Say ""go, now","and ""left"" too"\n', ['Say "go, now']),
        ('prompt,notes\n"Say ""go","left"" too"\n', ['Say "go']),
        ('prompt\n"One, "", ""two"""\n', ['One, ", "two"']),
    ],
)
def test_a_text_in_quotes_is_whole(tmp_path: Path, text: str, prompts: Sequence[str]) -> None:
    """What quotes enclose is one cell; those that are a part of a text stay."""
    assert read(written(tmp_path, text)) == (prompts, [])


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('2, "A kite, red"', '"A kite'),
        ('2, "A ""red, small"" kite"', '"A ""red'),
        ('2,A "big, red" kite', 'A "big'),
        ('2,a man says ("yes, no")', 'a man says ("yes'),
        ('2,\t"A kite, red"', '"A kite'),
    ],
)
def test_a_text_that_a_separator_cuts_is_an_error(tmp_path: Path, row: str, found: str) -> None:
    """Beside a text in which quotes are meant as such, nothing can be told of the others."""
    path = written(tmp_path, f'id,prompt,notes\n1, "A kite" flies,\n{row}\n3,A boat,\n')
    prompts, problems = read(path)
    assert prompts == ['"A kite" flies', "A boat"]
    (problem,) = problems
    assert (problem.row, problem.column, problem.found) == (3, "prompt", found)
    assert "twice" in problem.remedy


def test_a_prompt_whose_quote_never_closes_is_an_error(tmp_path: Path) -> None:
    """A line break cuts as a separator does."""
    prompts, problems = read(written(tmp_path, 'id,prompt\n1, "A kite\n2,"A ""boat"""\n'))
    assert prompts == ['A "boat"']
    assert [problem.row for problem in problems] == [2]


def test_results_are_written_beside_quotes_behind_spaces(tmp_path: Path) -> None:
    """Every byte of theirs stays."""
    text = 'id, prompt, notes\r\n1, "A kite, red", "x, ""y"""\r\n2, A boat,\r\n'
    path, headers = written(tmp_path, text), {"status": "status", "error": "error"}
    target = BytesIO()
    said = {2: {"status": "done", "error": "a, b"}, 3: {"status": "done", "error": ""}}
    write_csv_results(path, target, said, headers, {})
    assert target.getvalue().decode() == (
        "id, prompt, notes,status,error\r\n"
        '1, "A kite, red", "x, ""y""",done,"a, b"\r\n'
        "2, A boat,,done,\r\n"
    )
    draft = tmp_path / "draft"
    draft.write_bytes(target.getvalue())
    check_written(path, draft, headers, {})
    again = BytesIO()
    draft.rename(tmp_path / "u.csv")
    said = {2: {"status": "failed", "error": "c"}, 3: {"status": "", "error": "d, e"}}
    write_csv_results(tmp_path / "u.csv", again, said, headers, {"status": 3, "error": 4})
    assert again.getvalue().decode().splitlines()[1:] == [
        '1, "A kite, red", "x, ""y""",failed,c',
        '2, A boat,,,"d, e"',
    ]
