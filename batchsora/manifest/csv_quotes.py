"""Texts of a text table that quotes should enclose: opened too late, or without any."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from batchsora.manifest import values
from batchsora.manifest.errors import CellError

_SEPARATES = re.compile(
    r"\t|(?<![0-9]),(?=\S)|,(?=[^\s0-9])"
    r"|[,;|]\s*[0-9][0-9.:]*\s*(?:[,;|]|\Z)"
)
"""A comma without a space behind it, or a separator before a number alone."""
_LAST = re.compile(r"[,;|]\s*([^\s,;|][^,;|]{0,40})\Z")
_OPTIONS = (values.orientation, values.duration)
"""A last piece that one of these reads is a cell of its own: ``A kite, 15 sec``."""


def seems_separated(text: str) -> bool:
    """Whether a text without quotes seems to be several cells, as ``A kite,15`` does."""
    if _SEPARATES.search(text) is not None:
        return True
    last = _LAST.search(text)
    return last is not None and any(_says(parse, last[1]) for parse in _OPTIONS)


def _says(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except CellError:
        return False
    return True


@lru_cache(16)
def _behind_space(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'(?:\A|{re.escape(delimiter)}) +"')


def may_begin_behind_space(line: str, delimiter: str) -> bool:
    """Whether a line has what would be a cell that begins with spaces and a quote."""
    return ' "' in line and _behind_space(delimiter).search(line) is not None


def begins_behind_space(cell: str) -> bool:
    """Whether a cell that was read as it stands begins with spaces and a quote."""
    return cell[:1] == " " and cell.lstrip(" ")[:1] == '"'


def cut_at(cells: Sequence[str], text: str) -> int | None:
    """Find a cell that a separator cuts in two, though quotes go around the whole.

    ``1, "A kite, red"`` and ``1,A "big, red" kite`` are such rows.

    Args:
        cells: of a row.
        text: the row as it is written; a cell that quotes enclose stands there otherwise, so that
            its own quotes are never taken for such ones.

    Returns:
        The cell's place; None where no cell is cut.
    """
    for place, cell in enumerate(cells):
        if cell.count('"') % 2 and cell[0] != '"' and cell in text:
            if cell.lstrip()[0] == '"':
                return place
            following = cells[place + 1] if place + 1 < len(cells) else ""
            if _opens(cell) and _closes(following) and following in text:
                return place
    return None


def _opens(cell: str) -> bool:
    """Whether the last quote of a cell stands before a word, as an opening one."""
    before, _, after = cell.rpartition('"')
    return not before[-1:].isalnum() and after[:1].isalnum()


def _closes(cell: str) -> bool:
    """Whether the first quote of a cell stands behind a word, as a closing one."""
    before, found, after = cell.partition('"')
    return (
        bool(found)
        and bool(before.strip())
        and not before[-1].isspace()
        and not after[:1].isalnum()
    )
