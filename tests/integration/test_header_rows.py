"""The row of a workbook's headers, where a person names it."""

from pathlib import Path

import openpyxl
import pytest
from support.site import Folder

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.heads import head_of
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import open_manifest
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """A workbook whose headers stand below lines that look like headers."""
    made = openpyxl.Workbook()
    for row in (["Campaign", "Owner"], ["spring", "Ann"], [], ["prompt", "id"], ["a lamp", "one"]):
        made.worksheets[0].append(row)
    made.save(tmp_path / "m.xlsx")
    return tmp_path / "m.xlsx"


@pytest.mark.parametrize("row", [3, 4])
def test_the_headers_are_in_the_row_that_is_named(workbook: Path, row: int) -> None:
    """Rows above it are not read; where it is blank, the next one counts."""
    with pytest.raises(ManifestError):
        open_manifest(workbook)
    manifest = open_manifest(workbook, reading=Reading(header_row=row))
    assert [job.request.prompt for job in manifest.named_rows()] == ["a lamp"]
    assert manifest.header_row == 4
    head = head_of(workbook, Reading(header_row=row))
    assert (head.headers, head.header_row) == (("prompt", "id"), 4)
    assert [(number, [*cells]) for number, cells, _ in head.rows] == [(5, ["a lamp", "one"])]


def test_a_row_that_is_not_there(workbook: Path, tmp_path: Path) -> None:
    """Below the last one, and in a table that has no sheets."""
    with pytest.raises(ManifestError, match="is empty from row 9 on"):
        open_manifest(workbook, reading=Reading(header_row=9))
    (tmp_path / "m.csv").write_text("prompt\na\n")
    with pytest.raises(ManifestError, match="in a workbook only"):
        open_manifest(tmp_path / "m.csv", reading=Reading(header_row=2))


def test_it_is_kept_with_the_batch(workbook: Path) -> None:
    """A second run needs no word."""
    with SandboxServer(World(time_scale=2000.0)) as api:
        folder = Folder(workbook.parent, api)
        assert folder.call("run", "m.xlsx", "--header-row", "4", "--budget", "1", "--quiet") == 0
        code, said = folder.typed("plan", "m.xlsx")
    assert code == 0
    assert "--header-row 4" in said
