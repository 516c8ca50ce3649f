"""``export --in-place`` changes results of rows that are jobs, and nothing else of the file."""

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from lxml import etree
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.read import open_manifest
from batchsora.result_columns import RESULT_NAMES
from batchsora.sandbox.world import World
from jobs.model.spec import JobSpec

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second, and which refuses storms."""
    return World(time_scale=2000.0, failures={"A storm": ["content moderation: too wild"]})


def book(path: str, rows: list[list[Any]], change: Callable[[Any], None] = lambda _: None) -> None:
    """Save a workbook with one sheet."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    for row in rows:
        sheet.append(row)
    change(sheet)
    made.save(path)


def edit(path: str, change: Callable[[Any], None]) -> None:
    """Open a workbook as a person does, change it and save it."""
    made = openpyxl.load_workbook(path)
    change(made["Videos"])
    made.save(path)


def sheet_of(path: str) -> Any:
    return openpyxl.load_workbook(path)["Videos"]


def columns(sheet: Any, row: int = 1) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[row] if cell.value}


def exported(call: Shell, *words: str) -> list[str]:
    """Write results in place; returns the notes."""
    said = call("export", "--in-place", "--json", *words)
    assert said.code == 0, said.err
    Path(said.json["backup"]).unlink()  # the next one may be of the same second
    notes: list[str] = said.json["notes"]
    return notes


def keys(path: str) -> list[str]:
    return [item.key for item in open_manifest(Path(path)).rows() if isinstance(item, JobSpec)]


def test_what_stands_under_and_beside_results_stays(call: Shell) -> None:
    """A total, a price of one's own, a note in a row that is no job, a column without a name."""
    book("m.xlsx", [["id", "prompt"], ["a", "A kite"], ["b", "A storm"]])
    assert call("run", "m.xlsx", *QUICK).code == 3
    exported(call)
    at = columns(sheet_of("m.xlsx"))
    last = max(at.values())

    def changed(sheet: Any) -> None:
        price = sheet.cell(1, at["price"]).column_letter
        sheet.cell(5, at["price"]).value = f"=SUM({price}2:{price}3)"
        sheet.cell(5, at["status"]).value = "Total"
        sheet.cell(6, at["error"]).value = "paid by Ann"
        sheet.cell(1, last + 1).value = "Price"
        sheet.cell(2, last + 1).value = "=2*3"
        sheet.cell(2, last + 2).value = "without a header"

    edit("m.xlsx", changed)
    before = [[cell.value for cell in row] for row in sheet_of("m.xlsx").iter_rows()]
    assert call("run", "m.xlsx", "--skip-invalid", *QUICK).code in (0, 3)
    exported(call)
    after = [[cell.value for cell in row] for row in sheet_of("m.xlsx").iter_rows()]
    assert after == before
    assert [list(columns(sheet_of("m.xlsx"))).count(name) for name in RESULT_NAMES] == [1] * len(
        RESULT_NAMES
    )


def test_the_calculation_chain_stays_true(call: Shell) -> None:
    """Every cell that it names still has its formula, one in a result cell of a job too."""
    book("m.xlsx", [["id", "prompt"], ["a", "A kite"], ["b", "A storm"]])
    assert call("run", "m.xlsx", *QUICK).code == 3
    exported(call)
    price = sheet_of("m.xlsx").cell(1, columns(sheet_of("m.xlsx"))["price"]).column_letter

    def changed(sheet: Any) -> None:
        sheet[f"{price}5"] = f"=SUM({price}2:{price}3)"
        sheet[f"{price}3"] = "=1/3"

    edit("m.xlsx", changed)
    chained(Path("m.xlsx"), [f"{price}5", f"{price}3"])
    notes = exported(call)
    assert f"your own formulas stay in result columns: {price}3" in notes
    with zipfile.ZipFile("m.xlsx") as package:
        chain = etree.fromstring(package.read("xl/calcChain.xml"))
        sheet = etree.fromstring(package.read("xl/worksheets/sheet1.xml"))
    formulas = {
        cell.get("r") for cell in sheet.iter(f"{MAIN}c") if cell.find(f"{MAIN}f") is not None
    }
    assert {one.get("r") for one in chain} == formulas == {f"{price}5", f"{price}3"}


def chained(path: Path, places: list[str]) -> None:
    """Add a calculation chain, as Excel saves one, and leave out the word to calculate anew."""
    with zipfile.ZipFile(path) as package:
        content = {name: package.read(name) for name in package.namelist()}
    cells = "".join(f'<c r="{place}" i="1"/>' for place in places)
    content["xl/calcChain.xml"] = f'<calcChain xmlns="{MAIN[1:-1]}">{cells}</calcChain>'.encode()
    content["[Content_Types].xml"] = content["[Content_Types].xml"].replace(
        b"</Types>",
        b'<Override PartName="/xl/calcChain.xml" ContentType="application/vnd.openxmlformats-'
        b'officedocument.spreadsheetml.calcChain+xml"/></Types>',
    )
    content["xl/_rels/workbook.xml.rels"] = content["xl/_rels/workbook.xml.rels"].replace(
        b"</Relationships>",
        b'<Relationship Id="rIdC" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        b'relationships/calcChain" Target="calcChain.xml"/></Relationships>',
    )
    content["xl/workbook.xml"] = content["xl/workbook.xml"].replace(b' fullCalcOnLoad="1"', b"")
    with zipfile.ZipFile(path, "w") as package:
        for name, data in content.items():
            package.writestr(name, data)


def test_a_total_of_results_is_calculated_when_it_is_opened(call: Shell) -> None:
    """Its stored value is of the results before; a workbook without one says nothing new."""
    book("m.xlsx", [["id", "prompt", "=1+1"], ["a", "A kite"]])
    chained(Path("m.xlsx"), ["C1"])
    assert call("run", "m.xlsx", *QUICK).code in (0, 2)
    book("m.xlsx", [["id", "prompt", "n"], ["a", "A kite", "=LEN(B2)"]])
    chained(Path("m.xlsx"), ["C2"])
    assert call("run", "m.xlsx", *QUICK).code == 0
    exported(call)
    with zipfile.ZipFile("m.xlsx") as package:
        assert b"fullCalcOnLoad" not in package.read("xl/workbook.xml")
    edit("m.xlsx", lambda sheet: sheet.cell(4, 3).__setattr__("value", "=SUM(F2:F3)"))
    chained(Path("m.xlsx"), ["C2", "C4"])
    exported(call)
    with zipfile.ZipFile("m.xlsx") as package:
        assert b'fullCalcOnLoad="1"' in package.read("xl/workbook.xml")


def test_results_do_not_land_in_hidden_columns(call: Shell) -> None:
    """Everything to the right is hidden, as in many forms: only what we use is shown."""

    def hidden(sheet: Any) -> None:
        sheet.column_dimensions["A"].width = 20
        rest = sheet.column_dimensions["C"]
        rest.min, rest.max, rest.hidden, rest.width = 3, 16384, True, 9

    book("m.xlsx", [["id", "prompt"], ["a", "A kite"]], hidden)
    assert call("run", "m.xlsx", *QUICK).code == 0
    exported(call)
    with zipfile.ZipFile("m.xlsx") as package:
        sheet = etree.fromstring(package.read("xl/worksheets/sheet1.xml"))
    widths = [
        (int(one.get("min")), int(one.get("max")), one.get("hidden") == "1")
        for one in sheet.iter(f"{MAIN}col")
    ]
    last = 2 + len(RESULT_NAMES)
    shown = [(place, place, False) for place in range(3, last + 1)]
    assert widths[-len(shown) - 1 :] == [*shown, (last + 1, 16384, True)]
    assert sheet_of("m.xlsx").cell(2, 3).value == "completed"
    edit("m.xlsx", lambda found: found.column_dimensions.__getitem__("D").__setattr__("hidden", 1))
    exported(call)  # what a person hides of an earlier export stays hidden
    assert sheet_of("m.xlsx").column_dimensions["D"].hidden


def test_merged_cells_do_not_cover_results(call: Shell) -> None:
    """A row that is merged to the right has its results behind that."""
    book(
        "m.xlsx",
        [["id", "prompt"], ["a", "A kite"]],
        lambda sheet: sheet.merge_cells("B2:E2"),
    )
    assert call("run", "m.xlsx", *QUICK).code == 0
    exported(call)
    assert columns(sheet_of("m.xlsx"))["status"] == 6
    assert sheet_of("m.xlsx")["F2"].value == "completed"


@pytest.mark.parametrize("gone", [["submitted_at"], ["status", "price"], [*RESULT_NAMES[1:]]])
def test_result_columns_that_were_deleted_come_back_once(call: Shell, gone: list[str]) -> None:
    """Beside those that are there; without a warning."""
    book("m.xlsx", [["id", "prompt", "note"], ["a", "A kite", "x"], ["b", "A storm", "y"]])
    assert call("run", "m.xlsx", *QUICK).code == 3
    exported(call)

    def deleted(sheet: Any) -> None:
        for name in gone:
            sheet.delete_cols(columns(sheet)[name])

    edit("m.xlsx", deleted)
    said = call("plan", "m.xlsx", "--json")
    assert said.json["warnings"] == []
    assert call("run", "m.xlsx", *QUICK).code == 3
    exported(call)
    sheet = sheet_of("m.xlsx")
    found = [cell.value for cell in sheet[1] if cell.value]
    assert sorted(found) == sorted(["id", "prompt", "note", *RESULT_NAMES])
    at = columns(sheet)
    assert sheet.cell(3, at["status"]).value == "failed"
    assert sheet.cell(3, at["model"]).value == "sora"


def test_columns_of_ones_own_with_the_names_of_results_stay(call: Shell) -> None:
    """In every table, copy and second export; ours get other names."""
    Path("m.csv").write_text("id,prompt,status,price\na,A kite,mine,\nb,A storm,todo,12\n")
    assert call("run", "m.csv", *QUICK).code == 3
    for _ in range(2):
        exported(call)
        with Path("m.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["status"], row["price"]) for row in rows] == [("mine", ""), ("todo", "12")]
        assert [row["batchsora_status"] for row in rows] == ["completed", "failed"]
        assert call("run", "m.csv", *QUICK).code == 3
    assert call("export", "-o", "out.json").code == 0
    said = json.loads(Path("out.json").read_text())
    assert [(row["status"], row["batchsora_status"]) for row in said] == [
        ("mine", "completed"),
        ("todo", "failed"),
    ]
    assert call("export", "-o", "out.xlsx").code == 0
    found = openpyxl.load_workbook("out.xlsx").active
    assert [cell.value for cell in found[2]][:4] == ["a", "A kite", "mine", None]  # type: ignore[index]


def test_yaml_keeps_keys_of_ones_own_with_the_names_of_results(call: Shell) -> None:
    """They are another thing than ours, which stand beside them."""
    text = (
        "jobs:\n  - id: a\n    prompt: A kite\n    status: ask Ann\n"
        "  - id: b\n    prompt: A storm\n"
    )
    Path("m.yaml").write_text(text)
    assert call("run", "m.yaml", *QUICK).code == 3
    for _ in range(2):
        exported(call)
        found = Path("m.yaml").read_text()
        assert [line for line in text.splitlines() if line not in found.splitlines()] == []
        assert found.count("batchsora_status: completed") == 1
        assert found.count("model: sora") == 2


C08 = (
    b'\xef\xbb\xbfsep=;\r\n"id";"prompt";note\r\n"a";A kite; "x, y" \r\n\r\n# a comment\n'
    b'"b";"A ""big""\nstorm";"z"\r\n;;"no job"\r\n"c";A boat'
)


def test_a_text_table_keeps_every_byte_of_its_own(call: Shell) -> None:
    """Quotes that were not needed, mixed line ends, a blank row, a comment, no end of line."""
    Path("m.csv").write_bytes(C08)
    assert call("run", "m.csv", "--skip-invalid", *QUICK).code in (0, 3)
    exported(call)
    found = Path("m.csv").read_bytes()
    lines = C08.split(b"\r\n")
    names = ";".join(RESULT_NAMES).encode()
    assert found.startswith(lines[0] + b"\r\n" + lines[1] + b";" + names + b"\r\n")
    assert b'\r\n"a";A kite; "x, y" ;completed;' in found
    assert b"\r\n\r\n# a comment\n" in found
    assert b'\r\n;;"no job"\r\n"c";A boat;;completed;' in found
    assert not found.endswith(b"\n")
    before = found
    exported(call)
    assert Path("m.csv").read_bytes() == before


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_byte_order_mark_stays(call: Shell, encoding: str) -> None:
    """UTF-16 of either order, and UTF-8."""
    own = "\ufeffid\tprompt\r\na\tA kité\r\n".encode(encoding)
    Path("m.tsv").write_bytes(own)
    assert call("run", "m.tsv", *QUICK).code == 0
    exported(call)
    text = Path("m.tsv").read_bytes().decode(encoding)
    assert text.startswith("\ufeffid\tprompt\tstatus\t")
    assert "\r\na\tA kité\tcompleted\t" in text


def test_a_row_that_is_not_valid_stays_so(call: Shell, world: World) -> None:
    """A cell too many is not taken for a result, nor left out: the row is an error as before."""
    own = b"id,prompt\na,A kite\n\nb,A heron, red, by the sea\nc,A boat\n"
    Path("m.csv").write_bytes(own)
    assert call("run", "m.csv", "--skip-invalid", *QUICK).code in (0, 3)
    exported(call)
    lines = Path("m.csv").read_bytes().split(b"\n")
    assert lines[2:4] == own.split(b"\n")[2:4]
    assert lines[0].startswith(b"id,prompt,,,status,")
    plan = call("plan", "m.csv", "--json").json
    assert {problem["row"] for problem in plan["invalid"]} == {4}
    assert keys("m.csv") == ["a", "c"]
    assert len(world.made) == 2


def test_which_columns_are_ours_is_kept_with_the_batch(call: Shell) -> None:
    """A lone column of ours is written again; another file's column of that name is not."""
    Path("m.csv").write_text("id,prompt\na,A kite\n")
    assert call("run", "m.csv", *QUICK).code == 0
    exported(call)
    with closing(sqlite3.connect("batchsora.db")) as database:
        (kept,) = database.execute("SELECT reading FROM batch").fetchone()
    assert sorted(json.loads(kept)["results"]) == sorted(RESULT_NAMES)
    Path("m.csv").write_text("id,prompt,status\na,A kite,queued\n")
    assert call("run", "m.csv", *QUICK).code == 0
    exported(call)
    rows = list(csv.reader(io.StringIO(Path("m.csv").read_text())))
    assert rows[0].count("status") == 1
    assert rows[1][2] == "completed"
    Path("n.csv").write_text("id,prompt,status\na,A kite,queued\n")
    assert call("run", "n.csv", "--name", "m", *QUICK).code == 0
    exported(call)
    rows = list(csv.reader(io.StringIO(Path("n.csv").read_text())))
    assert rows[1][:3] == ["a", "A kite", "queued"]
    assert rows[0][3] == "batchsora_status"


def test_the_model_the_hash_and_the_verdict_are_results(call: Shell) -> None:
    """What the gallery says of a video, and how its file is known again."""
    Path("m.csv").write_text("id,prompt\na,A kite\nb,A storm\n")
    assert call("run", "m.csv", *(word for word in QUICK if word != "--no-download")).code == 3
    with closing(sqlite3.connect("batchsora.db")) as database, database:
        database.execute(
            "INSERT INTO review SELECT attempt_id, 'favourite', created_at FROM job WHERE key = 'a'"
        )
    assert call("export", "-o", "out.json").code == 0
    first, second = json.loads(Path("out.json").read_text())
    assert (first["model"], first["verdict"], len(first["sha256"])) == ("sora", "favourite", 64)
    assert (second["model"], second["verdict"], second["sha256"]) == ("sora", "", "")
