"""Quotes of other kinds than the ASCII one: “…”, „…“, «…», »…«, ”…”, 「…」, '…'.

No program encloses a cell with them, so that a separator cuts a text inside of them.
"""

import re
from collections.abc import Sequence
from typing import Final

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
"""An apostrophe that may open a quote; nearly all others stand in words."""
_ELIDED: Final = re.compile(
    r"(?:[0-9]|(?:tis|twas|til|till|cause|em|n|neath|bout|round|cross|gainst|s|t)\b)",
    re.IGNORECASE,
)
"""What stands behind an apostrophe at the beginning of a word: ``'90s``, ``'tis``."""
SPACELESS: Final = "\u2e80"
"""From here on stand letters of East Asia, whose words have no spaces between them."""
_BEFORE_A_QUOTE: Final = frozenset("([{<-/=:\u2013\u2014\u00a1\u00bf") | _CLOSERS.keys()
"""Signs that may stand before a mark that opens; white space may, too."""


def may_have_marks(text: str) -> bool:
    """Whether some mark in a row may open a quote; it is asked of every row."""
    if "`" in text or ("'" in text and _BEFORE_A_WORD.search(text) is not None):
        return True
    return not text.isascii() and any(mark in text for mark in _OTHERS)


def cut_inside(cells: Sequence[str], whole: Sequence[bool]) -> int | None:
    """Find a cell that opens a quote of these kinds and does not close it, as a later one does.

    A mark alone is no quote, as an apostrophe is none. The time is that of the row's length: a
    search for what closes ends at the next cell that opens a quote of its own.

    Args:
        cells: of a row.
        whole: which of them double quotes enclose; no separator cuts these.

    Returns:
        The cell's place; None where no cell is cut.
    """
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
    """Return the mark of a quote that a cell opens and does not close; nothing where it has none.

    A double quote closes only where it has none to belong to.
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
    """Whether a cell closes a quote before it opens one of its own; None where it does neither."""
    end = len(cell.rstrip())
    paired = cell.count('"') % 2 == 0
    for found in _MARKS.finditer(cell):
        if _closes_at(cell, found.start(), opened, paired=paired):
            return True
        if _opens_at(cell, found.start(), end):
            return False
    return None


def _opens_at(cell: str, at: int, end: int) -> bool:
    """Whether a mark opens a quote: it stands before a word, and not behind one.

    Args:
        cell: a text.
        at: where the mark stands.
        end: where its white space at the end begins.
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
    """Whether a mark closes a quote that another one has opened; an apostrophe doesn't."""
    mark = cell[at]
    if mark not in _CLOSERS[opened]:
        return False
    if mark == '"':
        return not paired
    if opened in _BESIDE_WORDS:
        before, after = cell[at - 1 : at] if at else "", cell[at + 1 : at + 2]
        return before.strip() != "" and not after.isalnum()
    return True
