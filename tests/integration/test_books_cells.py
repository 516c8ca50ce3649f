"""What one cell of a workbook says, or why it says nothing: by its type, never by a guess."""

from pathlib import Path

import openpyxl
import pytest
from support.books import DATA, faults, read, row, seen, told, xlsx

from batchsora.manifest.errors import ManifestError
from batchsora.manifest.raw import RawRow
from batchsora.manifest.read import open_manifest

HEADER = row(1, "id", "prompt", "duration", "campaign", "note")


def test_a_formula_that_says_nothing_is_calculated() -> None:
    """``=IF(…,"")`` of a saved book is an empty cell; filled down below the table, no row."""
    assert seen(DATA / "results-empty.xlsx") == {
        2: ["a", "A kite", "15", "hero", "yes"],
        3: ["b", "A heron", "", "", "no"],
    }
    assert list(seen(DATA / "results-filled-down.xlsx")) == [2, 3]


def test_a_formula_without_any_result_is_an_error() -> None:
    """It would be the default, which is paid for."""
    found = faults(DATA / "results-missing.xlsx")
    assert list(found) == ["Sheet1!C3", "Sheet1!D3"]
    assert "not in the file" in found["Sheet1!C3"].problem


@pytest.mark.parametrize(
    ("cell", "shows"),
    [
        ('<c r="C2" t="str"><f>IF(1,"")</f><v></v></c>', ""),
        ('<c r="C2" t="str"><f t="shared" si="0"/><v/></c>', ""),
        ('<c r="C2"><f>5+5</f><v>10</v></c>', "10"),
        ('<c r="C2" t="str"><f>A1</f><v>10 s</v></c>', "10 s"),
        ('<c r="C2"><f t="array" ref="C2:C3">5+5</f><v>10</v></c>', "10"),
        ('<c r="C2" t="b"><v>1</v></c>', "TRUE"),
        ('<c r="C2" t="d"><v>2026-11-23T00:00:00</v></c>', "2026-11-23"),
        ('<c r="C2"><v>1E1</v></c>', "10"),
        ('<c r="C2" t="inlineStr"><is><r><t>1</t></r><r><t>0</t></r><rPh><t>x</t></rPh></is></c>',
         "10"),
    ],
)  # fmt: skip
def test_a_stored_value_is_what_is_seen(tmp_path: Path, cell: str, shows: str) -> None:
    """Of each type that a cell may have."""
    path = xlsx(tmp_path / "m.xlsx", HEADER + row(2, "a", "A kite", cell, None, "x"))
    assert seen(path)[2][2] == shows


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="C2"><f>5+5</f></c>',
        '<c r="C2"><f>5+5</f><v/></c>',
        '<c r="C2" t="str"><f>5+5</f></c>',
        '<c r="C2"><f t="shared" si="0"/><v></v></c>',
        '<c r="C2"><f ca="1">NOW()</f></c>',
    ],
)
def test_a_missing_result_is_an_error_by_its_cell(tmp_path: Path, cell: str) -> None:
    """However a program leaves it out."""
    path = xlsx(tmp_path / "m.xlsx", HEADER + row(2, "a", "A kite", cell, None, "x"))
    assert list(faults(path)) == ["Videos!C2"]


def test_what_a_formula_would_fill_is_missing_too(tmp_path: Path) -> None:
    """One that gives several cells its results has none for any; a value of its own stays one."""
    spilling = '<c r="C2"><f t="array" ref="C2:C4">SEQUENCE(3)</f><v/></c>'
    rows = row(2, "a", "A kite", spilling) + row(3, "b", "A fox") + row(4, "c", "A boat", 15)
    path = xlsx(tmp_path / "m.xlsx", HEADER + rows + row(5, "d", "A heron"))
    assert list(faults(path)) == ["Videos!C2", "Videos!C3"]
    assert [item.row for item in read(path)] == [2, 3, 4, 5]


def test_a_program_that_calculates_nothing_stores_nought(tmp_path: Path) -> None:
    """XlsxWriter writes 0 and asks whoever opens it to calculate; a prompt would be "0"."""
    rows = HEADER + row(2, "a", '<c r="B2"><f>"A "&amp;E2</f><v>0</v></c>', 10, None, "fox")
    path = xlsx(tmp_path / "m.xlsx", rows, book='<calcPr calcId="1" fullCalcOnLoad="1"/>')
    assert list(faults(path)) == ["Videos!B2"]
    saved = xlsx(tmp_path / "saved.xlsx", rows, book='<calcPr calcId="1"/>')
    assert seen(saved)[2][1] == "0"


def test_an_error_is_known_by_its_type() -> None:
    """Whatever it is called; a text of that kind in a column of somebody's own is a text."""
    path = DATA / "errors.xlsx"
    found = faults(path)
    assert list(found) == [f"Sheet1!B{number}" for number in range(2, 9)]
    assert found["Sheet1!B5"].found == "#PYTHON!"
    assert str(path) + ", Sheet1!B5" in str(found["Sheet1!B5"])
    assert "formula" in found["Sheet1!B5"].problem


@pytest.mark.parametrize(
    "text",
    ["#WERT!", "#NV", "#BUSY!", "Err:502", "#######", "Loading...", "Loading…", " #n/a ", "#¡REF!"],
)
def test_a_text_of_a_failure_is_one_in_our_columns(tmp_path: Path, text: str) -> None:
    """Pasted as values, or saved by a program that knows no errors."""
    path = xlsx(
        tmp_path / "m.xlsx",
        HEADER + row(2, "a", text, None, None, "x") + row(3, "b", "A fox", None, None, text),
    )
    assert list(faults(path)) == ["Videos!B2"]
    assert read(path)[1] == RawRow(3, ["b", "A fox", "", "", text])


def test_a_header_that_failed_refuses_the_file(tmp_path: Path) -> None:
    """The column below it may be one of ours."""
    header = row(1, "prompt", '<c r="B1" t="e"><f>X</f><v>#REF!</v></c>')
    path = xlsx(tmp_path / "m.xlsx", header + row(2, "A fox", 15))
    with pytest.raises(ManifestError, match=r"Videos!B1.*returned an error"):
        open_manifest(path)


def test_escaped_characters_are_read(tmp_path: Path) -> None:
    """``_x000D_`` and its like, also an escaped underscore, and what needs two of them."""
    assert [cells[1] for cells in seen(DATA / "escapes.xlsx").values()] == [
        "A kite\nover the sea",
        "Tab\nbreak from slides",
        "literal _x000D_ text",
    ]
    rows = HEADER + row(2, "a", "A _xD83D__xDE00_ face, file_x_1", None, None, "x")
    assert seen(xlsx(tmp_path / "m.xlsx", rows))[2][1] == "A 😀 face, file_x_1"


@pytest.mark.parametrize(
    ("stored", "form", "shows"),
    [
        ("1000", "#,##0", "1000"),  # 1,000 is one in half of Europe
        ("1234.5", "#,##0.00", "1,234.50"),
        ("1000", "# ##0", "1000"),
        ("10", '0" s"', "10 s"),
        ("10", "0.000", "10.000"),
        ("10", "General", "10"),
        ("7", "000", "007"),
        ("0.1", "0%", "10%"),
        ("12000", "#,##0,", "12"),
        ("-3", "#,##0_);(#,##0)", "-3"),
        ("46349", "[$-407]d. mmmm yyyy", "2026-11-23"),
        ("46349.5", "d/m/yy h:mm", "2026-11-23 12:00:00"),
        ("46349.6729166667", "h:mm", "16:09"),
        ("0.672916666666667", "h:mm AM/PM", "16:09"),
        ("0.672916666666667", "[h]:mm", "16:09"),
        ("1.25", "[h]:mm:ss", "30:00:00"),
        ("59", "yyyy-mm-dd", "1900-02-28"),
        ("99999999", "yyyy-mm-dd", "99999999"),
        ("123456789012345678", "General", "123456789012345678"),
    ],
)
def test_a_number_is_shown_by_its_format(
    tmp_path: Path, stored: str, form: str, shows: str
) -> None:
    """As far as it says something; a whole number has no separators that could mean a point."""
    written = form.replace('"', "&quot;")
    path = xlsx(
        tmp_path / "m.xlsx",
        HEADER + row(2, "a", "A fox", None, None, f'<c r="E2" s="1"><v>{stored}</v></c>'),
        styles=f'<numFmts><numFmt numFmtId="200" formatCode="{written}"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="200"/></cellXfs>',
    )
    assert seen(path)[2][4] == shows


def test_a_book_that_counts_from_1904_is_understood(tmp_path: Path) -> None:
    """As old ones of a Mac do."""
    path = tmp_path / "m.xlsx"
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet = book.active
    assert sheet is not None
    for cells in (["prompt", "note"], ["A fox", openpyxl.utils.datetime.from_excel(46349)]):
        sheet.append(cells)
    book.save(path)
    assert seen(path)[2][1] == "2026-11-23"


def test_the_strict_kind_is_read(tmp_path: Path) -> None:
    """Another namespace, and dates that are written out."""
    path = xlsx(
        tmp_path / "m.xlsx",
        HEADER + row(2, "a", "A fox", None, None, '<c r="E2" t="d"><v>2026-11-23</v></c>'),
        main="http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    assert seen(path) == {2: ["a", "A fox", "", "", "2026-11-23"]}


def test_a_book_that_other_programs_open_is_read() -> None:
    """A style that a library refuses is none of a table's words."""
    path = DATA / "empty-fill.xlsx"
    assert seen(path) == {2: ["a", "A kite"]}
    assert told(path) == []
