"""Texts of a text table that quotes should enclose: opened too late, or without any."""

import re
from collections.abc import Sequence
from functools import lru_cache

from batchsora.manifest.formats.quote_marks import SPACELESS, cut_inside, may_have_marks

_INCHES = re.compile('[0-9]"')


@lru_cache(16)
def _behind_space(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'(?:\A|{re.escape(delimiter)}) +"')


def may_begin_behind_space(line: str, delimiter: str) -> bool:
    """Whether a line has what would be a cell that begins with spaces and a quote."""
    return ' "' in line and _behind_space(delimiter).search(line) is not None


def begins_behind_space(cell: str) -> bool:
    """Whether a cell that was read as it stands begins with spaces and a quote."""
    return cell[:1] == " " and cell.lstrip(" ")[:1] == '"'


def cut_at(cells: Sequence[str], text: str, *, spaced: bool) -> int | None:
    """Find a cell that a separator cuts in two, though quotes go around the whole.

    ``1, "A kite, red"`` and ``1,A "big, old, red" kite`` are such rows: a cell leaves a quote open,
    and a later one has a quote too many.

    Args:
        cells: of a row.
        text: the row as it is written.
        spaced: as of the table's dialect.

    Returns:
        The cell's place; None where no cell is cut.
    """
    closing = [
        place
        for place, cell in enumerate(cells)
        if cell.count('"') % 2 or ('"' in cell and len(_INCHES.findall(cell)) % 2)
    ]
    if not closing:  # no cell has a quote too many, with inches or without them
        return None
    whole = enclosed(cells, text, spaced=spaced)
    bare = [p for p, cell in enumerate(cells) if '"' in cell and not whole[p]]
    last = max((place for place in closing if not whole[place]), default=0)
    for place in bare:
        cell = cells[place]
        if cell.lstrip()[0] == '"' and cell.count('"') % 2:
            return place
        if place < last and _is_left_open(cell):
            return place
    return None


def cut_at_other(cells: Sequence[str], text: str, *, spaced: bool) -> int | None:
    """Find a cell that a separator cuts in two inside quotes of another kind: ``1,„Rot, alt“``.

    Args:
        cells: of a row.
        text: the row as it is written; double quotes around a cell make it whole.
        spaced: as of the table's dialect.

    Returns:
        The cell's place; None where no cell is cut.
    """
    if not may_have_marks(text):
        return None
    return cut_inside(cells, enclosed(cells, text, spaced=spaced))


def enclosed(cells: Sequence[str], text: str, *, spaced: bool) -> list[bool]:
    """Return which cells of a row double quotes enclose.

    Args:
        cells: of a row, as the csv module read them.
        text: the row as it is written.
        spaced: as of the table's dialect.
    """
    if '"' not in text:
        return [False] * len(cells)
    found, place = [], 0
    for cell in cells:
        while spaced and text.startswith(" ", place):
            place += 1
        quoted = text.startswith('"', place)
        found.append(quoted)
        # behind the cell is a separator; around it are its quotes, and one before each of its own
        place += len(cell) + 1 + (2 + cell.count('"') if quoted else 0)
    return found


def _is_left_open(cell: str) -> bool:
    """Whether a cell opens a quote and does not close it; one behind a number is an inch."""
    opened, at = False, cell.find('"')
    while at >= 0:
        opened = not opened and _may_open(cell[at - 1 : at] if at else "", cell[at + 1 : at + 2])
        at = cell.find('"', at + 1)
    return opened


def _may_open(before: str, after: str) -> bool:
    """Whether a double quote between two signs may open a quote."""
    if before.isalnum() and (before < SPACELESS or before.isnumeric()):
        return not before.isnumeric() and after.isalnum()
    return True
