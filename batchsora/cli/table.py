"""Tables for people: as wide as the terminal, plain where nobody looks at colours."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

from batchsora.cli.text import Painted, clean

GAP: Final = 2
LEAST: Final = 16
"""Characters below which a column that folds is no longer readable."""

STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: in the head; no column with a title, no head.
        right: for numbers.
        folds: goes on in the next line when there is no room; the others keep their width.
    """

    title: str = ""
    right: bool = False
    folds: bool = False


def table(
    rows: Sequence[Sequence[str]],
    columns: Sequence[Column],
    *,
    width: int | None = None,
    colour: bool | None = None,
) -> Painted:
    """Lay rows out for stdout; where that is too narrow, each row as a block of lines.

    Cells are foreign text: controls are taken out, and no markup is understood. A cell that says
    ``ok``, ``warning`` or ``problem`` gets its colour on a terminal, unless ``NO_COLOR`` is set.

    Args:
        rows: of texts, one a column.
        columns: as many as each row has cells.
        width: in characters; None for the terminal's, ``COLUMNS``, or 80.
        colour: None for a terminal alone.
    """
    # imported by those alone who see a table
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[_cell(text) for text in row] for row in rows]
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


def _cell(text: str) -> str:
    return " ".join(clean(text).split())


def _needed(widths: Sequence[Sequence[int]], columns: Sequence[Column]) -> int:
    """Return how many characters the columns need at the least."""
    needed = 0
    for number, column in enumerate(columns):
        longest = max((row[number] for row in widths), default=0)
        needed += max(min(longest, LEAST) if column.folds else longest, len(column.title)) + GAP
    return needed - GAP


def _blocks(cells: Sequence[Sequence[str]], columns: Sequence[Column]) -> Painted:
    """Write each row as lines of its own, which the terminal breaks where it must."""
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
