"""Headings between the rows of a sheet: one text, merged over the columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from batchsora.manifest.books.model import Area, SheetRow

FEWEST: Final = 2
"""Columns with a header that a heading spreads over."""


def without_headings(
    rows: Iterable[SheetRow],
    merges: Iterable[Area],
    header: int,
    headers: Sequence[str],
    ours: Mapping[str, int],
    found: list[int],
) -> Iterator[SheetRow]:
    """Leave out the rows whose only text spreads over the prompt and every other column of ours.

    Its text would be the prompt, the campaign and the id at once, which nobody means. Where the
    prompt is the only column of ours, it has to spread over all columns that have a header.

    Args:
        rows: of a sheet, as they stand in the file.
        merges: its merged areas.
        header: the header's row.
        headers: as written.
        ours: where our columns stand.
        found: takes the numbers of those that were left out.
    """
    named = {place for place, text in enumerate(headers) if text.strip()}
    must = set(ours.values()) if len(ours) > 1 else named
    # a column whose header is merged with the one before it has none: see ``covered``
    wide = {
        area.top: area
        for area in merges
        if area.top > header
        and "prompt" in ours
        and must <= set(range(area.left, area.right + 1))
        and len(named & set(range(area.left, area.right + 1))) >= FEWEST
    }
    for row in rows:
        area = wide.get(row.number)
        if area is not None and not row.faults:
            filled = [place for place, cell in enumerate(row.cells) if cell.strip()]
            if filled == [area.left]:
                found.append(row.number)
                continue
        yield row
