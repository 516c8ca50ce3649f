"""Results back where they came from: into a copy of the manifest, or into the manifest itself."""

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.read import open_manifest
from batchsora.result_columns import RESULT_NAMES
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.spec import JobSpec

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second, and which refuses storms."""
    made = World(time_scale=2000.0, failures={"A storm": ["content moderation: too wild"]})
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def keys(path: str) -> list[str]:
    found = []
    for job in open_manifest(Path(path)).rows():
        assert isinstance(job, JobSpec), job
        found.append(job.key)
    return found


def workbook(path: str) -> None:
    """Save what a person cares about: formats, formulas, widths, other columns and sheets."""
    book = openpyxl.Workbook()
    notes = book.active
    assert isinstance(notes, Worksheet)
    notes.title = "Videos"
    notes.append(["id", "Prompt", "count", "owner"])
    notes.append(["kite", "A kite", None, "Ann"])
    notes.append(["storm", "A storm", None, "Bob"])
    notes.append([])
    notes.append(["twice", "A heron", 2, "=UPPER(D2)"])
    notes["B1"].font = Font(bold=True)
    notes["D2"].fill = PatternFill("solid", fgColor="FFCC00")
    notes.column_dimensions["B"].width = 55
    book.create_sheet("Budget")["A1"] = "=1+1"
    book.save(path)


def header(sheet: Any) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[1] if cell.value}


def test_a_workbook_gets_its_results(call: Shell, world: World) -> None:
    """A copy of it, with all else as it was; and it is a manifest that buys nothing again."""
    workbook("night.xlsx")
    assert call("run", "night.xlsx", *QUICK).code == 3
    said = call("export", "-o", "done.xlsx")
    assert said.code == 0, said.err
    book = openpyxl.load_workbook("done.xlsx")
    assert book.sheetnames == ["Videos", "Budget"]
    assert book["Budget"]["A1"].value == "=1+1"
    sheet = book["Videos"]
    at = header(sheet)
    assert list(at) == ["id", "Prompt", "count", "owner", *RESULT_NAMES]
    assert sheet.cell(2, at["status"]).value == "completed"
    assert Decimal(str(sheet.cell(2, at["price"]).value)) == Decimal("0.12")
    link = sheet.cell(2, at["video_url"])
    assert link.hyperlink is not None
    assert link.hyperlink.target == link.value
    assert sheet.cell(2, at["file"]).value == "videos/night/kite.mp4"
    assert sheet.cell(3, at["status"]).value == "failed"
    assert "too wild" in sheet.cell(3, at["error"]).value
    assert (
        sheet.cell(3, at["status"]).fill.fgColor.rgb != sheet.cell(2, at["status"]).fill.fgColor.rgb
    )
    assert sheet.cell(4, at["status"]).value is None
    assert sheet.cell(5, at["status"]).value == "completed\ncompleted"
    assert sheet["D5"].value == "=UPPER(D2)"
    assert sheet["B1"].font.bold
    assert sheet["D2"].fill.fgColor.rgb.endswith("FFCC00")
    assert sheet.column_dimensions["B"].width == 55
    assert keys("done.xlsx") == keys("night.xlsx")
    bought = len(world.made)
    again = call("run", "done.xlsx", "--name", "night", *QUICK)
    assert again.code == 3
    assert len(world.made) == bought


def test_a_manifest_takes_its_results_in_place(call: Shell, world: World) -> None:
    """What it was is kept beside it; a second time replaces the first results."""
    workbook("night.xlsx")
    before = Path("night.xlsx").read_bytes()
    call("run", "night.xlsx", *QUICK)
    said = call("export", "--in-place", "--json").json
    assert Path(said["backup"]).read_bytes() == before
    assert keys("night.xlsx") == keys(said["backup"])
    assert call("retry", "storm", "--yes").code == 0
    assert call("run", *QUICK).code == 0
    assert call("export", "--in-place").code in (0, 2)
    sheet = openpyxl.load_workbook("night.xlsx")["Videos"]
    assert list(header(sheet)).count("status") == 1
    assert len(world.made) >= 4


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("separator", "end", "encoding", "quoting"),
    [
        (",", "\n", "utf-8", csv.QUOTE_MINIMAL),
        (";", "\r\n", "utf-8-sig", csv.QUOTE_ALL),
        ("\t", "\r\n", "utf-16", csv.QUOTE_MINIMAL),
    ],
)
def test_a_text_table_keeps_its_dialect(
    call: Shell, separator: str, end: str, encoding: str, quoting: int
) -> None:
    """Separator, line ends, quotes, encoding, blank rows, and a row that is not valid."""
    rows = [
        ["prompt", "note"], ["A kité", "=1+1"], [], ["A storm", "x"], ["A heron", "one\ntwo"]
    ]  # fmt: skip
    with Path("m.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows(rows)
    before = keys("m.csv")
    assert call("run", "m.csv", *QUICK).code == 3
    said = call("export", "--in-place", "--json")
    assert said.code == 0, said.err
    raw = Path("m.csv").read_bytes()
    text = raw.decode(encoding)
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    assert text.count(end) >= 5
    if quoting == csv.QUOTE_ALL:
        assert text.startswith('"prompt"')
    read = list(csv.reader(text.splitlines(keepends=True), delimiter=separator))
    assert read[0] == [*rows[0], *RESULT_NAMES]
    assert not any(read[2])
    assert read[1][:3] == [*rows[1], "completed"]
    assert read[3][:3] == [*rows[3], "failed"]
    assert read[4][:2] == rows[4]
    assert keys("m.csv") == before
    assert call("export", "--in-place", "--json").code in (0, 2)


@pytest.mark.usefixtures("world")
def test_yaml_keeps_its_comments(call: Shell) -> None:
    """The results stand below each job, and the file says the same as before."""
    Path("m.yaml").write_text(
        "# my night\nbudget: 6.00 # enough\njobs:\n  - id: kite # the first\n    prompt: A kite\n"
        "  - A storm\n  - id: twice\n    prompt: A heron\n    count: 2\n"
    )
    before = keys("m.yaml")
    assert call("run", "m.yaml", *QUICK).code == 3
    assert call("export", "-o", "done.yaml").code == 0
    text = Path("done.yaml").read_text()
    for kept in ("# my night\n", "budget: 6.00 # enough", "- id: kite # the first"):
        assert kept in text
    assert "status: completed" in text
    assert keys("done.yaml") == before
    plan = call("plan", "done.yaml", "--name", "m", "--json").json
    assert (plan["already_done"], plan["waiting"], plan["jobs"]) == (3, {"failed": 1}, 4)


@pytest.mark.usefixtures("world")
def test_a_table_of_some_rows_is_a_new_workbook(call: Shell) -> None:
    """The failures alone, ready to be looked at and to be loaded again."""
    Path("m.csv").write_text("id,prompt\nkite,A kite\nstorm,'=A storm\nwild,A storm\n")
    call("run", "m.csv", *QUICK)
    assert call("export", "-o", "failed.xlsx", "--status", "failed").code == 0
    sheet = openpyxl.load_workbook("failed.xlsx").active
    assert isinstance(sheet, Worksheet)
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == ["wild"]
    assert call("export", "-o", "all.xlsx").code == 0
    sheet = openpyxl.load_workbook("all.xlsx").active
    assert isinstance(sheet, Worksheet)
    assert sheet["B3"].value == "=A storm"
    assert sheet["B3"].data_type == "s"
    assert keys("all.xlsx") == ["kite", "storm", "wild"]


@pytest.mark.usefixtures("world")
def test_what_can_not_be_done_in_place_is_said(call: Shell) -> None:
    """And nothing was touched."""
    Path("m.jsonl").write_text(json.dumps({"prompt": "A kite"}))
    Path("m.csv").write_text("prompt\nA heron\n")
    call("run", "m.csv", *QUICK)
    Path(".~lock.m.csv#").touch()
    said = call("export", "--in-place")
    assert said.code == 2
    assert "open in another program" in said.words
    Path(".~lock.m.csv#").unlink()
    Path("m.csv").unlink()
    said = call("export", "--in-place")
    assert said.code == 2
    assert "-o" in said.words
    assert call("export", "-o", "out.csv").code == 0
    assert call("export").code == 2
    assert call("export", "--in-place", "-o", "x.csv").code == 2
    assert sorted(path.suffix for path in Path().iterdir() if "m." in path.name) == [".jsonl"]
