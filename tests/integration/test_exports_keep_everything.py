"""Random tables with results written into them: all that is a person's own stays, to the byte.

The sheet itself is written anew by an XML library, so it is compared as a tree; every other part of
a workbook is compared by its bytes, but for the links and the styles, to which ours are added.
"""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet

from batchsora.manifest.read import open_manifest
from batchsora.result_columns import RESULT_NAMES, result_column
from batchsora.usecases.exports import export_in_place
from batchsora.usecases.load import LoadOptions, load_manifest
from batchsora.usecases.manifest_options import Source
from jobs.database import schema
from jobs.model.spec import JobSpec
from jobs.ports.control import Terms
from jobs.store import Store, views

NOW = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINKS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database to copy."""
    path = tmp_path_factory.mktemp("empty") / "batchsora.db"
    schema.upgrade(path)
    return path


def in_place(database: Path, manifest: Path, now: datetime = NOW) -> dict[int, str]:
    """Load a manifest and write results into it; returns which row has which job."""
    with Store(database) as store:
        opened = Source(manifest).opened(manifest.parent)
        load_manifest(store, opened, LoadOptions(skip_invalid=True), Terms(), now)
        done = export_in_place(store, None, now)
        assert done.backup is not None
        done.backup.unlink()
        jobs = store.read(lambda c: list(views.jobs(c)))
    return {job.row: job.key for job in jobs if job.in_manifest}


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def our_columns(path: Path) -> set[str]:
    """Letters of the columns of results."""
    sheet = openpyxl.load_workbook(path)["Videos"]
    found = {}
    for cell in sheet[1]:
        name = result_column(str(cell.value or ""))
        if name is not None and str(cell.value) not in ("Price", "STATUS"):
            found[name] = cell.column_letter
    return set(found.values())


def without_results(content: bytes, columns: set[str], rows: set[int]) -> bytes:
    """Take out of a sheet what we may write: cells of jobs and headers, widths, links, sizes."""
    root = etree.fromstring(content)
    cells = [
        one
        for one in root.iter(f"{MAIN}c", f"{MAIN}hyperlink")
        if (one.get("r") or one.get("ref")).rstrip("0123456789") in columns
        and int((one.get("r") or one.get("ref")).lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) in rows
    ]
    widths = [
        one
        for one in root.iter(f"{MAIN}col")
        if {get_column_letter(n) for n in range(int(one.get("min")), int(one.get("max")) + 1)}
        <= columns
    ]
    for one in [*cells, *widths, *root.findall(f"{MAIN}dimension")]:
        one.getparent().remove(one)
    for name in ("cols", "hyperlinks"):
        for one in root.findall(f"{MAIN}{name}"):
            if not len(one):
                root.remove(one)
    for row in root.iter(f"{MAIN}row"):
        row.attrib.pop("spans", None)
    return etree.tostring(root, method="c14n")


def check(before: dict[str, bytes], after: dict[str, bytes], path: Path, jobs: set[int]) -> None:
    """Compare two states of a workbook."""
    sheet, links = "xl/worksheets/sheet1.xml", "xl/worksheets/_rels/sheet1.xml.rels"
    assert set(before) <= set(after) <= {*before, links}
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {sheet, links, "xl/styles.xml"}
    columns, rows = our_columns(path), {1, *jobs}
    assert len(columns) == len(RESULT_NAMES)
    assert without_results(after[sheet], columns, rows) == without_results(
        before[sheet], columns, rows
    )
    old, new = etree.fromstring(before["xl/styles.xml"]), etree.fromstring(after["xl/styles.xml"])
    for name in ("cellXfs", "fonts", "fills", "borders", "numFmts"):
        was = [etree.tostring(one) for one in old.iterfind(f"{MAIN}{name}/*")]
        now = [etree.tostring(one) for one in new.iterfind(f"{MAIN}{name}/*")]
        assert now[: len(was)] == was


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)
VALUES = st.one_of(
    WORDS, st.integers(-9, 999), st.floats(0, 99, width=32), st.none(), st.booleans(),
    st.sampled_from(["=1+1", '=B2&"x"', "=LEN(B3)", datetime(2026, 1, 2, 3, 4)]),  # noqa: DTZ001
)  # fmt: skip


def _choice(sheet: Worksheet, last: int) -> None:
    choice = DataValidation("list", formula1='"10,15"')
    choice.add(f"C2:C{last}")
    sheet.add_data_validation(choice)


def _colours(sheet: Worksheet, last: int) -> None:
    rule = CellIsRule("greaterThan", ["4"], fill=PatternFill(bgColor="FFFFFF00"))
    sheet.conditional_formatting.add(f"A1:Z{last}", rule)


def _formats(sheet: Worksheet, last: int) -> None:
    sheet["B2"].fill = PatternFill("solid", fgColor="FFCC00")
    sheet["A1"].font = Font(bold=True, color="FF00FF00")
    sheet.cell(last, sheet.max_column + 2).number_format = "0.00"
    sheet.column_dimensions["B"].width = 44


def _looks(sheet: Worksheet, last: int) -> None:
    sheet.column_dimensions["A"].hidden = True
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:B{last}"


def _comment(sheet: Worksheet, _: int) -> None:
    sheet["B2"].comment = Comment("mine", "Ann")


def _link(sheet: Worksheet, _: int) -> None:
    sheet["B2"].hyperlink = "https://example.com/mine"


def _below(sheet: Worksheet, last: int) -> None:
    sheet.merge_cells(start_row=last + 3, end_row=last + 3, start_column=1, end_column=30)
    sheet.cell(last + 5, 2).value = "=COUNTA(B2:B9)"


EXTRAS = (_choice, _colours, _formats, _looks, _comment, _link, _below)


@st.composite
def books(draw: st.DrawFn) -> Callable[[Path], None]:
    """Draw how to make a workbook with much that is a person's own."""
    extra = draw(st.lists(WORDS.map(lambda w: f"c{w}".strip()), max_size=3, unique=True))
    own = draw(st.sampled_from([[], ["Price"], ["STATUS", "Price"]]))
    rows = draw(st.lists(st.lists(VALUES, min_size=5, max_size=5), min_size=1, max_size=5))
    prompts = [draw(st.sampled_from(["A kite", "", "  ", "A heron\nat dusk"])) for _ in rows]
    extras = [one for one in EXTRAS if draw(st.booleans())]

    def make(path: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.active
        assert isinstance(sheet, Worksheet)
        sheet.title = "Videos"
        headers = ["id", "prompt", *extra, *own]
        sheet.append(headers)
        sheet.append(["first", "A boat"])
        for number, (prompt, cells) in enumerate(zip(prompts, rows, strict=True)):
            sheet.append([f"r{number}", prompt, *cells[: len(headers) - 2]])
        for change in extras:
            change(sheet, len(rows) + 2)
        other = book.create_sheet("Data")
        for row in (["x", "y"], [1, "=A2*2"], [3, "=Videos!B2"]):
            other.append(row)
        other.add_table(Table(displayName="T", ref="A1:B3"))
        book.save(path)

    return make


def work_in(path: Path, data: st.DataObject) -> None:
    """Do what a person does between two exports: write under, beside and into results."""
    book = openpyxl.load_workbook(path)
    sheet = book["Videos"]
    width, height = sheet.max_column, sheet.max_row
    at = {cell.value: cell.column_letter for cell in sheet[1]}
    if data.draw(st.booleans()):
        price = next(at[name] for name in ("price", "batchsora_price") if name in at)
        sheet[f"{price}{height + 2}"] = f"=SUM({price}2:{price}{height})"
    if data.draw(st.booleans()):
        sheet.cell(1, width + 1).value = "mine"
        sheet.cell(2, width + 1).value = data.draw(VALUES)
    if data.draw(st.booleans()):
        sheet.cell(height + 1, width).value = "a note below"
    gone = data.draw(st.sampled_from([None, "sha256", "price", "status"]))
    if gone in at and not sheet.merged_cells.ranges:
        sheet.delete_cols(openpyxl.utils.column_index_from_string(at[gone]))
    book.save(path)


@settings(max_examples=6, deadline=None)
@given(make=books(), data=st.data())
def test_a_workbook_keeps_what_is_a_person_s(
    tmp_path_factory: pytest.TempPathFactory,
    empty: Path,
    make: Callable[[Path], None],
    data: st.DataObject,
) -> None:
    """Every part and every cell that is not a result of a job, at a first export and a second."""
    folder = tmp_path_factory.mktemp("book")
    path, database = folder / "m.xlsx", folder / "batchsora.db"
    shutil.copy(empty, database)
    make(path)
    for turn in range(2):
        if turn:
            work_in(path, data)
        before = parts(path)
        jobs = in_place(database, path, NOW + timedelta(seconds=turn))
        check(before, parts(path), path, set(jobs))
        sheet = openpyxl.load_workbook(path)["Videos"]
        at = {result_column(str(cell.value)): cell.column for cell in sheet[1] if cell.value}
        assert {row: sheet.cell(row, at["status"]).value for row in jobs} == dict.fromkeys(
            jobs, "queued"
        )
    again = [item for item in open_manifest(path).rows() if isinstance(item, JobSpec)]
    assert {item.row: item.key for item in again} == jobs


@settings(max_examples=2, deadline=None)
@given(make=books())
def test_libreoffice_opens_it(
    tmp_path_factory: pytest.TempPathFactory, empty: Path, make: Callable[[Path], None]
) -> None:
    """And shows the results beside the rows."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    folder = tmp_path_factory.mktemp("office")
    path = folder / "m.xlsx"
    shutil.copy(empty, folder / "batchsora.db")
    make(path)
    in_place(folder / "batchsora.db", path)
    profile = f"-env:UserInstallation=file://{folder}/profile"
    words = [program, profile, "--headless", "--convert-to", "csv", "--outdir", str(folder)]
    subprocess.run([*words, str(path)], check=True, capture_output=True, timeout=180)
    lines = (folder / "m.csv").read_text(encoding="utf-8", errors="replace").splitlines()
    assert lines[0].startswith("id,prompt")
    assert ",completed_at," in lines[0]
    assert ",queued," in lines[1]


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]], str]:
    """Draw a text table: its separator, its rows as written with their ends, its encoding."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    plain = WORDS.filter(lambda w: not set(w) & set(',;\t|"#') and "'" not in w and w == w.strip())

    def cell(value: str) -> str:
        return f'"{value}"' if draw(st.booleans()) else value

    end = draw(st.sampled_from(["\n", "\r\n"]))
    rows = [(separator.join(cell(name) for name in ("id", "prompt", "note")), end)]
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["job", "job", "job", "blank", "invalid", "short", "quoted"]))
        first = cell(f"r{number}")
        row = {
            "job": separator.join([first, cell(f"A kite {number}"), cell(draw(plain))]),
            "blank": draw(st.sampled_from(["", separator * 2])),
            "invalid": separator.join([first, "", draw(plain), "too", "many"]),
            "short": separator.join([first, f"A boat {number}"]),
            "quoted": separator.join([first, f'"A ""big""\n{separator}kite {number}"', '""']),
        }[kind]
        rows.append((row, draw(st.sampled_from([end, end, "\n"]))))
    rows.append((separator.join(["z", "A heron"]), draw(st.sampled_from(["", end]))))
    return separator, rows, draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))


@settings(max_examples=15, deadline=None)
@given(made=texts())
def test_a_text_table_keeps_what_is_a_person_s(
    tmp_path_factory: pytest.TempPathFactory,
    empty: Path,
    made: tuple[str, list[tuple[str, str]], str],
) -> None:
    """Every byte of every row, quotes and line ends too; results stand behind those of jobs."""
    separator, rows, encoding = made
    folder = tmp_path_factory.mktemp("text")
    path = folder / "m.csv"
    shutil.copy(empty, folder / "batchsora.db")
    path.write_bytes("".join(text + end for text, end in rows).encode(encoding))
    jobs = in_place(folder / "batchsora.db", path)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    rest = raw.decode(encoding)
    results = re.compile(rf'[^\r\n]*{re.escape(separator)}"?queued"?{re.escape(separator)}[^\r\n]*')
    for number, (text, end) in enumerate(rows, 1):
        assert rest.startswith(text)
        rest = rest.removeprefix(text)
        if number == 1:
            assert "generation_id" in rest.splitlines()[0]
            rest = rest[len(rest.splitlines()[0]) :]
        elif number in jobs:
            found = results.match(rest)
            assert found is not None
            rest = rest[found.end() :]
        assert rest.startswith(end)
        rest = rest.removeprefix(end)
    assert rest == ""
    second = in_place(folder / "batchsora.db", path, NOW + timedelta(seconds=1))
    assert (second, path.read_bytes()) == (jobs, raw)
