"""A title that is merged over several columns above the headers is passed over, and told."""

from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.books import saved_as, seen, told
from support.shell import Shell

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import open_manifest
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.spec import JobSpec


def book(path: Path, rows: list[list[object]], *merges: str) -> Path:
    """Save rows, some cells merged."""
    whole = openpyxl.Workbook()
    sheet = whole.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    for cells in rows:
        sheet.append(cells)
    for area in merges:
        sheet.merge_cells(area)
    whole.save(path)
    return path


TITLED: list[list[object]] = [
    ["Table 1"],
    [],
    ["prompt", "duration"],
    ["A kite", 15],
    ["A boat", 10],
]
SAID = "Videos!1:1: 1 row is a heading merged over the columns, and was left out (row 1)."


@pytest.mark.parametrize("form", ["xlsx", "ods", "xls"])
def test_a_title_is_no_header(tmp_path: Path, form: str) -> None:
    path = book(tmp_path / "m.xlsx", TITLED, "A1:B1")
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    assert seen(path) == {4: ["A kite", "15"], 5: ["A boat", "10"]}
    (said,) = told(path)
    assert said.startswith(SAID)
    manifest = open_manifest(path)
    jobs = [(job.row, job.request.duration) for job in manifest.rows() if isinstance(job, JobSpec)]
    assert (manifest.header_row, jobs) == (3, [(4, 15), (5, 10)])


def test_several_titles_are_none_either(tmp_path: Path) -> None:
    """One over two rows, and one that a person sees in the middle."""
    rows = [["Plan"], [], [None, "of June"], *TITLED[2:]]
    path = book(tmp_path / "m.xlsx", rows, "A1:B2", "B3:D3")
    assert list(seen(path)) == [5, 6]


@pytest.mark.parametrize("header", ["Prompt", "Video idea (short)"])
def test_a_merged_header_is_one(tmp_path: Path, header: str) -> None:
    """One column alone, which covers two."""
    path = book(tmp_path / "m.xlsx", [[header], ["A kite"]], "A1:B1")
    assert list(seen(path)) == [2]
    assert told(path) == []


def test_a_merged_header_that_a_person_names_is_one(tmp_path: Path) -> None:
    path = book(tmp_path / "m.xlsx", [["What"], ["A kite", "x"]], "A1:B1")
    manifest = open_manifest(path, reading=Reading(columns={"What": "prompt"}))
    assert [item.row for item in manifest.rows()] == [2]
    with pytest.raises(ManifestError, match="there is no column 'prompt'"):
        open_manifest(path)


def test_a_title_that_is_not_merged_is_asked_about(tmp_path: Path) -> None:
    """Nothing tells it from a header."""
    with pytest.raises(ManifestError, match="there is no column 'prompt'"):
        open_manifest(book(tmp_path / "m.xlsx", TITLED))


def test_another_sheet_with_a_title_is_named(tmp_path: Path) -> None:
    path = book(tmp_path / "m.xlsx", TITLED, "A1:B1")
    whole = openpyxl.load_workbook(path)
    first = whole.create_sheet("First", 0)
    first.append(["prompt"])
    first.append(["A hill"])
    whole.active = 0
    whole.save(path)
    assert any("there are prompts in 'Videos', too" in one for one in told(path))


def test_results_are_written_below_a_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Their headers beside the others, and the title as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-titles")
    book(tmp_path / "m.xlsx", TITLED, "A1:B1")
    call = Shell(capfd)
    with SandboxServer(World(time_scale=2000.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        words = ("--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--no-download")
        assert call("run", "m.xlsx", *words).code == 0
    assert call("export", "--in-place").code == 0
    sheet = openpyxl.load_workbook("m.xlsx")["Videos"]
    rows = [[cell.value for cell in row[:3]] for row in sheet.iter_rows()]
    assert rows[0] == ["Table 1", None, None]
    assert rows[2][:2] == ["prompt", "duration"]
    assert rows[2][2] is not None
    assert [row[:2] for row in rows[3:]] == [["A kite", 15], ["A boat", 10]]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:B1"]
    assert call("plan", "m.xlsx", "--json").json["already_done"] == 2
