"""What is wrong with a row of a text table whose cells are not the intended ones."""

import csv
import re
from collections.abc import Callable, Sequence
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, RowProblem, shorten
from batchsora.manifest.formats.csv_dialect import DELIMITERS

_SEPARATES = re.compile(
    r"\t|(?<![0-9]),(?=\S)|,(?=[^\s0-9])"
    r"|[,;|]\s*[0-9][0-9.:]*\s*(?:[,;|]|\Z)"
)
"""A comma without a space behind it, or a separator before a number alone."""
_LAST = re.compile(r"[,;|]\s*([^\s,;|][^,;|]{0,40})\Z")
_OPTIONS = (values.orientation, values.duration)
"""A last piece that one of these reads is a cell of its own: ``A kite, 15 sec``."""
_COMMENTS: Final = ("#", "//")


def seems_separated(text: str) -> bool:
    """Return whether a text without quotes seems to be several cells, as ``A kite,15`` does."""
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


def separated_otherwise(
    cells: Sequence[str], width: int, delimiter: str, *, quoted: bool
) -> str | None:
    """Find what separates the cells of a row, if the table's separator doesn't.

    ``A kite;15`` below ``prompt,duration`` is such a row. Prose has a space after its signs, so
    pieces that begin with one count only if one is a value of ours.

    Args:
        cells: of a row that has fewer than the header, or nothing but its first one.
        width: how many cells the header has.
        delimiter: the table's.
        quoted: double quotes enclose the first cell; if all other cells exist but are empty, it is
            a text.

    Returns:
        The separator that cuts the row as the header is cut; None if there is none.
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
    ours = any(_is_ours(piece) for piece in pieces)
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


def _is_ours(piece: str) -> bool:
    return bool(piece.strip()) and any(_says(parse, piece) for parse in _OPTIONS)


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
