"""Results in people's tables: none is bought as a prompt, none takes another cell's place."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell
from support.tiny import png

from batchsora.manifest.formats import apart_results
from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.formats.written import check_written
from batchsora.result_columns import RESULT_NAMES
from batchsora.sandbox.world import World
from batchsora.tables import write_table
from batchsora.usecases import export_into_manifest

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")
TABLE = Path("t.csv")


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


def bought(world: World) -> int:
    """Count what the provider made."""
    return len(world.ledger(datetime.now(UTC))["generations"])


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a table by its headers."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, restval=""))


def test_results_of_several_videos_are_not_bought_as_prompts(call: Shell, world: World) -> None:
    """Of two videos a cell has two lines; the next run reads the same rows and buys nothing."""
    TABLE.write_text("prompt,notes,count\nA kite,x,2\nA boat,y,1\n")
    assert call("run", str(TABLE), "--budget", "50", *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    assert call("run", str(TABLE), *QUICK).code == 0
    assert bought(world) == 3
    assert [row["status"] for row in rows_of(TABLE)] == ["completed\ncompleted", "completed"]


@pytest.mark.parametrize("header", ["prompt,notes", '"prompt","notes"'])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_line_break_in_a_result_stays_in_its_cell(tmp_path: Path, end: str, header: str) -> None:
    """Whichever it is, and whether or not the table has its cells in quotes."""
    table = tmp_path / "t.csv"
    table.write_text(f"{header}\nA kite,x\n")
    target = BytesIO()
    said = {2: {"error": f"first{end}second"}}
    write_csv_results(table, target, said, {"error": "error"}, {})
    draft = tmp_path / "draft.part"
    draft.write_bytes(target.getvalue())
    check_written(table, draft, {"error": "error"}, {})
    with draft.open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["A kite", "x", f"first{end}second"]]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_line_break_stays_in_a_cell_of_a_table_of_our_own(
    tmp_path: Path, end: str, suffix: str
) -> None:
    """``export -o`` writes these, and ``NAME.results.csv`` beside a workbook."""
    table = tmp_path / f"t{suffix}"
    write_table(table, ["prompt", "error"], [{"prompt": "A kite", "error": f"first{end}second"}])
    with table.open(newline="", encoding="utf-8-sig") as file:
        read = list(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","))
    assert read == [["prompt", "error"], ["A kite", f"first{end}second"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("prompt,n\nA kite,x\n", "prompt,n,status\nA kite,x,done\nfailed\n"),
        ("prompt,n\nA kite,x\nA boat,y\n", "prompt,n,status\nA kite,x,done\n"),
        ("prompt,n\nA kite,x\n", "prompt,n,status\nA kite,y,done\n"),
        ("prompt,n\nA kite,x\n", "prompt,n,status\nA kite,x,done,more\n"),
        ("prompt,n\nA kite,x\n", "prompt,n,other\nA kite,x,done\n"),
        ("prompt,n\nA kite,x\n", "prompt,m,status\nA kite,x,done\n"),
        ("prompt,n\nA kite,x\n", "prompt;n;status\nA kite;x;done\n"),
        ("prompt,n\nA kite,x\n", "\nprompt,n,status\nA kite,x,done\n"),
        ("prompt,n\nA kite,x\n", 'prompt,n,status\nA kite,x,"done\n'),
    ],
)
def test_a_copy_that_reads_differently_is_refused(tmp_path: Path, before: str, after: str) -> None:
    """Another row, cell, header or separator, or quotes that are never closed."""
    table, draft = tmp_path / "t.csv", tmp_path / "draft.part"
    table.write_text(before)
    draft.write_text(after)
    with pytest.raises(ValueError, match=r"can't be written into the manifest: .* with -o"):
        check_written(table, draft, {"status": "status"}, {})


def _saved(path: Path, rows: Sequence[Sequence[str | None]], **merged: str) -> Path:
    """Save a workbook."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in rows:
        sheet.append(row)
    for area in merged.values():
        sheet.merge_cells(area)
    book.save(path)
    return path


ROWS = [["prompt", "note"], ["A kite", "x"], ["A boat", "y"]]
RESULTS = [["prompt", "note", "status"], ["A kite", "x", "done"], ["A boat", "y", "failed"]]


@pytest.mark.parametrize(
    "after",
    [
        [*RESULTS, ["failed", None, None]],
        RESULTS[:2],
        [RESULTS[0], ["A kite", "z", "done"], RESULTS[2]],
        [RESULTS[0], ["A kite", "x", "done", "more"], RESULTS[2]],
        [["prompt", "note", "other"], *RESULTS[1:]],
        [["prompt", "owner", "status"], *RESULTS[1:]],
        [["a title"], [], *RESULTS],
        [RESULTS[0], RESULTS[2], RESULTS[1]],
        [RESULTS[0], ["#REF!", "x", "done"], RESULTS[2]],
    ],
)
def test_a_workbook_that_reads_differently_is_refused(
    tmp_path: Path, after: list[list[str | None]]
) -> None:
    """Another row, cell, header or order."""
    book = _saved(tmp_path / "t.xlsx", ROWS)
    check_written(book, _saved(tmp_path / "same.xlsx", RESULTS), {"status": "status"}, {})
    draft = _saved(tmp_path / "draft.xlsx", after)
    with pytest.raises(ValueError, match=r"can't be written into the manifest: .* with -o"):
        check_written(book, draft, {"status": "status"}, {})


def test_a_workbook_whose_cells_are_merged_to_the_right_reads_the_same(tmp_path: Path) -> None:
    """Over columns without a header, which have one only beside results."""
    book = _saved(tmp_path / "t.xlsx", ROWS, row="B2:D2")
    wider = [[*row[:2], None, None, row[2]] for row in RESULTS]
    draft = _saved(tmp_path / "draft.xlsx", wider, row="B2:D2")
    check_written(book, draft, {"status": "status"}, {})


@pytest.mark.usefixtures("world")
def test_a_workbook_stays_where_its_copy_would_read_differently(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cause: here the writer is made to lose a row."""

    def careless(_task: str, _source: Path, target: BinaryIO, _told: object) -> list[str]:
        target.write(_saved(Path("other.xlsx"), RESULTS[:2]).read_bytes())
        return []

    book = _saved(Path("t.xlsx"), ROWS)
    assert call("run", str(book), "--budget", "50", *QUICK).code == 0
    before = book.read_bytes()
    monkeypatch.setattr(apart_results, "write_apart", careless)
    said = call("export", "--in-place")
    assert said.code != 0
    assert "can't be written into the manifest" in said.words
    assert book.read_bytes() == before
    assert list(Path().glob("t.*.xlsx")) == list(Path().glob(".*")) == []


@pytest.mark.usefixtures("world")
def test_nothing_changes_where_results_would_make_rows(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cause: here the writer is made to leave a line break bare."""

    def careless(path: Path, target: BytesIO, *_: object) -> None:
        target.write(path.read_bytes() + b"completed\ncompleted\n")

    TABLE.write_text("prompt,notes\nA kite,x\n")
    assert call("run", str(TABLE), "--budget", "50", *QUICK).code == 0
    before = TABLE.read_bytes()
    monkeypatch.setattr(export_into_manifest, "write_csv_results", careless)
    said = call("export", "--in-place")
    assert said.code != 0
    assert "can't be written into the manifest" in said.words
    assert TABLE.read_bytes() == before
    assert list(Path().glob("t.*.csv")) == list(Path().glob("*.part*")) == []


@pytest.mark.usefixtures("world")
def test_results_are_not_written_beside_another_prompt(call: Shell) -> None:
    """Ids count the rows, and a row was put in: the load is refused, and so are the results."""
    TABLE.write_text("id,prompt\n1,A kite\n2,A boat\n3,A hill\n")
    assert call("run", str(TABLE), "--budget", "50", *QUICK).code == 0
    TABLE.write_text("id,prompt\n1,A kite\n2,A brand new lake\n3,A boat\n4,A hill\n")
    assert call("run", str(TABLE), *QUICK).code == 2
    said = call("export", "--in-place")
    assert said.code == 0
    assert "2 rows (3-4): edited after the video was bought" in said.words
    assert [row["status"] for row in rows_of(TABLE)] == ["completed", "", "", ""]


@pytest.mark.usefixtures("world")
def test_results_are_not_written_beside_another_picture(call: Shell) -> None:
    """Every row says "Animate this": only the pictures tell them apart."""
    for name in "abc":
        Path(f"{name}.png").write_bytes(png(name.encode()))
    TABLE.write_text("id,prompt,image\n1,Animate this,a.png\n2,Animate this,b.png\n")
    assert call("run", str(TABLE), "--budget", "50", *QUICK).code == 0
    TABLE.write_text("id,prompt,image\n1,Animate this,a.png\n2,Animate this,c.png\n")
    said = call("export", "--in-place")
    assert "1 row (3): edited after the video was bought" in said.words
    assert [row["status"] for row in rows_of(TABLE)] == ["completed", ""]


def test_results_of_a_prompt_that_was_given_by_hand_are_written(call: Shell, world: World) -> None:
    """The manifest goes on saying the old one; it is the row that was bought."""
    world.failures["A storm"] = ["content moderation: too wild"]
    TABLE.write_text("id,prompt\n1,A storm\n")
    call("run", str(TABLE), "--budget", "50", *QUICK)
    assert call("retry", "1", "--prompt", "A breeze", "--yes").code == 0
    assert call("run", str(TABLE), *QUICK).code == 0
    assert "something else" not in call("export", "--in-place").words
    assert [row["status"] for row in rows_of(TABLE)] == ["completed"]


@pytest.mark.usefixtures("world")
def test_a_status_and_a_verdict_of_their_own_stay(call: Shell) -> None:
    """Nothing was ever written into this table, whatever words they have in it."""
    TABLE.write_text("prompt,status,verdict\nA kite,queued,favourite\nA boat,completed,\n")
    for _ in range(2):
        assert call("run", str(TABLE), "--budget", "5", *QUICK).code == 0
        assert call("export", "--in-place").code == 0
        next(Path().glob("t.*.csv")).unlink()  # named by the second
        rows = rows_of(TABLE)
        assert [(row["status"], row["verdict"]) for row in rows] == [
            ("queued", "favourite"),
            ("completed", ""),
        ]
        assert [row["batchsora_status"] for row in rows] == ["completed", "completed"]
        assert len(rows[0]) == 3 + len(RESULT_NAMES)
