"""What calamine does not tell of the binary formats: failed cells, hidden rows, number formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from batchsora.manifest.books.model import Area, Picture

ERRORS: Final[Mapping[int, str]] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""How the binary formats number errors (MS-XLS 2.5.10 BErr)."""


@dataclass(slots=True)
class Marks:
    """What stands at the cells of a sheet; rows from 1, columns from 0.

    Attributes:
        errors: what cells show whose formula has failed.
        forms: the number formats of cells with numbers that are not shown as they are.
        uncalculated: cells whose formula has no result.
        merges: areas whose cells are merged into one.
        hidden_rows: rows that people don't see.
        hidden_columns: first and last place of each run of such columns.
        totals: the totals rows of table objects.
        pictures: that lie over cells.
    """

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    forms: dict[tuple[int, int], str] = field(default_factory=dict)
    uncalculated: set[tuple[int, int]] = field(default_factory=set)
    merges: list[Area] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    totals: list[Area] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
