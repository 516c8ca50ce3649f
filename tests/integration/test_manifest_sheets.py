"""Workbooks as manifests, made by openpyxl and by LibreOffice itself."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, ManifestError, RowProblem, open_manifest
from jobs.model.spec import JobSpec

HEADER = ["id", "Prompt", "Aspect ratio", "Seconds", "note"]


def workbook(path: Path, rows: list[list[Any]], also: Callable[[Worksheet], None] = id) -> Path:
    """Save rows below the header, and whatever else is to be done to the sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    for row in [HEADER, *rows]:
        sheet.append(row)
    also(sheet)
    book.save(path)
    return path


def jobs(manifest: Manifest) -> list[JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return [item for item in found if isinstance(item, JobSpec)]


def problems(manifest: Manifest) -> list[RowProblem]:
    return [item for item in manifest.rows() if isinstance(item, RowProblem)]


def test_a_workbook_is_a_manifest(tmp_path: Path) -> None:
    """Rows are numbered as the sheet does, blank ones counted and skipped."""
    path = workbook(
        tmp_path / "book.xlsx",
        [["a", "A fox", "16:9", 15, "x"], [], ["b", "A\nheron", None, None, None]],
    )
    manifest = open_manifest(path)
    assert (manifest.name, manifest.columns) == ("book", tuple(HEADER))
    seen = [
        (j.key, j.row, j.request.prompt, j.request.orientation, j.request.duration)
        for j in jobs(manifest)
    ]
    assert seen == [("a", 2, "A fox", "16:9", 15), ("b", 4, "A\nheron", "9:16", 10)]


@pytest.mark.parametrize(
    ("value", "form", "seen"),
    [
        (7, "000", "007"),
        (7, "General", "7"),
        (10.0, "General", "10"),
        (0.1 + 0.2, "General", "0.3"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.255, "0.0%", "25.5%"),
        (5, "0", "5"),
        (date(2026, 11, 23), "yyyy-mm-dd", "2026-11-23"),
        (datetime(2026, 11, 23, 8, 5), "d.m.yy hh:mm", "2026-11-23 08:05:00"),  # noqa: DTZ001
        (time(8, 5), "h:mm", "08:05"),
        (timedelta(hours=30), "[h]:mm:ss", "30:00:00"),
        (True, "General", "TRUE"),
        ("=not a formula", "@", "=not a formula"),
    ],
)  # fmt: skip
def test_a_cell_says_what_people_see(tmp_path: Path, value: Any, form: str, seen: str) -> None:
    """As far as the format of the cell tells it."""

    def format_it(sheet: Worksheet) -> None:
        sheet["E2"].number_format = form
        if isinstance(value, str):
            sheet["E2"].data_type = "s"

    path = workbook(tmp_path / "m.xlsx", [["a", "A fox", None, None, value]], format_it)
    (job,) = jobs(open_manifest(path))
    assert job.cells["note"] == seen


@pytest.mark.parametrize(
    ("value", "orientation"),
    [
        (time(16, 9), "16:9"),  # what a spreadsheet makes of 16:9
        (time(9, 16), "9:16"),
        (timedelta(hours=16, minutes=9), "16:9"),
        ("16:9", "16:9"),
        ("portrait", "9:16"),
    ],
)
def test_an_orientation_that_became_a_time_is_understood(
    tmp_path: Path, value: Any, orientation: str
) -> None:
    """There are two ratios, and each such time can only be one of them."""
    path = workbook(tmp_path / "m.xlsx", [["a", "A fox", value, None, None]])
    (job,) = jobs(open_manifest(path))
    assert job.request.orientation == orientation


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (0.6729166, "General"),
        (16.9, "General"),
        (time(4, 9), "h:mm"),
        (datetime(1900, 1, 1, 16, 9), "d.m.yy h:mm"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_what_can_not_be_told_is_refused_with_its_cell(
    tmp_path: Path, value: Any, form: str
) -> None:
    """It never becomes the default, which would be paid for."""

    def format_it(sheet: Worksheet) -> None:
        sheet["C2"].number_format = form

    path = workbook(tmp_path / "m.xlsx", [["a", "A fox", value, 11, None]], format_it)
    found = {problem.cell: problem for problem in problems(open_manifest(path))}
    assert set(found) == {"Videos!C2", "Videos!D2"}
    assert str(path) + ", Videos!C2" in str(found["Videos!C2"])
    assert found["Videos!D2"].as_json() | {"problem": "", "remedy": ""} == {
        "file": str(path), "row": 2, "column": "Seconds", "found": "11", "problem": "",
        "remedy": "", "cell": "Videos!D2",
    }  # fmt: skip


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    """Else the first that people see; another one is a batch of its own."""
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    for name, prompt in (("Notes", "hidden"), ("Spring 2026", "A fox"), ("Summer", "A heron")):
        sheet = book.create_sheet(name)
        sheet.append(["prompt", "duration"])
        sheet.append([prompt, 12])
    del book["Sheet"]
    book["Notes"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    manifest = open_manifest(path)
    assert (manifest.name, manifest.read_as["sheet"]) == ("book", "Spring 2026")
    (problem,) = problems(manifest)
    assert problem.cell == "'Spring 2026'!B2"
    other = open_manifest(path, reading=Reading(sheet="Summer"))
    assert other.name == "book-Summer"
    assert other.source != manifest.source
    with pytest.raises(ManifestError, match="Did you mean 'Summer'"):
        open_manifest(path, reading=Reading(sheet="Sumer"))
    (tmp_path / "m.csv").write_text("prompt\nA\n")
    with pytest.raises(ManifestError, match="only a workbook has sheets"):
        open_manifest(tmp_path / "m.csv", reading=Reading(sheet="Summer"))


def test_a_formula_that_was_never_calculated_buys_nothing(tmp_path: Path) -> None:
    """A script writes formulas without results; the prompt would be empty, or the formula."""

    def formulas(sheet: Worksheet) -> None:
        sheet["B2"] = '="A fox in "&E2'
        sheet["B3"] = "#N/A"
        sheet["B3"].data_type = "e"

    path = workbook(
        tmp_path / "m.xlsx", [["a", "", None, None, "snow"], ["b", "", None, None, None]], formulas
    )
    found = {problem.cell: problem for problem in problems(open_manifest(path))}
    assert "save it" in found["Videos!B2"].remedy
    assert found["Videos!B3"].problem == "the formula returned an error"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"id,prompt\na,A\n", "table.xlsx"),
        (b"PK\x03\x04 and nothing else", "cut.xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted.xlsx"),
        (b"", "empty.xlsx"),
        (b"not a workbook", "table.ods"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old.xls"),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes, name: str) -> None:
    """Whatever its suffix says; and what to do is said as well."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        open_manifest(path)
    assert caught.value.problem.remedy
    assert str(path) in str(caught.value)


def test_damage_inside_a_workbook_is_told(tmp_path: Path) -> None:
    """Its library has many ways to fail, a person needs one way to hear it."""
    good = workbook(tmp_path / "good.xlsx", [["a", "A fox", None, None, None]])
    with zipfile.ZipFile(good) as package:
        members = {name: package.read(name) for name in package.namelist()}
    for name in members:
        path = tmp_path / "bad.xlsx"
        with zipfile.ZipFile(path, "w") as package:
            for other, content in members.items():
                package.writestr(other, content[: len(content) // 2] if other == name else content)
        seen = ["refused"]
        with suppress(ManifestError):
            seen = [job.request.prompt for job in jobs(open_manifest(path))]
        assert seen in (["refused"], ["A fox"]), name


def test_gaps_without_end_are_not_filled(tmp_path: Path) -> None:
    """A cell far to the right costs little; a row far below all that a sheet has refuses it."""
    path = workbook(tmp_path / "m.xlsx", [["a", "A fox", None, None, None]])
    with zipfile.ZipFile(path) as package:
        members = {name: package.read(name) for name in package.namelist()}
    name = "xl/worksheets/sheet1.xml"
    wide = b'<row r="3"><c r="B3" t="inlineStr"><is><t>B</t></is></c><c r="ZZZ3"/></row>'
    for more, seen in ((wide, ["A fox", "B"]), (b'<row r="3000000000"/>', None)):
        with zipfile.ZipFile(path, "w") as package:
            for other, content in members.items():
                end = b"</sheetData>"
                changed = content.replace(end, more + end) if other == name else content
                package.writestr(other, changed)
        if seen is None:
            with pytest.raises(ManifestError, match="more than 1048576 rows"):
                jobs(open_manifest(path))
        else:
            assert [job.request.prompt for job in jobs(open_manifest(path))] == seen


def test_an_empty_sheet_and_one_with_a_header_alone_are_refused(tmp_path: Path) -> None:
    """There is nothing to buy, which is most likely a mistake."""
    empty = tmp_path / "empty.xlsx"
    openpyxl.Workbook().save(empty)
    with pytest.raises(ManifestError, match="is empty"):
        open_manifest(empty)
    with pytest.raises(ManifestError, match="no rows below the header"):
        open_manifest(workbook(tmp_path / "header.xlsx", []))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One table, saved by LibreOffice in every format that it has."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    folder = tmp_path_factory.mktemp("office")

    def formulas(sheet: Worksheet) -> None:
        sheet["A2"].number_format = "000"
        sheet["B3"] = '="A "&E3'

    rows = [[7, "A fox, tired", time(16, 9), 15, 1.5], ["b", None, "9:16", None, "heron"]]
    workbook(folder / "made.xlsx", rows, formulas)
    for form in ("xlsx", "ods", "xls", "csv"):
        (folder / form).mkdir()
        subprocess.run(
            [
                program,
                f"-env:UserInstallation=file://{folder}/profile",
                "--headless",
                *("--convert-to", form),
                *("--outdir", str(folder / form)),
                str(folder / "made.xlsx"),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
    return folder


@pytest.mark.parametrize("form", ["xlsx", "ods", "xls", "csv"])
def test_what_libreoffice_saves_is_read(office: Path, form: str) -> None:
    """The calculated formula, the ratio that became a time, a number that is shown as an id."""
    found = jobs(open_manifest(office / form / f"made.{form}"))
    seen = [
        (job.key, job.request.prompt, job.request.orientation, job.request.duration)
        for job in found
    ]
    first = "007" if form != "csv" else "7"  # nothing tells the format
    assert seen == [(first, "A fox, tired", "16:9", 15), ("b", "A heron", "9:16", 10)]
    assert found[0].cells["note"] == "1.5"
