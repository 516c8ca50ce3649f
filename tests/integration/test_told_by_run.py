"""What a table has and a run doesn't buy is told by the run itself: nobody has to plan first."""

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.raw import Reading
from batchsora.manifest.read import open_manifest
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

RUN = ("--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    """Call commands in an empty folder, with a token in the environment and a provider."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-told")
    with SandboxServer(World(time_scale=2000.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield Shell(capfd)


def sheets(path: Path, **rows: list[str]) -> None:
    """Save a workbook: for each sheet the prompts."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, prompts in rows.items():
        sheet = made.create_sheet(name)
        assert isinstance(sheet, Worksheet)
        for text in ("prompt", *prompts):
            sheet.append([text])
    made.save(path)


def test_hidden_rows(call: Shell) -> None:
    sheets(Path("t.xlsx"), Videos=["A kite", "A boat"])
    made = openpyxl.load_workbook("t.xlsx")
    made.worksheets[0].row_dimensions[3].hidden = True
    made.save("t.xlsx")
    said = call("run", "t.xlsx", *RUN)
    assert "1 row is hidden and was left out (row 3)" in said.words


def test_columns_that_are_not_read(call: Shell) -> None:
    """``Text`` beside ``prompt`` is carried along."""
    Path("t.csv").write_text("prompt,Text\nA kite,overlay\n")
    assert "is not read as 'prompt'" in call("run", "t.csv", *RUN).words


def test_other_sheets_with_prompts(tmp_path: Path, call: Shell) -> None:
    """A year's plan has a sheet a month; only the first is bought, unless one is named."""
    sheets(Path("t.xlsx"), Jan=["A kite"], Feb=["A boat"])
    said = call("run", "t.xlsx", *RUN)
    assert "only the sheet 'Jan' is read; there are prompts in 'Feb', too" in said.words
    named = open_manifest(tmp_path / "t.xlsx", reading=Reading(sheet="Jan"))
    assert list(named.rows())
    assert not named.warnings
