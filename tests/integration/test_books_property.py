"""Whatever a book holds: the value that is read is the one that is seen, or its cell is named."""

import random
from datetime import date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import openpyxl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from support.books import read, saved_as

from batchsora.manifest.errors import cell_name
from batchsora.manifest.raw import RawRow
from batchsora.manifest.values import has_failed

HEADER: Final = ("prompt", "duration", "campaign", "Owner")
OURS: Final = 3
"""The first so many columns are ours."""

Seen = tuple[Any, str | None]
"""A value as openpyxl takes it, and what is seen of it; None: nothing that can be known."""


def _text(words: str) -> Seen:
    return words, words


def _worded(words: str) -> bool:
    return not words.startswith("=") and "_x" not in words and not has_failed(words.strip())


TEXTS: Final = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), include_characters="\n\t"),
    min_size=1,
    max_size=12,
).filter(_worded)
CELLS: Final = st.one_of(
    st.just((None, "")),
    TEXTS.map(_text),
    st.integers(-(10**12), 10**12).map(lambda number: (number, str(number))),
    st.integers(1, 99).map(lambda number: (number + 0.5, f"{number}.5")),
    st.dates(date(1901, 1, 1), date(2200, 1, 1)).map(lambda day: (day, day.isoformat())),
    st.datetimes(datetime(1901, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - a sheet has no zones
    .map(lambda moment: moment.replace(microsecond=0))
    .filter(lambda moment: moment.time() != time())
    .map(lambda moment: (moment, moment.isoformat(" "))),
    st.booleans().map(lambda value: (value, str(value).upper())),
    st.sampled_from(["=1+1", '=IF(1,"","x")', '="A "&D2', "=1/0"]).map(lambda f: (f, None)),
    st.sampled_from(["#N/A", "#REF!", "#DIV/0!"]).map(lambda error: (error, None)),
)
ROWS: Final = st.lists(
    st.tuples(st.booleans(), st.lists(CELLS, min_size=len(HEADER), max_size=len(HEADER))),
    min_size=1,
    max_size=8,
)
MERGES: Final = st.lists(
    st.tuples(st.integers(0, 3), st.integers(2, 9), st.integers(1, 4)), max_size=3
)


def _written(path: Path, rows: list[tuple[bool, list[Seen]]], merges: list[Any]) -> None:
    """Save the rows, and change them to what is seen of each when cells are merged."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    sheet.append(HEADER)
    for number, (hidden, cells) in enumerate(rows, 2):
        for place, (value, _) in enumerate(cells, 1):
            if value is not None:
                sheet.cell(number, place, value)
        sheet.row_dimensions[number].hidden = hidden
    merged: set[tuple[int, int]] = set()
    own = {number for number, (_, cells) in enumerate(rows, 2) if _fills(cells)}
    for column, top, height in merges:
        bottom = min(top + height, len(rows) + 1)
        area = {(row, column) for row in range(top, bottom + 1)}
        if bottom <= top or area & merged:
            continue
        merged |= area
        sheet.merge_cells(
            start_row=top, end_row=bottom, start_column=column + 1, end_column=column + 1
        )
        shown = rows[top - 2][1][column]
        for row in range(top + 1, bottom + 1):
            rows[row - 2][1][column] = (None, "")
            own.discard(row)
            if _fills(rows[row - 2][1]):
                own.add(row)
                rows[row - 2][1][column] = shown
    book.save(path)


def _fills(cells: list[Seen]) -> bool:
    return any(shown is None or shown.strip() for _, shown in cells)


@given(rows=ROWS, merges=MERGES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_is_what_is_seen(
    rows: list[tuple[bool, list[Seen]]], merges: list[Any]
) -> None:
    """Of texts, numbers, moments, formulas, errors, merged cells and hidden rows."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.xlsx"
        _written(path, rows, merges)
        found = read(path)
    texts = {item.row: list(item.cells) for item in found if isinstance(item, RawRow)}
    named = {item.cell for item in found if not isinstance(item, RawRow)}
    for number, (hidden, cells) in enumerate(rows, 2):
        bad = {
            cell_name("Videos", number, place)
            for place, (_, shown) in enumerate(cells[:OURS])
            if shown is None
        }
        if hidden or not _fills(cells):
            assert number not in texts
            assert not bad & named or not hidden
        elif bad:
            assert bad <= named
            assert number not in texts
        else:
            wanted = [shown for _, shown in cells]
            got = texts[number] + [""] * (len(HEADER) - len(texts[number]))
            assert got[:OURS] == wanted[:OURS]
            assert wanted[OURS] in (got[OURS], None)


def test_every_format_says_the_same(tmp_path: Path) -> None:
    """One table of all kinds of cells, saved by LibreOffice in each of its formats."""
    chance = random.Random(17)
    made = tmp_path / "made.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    sheet.append(HEADER)
    values: list[Any] = [
        None, "A fox", "A fox,\nasleep", "Ein Füchschen 🦊", 10, 15.5, date(2026, 11, 23), True,
        time(16, 9, 5), "=1/0", '=IF(1=2,"x","")', "=10+5", "=NA()",
        '="A "&"heron"', "=NOSUCH()", -3,
    ]  # fmt: skip
    for _ in range(120):
        sheet.append([chance.choice(values) for _ in HEADER])
    for _ in range(12):
        top, column = chance.randrange(2, 110), chance.randrange(1, 5)
        area = f"{'ABCD'[column - 1]}{top}:{'ABCD'[column - 1]}{top + 2}"
        if not any(str(one)[0] == area[0] for one in sheet.merged_cells.ranges):
            sheet.merge_cells(area)
    for number in chance.sample(range(2, 122), 20):
        sheet.row_dimensions[number].hidden = True
    book.save(made)
    said = {}
    for form in ("xlsx", "ods", "xls"):
        found = read(saved_as(form, made, tmp_path / form))
        said[form] = [
            (item.row, [*item.cells, "", "", "", ""][:4])
            if isinstance(item, RawRow)
            else (item.cell, item.found, item.problem)
            for item in found
        ]
    assert len(said["xlsx"]) > 100
    assert said["ods"] == said["xlsx"]
    assert said["xls"] == said["xlsx"]
