"""Formulas that stand in a text table as they are written, instead of their results.

LibreOffice saves them so by one box, and scripts copy them out of workbooks.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from batchsora.manifest.values import UNCALCULATED

_CELL = r"\$?[a-z]{1,3}\$?[0-9]{1,7}(?![^\W_])"
_SHEET = r"(?:\$?[^\W\d]\w*|\$?'[^']+')[!.]"
_FORMULA: Final = re.compile(
    r"\s*=[\s+(-]*(?:"
    r"[\"\[{]"  # a text, a table's column, LibreOffice's reference
    rf"|(?:{_SHEET})?{_CELL}"
    r"|[^\W\d][\w.]*\("  # a function
    r")",
    re.IGNORECASE,
)
_TEXT: Final = re.compile(r'\s*=\s*"((?:[^"]|"")*)"\s*')
"""How people keep a spreadsheet from changing a text: ``="007"``."""


def is_formula(cell: str) -> bool:
    """Whether a cell has ``=`` before a reference, a function's call or a text in quotes."""
    return _FORMULA.match(cell) is not None


def calculated(
    cells: Sequence[str], written: Sequence[str], places: Collection[int]
) -> Sequence[str]:
    """Put what a formula says into its cell: its text, or the sign of one without a result.

    Args:
        cells: of a row, as they are read.
        written: the same, as they stand in the file: a text that only looks like a formula has a
            mark there.
        places: of the cells that are looked at; in the others a formula is somebody's own.
    """
    found: Mapping[int, str] = {
        place: _result(written[place])
        for place in places
        if place < len(written) and "=" in written[place] and is_formula(written[place])
    }
    return [found.get(place, cell) for place, cell in enumerate(cells)] if found else cells


def _result(cell: str) -> str:
    text = _TEXT.fullmatch(cell)
    return UNCALCULATED if text is None else text[1].replace('""', '"')
