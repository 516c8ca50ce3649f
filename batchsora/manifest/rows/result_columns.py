"""Which columns of a manifest are results of an earlier export, and which are a person's own.

A name alone says little: people also use ``status``, ``verdict`` and ``file``, with the same words
below them. A column is ours if it has exactly our name, contains what we write there, and is beside
one with a name that nobody else uses; or if the batch remembers that we wrote it
(:attr:`batchsora.manifest.raw.Reading.results`).
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import RawRow
from batchsora.manifest.values import UNCALCULATED
from batchsora.result_columns import RESULT_COLUMNS, result_column
from batchsora.tables import REST

_CUT: Final = REST.partition("{")[0]
LOOKED: Final = 1000
"""Rows whose cells are looked at."""

_SAYS: Final[Mapping[str, re.Pattern[str]]] = {
    column.name: re.compile(column.says, re.DOTALL) for column in RESULT_COLUMNS
}
"""What we write in each column, for each video."""
_UNIQUE: Final = frozenset(column.name for column in RESULT_COLUMNS if column.unique)


def results_among(
    headers: Sequence[str],
    rows: Iterable[RawRow | RowProblem],
    kept: Collection[str] = (),
    said: Collection[str] = (),
) -> dict[int, str]:
    """Return which result each column of an earlier export holds, by the column's place.

    The first thousand rows are checked. ``kept`` are headers that we wrote, as the batch remembers,
    ``said`` those whose meaning a person gave.
    """
    elsewhere = {result_column(header) for header in kept}
    named = {
        place: name
        for place, header in enumerate(headers)
        if header not in said
        and (name := result_column(header)) is not None
        and (header in kept or name not in elsewhere)  # ours is called otherwise, and was deleted
    }
    if not named:
        return {}
    known = {place for place in named if headers[place] in kept}
    counts = _counts(named, rows)
    fitting = set()
    for place in named:
        fit, other = counts[place]
        if fit >= other or (fit and place in known):
            fitting.add(place)
    unique = any(named[place] in _UNIQUE for place in fitting)
    ours = fitting if unique else fitting & known
    return _once(headers, {place: name for place, name in named.items() if place in ours})


def _counts(
    named: Mapping[int, str], rows: Iterable[RawRow | RowProblem]
) -> dict[int, tuple[int, int]]:
    """Count the cells of each column that could be ours, and the others."""
    counts = dict.fromkeys(named, (0, 0))
    for row in islice(rows, LOOKED):
        if not isinstance(row, RawRow):
            continue
        for place, name in named.items():
            cell = row.cells[place].strip() if place < len(row.cells) else ""
            if cell and cell != UNCALCULATED:
                fit, other = counts[place]
                fits = all(_SAYS[name].fullmatch(one) for one in _videos(cell))
                counts[place] = (fit + 1, other) if fits else (fit, other + 1)
    return counts


def _videos(cell: str) -> Iterator[str]:
    """Return what a cell says of each video: a line each, or an item of a list."""
    if cell.startswith("["):
        try:
            items = json.loads(cell)
        except (ValueError, RecursionError):
            items = None
        if isinstance(items, list):
            yield from (str(item) for item in items if item not in (None, ""))
            return
    lines = (line.strip() for line in cell.splitlines())
    yield from (line for line in lines if line and not line.startswith(_CUT))


def _once(headers: Sequence[str], found: Mapping[int, str]) -> dict[int, str]:
    """Keep one column of each result; a person may have another one with that name.

    Ours has a longer name if theirs was there first (:func:`result_headers`), and comes before
    theirs if it came later.
    """
    best: dict[str, int] = {}
    for place, name in found.items():
        if name not in best or len(headers[place]) > len(headers[best[name]]):
            best[name] = place
    return {place: name for place, name in found.items() if best[name] == place}
