"""What is wrong with a row of a text table whose cells are not those that were meant."""

from typing import Final

from batchsora.manifest.errors import RowProblem, shorten

_SPOKEN: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def seemingly_several(file: str, row: int, header: str, text: str) -> RowProblem:
    """Make the problem of a text that seems to be several cells, in a table of one column."""
    return RowProblem(
        file,
        row,
        header,
        shorten(text),
        "this looks like several cells, but the header has only one",
        "Put a text that contains a separator in double quotes, or name all columns.",
    )


def another_separator(file: str, row: int, text: str, ours: str, other: str) -> RowProblem:
    """Make the problem of a row that something else separates than the header.

    Args:
        file: the table.
        row: where.
        text: the row.
        ours: what separates the header.
        other: what seems to separate the row.
    """
    header, here = _SPOKEN.get(ours, repr(ours)), _SPOKEN[other]
    return RowProblem(
        file,
        row,
        None,
        shorten(text.strip()),
        f"the cells here seem to be separated by {here}, but those of the header by {header}",
        f"Use the header's separator; put a text that contains {here} in double quotes, "
        f"followed by {header} for each empty cell.",
    )


def cut_in_quotes(file: str, row: int, header: str | None, text: str) -> RowProblem:
    """Make the problem of a text that is cut inside quotes."""
    return RowProblem(
        file,
        row,
        header,
        shorten(text.strip()),
        "a quote opens here that does not enclose the whole cell, so the next separator cuts "
        "the text",
        "Put the whole cell in quotes, without a space before them, and write a quote inside it "
        'twice ("").',
    )
