"""Texts of a text table that quotes should enclose: opened too late, or without any."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from batchsora.manifest import values
from batchsora.manifest.errors import CellError

MOST_LOOKED_AT = 1000
"""Cells of a row; a header has no more, and each is looked for in the row's text."""
_SEPARATES = re.compile(
    r"\t|(?<![0-9]),(?=\S)|,(?=[^\s0-9])"
    r"|[,;|]\s*[0-9][0-9.:]*\s*(?:[,;|]|\Z)"
)
"""A comma without a space behind it, or a separator before a number alone."""
_LAST = re.compile(r"[,;|]\s*([^\s,;|][^,;|]{0,40})\Z")
_MARKS = re.compile("[\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u201a']")
_BEFORE_A_WORD = re.compile(r"'(?<!\w')(?=[^\W_])")
"""An apostrophe that may open a quote; nearly all others stand in words."""
_CLOSERS = {
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u00ab": "\u00bb",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "'": "'",
}
"""Which signs close a quote, by the one that opens it."""
_ELIDED = re.compile(
    r"(?:[0-9]|(?:tis|twas|til|till|cause|em|n|neath|bout|round|cross|gainst|s|t)\b)",
    re.IGNORECASE,
)
"""What stands behind an apostrophe at the beginning of a word: ``'90s``, ``'tis``."""
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

    ``1, "A kite, red"`` and ``1,A "big, old, red" kite`` are such rows, and so is ``1,„Rot, alt“``.

    Args:
        cells: of a row.
        text: the row as it is written; a cell that quotes enclose stands there otherwise, so that
            its own quotes are never taken for such ones.

    Returns:
        The cell's place; None where no cell is cut.
    """
    cells = cells[:MOST_LOOKED_AT]
    for place, cell in enumerate(cells):
        if cell.count('"') % 2 and cell[0] != '"' and cell in text:
            if cell.lstrip()[0] == '"':
                return place
            if not _opens(cell):
                continue
            following = next((one for one in cells[place + 1 :] if one.count('"') % 2), "")
            if _closes(following) and following in text:
                return place
    return None


def cut_at_other(cells: Sequence[str], text: str) -> int | None:
    """Find a cell that a separator cuts in two inside quotes of another kind: “…”, „…“, «…», '…'.

    An apostrophe alone is no quote: a cell opens one and does not close it, and a later cell
    closes what it did not open.

    Args:
        cells: of a row.
        text: the row as it is written; double quotes around a cell make it whole.

    Returns:
        The cell's place; None where no cell is cut.
    """
    if not _may_open(text):
        return None
    cells = cells[:MOST_LOOKED_AT]
    whole = [_is_whole(cell, text) for cell in cells]
    for place, cell in enumerate(cells[:-1]):
        opened = "" if whole[place] else _left_open(cell, "")
        for later in range(place + 1, len(cells) if opened else 0):
            closes = False if whole[later] else _closes_first(cells[later], opened)
            if closes:
                return place
            if closes is not None:
                break
    return None


def _may_open(text: str) -> bool:
    """Whether some mark in a row may open a quote; it is asked of every row."""
    if "'" in text and _BEFORE_A_WORD.search(text) is not None:
        return True
    return not text.isascii() and any(mark in text for mark in _CLOSERS if mark != "'")


def _is_whole(cell: str, text: str) -> bool:
    """Whether double quotes enclose a cell, as far as it has one of the other marks."""
    if '"' not in text or _MARKS.search(cell) is None:
        return False
    return cell not in text or f'"{cell}"' in text


def _left_open(cell: str, opened: str) -> str:
    """Return the mark of a quote that a cell opens and does not close; nothing where it has none.

    Args:
        cell: a text.
        opened: the mark that is open where it begins.
    """
    for found in _MARKS.finditer(cell):
        mark, at = found[0], found.start()
        if opened:
            opened = "" if _closes_at(cell, at, opened) else opened
        elif _opens_at(cell, at):
            opened = mark
    return opened


def _closes_first(cell: str, opened: str) -> bool | None:
    """Whether a cell closes a quote before it opens one of its own; None where it does neither."""
    for found in _MARKS.finditer(cell):
        if _closes_at(cell, found.start(), opened):
            return True
        if _opens_at(cell, found.start()):
            return False
    return None


def _opens_at(cell: str, at: int) -> bool:
    """Whether a mark opens a quote: it stands before a word, and not behind one."""
    before, mark, after = cell[:at][-1:], cell[at], cell[at + 1 :]
    if mark not in _CLOSERS or before.isalnum():
        return False
    if mark not in "'\u2018":
        return bool(after.strip())
    return after[:1].isalnum() and _ELIDED.match(after) is None


def _closes_at(cell: str, at: int, opened: str) -> bool:
    """Whether a mark closes a quote that another one has opened; an apostrophe doesn't."""
    if cell[at] not in _CLOSERS[opened]:
        return False
    if opened in "'\u2018\u201a":
        before, after = cell[:at][-1:], cell[at + 1 :][:1]
        return before.strip() != "" and not after.isalnum()
    return True


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
