"""The head of a file that may be refused: its sheets and headers, whatever they mean."""

from hashlib import sha512
from pathlib import Path

import openpyxl
import pytest

from batchsora.manifest import heads
from batchsora.manifest.errors import ManifestError
from batchsora.manifest.heads import Head, head_of
from batchsora.manifest.raw import Reading
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """A workbook: a page of words, the ideas under two blank rows, and a sheet that is hidden."""
    made = openpyxl.Workbook()
    made.worksheets[0].title = "Read me"
    made.worksheets[0].append(["Made by us"])
    ideas = made.create_sheet("Ideas")
    ideas.cell(3, 1, "Nr.")
    ideas.cell(3, 2, "What we show")
    made.create_sheet("Lists").sheet_state = "hidden"
    made.save(tmp_path / "m.xlsx")
    return tmp_path / "m.xlsx"


@pytest.mark.parametrize(
    ("reading", "sheet", "headers"),
    [
        (Reading(), "Read me", ("Made by us",)),
        (Reading(sheet="ideas"), "Ideas", ("Nr.", "What we show")),
        (Reading(sheet="gone"), "Read me", ("Made by us",)),
    ],
)
def test_sheets_and_headers(
    workbook: Path, reading: Reading, sheet: str, headers: tuple[str, ...]
) -> None:
    """Of the sheet that is named; of one that is not there those of the first one."""
    assert head_of(workbook, reading) == Head(headers, sheet, ("Read me", "Ideas"))


def test_a_hidden_sheet_that_is_named_is_among_them(workbook: Path) -> None:
    """An empty one has no headers."""
    assert head_of(workbook, Reading(sheet="Lists")) == Head(
        (), "Lists", ("Read me", "Ideas", "Lists")
    )


@pytest.mark.parametrize(
    ("name", "content", "headers"),
    [
        ("m.csv", "A;B\n1;2\n", ("A", "B")),
        ("m.yaml", "jobs:\n- what: a\n  long: 10\n", ("what", "long")),
        ("m.jsonl", '{"what": "a", "long": 10}\n', ("what", "long")),
    ],
)
def test_every_other_format(
    tmp_path: Path, name: str, content: str, headers: tuple[str, ...]
) -> None:
    """By its own reader; none of them has sheets."""
    (tmp_path / name).write_text(content)
    assert head_of(tmp_path / name) == Head(headers)


def test_too_many_and_too_long_are_told_and_not_carried(tmp_path: Path) -> None:
    """One more than may be, so that whoever asks knows."""
    made = openpyxl.Workbook()
    long = [sha512(bytes([n % 256, n // 256])).hexdigest() * 8 for n in range(MOST_COLUMNS + 5)]
    made.worksheets[0].append(long)
    made.save(tmp_path / "m.xlsx")
    found = head_of(tmp_path / "m.xlsx").headers
    assert len(found) == MOST_COLUMNS + 1
    assert {len(header) for header in found} == {LONGEST_HEADER + 1}


@pytest.mark.parametrize(("name", "content"), [("m.xlsx", b"no workbook"), ("m.pdf", b"%PDF")])
def test_what_is_no_table_has_none(tmp_path: Path, name: str, content: bytes) -> None:
    """It is said why."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError):
        head_of(tmp_path / name)


def test_a_reader_that_was_taken_over_is_not_believed(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it answers that is no head is one error."""
    monkeypatch.setattr(heads, "TASK", "batchsora.manifest.formats.apart_table:prepare")
    with pytest.raises(ManifestError, match="gave an invalid answer"):
        head_of(workbook)
