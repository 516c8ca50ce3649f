"""Formulas that a table has as text, instead of their results.

LibreOffice can save text tables so, and scripts copy formulas out of workbooks. In a column that is
read, what begins like a formula is treated as one: a spreadsheet takes ``=Title`` for a name, and
``= a kite`` for two. A text that begins so needs a mark before it: ``'= a kite``.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import OtherRows, RawRow, RawTable
from batchsora.manifest.values import WRITTEN

_SIGNS: Final = "=\uff1d"
"""What a formula begins with; the wide one is East Asia's."""
_FORMULA: Final = re.compile(rf"\s*[{_SIGNS}][\s+(\-]*(?:[\w\"'$#@\[{{]|\.[0-9])")
"""It comes before an operand: ``=>``, ``==`` and ``=)`` begin none."""
_TEXT: Final = re.compile(r'\s*=\s*"((?:[^"]|"")*)"\s*')
"""How people keep a spreadsheet from changing a text: ``="007"``."""
_MARKED: Final = re.compile(rf"'+(?=\s*[{_SIGNS}])")


def is_formula(cell: str) -> bool:
    """Return whether a cell begins with the sign of a formula and what may be an operand."""
    return _FORMULA.match(cell) is not None


def calculated(
    cells: Sequence[str], written: Sequence[str], places: Collection[int]
) -> Sequence[str]:
    """Replace formulas at these places by their text, or by the sign that they have no result here.

    In ``written``, the cells as they are in the file, a text that only looks like a formula has a
    mark.
    """
    found: Mapping[int, str] = {
        place: _result(written[place])
        for place in places
        if place < len(written) and is_formula(written[place])
    }
    return [found.get(place, cell) for place, cell in enumerate(cells)] if found else cells


def _result(cell: str) -> str:
    text = _TEXT.fullmatch(cell)
    return f"{WRITTEN}{cell.strip()}" if text is None else text[1].replace('""', '"')


@dataclass(frozen=True, slots=True)
class ToldTable(OtherRows):
    """Jobs of a tree (JSON, JSONL, YAML), in which formulas are recognized.

    A script that reads a workbook without asking for results writes them there. Rows with results
    stay as they are: their texts were read before. ``read`` and ``results`` are the places of these
    columns.
    """

    inner: RawTable
    read: tuple[int, ...]
    results: tuple[int, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the headers as written."""
        return self.inner.headers

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows, without the mark before a text that only looks like a formula."""
        for raw in self.inner.rows():
            if isinstance(raw, RawRow):
                text = "".join(raw.cells)  # cheaper than a look at every cell
                if ("=" in text or "\uff1d" in text) and not any(
                    raw.cells[place].strip() for place in self.results
                ):
                    yield raw._replace(cells=self._told(raw.cells))
                    continue
            yield raw

    def _told(self, written: Sequence[str]) -> Sequence[str]:
        cells = [*written]
        for place in self.read:
            marked = _MARKED.match(cells[place])
            if marked is not None and is_formula(cells[place][marked.end() :]):
                cells[place] = cells[place][1:]
        return calculated(cells, written, self.read)
