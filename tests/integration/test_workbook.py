"""Workbooks: results in a copy that is otherwise the same, new ones, and hostile ones."""

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet

from batchsora.result_columns import RESULT_NAMES, result_headers
from batchsora.workbook import WorkbookError
from batchsora.workbook.annotate import Columns, annotate
from batchsora.workbook.cells import Link
from batchsora.workbook.new import Sheet, write_workbook
from batchsora.workbook.package import check_package
from batchsora.workbook.styles import RED

HEADERS = ["id", "Prompt", "Länge", "twice"]
WHEN = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
DONE: Mapping[str, object] = {
    "status": "completed", "price": Decimal("0.12"), "attempts": 1, "submitted_at": WHEN,
    "video_url": Link("https://example.com/v?a=1&b=2", "https://example.com/v?a=1&b=2"),
    "file": Link("videos/my film.mp4", "videos/my film.mp4"), "error": "",
}  # fmt: skip
FAILED: Mapping[str, object] = {
    "status": "failed",
    "error": '=HYPERLINK("x") \x1b[31m',
    "attempts": 2,
}


def rich(path: Path) -> Path:
    """Save a workbook with much that a rewriting library may lose."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "My videos"
    sheet.append(HEADERS)
    for number in range(2, 7):
        sheet.append([f"r{number}", f"A kite {number}", number, f"=C{number}*2"])
    sheet["B1"].font = Font(bold=True, color="FF00FF00")
    for cell in sheet[1]:
        cell.fill = PatternFill("solid", fgColor="FFDDEEFF")
    sheet["C3"].number_format = "0.00"
    sheet["B4"].alignment = Alignment(wrap_text=True)
    sheet["B2"].hyperlink = "https://example.com/mine"
    sheet.column_dimensions["B"].width = 44
    sheet.row_dimensions[3].height = 33
    sheet.merge_cells("A9:B9")
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = "A1:D6"
    sheet.conditional_formatting.add(
        "C2:C6", CellIsRule("greaterThan", ["4"], fill=PatternFill(bgColor="FFFFFF00"))
    )
    choice = DataValidation("list", formula1='"10,15"')
    choice.add("C2:C6")
    sheet.add_data_validation(choice)
    other = book.create_sheet("Data")
    for row in (["x", "y"], [1, 2], [3, 4]):
        other.append(row)
    other.add_table(Table(displayName="T", ref="A1:B3"))
    chart = BarChart()
    chart.add_data(Reference(other, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    other.add_chart(chart, "D2")
    book.save(path)
    return path


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def written(
    source: Path,
    target: Path,
    results: Mapping[int, Mapping[str, object]],
    failed: set[int],
    headers: list[str] = HEADERS,
    sheet: str = "My videos",
) -> list[str]:
    there = {name: headers.index(name) + 1 for name in RESULT_NAMES if name in headers}
    columns = Columns({name: name for name in RESULT_NAMES}, there, len(headers))
    with target.open("wb") as file:
        return annotate(source, file, sheet, 1, results, failed, columns)


def own_cells(path: Path) -> dict[str, Any]:
    sheet = openpyxl.load_workbook(path)["My videos"]
    return {
        cell.coordinate: (
            cell.value, cell.number_format,
            *map(repr, (cell.font, cell.fill, cell.alignment, cell.border)),
            None if cell.hyperlink is None else cell.hyperlink.target,
        )
        for row in sheet.iter_rows(max_col=len(HEADERS))
        for cell in row
        if cell.value is not None
    }  # fmt: skip


def test_everything_else_stays_as_it_was(tmp_path: Path) -> None:
    """Byte for byte, but for the sheet itself, its links and the styles."""
    source, target = rich(tmp_path / "mine.xlsx"), tmp_path / "done.xlsx"
    assert written(source, target, {2: DONE, 4: FAILED}, {4}) == []
    before, after = parts(source), parts(target)
    touched = {name for name in before if before[name] != after[name]}
    assert touched == {
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/_rels/sheet1.xml.rels",
        "xl/styles.xml",
    }
    assert before.keys() == after.keys()
    assert own_cells(source) == own_cells(target)
    sheet = openpyxl.load_workbook(target)["My videos"]
    assert sheet.column_dimensions["B"].width == 44
    assert sheet.row_dimensions[3].height == 33
    assert [str(one) for one in sheet.merged_cells.ranges] == ["A9:B9"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:D6")
    assert sheet.data_validations.dataValidation[0].formula1 == '"10,15"'
    assert sheet.dimensions == "A1:S9"


def test_results_stand_where_they_belong(tmp_path: Path) -> None:
    """Amounts are numbers, times are dates, links are links, and nothing is a formula."""
    source, target = rich(tmp_path / "mine.xlsx"), tmp_path / "done.xlsx"
    written(source, target, {2: DONE, 4: FAILED}, {4})
    sheet = openpyxl.load_workbook(target)["My videos"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert list(at) == [*HEADERS, *RESULT_NAMES]
    assert sheet.cell(1, at["status"]).fill.fgColor.rgb == "FFDDEEFF"  # as the header beside it
    assert sheet.cell(2, at["price"]).value == 0.12
    assert sheet.cell(2, at["submitted_at"]).value == WHEN.replace(tzinfo=None)
    assert sheet.cell(2, at["video_url"]).hyperlink.target == "https://example.com/v?a=1&b=2"
    assert sheet.cell(2, at["file"]).hyperlink.target == "videos/my%20film.mp4"
    assert sheet.cell(2, at["video_url"]).font.underline == "single"
    assert sheet.cell(4, at["error"]).value == '=HYPERLINK("x") \ufffd[31m'
    assert sheet.cell(4, at["error"]).data_type in ("s", "inlineStr")
    reds = {
        (cell.row, cell.column)
        for row in sheet.iter_rows()
        for cell in row
        if cell.fill.fgColor.rgb == RED
    }
    assert {row for row, _ in reds} == {4}
    assert min(column for _, column in reds) == at["status"]


def test_a_second_export_replaces_the_first(tmp_path: Path) -> None:
    """No column twice, no link left behind, no mark on what is no longer failed; of jobs alone."""
    source, once, twice = rich(tmp_path / "mine.xlsx"), tmp_path / "1.xlsx", tmp_path / "2.xlsx"
    written(source, once, {2: DONE, 4: FAILED, 5: DONE}, {4})
    headers = [*HEADERS, *RESULT_NAMES]
    written(once, twice, {4: DONE}, set(), headers)
    sheet = openpyxl.load_workbook(twice)["My videos"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert list(at) == headers
    assert sheet.cell(4, at["status"]).value == "completed"
    assert sheet.cell(4, at["status"]).fill.fgColor.rgb != RED
    assert sheet.cell(2, at["status"]).value == "completed"  # no job of this export
    links = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.hyperlink}
    ours = {f"{sheet.cell(1, at[name]).column_letter}{row}"
            for name in ("video_url", "file") for row in (2, 4, 5)}  # fmt: skip
    assert links == {"B2", *ours}
    again = tmp_path / "3.xlsx"
    written(twice, again, {4: DONE}, set(), headers)
    assert parts(again) == parts(twice)


def test_columns_that_only_look_like_results_are_the_persons_own(tmp_path: Path) -> None:
    """Whoever has a column "status" of theirs keeps what they wrote there."""
    path = tmp_path / "mine.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "My videos"
    sheet.append(["prompt", "status"])
    sheet.append(["A kite", "wanted by Ann"])
    book.save(path)
    columns = Columns(result_headers(["prompt", "status"]), {}, 2)
    with (tmp_path / "done.xlsx").open("wb") as file:
        annotate(path, file, "My videos", 1, {2: DONE}, set(), columns)
    sheet = openpyxl.load_workbook(tmp_path / "done.xlsx")["My videos"]
    assert sheet["B2"].value == "wanted by Ann"
    assert [sheet["C1"].value, sheet["C2"].value] == ["batchsora_status", "completed"]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """Convert a file with LibreOffice."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    profile = tmp_path_factory.mktemp("office")

    def convert(path: Path, form: str) -> Path:
        folder = path.with_name(f"{path.stem}-{form}")
        subprocess.run(
            [
                program,
                f"-env:UserInstallation=file://{profile}",
                "--headless",
                *("--convert-to", form, "--outdir", str(folder), str(path)),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return next(folder.iterdir())

    return convert


def test_libreoffice_agrees(tmp_path: Path, office: Callable[[Path, str], Path]) -> None:
    """It opens the copy, and what its own formulas came to is still stored."""
    calculated = office(rich(tmp_path / "mine.xlsx"), "xlsx")
    done = tmp_path / "done.xlsx"
    written(calculated, done, {2: DONE, 4: FAILED}, {4})
    values = openpyxl.load_workbook(done, data_only=True)["My videos"]
    assert [values[f"D{row}"].value for row in range(2, 7)] == [4, 6, 8, 10, 12]
    assert "xl/charts/chart1.xml" in parts(done)
    lines = office(done, "csv").read_text(encoding="cp1252").splitlines()
    assert lines[0].startswith("id,Prompt,Länge,twice,status,generation_id,price")
    assert lines[1].startswith("r2,A kite 2,2,4,completed,,0.12,https://example.com/v?a=1&b=2,")
    assert lines[3].startswith("r4,A kite 4,4,8,failed,")


@given(
    st.lists(
        st.one_of(st.text(max_size=40), st.sampled_from(["=1+1", "+x", "@a", "-1", " a ", "\n"])),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_text_is_a_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """In a copy as in a new workbook: nothing that somebody wrote is run or lost."""
    folder = tmp_path_factory.mktemp("texts")
    source = rich(folder / "mine.xlsx")
    written(
        source,
        folder / "done.xlsx",
        {n + 2: {"error": text} for n, text in enumerate(texts)},
        set(),
    )
    sheet = openpyxl.load_workbook(folder / "done.xlsx")["My videos"]
    column = len(HEADERS) + 1 + RESULT_NAMES.index("error")
    new = io.BytesIO()
    rows = [{"error": text} for text in texts]
    write_workbook(new, [Sheet("Videos", ["error"], rows, lambda _: False)])
    other = openpyxl.load_workbook(new).active
    assert isinstance(other, Worksheet)
    for number, text in enumerate(texts, 2):
        for cell in (sheet.cell(number, column), other.cell(number, 1)):
            assert cell.data_type != "f"
            assert plain(cell.value or "") == plain(text)


def plain(text: object) -> str:
    """Leave out what XML and the libraries' own escapes may change."""
    return "".join(c for c in str(text) if c.isalnum() or c in "=+-@")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/worksheets/sheet1.xml", b"\0" * (64 * 1024**2))


def entities(path: Path) -> None:
    rich(path)
    content = parts(path)
    content["xl/workbook.xml"] = b'<!DOCTYPE a [<!ENTITY b "c">]>' + content["xl/workbook.xml"]
    with zipfile.ZipFile(path, "w") as package:
        for name, data in content.items():
            package.writestr(name, data)


def strict(path: Path) -> None:
    rich(path)
    content = parts(path)
    content["xl/workbook.xml"] = content["xl/workbook.xml"].replace(
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    with zipfile.ZipFile(path, "w") as package:
        for name, data in content.items():
            package.writestr(name, data)


def looked_at(path: Path) -> None:
    check_package(path)
    written(path, path.with_name("out.xlsx"), {}, set())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 900), "encrypted"),
        (lambda path: path.write_bytes(b"id,prompt\n"), "not a workbook"),
        (bomb, "unpacks to more"),
        (entities, "document type"),
        (strict, "Strict"),
    ],
)
def test_what_is_hostile_or_none_is_refused(
    tmp_path: Path, make: Callable[[Path], Any], says: str
) -> None:
    """Before anything is unpacked or believed."""
    path = tmp_path / "m.xlsx"
    make(path)
    with pytest.raises(WorkbookError, match=says):
        looked_at(path)
