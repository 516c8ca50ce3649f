"""What an export is: a sheet for each batch, texts longer than a cell, and the kind of its name."""

import csv
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from lxml import etree
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.read import open_manifest
from batchsora.sandbox.world import World
from jobs.model.spec import JobSpec

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")
MACROS = "application/vnd.ms-office.vbaProject"
MAIN = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    ".xltx": "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    ".xltm": "application/vnd.ms-excel.template.macroEnabled.main+xml",
}


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second, and which refuses storms."""
    return World(time_scale=2000.0, failures={"A storm": ["content moderation: too wild"]})


def book(path: str, rows: list[list[Any]], *, template: bool = False) -> None:
    """Save a workbook with one sheet, as a template if need be."""
    made = openpyxl.Workbook()
    made.template = template
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    for row in rows:
        sheet.append(row)
    made.save(path)


def with_macros(path: str) -> None:
    """Save a workbook with macros, as Excel does: the part, its link, and what it is said to be."""
    book("plain.xlsx", [["id", "prompt"], ["a", "A kite"]])
    with zipfile.ZipFile("plain.xlsx") as package:
        content = {name: package.read(name) for name in package.namelist()}
    Path("plain.xlsx").unlink()
    content["xl/vbaProject.bin"] = b"not really"
    types = content["[Content_Types].xml"]
    types = types.replace(MAIN[".xlsx"].encode(), MAIN[".xlsm"].encode())
    content["[Content_Types].xml"] = types.replace(
        b"<Default ", f'<Default Extension="bin" ContentType="{MACROS}"/><Default '.encode(), 1
    )
    links = content["xl/_rels/workbook.xml.rels"]
    content["xl/_rels/workbook.xml.rels"] = links.replace(
        b"</Relationships>",
        b'<Relationship Id="rIdV" Type="http://schemas.microsoft.com/office/2006/relationships/'
        b'vbaProject" Target="vbaProject.bin"/></Relationships>',
    )
    with zipfile.ZipFile(path, "w") as package:
        for name, data in content.items():
            package.writestr(name, data)


def said_to_be(path: str) -> str:
    """Return what a workbook says of its main part."""
    with zipfile.ZipFile(path) as package:
        types = etree.fromstring(package.read("[Content_Types].xml"))
    found = [one.get("ContentType") for one in types if one.get("PartName") == "/xl/workbook.xml"]
    return str(found[0])


def test_several_batches_are_several_sheets(call: Shell) -> None:
    """Each with its own columns; another format says which one it needs."""
    Path("night.csv").write_text("id,prompt,owner\na,A kite,Ann\n")
    Path("a[b].csv").write_text("prompt,note\nA storm,x\nA boat,y\n")
    for name in ("night.csv", "a[b].csv"):
        assert call("run", name, *QUICK).code in (0, 3)
    for suffix in ("csv", "json"):
        said = call("export", "-o", f"out.{suffix}")
        assert said.code == 2
        assert "--batch" in said.words
        assert "'night'" in said.words
        assert not Path(f"out.{suffix}").exists()
    said = call("export", "-o", "out.xlsx", "--json")
    assert said.json["rows"] == 3
    found = openpyxl.load_workbook("out.xlsx")
    assert found.sheetnames == ["night", "a_b_"]
    heads = [[cell.value for cell in sheet[1]][:4] for sheet in found]
    assert heads == [
        ["id", "prompt", "owner", "status"],
        ["prompt", "note", "status", "generation_id"],
    ]
    assert [sheet.max_row for sheet in found] == [2, 3]
    for batch in ("night", "a[b]"):
        assert call("export", "-o", f"{batch}-out.csv", "--batch", batch).code == 0


def test_nothing_is_cut_without_a_word(call: Shell) -> None:
    """A row of 600 videos: the cell says where the rest is, a row for each of them."""
    book("m.xlsx", [["id", "prompt", "count"], ["a", "A kite", 600]])
    assert call("run", "m.xlsx", *QUICK, "--max-in-flight", "300").code == 0
    for words, name in ((("-o", "out.xlsx"), "out"), (("--in-place",), "m")):
        said = call("export", *words, "--json")
        assert said.code == 0, said.err
        assert any(f"{name}.results.csv" in note for note in said.json["notes"])
        sheet = openpyxl.load_workbook(f"{name}.xlsx").active
        assert isinstance(sheet, Worksheet)
        at = {cell.value: cell.column for cell in sheet[1]}
        cell = str(sheet.cell(2, at["video_url"]).value)
        assert 1 < cell.count("\n") < 600
        assert len(cell) <= 32767
        assert cell.splitlines()[-1].endswith(f"the whole text is in {name}.results.csv)")
        with Path(f"{name}.results.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["video_url"] for row in rows}) == 600
        assert set(cell.splitlines()[:-1]) <= {row["video_url"] for row in rows}
    assert call("export", "-o", "out.xlsx").code == 0
    Path(said.json["backup"]).unlink()
    assert call("export", "--in-place").code == 0
    again = openpyxl.load_workbook("m.xlsx").active
    assert isinstance(again, Worksheet)
    assert [cell.value for cell in again[1]] == list(at)


def test_a_long_text_of_ones_own_is_not_cut_without_a_word(call: Shell) -> None:
    """In a new workbook as well."""
    note = "line\n" * 10_000
    with Path("m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "prompt", "note"], ["a", "A kite", note]])
    assert call("run", "m.csv", *QUICK).code == 0
    said = call("export", "-o", "out.xlsx")
    assert said.code == 0
    assert "out.results.csv" in said.words
    cell = str(openpyxl.load_workbook("out.xlsx").active["C2"].value)  # type: ignore[index]
    assert cell.endswith("(more than a cell can hold: the whole text is in out.results.csv)")
    with Path("out.results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["note"] == note


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm", ".xltx", ".xltm"])
@pytest.mark.parametrize("source", ["m.xlsm", "m.xltx", "m.xlsx"])
def test_a_copy_is_of_the_kind_that_its_name_says(call: Shell, source: str, suffix: str) -> None:
    """Excel refuses a file whose content is of another kind; macros stay where they can be."""
    if source == "m.xlsm":
        with_macros(source)
    else:
        rows = [["id", "prompt"], ["a", "A kite"]]
        book(source, rows, template=source == "m.xltx")
    assert call("run", source, *QUICK).code == 0
    target = f"out{suffix}"
    said = call("export", "-o", target)
    assert said.code == 0, said.err
    assert said_to_be(target) == MAIN[suffix]
    with zipfile.ZipFile(target) as package:
        text = b"".join(package.read(name) for name in package.namelist())
        macros = "xl/vbaProject.bin" in package.namelist()
    wanted = source == "m.xlsm" and suffix in (".xlsm", ".xltm")
    assert macros == wanted == (b"vbaProject" in text)
    assert ("macros were left out" in said.words) == (source == "m.xlsm" and not wanted)
    sheet = openpyxl.load_workbook(target).active
    assert isinstance(sheet, Worksheet)
    assert sheet["C2"].value == "completed"
    jobs = list(open_manifest(Path(target)).rows())
    assert [job.key for job in jobs if isinstance(job, JobSpec)] == ["a"]
    assert call("export", "--in-place").code == 0
    assert said_to_be(source) == MAIN[Path(source).suffix]


def test_a_new_workbook_is_of_a_kind_that_can_be_written(call: Shell) -> None:
    """Of a text table there is nothing to copy: the suffix that works is named."""
    Path("m.csv").write_text("prompt\nA kite\n")
    assert call("run", "m.csv", *QUICK).code == 0
    for suffix in ("xlsm", "xltx", "ods"):
        said = call("export", "-o", f"out.{suffix}")
        assert said.code == 2
        assert ".xlsx" in said.words


def test_a_copy_whose_name_is_too_long_is_an_error_with_a_remedy(call: Shell) -> None:
    """The kept copy has a longer name than the manifest."""
    name = f"{'n' * 240}.csv"
    Path(name).write_text("prompt\nA kite\n")
    assert call("run", name, "--name", "m", *QUICK).code == 0
    said = call("export", "--in-place")
    assert said.code == 2
    assert "File name too long" in said.words
    assert Path(name).read_text() == "prompt\nA kite\n"
    assert [path.suffix for path in Path().iterdir() if "n" * 240 in path.name] == [".csv"]
