"""Which rows of a workbook are rows, and what a merged cell says of each that it covers."""

import io
import os
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet
from support.books import DATA, cells, read, row, saved_as, seen, told, xlsx
from support.shell import Shell

from batchsora.manifest.books.xlsx import WithoutBlankRows
from batchsora.manifest.errors import ManifestError
from batchsora.manifest.raw import RawRow, Reading
from batchsora.manifest.read import open_manifest
from jobs.model.spec import JobSpec

HEADER = ["id", "prompt", "duration", "orientation", "campaign", "note"]


def book(path: Path, rows: list[list[object]], *merges: str, hide: tuple[int, ...] = ()) -> Path:
    """Save rows below the header, some cells merged and some rows hidden."""
    whole = openpyxl.Workbook()
    sheet = whole.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    for cells_ in [HEADER, *rows]:
        sheet.append(cells_)
    for area in merges:
        sheet.merge_cells(area)
    for number in hide:
        sheet.row_dimensions[number].hidden = True
    whole.save(path)
    return path


MERGED: list[list[object]] = [
    ["a", "A kite", 15, "landscape", "spring"],
    ["b", "A heron"],
    ["c", "A boat"],
    ["d", "A fox", 10, "portrait", "summer"],
]


@pytest.mark.parametrize("form", ["xlsx", "ods", "xls"])
def test_a_merged_cell_holds_for_every_row_that_it_covers(tmp_path: Path, form: str) -> None:
    """A campaign that spans three rows has a cap for three."""
    path = book(tmp_path / "m.xlsx", MERGED, "C2:C4", "D2:D4", "E2:E4")
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    found = {number: cells_[2:5] for number, cells_ in seen(path).items()}
    assert found == {
        **{number: ["15", "landscape", "spring"] for number in (2, 3, 4)},
        5: ["10", "portrait", "summer"],
    }


def test_a_merged_cell_holds_for_every_column_that_it_covers(tmp_path: Path) -> None:
    """What covers the duration is no duration; what covers a column of no name is nothing."""
    path = book(tmp_path / "m.xlsx", [["a", "A kite", None, "landscape"]], "B2:C2", "E2:F2")
    assert seen(path)[2][:4] == ["a", "A kite", "A kite", "landscape"]
    wide = tmp_path / "wide.xlsx"
    whole = openpyxl.load_workbook(path)
    sheet = whole["Videos"]
    sheet.unmerge_cells("B2:C2")
    sheet["C1"] = None
    sheet.merge_cells("B1:C1")
    sheet.merge_cells("B2:C2")
    whole.save(wide)
    assert seen(wide)[2][:4] == ["a", "A kite", "", "landscape"]


def test_an_error_in_a_merged_cell_is_one_for_every_row(tmp_path: Path) -> None:
    """None of them is bought at the default."""
    path = book(tmp_path / "m.xlsx", [["a", "A kite", "=1/0"], ["b", "A fox"]], "C2:C3")
    assert [item.cell for item in read(path) if not isinstance(item, RawRow)] == [
        "Videos!C2",
        "Videos!C3",
    ]


def test_rows_that_are_merged_as_a_whole_are_one(tmp_path: Path) -> None:
    """A tall row, made of two: bought once."""
    merges = [f"{column}2:{column}3" for column in "ABCDE"] + ["A1:A1"]
    path = book(tmp_path / "m.xlsx", [["a", "A kite", 15], [], ["b", "A fox"]], *merges)
    assert list(seen(path)) == [2, 4]


def test_a_header_that_covers_rows_is_refused(tmp_path: Path) -> None:
    """Its words would be the prompt of the row below."""
    path = tmp_path / "m.xlsx"
    book(path, [["a", None, "seconds"], ["b", "A fox", 10]], "B1:B2")
    with pytest.raises(ManifestError, match=r"Videos!B1: the header's cell is merged.*Unmerge"):
        list(open_manifest(path).rows())
    tall = book(tmp_path / "tall.xlsx", [[], ["b", "A fox", 10]], "A1:A2", "B1:B2")
    assert list(seen(tall)) == [3]


def test_hidden_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    """Those that a filter hides, and those that a person does; an option takes them."""
    rows: list[list[object]] = [[key, f"Scene {key}"] for key in "abcd"]
    path = book(tmp_path / "m.xlsx", rows, hide=(3, 5))
    assert list(seen(path)) == [2, 4]
    assert told(path) == [
        (
            "Videos!3:3: 2 rows are hidden and were left out (rows 3, 5). "
            "--include-hidden takes them; or show them, and clear the filter if there is one."
        )
    ]
    reading = Reading(include_hidden=True)
    assert list(seen(path, reading)) == [2, 3, 4, 5]
    assert told(path, reading) == []
    many = book(tmp_path / "many.xlsx", rows * 9, hide=tuple(range(3, 30)))
    (said,) = told(many)
    assert "27 rows are hidden" in said
    assert "rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …" in said


def test_hidden_rows_are_told_by_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And read where the plan is told to; that is kept with the batch."""
    path = book(tmp_path / "m.xlsx", [["a", "A kite"], ["b", "A fox"]], hide=(3,))
    manifest = open_manifest(path)
    assert len(list(manifest.rows())) == 1
    assert ["hidden" in warning.problem for warning in manifest.warnings] == [True]
    whole = open_manifest(path, reading=Reading(include_hidden=True))
    assert len([item for item in whole.rows() if isinstance(item, JobSpec)]) == 2
    assert whole.read_as["include_hidden"] is True
    monkeypatch.chdir(tmp_path)
    shell = Shell(capfd)
    assert "1 row is hidden and was left out (row 3)" in shell("plan", "m.xlsx").words
    assert "hidden" not in shell("plan", "m.xlsx", "--include-hidden").words


def test_results_find_the_rows_that_were_hidden_later(tmp_path: Path) -> None:
    """A filter that is set after buying takes no row's results away."""
    rows: list[list[object]] = [[None, "A kite"], [None, "A fox"], [None, "A fox"]]
    found = open_manifest(book(tmp_path / "m.xlsx", rows)).named_rows()
    before = {spec.row: spec.key for spec in found}
    manifest = open_manifest(book(tmp_path / "m.xlsx", rows, hide=(2,)))
    assert {spec.row: spec.key for spec in manifest.named_rows()} == before


def test_what_is_said_of_hidden_rows_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once, for every later load of the same book; and taken back."""
    book(tmp_path / "m.xlsx", [["a", "A kite"], ["b", "A fox"]], hide=(3,))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok")
    shell = Shell(capfd)
    quick = ("--sandbox", "--yes", "--no-download", "--poll-interval", "0.05", "--rate", "0")
    assert shell("run", "m.xlsx", "--include-hidden", *quick).code == 0
    again = shell("plan", "m.xlsx", "--sandbox").out
    assert "saved     --include-hidden" in again
    assert "m: 2 rows" in again
    assert "m: 1 rows" in shell("plan", "m.xlsx", "--sandbox", "--no-include-hidden").out


def test_where_all_rows_are_hidden_that_is_said(tmp_path: Path) -> None:
    """Instead of that there are none."""
    path = book(tmp_path / "m.xlsx", [["a", "A kite"]], hide=(2,))
    with pytest.raises(ManifestError, match=r"1 row is hidden .* --include-hidden takes it"):
        open_manifest(path)


def test_a_totals_row_is_none(tmp_path: Path) -> None:
    """Of a table object; that it was left out is said."""
    path = DATA / "totals.xlsx"
    assert list(seen(path)) == [2, 3]
    (said,) = told(path)
    assert said.startswith("Videos!A4: the totals row of a table")
    beside = tmp_path / "beside.xlsx"
    whole = openpyxl.Workbook()
    sheet = whole.active
    assert isinstance(sheet, Worksheet)
    for cells_ in (
        ["prompt", "duration", None, "Owner", "points"],
        ["A kite", 10, None, "Ann", 1],
        ["A fox", 15, None, "Total", 1],
    ):
        sheet.append(cells_)
    table = Table(displayName="Owners", ref="D1:E3", totalsRowCount=1)
    sheet.add_table(table)
    whole.save(beside)
    assert list(seen(beside)) == [2, 3]


def test_a_hidden_column_of_ours_is_read_and_told(tmp_path: Path) -> None:
    """One of somebody's own is their affair."""
    path = book(tmp_path / "m.xlsx", [["a", "A kite", 15]])
    whole = openpyxl.load_workbook(path)
    for letter in "CF":
        whole["Videos"].column_dimensions[letter].hidden = True
    whole.save(path)
    assert seen(path)[2][2] == "15"
    (said,) = told(path)
    assert said.startswith("Videos!C1, column 'duration': the column is hidden, but still read")


def test_rows_without_numbers_are_counted(tmp_path: Path) -> None:
    """Some programs leave the places of rows and cells out."""
    texts = ("prompt", "duration"), ("A kite", "10"), (), ("A fox", "15")
    rows = "".join(f"<row>{cells(*line).replace(' r=', ' x=')}</row>" for line in texts)
    assert seen(xlsx(tmp_path / "m.xlsx", rows)) == {2: ["A kite", "10"], 4: ["A fox", "15"]}


def test_a_sheet_that_is_styled_to_its_end_is_read_in_seconds(tmp_path: Path) -> None:
    """A million rows of nothing cost what it takes to pass over them."""
    blank = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(3, 1_048_576))
    last = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>A kite</t></is></c></row>'
    rows = row(1, "prompt", "duration") + row(2, "A fox", 10) + blank + last
    path = xlsx(tmp_path / "m.xlsx", rows)
    before = os.times().user
    assert seen(path) == {2: ["A fox", "10"], 1_048_576: ["A kite"]}
    assert os.times().user - before < 5


@given(st.lists(st.sampled_from(["", "A fox", "numberless"]), max_size=40), st.integers(40, 400))
def test_rows_that_are_only_styled_are_passed_over(rows: list[str], block: int) -> None:
    """Those that hold something keep their numbers and words, wherever blocks are cut."""
    written, wanted = "<x><sheetData>", []
    for number, text in enumerate(rows, 1):
        said = "" if text == "numberless" else f' r="{number}"'
        value = f'<c t="inlineStr"><is><t>{text}</t></is></c>' if text == "A fox" else '<c s="1"/>'
        written += f"<row{said}>{value}</row>"
        wanted += [number] if text == "A fox" else []
    part = io.BytesIO((written + "</sheetData></x>").encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batchsora.manifest.books.xlsx._BLOCK", block)
        numbers, number = [], 0
        for _, element in etree.iterparse(WithoutBlankRows(part), tag="row"):
            number = int(element.get("r") or number + 1)
            numbers += [number] if element.find(".//t") is not None else []
    assert numbers == wanted


@pytest.mark.parametrize("name", ["Prompts", "prompts", " PROMPTS "])
def test_a_sheet_is_named_as_people_write_it(name: str) -> None:
    """In any case, where that is one sheet; and the error names the one that was meant."""
    path = DATA / "numbers-export.xlsx"
    assert open_manifest(path, reading=Reading(sheet=name)).read_as["sheet"] == "Prompts"
    with pytest.raises(ManifestError, match="'Export Summary' has no column 'prompt'") as caught:
        open_manifest(path)
    assert "--sheet 'Sheet 1 - Table 1'" in caught.value.problem.remedy  # below its title
