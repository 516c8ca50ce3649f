"""Text made fit for a terminal: foreign text cleaned, long lines folded, tables, colours.

Colours and bold are for terminals alone, and never with NO_COLOR (https://no-color.org).
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import click

from batchsora.presentation.terminal_text import UNSEEN, cells, clean

_LABEL: Final = re.compile(r"\s*\S+(?: \S+)?\s{2,}")
_WORD: Final = re.compile(r"([ \u3000]*)([^ \u3000]+)")

# Scripts that are written without blanks: a line may end behind each of their characters, but not
# before a mark upon it, or before what closes a sentence.
_WIDE: Final = (
    "\u1100-\u115f\u2e80-\u2fff\u3001-\u3029\u3030-\u303e\u3041-\u3098\u309b-\ua4cf\uac00-\ud7a3"
    "\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003fffd"
)
_CLOSING: Final = "\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\u3001\u3002\uff01\uff09\uff0c\uff1f\u300d"
_PIECE: Final = re.compile(f"[{_WIDE}][{_CLOSING}]{{0,3}}|[^{_WIDE}]+")


class Painted(str):
    """Text with its foreign parts cleaned already: terminal codes in it are ours."""

    __slots__ = ()


def folded(text: str, width: int) -> str:
    """Break long lines of clean text between words, indented below the text after a line's label.

    A word that is longer than a line stays whole beside its label, so that it can be copied. Only
    Chinese, Japanese and Korean are broken between characters; addresses and paths never.
    """
    return "\n".join(
        line if cells(line) <= width else "\n".join(_broken(line, width))
        for line in text.expandtabs().split("\n")
    )


def _broken(line: str, width: int) -> Iterator[str]:
    begin, indent = _indent(line, width)
    now = ""
    for match in _WORD.finditer(line):
        gap, word = match.groups()
        gap = gap if now else gap[:indent]
        alone = indent + cells(word) <= width
        pieces = [word] if alone or "/" in word else _PIECE.findall(word)
        # nothing is won where a line holds its label alone
        bare = not now or match.start(2) == begin
        for piece in pieces:
            if cells(now + gap + piece) > width and not bare:
                yield now
                now, gap = " " * indent, ""
            now += gap + piece
            gap, bare = "", False
    yield now


def _indent(line: str, width: int) -> tuple[int, int]:
    """Return the characters and cells of a line's label; of its blanks where that is too long."""
    label = _LABEL.match(line)
    if label is not None and cells(label[0]) <= width // 2:
        return label.end(), cells(label[0])
    blank = min(len(line) - len(line.lstrip()), width // 2)
    return blank, blank


def printable_json(document: Any) -> str:
    """Return JSON with everything that could control or deceive a terminal escaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    """Return a character as JSON's escape sequence; a high one as its two halves."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


_STATE_STYLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "completed": {"fg": "green"},
    "processing": {"fg": "cyan"},
    "pending": {"fg": "cyan"},
    "failed": {"fg": "red", "bold": True},
    "unconfirmed": {"fg": "yellow", "bold": True},
    "paused": {"fg": "yellow"},
    "waits for": {"fg": "yellow"},
    "held back": {"fg": "yellow"},
    "cancelled": {"dim": True},
}
_STATE: Final = f"(?P<word>{'|'.join(_STATE_STYLES)})"
IN_STATUS: Final = re.compile(
    rf"^  jobs .*$|^  {_STATE}(?=  | \S)|(?<=\()(?P<paused>paused)(?=\)$)", re.MULTILINE
)
_COUNT: Final = re.compile(rf"(?<=\d ){_STATE}(?=,|$)")
IN_JOBS: Final = re.compile(rf"^(?P<before> *\S.*? +){_STATE}(?= +(?:-|\d+\.\d\d)  )", re.MULTILINE)
IN_STORY: Final = re.compile(rf"^(?P<before>\S.*: ){_STATE}(?=[,\n]|$)", re.MULTILINE)


def wanted() -> bool:
    """Return whether stdout shows colours and a person wants them."""
    dumb = os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")


def painted(text: str, where: re.Pattern[str]) -> str:
    """Colour the states in a clean, laid-out text, where one of the patterns here matches."""
    return where.sub(_paint, text)


def _paint(match: re.Match[str]) -> str:
    found = match.groupdict()
    word = found.get("word") or found.get("paused")
    if word is None:  # a line of counts
        return _COUNT.sub(_paint, match[0])
    before = found.get("before") or match[0][: match[0].index(word)]
    return before + click.style(word, **_STATE_STYLES[word])


GAP: Final = 2
LEAST: Final = 16  # characters below which a column that folds is no longer readable
STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    title: str = ""  # of the head; without any title there is no head
    right: bool = False  # aligned to the right, for numbers
    # continues on the next line when space is short; the others keep their width
    folds: bool = False


def table(
    rows: Sequence[Sequence[str]],  # of texts, one for each column
    columns: Sequence[Column],  # as many as each row has cells
    *,
    width: int | None = None,  # in characters; None for the terminal's, ``COLUMNS``, or 80
    colour: bool | None = None,  # None for a terminal alone
) -> Painted:
    """Lay rows out for stdout; where that is too narrow, each row as a block of lines.

    Cells are foreign text: they are cleaned, and markup in them has no effect. ``ok``, ``warning``
    and ``problem`` get their colours on a terminal, unless ``NO_COLOR`` is set.
    """
    # imported by those alone who see a table
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[" ".join(clean(text).split()) for text in row] for row in rows]
    room = shutil.get_terminal_size((80, 24)).columns if width is None else width
    if _needed([[cell_len(cell) for cell in row] for row in cells], columns) > room:
        return _blocks(cells, columns)
    laid = Table(
        box=None,
        padding=(0, GAP, 0, 0),
        pad_edge=False,
        show_header=any(column.title for column in columns),
        header_style="bold",
    )
    for column in columns:
        laid.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            overflow="fold",
        )
    for row in cells:
        laid.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    is_terminal = sys.stdout.isatty() if colour is None else colour
    sheet = StringIO()
    Console(file=sheet, width=room, force_terminal=is_terminal, highlight=False).print(laid)
    return Painted("\n".join(line.rstrip() for line in sheet.getvalue().splitlines()))


def _needed(widths: Sequence[Sequence[int]], columns: Sequence[Column]) -> int:
    """Return how many characters the columns need at least."""
    needed = 0
    for number, column in enumerate(columns):
        longest = max((row[number] for row in widths), default=0)
        needed += max(min(longest, LEAST) if column.folds else longest, len(column.title)) + GAP
    return needed - GAP


def _blocks(cells: Sequence[Sequence[str]], columns: Sequence[Column]) -> Painted:
    """Write each row as lines of its own, which the terminal breaks as needed."""
    titled = any(column.title for column in columns)
    blocks = [
        ("\n" if titled else "  ").join(
            f"{column.title}: {text}" if column.title else text
            for column, text in zip(columns, row, strict=True)
            if text
        )
        for row in cells
    ]
    return Painted("\n\n".join(blocks))
