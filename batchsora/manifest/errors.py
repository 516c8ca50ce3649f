"""What is wrong with a manifest: where, what, and how to fix it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchsora.workbook import letters

LONGEST_SHOWN: Final = 120
"""So many characters of what was found are repeated to the person; a data URI has millions."""

NAMED: Final = 10
"""How many rows are named; the rest is counted."""


def shorten(text: str) -> str:
    """Cut a text found in a manifest to what is worth showing."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One fault in a manifest.

    Attributes:
        file: the manifest, as its path was given.
        problem: what is wrong.
        remedy: what to do about it.
        row: as an editor counts (CSV: the header is row 1; YAML: the line); None: the whole file.
        column: the header as written, or None.
        found: the text that is there, shortened; None if there is nothing to show.
        cell: in a workbook, the place as people see it, like ``Sheet1!C17``.
    """

    file: str
    problem: str
    remedy: str
    row: int | None = None
    column: str | None = None
    found: str | None = None
    cell: str | None = None

    def as_json(self) -> dict[str, str | int | None]:
        """Return the fields of an entry of ``invalid`` in ``plan --json`` (docs/design.md)."""
        document: dict[str, str | int | None] = {
            "file": self.file,
            "row": self.row,
            "column": self.column,
            "found": self.found,
            "problem": self.problem,
            "remedy": self.remedy,
        }
        return document if self.cell is None else document | {"cell": self.cell}

    def __str__(self) -> str:
        place = self.file
        if self.cell is not None:
            place += f", {self.cell}"
        elif self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", column {shorten(self.column)!r}"
        found = "" if self.found is None else f" (found {quoted(self.found)})"
        return f"{place}: {self.problem}{found}. {self.remedy}"


def quoted(text: str) -> str:
    """Write a text as JSON: no control codes for a terminal, and every script stays legible.

    What is longer than is worth showing is cut, also where signs become longer by that.
    """
    plain = json.dumps(shorten(text), ensure_ascii=False)
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in plain)
    return shown if len(shown) <= 2 * LONGEST_SHOWN else f'{shown[: 2 * LONGEST_SHOWN]}…"'


def rows_text(rows: Sequence[int]) -> str:
    """Name rows, with neighbours joined: ``3 rows (4, 7-8)``."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and spans[-1][-1] == row - 1:
            spans[-1][1:] = [row]
        else:
            spans.append([row])
    shown = ", ".join("-".join(map(str, span)) for span in spans[:NAMED])
    more = ", …" if len(spans) > NAMED else ""
    return f"{len(rows)} row{'s' if len(rows) > 1 else ''} ({shown}{more})"


def cell_name(sheet: str, row: int, column: int | None) -> str:
    """Name a cell (row from 1, column from 0), or a row (column None): ``'My sheet'!C17``."""
    quoted = sheet if re.fullmatch(r"[^\W\d]\w*", sheet) else "'" + sheet.replace("'", "''") + "'"
    return f"{quoted}!{row}:{row}" if column is None else f"{quoted}!{letters(column + 1)}{row}"


class ManifestError(Exception):
    """The file is refused as a whole, because of ``problem``; nothing in it was used."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem

    def as_json(self) -> Mapping[str, str | int | None]:
        """Return the fields of ``error`` in ``plan --json`` (docs/design.md)."""
        return self.problem.as_json()


class UnreadableError(ManifestError):
    """The file can't be read at all, or costs more than it may: nothing is known about it."""


def refused(
    file: str,
    problem: str,
    remedy: str,
    *,
    row: int | None = None,
    column: str | None = None,
    found: str | None = None,
) -> ManifestError:
    """Return the error that refuses a whole file."""
    shown = None if found is None else shorten(found)
    return ManifestError(RowProblem(file, problem, remedy, row=row, column=column, found=shown))


class CellError(ValueError):
    """One cell can't be used: ``problem`` is what is wrong, ``remedy`` what to write instead."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class NotTakenError(CellError):
    """A row's model does not take what the cell is for, so the column may be a person's own."""


UNCALCULATED: Final = CellError(
    "the formula's result is not in the file",
    "Open it in your spreadsheet and save it, so that the formula is calculated.",
)
FAILED: Final = CellError(
    "the formula returned an error", "Fix the formula, or write the value itself."
)
