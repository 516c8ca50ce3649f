"""Pictures over and in cells: a row that shows one is not bought as a text alone."""

import io
import re
from pathlib import Path

import openpyxl
import pytest
from openpyxl.drawing.image import Image as Drawn
from PIL import Image
from support.books import DATA, faults, read, row, saved_as, seen, told, xlsx

from batchsora.manifest.raw import RawRow, Reading

HEADER = row(1, "id", "prompt", "image", "note")


def picture() -> io.BytesIO:
    """Make a small picture."""
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(content, "PNG")
    return content


def with_pictures(path: Path, *places: str) -> Path:
    """Save three rows, and pictures over these cells; the third row names a file."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Videos"
    for cells in (
        ["id", "prompt", "image", "note"],
        ["a", "A kite"],
        ["b", "A fox"],
        ["c", "A boat", "boat.png"],
    ):
        sheet.append(cells)
    for place in places:
        sheet.add_image(Drawn(picture()), place)
    book.save(path)
    return path


@pytest.mark.parametrize("form", ["xlsx", "ods", "xls"])
def test_a_picture_over_a_row_is_asked_about(tmp_path: Path, form: str) -> None:
    """By its cell; not where the row names an image, nor over the header."""
    path = with_pictures(tmp_path / "m.xlsx", "C2", "D4", "A1")
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    found = faults(path)
    assert list(found) == ["Videos!C2"]
    assert "text alone would be bought" in found["Videos!C2"].problem
    assert found["Videos!C2"].column == "image"
    assert list(seen(path, Reading(ignore_pictures=True))) == [2, 3, 4]


def test_a_picture_beside_the_table_belongs_to_its_row(tmp_path: Path) -> None:
    """It lies in no column; its cell is named all the same."""
    (one,) = faults(with_pictures(tmp_path / "m.xlsx", "H3")).values()
    assert (one.cell, one.column) == ("Videos!H3", None)


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="C2" t="e" vm="1"><v>#VALUE!</v></c>',
        '<c r="C2" t="e" vm="2"><f>_xlfn.IMAGE("https://example.com/a.png")</f><v>#VALUE!</v></c>',
        '<c r="C2" t="str"><f>_xlfn.DISPIMG("ID_1",1)</f><v>=DISPIMG("ID_1",1)</v></c>',
        '<c r="C2" t="str"><v>=DISPIMG("ID_1",1)</v></c>',
        '<c r="C2" t="str"><f>IFERROR(__xludf.DUMMYFUNCTION("IMAGE(""https://a"")"),"")</f><v/></c>',
        '<c r="C2"><f>IMAGE(D2)</f></c>',
    ],
)
@pytest.mark.parametrize("header", ["image", "Moodboard"])
def test_a_picture_in_a_cell_is_named_for_what_it_is(
    tmp_path: Path, cell: str, header: str
) -> None:
    """Of Excel, WPS and Google; in a column of somebody's own as well."""
    head = row(1, "id", "prompt", header, "note")
    path = xlsx(tmp_path / "m.xlsx", head + row(2, "a", "A kite", cell, "x"))
    found = faults(path)
    assert list(found) == ["Videos!C2"]
    assert re.search(r"cell contains a picture|picture is in the cell", found["Videos!C2"].problem)


def test_what_only_looks_like_a_picture_is_read(tmp_path: Path) -> None:
    """An error that is one; a formula that speaks of images and gives a text."""
    rows = row(2, "a", '<c r="B2" t="str"><f>"Image (" &amp; D2</f><v>Image (x</v></c>', None, "x")
    rows += row(3, "b", '<c r="B3" t="e"><f>X</f><v>#VALUE!</v></c>', None, "x")
    path = xlsx(tmp_path / "m.xlsx", HEADER + rows)
    assert read(path)[0] == RawRow(2, ["a", "Image (x", "", "x"])
    assert faults(path)["Videos!B3"].problem == "the formula returned an error"
    assert list(faults(DATA / "picture-in-cell.xlsx")) == ["Sheet1!C2"]


def test_a_picture_at_no_cell_is_told(tmp_path: Path) -> None:
    """Nobody knows which row it belongs to."""
    path = tmp_path / "m.xlsx"
    book = openpyxl.load_workbook(with_pictures(tmp_path / "made.xlsx", "C2"))
    sheet = book["Videos"]
    (drawn,) = sheet._images
    drawn.anchor = openpyxl.drawing.spreadsheet_drawing.AbsoluteAnchor(
        ext=openpyxl.drawing.xdr.XDRPositiveSize2D(cx=9525, cy=9525)
    )
    book.save(path)
    assert list(seen(path)) == [2, 3, 4]
    (said,) = told(path)
    assert "1 picture(s) on the sheet 'Videos' belong to none of its cells" in said
