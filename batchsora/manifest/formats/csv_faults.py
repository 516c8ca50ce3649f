"""What is wrong with a row of a text table whose cells are not the intended ones."""

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, RowProblem, shorten
from batchsora.manifest.formats.csv_dialect import DELIMITERS

_CLOSERS: Final = {
    "\u201c": '\u201d"',
    "\u201d": '\u201d"',
    "\u201e": '\u201c\u201d"',
    "\u201f": '\u201d"',
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab\u00bb",
    "\u2039": "\u203a",
    "\u203a": "\u2039\u203a",
    "\u2018": "\u2019'",
    "\u2019": "\u2019",
    "\u201a": "\u2018\u2019'",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\u300a": "\u300b",
    "\u301d": "\u301e\u301f",
    "\uff62": "\uff63",
    "\uff02": "\uff02",
    "'": "'",
    "`": "`\u00b4'",
    "\u00b4": "\u00b4'",
}
"""Which signs close a quote, by the one that opens it."""
_OTHERS: Final = tuple(mark for mark in _CLOSERS if not mark.isascii())
_BESIDE_WORDS: Final = "'`\u00b4\u2018\u2019\u201a"
"""Marks that are apostrophes and accents, too: they close behind a word, and not before one."""
_CLOSING_TOO: Final = "\u201d\u00bb\u203a\u2019`\u00b4\uff02"
"""Marks that close a quote for most people: they open one directly before its first word."""
_MARKS: Final = re.compile(f'["{re.escape("".join({*_CLOSERS, *"".join(_CLOSERS.values())}))}]')
_BEFORE_A_WORD: Final = re.compile(r"'(?<!\w')(?=[^\W_])")
"""An apostrophe that may open a quote; nearly all others are inside words."""
_ELIDED: Final = re.compile(
    r"(?:[0-9]|(?:tis|twas|til|till|cause|em|n|neath|bout|round|cross|gainst|s|t)\b)",
    re.IGNORECASE,
)
"""What comes after an apostrophe at the beginning of a word: ``'90s``, ``'tis``."""
SPACELESS: Final = "\u2e80"
"""The first letter of East Asia, where words have no spaces between them."""
_BEFORE_A_QUOTE: Final = frozenset("([{<-/=:\u2013\u2014\u00a1\u00bf") | _CLOSERS.keys()
"""Signs that may come before a mark that opens; white space may, too."""


def cut_at_other(cells: Sequence[str], text: str, *, spaced: bool) -> int | None:
    """Return the place of a cell that is cut in quotes of another kind: ``1,„Rot, alt“``.

    A mark alone is not a quote, like an apostrophe. No separator cuts cells in double quotes. The
    time is linear in the row's length: a search for the closing mark ends at the next cell that
    opens a quote of its own.
    """
    marked = "`" in text or ("'" in text and _BEFORE_A_WORD.search(text) is not None)
    if not marked and (text.isascii() or not any(mark in text for mark in _OTHERS)):
        return None
    whole = enclosed(cells, text, spaced=spaced)
    for place, cell in enumerate(cells[:-1]):
        opened = "" if whole[place] else _left_open(cell)
        for later in range(place + 1, len(cells) if opened else 0):
            closes = False if whole[later] else _closes_first(cells[later], opened)
            if closes:
                return place
            if closes is not None:
                break
    return None


def _left_open(cell: str) -> str:
    """Return the mark of a quote that a cell opens and does not close, or "".

    A double quote closes only if the cell has an odd number of them.
    """
    opened, end = "", len(cell.rstrip())
    paired = cell.count('"') % 2 == 0
    for found in _MARKS.finditer(cell):
        at = found.start()
        if opened:
            opened = "" if _closes_at(cell, at, opened, paired=paired) else opened
        elif _opens_at(cell, at, end):
            opened = found[0]
    return opened


def _closes_first(cell: str, opened: str) -> bool | None:
    """Return whether a cell closes a quote before it opens its own; None: neither."""
    end = len(cell.rstrip())
    paired = cell.count('"') % 2 == 0
    for found in _MARKS.finditer(cell):
        if _closes_at(cell, found.start(), opened, paired=paired):
            return True
        if _opens_at(cell, found.start(), end):
            return False
    return None


def _opens_at(cell: str, at: int, end: int) -> bool:
    """Return whether the mark at a place opens a quote: it is before a word, and not behind one.

    ``end`` is where the cell's outer white space begins.
    """
    mark, before, after = cell[at], cell[at - 1 : at] if at else "", cell[at + 1 : at + 2]
    if mark not in _CLOSERS or at + 1 >= end or (before.isalnum() and before < SPACELESS):
        return False
    if mark in _CLOSING_TOO:
        begins = not before or before.isspace() or before in _BEFORE_A_QUOTE
        if not begins or after.isspace():
            return False
    if mark in "'\u2018\u2019":
        return after.isalnum() and _ELIDED.match(cell, at + 1) is None
    return True


def _closes_at(cell: str, at: int, opened: str, *, paired: bool) -> bool:
    """Return whether a mark closes the quote that another one opened; an apostrophe doesn't."""
    mark = cell[at]
    if mark not in _CLOSERS[opened]:
        return False
    if mark == '"':
        return not paired
    if opened in _BESIDE_WORDS:
        before, after = cell[at - 1 : at] if at else "", cell[at + 1 : at + 2]
        return before.strip() != "" and not after.isalnum()
    return True


_INCHES = re.compile('[0-9]"')


def cut_at(cells: Sequence[str], text: str, *, spaced: bool) -> int | None:
    """Return the place of a cell that a separator cuts in two inside double quotes, or None.

    ``1, "A kite, red"`` and ``1,A "big, old, red" kite`` are such rows: a cell leaves a quote open,
    and a later one has a quote too many. ``text`` is the row as it is written.
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


def enclosed(cells: Sequence[str], text: str, *, spaced: bool) -> list[bool]:
    """Return which cells of a row (as the csv module read ``text``) double quotes enclose."""
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
    """Return whether a cell opens a quote and does not close it; one after a number is an inch."""
    opened, at = False, cell.find('"')
    while at >= 0:
        opened = not opened and _may_open(cell[at - 1 : at] if at else "", cell[at + 1 : at + 2])
        at = cell.find('"', at + 1)
    return opened


def _may_open(before: str, after: str) -> bool:
    """Return whether a double quote between two signs may open a quote."""
    if before.isalnum() and (before < SPACELESS or before.isnumeric()):
        return not before.isnumeric() and after.isalnum()
    return True


_SEPARATES = re.compile(
    r"\t|(?<![0-9]),(?=\S)|,(?=[^\s0-9])"
    r"|[,;|]\s*[0-9][0-9.:]*\s*(?:[,;|]|\Z)"
)
"""A comma without a space behind it, or a separator before a number alone."""
_LAST = re.compile(r"[,;|]\s*([^\s,;|][^,;|]{0,40})\Z")
"""An orientation or a duration there is a cell of its own: ``A kite, 15 sec``."""
_COMMENTS: Final = ("#", "//")


def seems_separated(text: str) -> bool:
    """Return whether a text without quotes seems to be several cells, as ``A kite,15`` does."""
    if _SEPARATES.search(text) is not None:
        return True
    last = _LAST.search(text)
    return last is not None and _is_option(last[1])


def _is_option(text: str) -> bool:
    for parse in (values.orientation, values.duration):
        with suppress(CellError):
            parse(text)
            return True
    return False


def separated_otherwise(
    cells: Sequence[str], width: int, delimiter: str, *, quoted: bool
) -> str | None:
    """Return the separator that cuts a row as the header is cut, if it is not the table's, or None.

    ``A kite;15`` below ``prompt,duration`` is such a row. Prose has a space after its signs, so
    pieces that begin with one count only if one is a value of ours. The row has fewer cells than
    the header, or only its first one; if double quotes enclose that (``quoted``) before empty
    cells, it is a text.
    """
    padded = len(cells) >= width
    if width == 1 or (padded and quoted):
        return None
    text = cells[0] if padded else delimiter.join(cells)
    others = [one for one in DELIMITERS if one in text and one != delimiter]
    if not others or text.lstrip().startswith(_COMMENTS):
        return None
    sure = quoted or padded
    return next((one for one in others if _cuts(text, one, width, sure=sure)), None)


def _cuts(text: str, other: str, width: int, *, sure: bool) -> bool:
    """Return whether a separator cuts a text as a header of ``width`` cells is cut.

    ``sure``: the pieces must be as many, written close together, and one of them a value of ours.
    """
    pieces = _pieces(text, other)[1:]
    if not 0 < len(pieces) < width:
        return False
    close = not any(piece.startswith(" ") for piece in pieces)
    ours = any(piece.strip() and _is_option(piece) for piece in pieces)
    if sure or len(pieces) < width - 1:
        return close and ours and (not sure or len(pieces) == width - 1)
    return close or ours


def _pieces(text: str, separator: str) -> list[str]:
    """Cut a text as a row is cut, or simply at each separator if its quotes don't match."""
    line = " ".join(text.splitlines())
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return line.split(separator)


_SPOKEN: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def seemingly_several(file: str, row: int, header: str, text: str) -> RowProblem:
    """Return the problem of a text that seems to be several cells, in a table of one column."""
    return RowProblem(
        file,
        "this looks like several cells, but the header has only one",
        "Put a text that contains a separator in double quotes, or name all columns.",
        row=row,
        column=header,
        found=shorten(text),
    )


def another_separator(file: str, row: int, text: str, ours: str, other: str) -> RowProblem:
    """Return the problem of a row separated by ``other``, below a header separated by ``ours``."""
    header, here = _SPOKEN.get(ours, repr(ours)), _SPOKEN[other]
    return RowProblem(
        file,
        f"the cells here seem to be separated by {here}, but those of the header by {header}",
        f"Use the header's separator; put a text that contains {here} in double quotes, "
        f"followed by {header} for each empty cell.",
        row=row,
        found=shorten(text.strip()),
    )


def cut_in_quotes(file: str, row: int, header: str | None, text: str) -> RowProblem:
    """Return the problem of a text that is cut inside quotes."""
    return RowProblem(
        file,
        "a quote opens here that does not enclose the whole cell, so the next separator cuts "
        "the text",
        "Put the whole cell in quotes, without a space before them, and write a quote inside it "
        'twice ("").',
        row=row,
        column=header,
        found=shorten(text.strip()),
    )
