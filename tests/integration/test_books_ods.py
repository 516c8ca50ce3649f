"""OpenDocument sheets: what people see in a cell, by files of LibreOffice and by their markup."""

import zipfile
from pathlib import Path

import openpyxl
import pytest
from support.books import DATA, faults, read, saved_as, seen, told

from batchsora.manifest.raw import RawRow, Reading

_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_OPEN = f"""<office:document-content xmlns:office="{_ODF}:office:1.0" xmlns:table="{_ODF}:table:1.0"
 xmlns:text="{_ODF}:text:1.0" xmlns:style="{_ODF}:style:1.0" xmlns:draw="{_ODF}:drawing:1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:calcext="urn:org:documentfoundation:names:\
experimental:calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>"""
_CLOSE = "</office:spreadsheet></office:body></office:document-content>"


def ods(path: Path, table: str) -> Path:
    """Write a sheet of these rows, as they stand here."""
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        sheet = f'<table:table table:name="Videos">{table}</table:table>'
        package.writestr("content.xml", f"{_OPEN}{sheet}{_CLOSE}")
    return path


def line(*cells: str, more: str = "") -> str:
    """Write a row: of texts, or of whole cells."""
    return f"<table:table-row{more}>" + "".join(
        cell
        if cell.lstrip().startswith("<table")
        else '<table:table-cell office:value-type="string"><text:p>'
        f"{cell}</text:p></table:table-cell>"
        for cell in cells
    ) + "</table:table-row>"  # fmt: skip


HEADER = line("id", "prompt", "duration", "note")


def test_errors_and_missing_results_are_named_by_their_cells() -> None:
    """Of every value type that LibreOffice gives them."""
    found = faults(DATA / "errors.ods")
    assert {cell: one.found for cell, one in found.items()} == {
        "Sheet1!C2": "#N/A",
        "Sheet1!D2": "#DIV/0!",
        "Sheet1!B3": "Err:502",
    }
    (missing,) = faults(DATA / "results-missing.ods").values()
    assert missing.cell == "Sheet1!C2"
    assert "not in the file" in missing.problem


@pytest.mark.parametrize(
    "cell",
    [
        """<table:table-cell table:formula="of:=X" office:value-type="float" office:value="0">
        <text:p>#DIV/0!</text:p></table:table-cell>""",
        """<table:table-cell table:formula="of:=X" office:value-type="string"
        office:string-value=""><text:p>Err:508</text:p></table:table-cell>""",
        '<table:table-cell table:formula="of:=X" office:value-type="float"/>',
        '<table:table-cell table:formula="of:=X" office:value-type="string"/>',
        '<table:table-cell table:formula="of:=X"/>',
        '<table:table-cell office:value-type="string"><text:p>#NV</text:p></table:table-cell>',
    ],
)
def test_older_programs_tell_errors_by_their_text(tmp_path: Path, cell: str) -> None:
    """The type of an error came with LibreOffice 4.1; others have none to this day."""
    path = ods(tmp_path / "m.ods", HEADER + line("a", "A fox", cell, "x"))
    assert list(faults(path)) == ["Videos!C2"]


def test_text_is_as_it_is_seen(tmp_path: Path) -> None:
    """Tabs, breaks, spaces and paragraphs; neither comments nor how a word is pronounced."""
    cell = """<table:table-cell office:value-type="string">
        <office:annotation><text:p>a comment</text:p></office:annotation>
        <text:p>A<text:tab/>fox,<text:s text:c="2"/> <text:span>very
        tired</text:span><text:line-break/>sleeps <text:a xlink:href="x">here</text:a></text:p>
        <text:p>until <text:ruby><text:ruby-base>ten</text:ruby-base><text:ruby-text>x
        </text:ruby-text></text:ruby></text:p></table:table-cell>"""
    path = ods(tmp_path / "m.ods", HEADER + line("a", cell, "10", "x"))
    assert seen(path)[2][1].rstrip() == "A\tfox,  very tired\nsleeps here\nuntil ten"


@pytest.mark.parametrize(
    ("attributes", "text", "shows"),
    [
        ('office:value-type="float" office:value="1000"', "1.000", "1000"),
        ('office:value-type="float" office:value="1000"', "1,000", "1000"),
        ('office:value-type="float" office:value="1"', "1.000", "1"),
        ('office:value-type="float" office:value="7"', "007", "007"),
        ('office:value-type="float" office:value="1.5"', "1,5", "1.5"),
        ('office:value-type="float" office:value="10.4"', "10", "10"),
        ('office:value-type="float" office:value="1234.5"', "1,234.50", "1,234.50"),
        ('office:value-type="float" office:value="10"', "###", "10"),
        ('office:value-type="percentage" office:value="0.255"', "25.5%", "25.5%"),
        ('office:value-type="currency" office:value="12.5"', "12,50 €", "12.5"),
        ('office:value-type="date" office:date-value="2026-11-23"', "23.11.26", "2026-11-23"),
        ('office:value-type="date" office:date-value="2026-11-23T08:05:00"', "x",
         "2026-11-23 08:05:00"),
        ('office:value-type="time" office:time-value="PT16H09M00S"', "16:09", "16:09"),
        ('office:value-type="time" office:time-value="PT16H09M00S"', "04:09 PM", "16:09"),
        ('office:value-type="time" office:time-value="PT30H00M00S"', "30:00:00", "30:00:00"),
        ('office:value-type="boolean" office:boolean-value="true"', "WAHR", "TRUE"),
        ('table:formula="of:=1" office:value-type="string" office:string-value=""', None, ""),
        ('office:value-type="string" office:string-value="long"', None, "long"),
    ],
)  # fmt: skip
def test_a_value_is_what_is_seen(
    tmp_path: Path, attributes: str, text: str | None, shows: str
) -> None:
    """By what is shown where that can mean one thing alone, else by the value."""
    paragraph = "" if text is None else f"<text:p>{text}</text:p>"
    cell = f"<table:table-cell {attributes}>{paragraph}</table:table-cell>"
    path = ods(tmp_path / "m.ods", HEADER + line("a", "A fox", "10", cell, "end"))
    assert seen(path)[2][3] == shows


def test_repeated_and_covered_cells(tmp_path: Path) -> None:
    """A cell that stands for several, a row that does, and what a merged one covers."""
    merged = (
        '<table:table-cell office:value-type="float" office:value="15"'
        ' table:number-rows-spanned="3" table:number-columns-spanned="1">'
        "<text:p>15</text:p></table:table-cell>"
    )
    covered = "<table:covered-table-cell/>"
    path = ods(
        tmp_path / "m.ods",
        HEADER
        + line("a", "A fox", merged, "x")
        + line("b", "A heron", covered)
        + line("c", "A boat", covered, "y")
        + line("", "A kite", "10", more=' table:number-rows-repeated="2"')
        + line("<table:table-cell/>", more=' table:number-rows-repeated="1048000"'),
    )
    assert seen(path) == {
        2: ["a", "A fox", "15", "x"],
        3: ["b", "A heron", "15"],
        4: ["c", "A boat", "15", "y"],
        5: ["", "A kite", "10"],
        6: ["", "A kite", "10"],
    }


def test_hidden_rows_are_left_out_and_told(tmp_path: Path) -> None:
    """Those that a filter hides as well; and that a column of ours is hidden."""
    path = ods(
        tmp_path / "m.ods",
        '<table:table-column table:number-columns-repeated="2"/>'
        '<table:table-column table:visibility="collapse"/>'
        + HEADER
        + line("a", "A fox", more=' table:visibility="filter"')
        + "<table:table-row-group>"
        + line("b", "A heron", more=' table:visibility="collapse"')
        + "</table:table-row-group>"
        + line("c", "A boat", "10"),
    )
    assert list(seen(path)) == [4]
    column, rows = told(path)
    assert rows.startswith(
        "Videos!2:2: 2 rows are hidden and were left out (rows 2, 3). --include-hidden takes them"
    )
    assert column.startswith("Videos!C1, column 'duration': the column is hidden")
    assert list(seen(path, Reading(include_hidden=True))) == [2, 3, 4]


def test_what_libreoffice_writes(tmp_path: Path) -> None:
    """A real file: merged, hidden, failed, empty results, formats, breaks in a text."""
    made = tmp_path / "made.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Videos"
    for cells in (
        ["id", "prompt", "duration", "count", "note"],
        ["=0+7", "A fox\nsleeps", 15, 1000, '=IF(1=2,"x","")'],
        ["b", "A heron", None, 1, "=1/0"],
        ["c", "Hidden", None, 1, None],
        ["d", "=NA()", "=1/0", 1, None],
        ["e", "=NOSUCH()", 10, 1, None],
    ):
        sheet.append(cells)
    sheet["A2"].number_format = "000"
    sheet["D2"].number_format = "#,##0"
    sheet.merge_cells("C2:C3")
    sheet.row_dimensions[4].hidden = True
    book.save(made)
    path = saved_as("ods", made, tmp_path / "office")
    found = faults(path)
    assert {cell: one.found for cell, one in found.items()} == {
        "Videos!B5": "#N/A",
        "Videos!C5": "#DIV/0!",
        "Videos!B6": "#NAME?",
    }
    assert told(path)[-1].startswith("Videos!4:4: 1 row is hidden and was left out (row 4)")
    assert read(path)[:2] == [
        RawRow(2, ["007", "A fox\nsleeps", "15", "1000"]),
        RawRow(3, ["b", "A heron", "15", "1", "#DIV/0!"]),
    ]
