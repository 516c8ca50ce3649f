"""The header of a second table in a file is no row, whatever it calls its columns."""

import json
from pathlib import Path

import openpyxl
import pytest

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.formats import filtered
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.manifest.rows.headers import SYNONYMS, WEAK


def opened(folder: Path, rows: list[list[str]], suffix: str = ".csv") -> Manifest:
    path = folder / f"t{suffix}"
    if suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append([cell or None for cell in row])
        book.save(path)
    else:
        lines = [
            ",".join(json.dumps(cell) if " " in cell else cell for cell in row) for row in rows
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_manifest(path)


def prompts(manifest: Manifest) -> list[str]:
    return [
        f"! {one.problem}" if isinstance(one, RowProblem) else one.request.prompt
        for one in manifest.rows()
    ]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["prompt", "note"], ["Prompt", "Notes"]),
        (["prompt", "note"], ["Text", ""]),
        (["prompt"], ["Prompts"]),
        (["prompt"], ["Video idea"]),
        (["prompt", "note"], ["Prompt (English)", "Owner"]),
        (["id", "prompt"], ["ID", "Text"]),
        (["name", "Idea", "Length (sec)"], ["Job ID", "Prompt", "Seconds"]),
        (["prompt", "duration", "note"], ["Prompt", "", "duration in words"]),
    ],
)
def test_it_is_left_out_and_told(
    tmp_path: Path, first: list[str], second: list[str], suffix: str
) -> None:
    place = next(at for at, cell in enumerate(first) if cell.casefold() in ("prompt", "idea"))
    above, below = [[""] * len(first) for _ in range(2)]
    above[place], below[place] = "A kite over the sea", "A boat over the sea"
    manifest = opened(tmp_path, [first, above, second, below], suffix)
    assert prompts(manifest) == ["A kite over the sea", "A boat over the sea"]
    assert manifest.left_out.headers == [3]


@pytest.mark.parametrize("second", [["Text", "Duration"], ["Prompt", "Picture"]])
def test_a_table_with_other_columns_of_ours_refuses_the_file(
    tmp_path: Path, second: list[str]
) -> None:
    """Below it 15 would stand in a column of one's own."""
    rows = [["prompt", "note"], ["A kite", "x"], second, ["A boat", "15"]]
    with pytest.raises(ManifestError, match=r"row 3.*another table begins.*Split it"):
        prompts(opened(tmp_path, rows))


@pytest.mark.parametrize(
    ("row", "header"),
    [
        (["Text", "15"], ["prompt", "duration"]),
        (["Prompt", "10"], ["prompt", "duration"]),
        (["Scene one: a kite", "x"], ["prompt", "note"]),
        (["Text on a wall", "x"], ["prompt", "note"]),
        (["Scene (a kite over the sea)", "x"], ["prompt", "note"]),
        (["A text", "x"], ["prompt", "note"]),
        (["Description of Egypt", "x"], ["prompt", "note"]),
    ],
)
def test_what_only_begins_like_a_header_is_a_row(
    tmp_path: Path, row: list[str], header: list[str]
) -> None:
    assert prompts(opened(tmp_path, [header, row])) == [row[0]]


def test_every_name_of_the_prompts_is_looked_at() -> None:
    for name in ("prompt", *SYNONYMS["prompt"], *WEAK["prompt"]):
        assert filtered._names_prompts(name.title())
