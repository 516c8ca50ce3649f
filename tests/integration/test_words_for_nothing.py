"""What programs write where there is nothing, or where a formula failed, is no prompt."""

from pathlib import Path

import pytest

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import SpecRow


@pytest.mark.parametrize(
    "text",
    [
        "Err :502", "Erreur : 508", "Err\N{NO-BREAK SPACE}:\N{NO-BREAK SPACE}502", "Err:502",
        "Wird geladen …", "Loading …", "Chargement ...", "\\N", "\\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("others", ["", "A paper kite over the dunes at noon,x\n"])
def test_it_is_an_error_by_row(tmp_path: Path, text: str, others: str) -> None:
    r"""French LibreOffice has a space before the colon; ``\N`` is a database's NULL."""
    path = tmp_path / "t.csv"
    path.write_text(f"prompt,notes\n{others}{text},x\n", encoding="utf-8")
    rows = list(open_manifest(path).spec_rows(lambda request: kind_of(request).key))
    (problem,) = [row for row in rows if isinstance(row, RowProblem)]
    assert problem.column == "prompt"
    assert len([row for row in rows if isinstance(row, SpecRow)]) == bool(others)


@pytest.mark.parametrize(
    "text", ["Loading a truck with hay", "Error: 404 written on a wall", "\\New York at night"]
)
def test_a_text_that_begins_so_is_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"prompt,notes\n{text},x\n", encoding="utf-8")
    (row,) = open_manifest(path).spec_rows(lambda request: kind_of(request).key)
    assert isinstance(row, SpecRow)
    assert row.prompt == text


def test_a_null_of_a_database_is_no_picture_either(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("prompt,image\nA kite,\\N\n", encoding="utf-8")
    (problem,) = open_manifest(path).rows()
    assert isinstance(problem, RowProblem)
    assert problem.column == "image"
