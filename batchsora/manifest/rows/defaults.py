"""Defaults for empty cells, given outside of a table (``--default duration=15``)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import OtherRows, RawRow, RawTable

IMAGES: Final = ("image", "image_url")
"""Two ways to say one thing: a row that says one of them takes no default of the other."""


@dataclass(frozen=True, slots=True)
class DefaultedTable(OtherRows):
    """A table in which empty cells have the default; columns that it lacks come last.

    Attributes:
        places: the default of each place.
        pictures: the places of columns of images.
    """

    inner: RawTable
    headers: tuple[str, ...]
    places: Mapping[int, str]
    pictures: Collection[int]

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows, with their empty cells filled."""
        own = len(self.inner.headers)
        added = [""] * (len(self.headers) - own)
        for raw in self.inner.rows():
            if not isinstance(raw, RawRow):
                yield raw
                continue
            short = [""] * (own - len(raw.cells))
            # what belongs to no column stays behind the last one, where it is told as a fault
            cells = [*raw.cells[:own], *short, *added, *raw.cells[own:]]
            has_picture = any(cells[place].strip() for place in self.pictures)
            for place, text in self.places.items():
                if not cells[place].strip() and not (has_picture and place in self.pictures):
                    cells[place] = text
            yield RawRow(raw.row, cells)


def with_defaults(
    table: RawTable, known: Mapping[str, int], defaults: Mapping[str, str]
) -> DefaultedTable:
    """Return a table with defaults, given by the name of our column."""
    headers = [*table.headers]
    places: dict[int, str] = {}
    for name, text in defaults.items():
        if name not in known:
            headers.append(name)
        places[known.get(name, len(headers) - 1)] = text
    ours = [known.get(name) for name in IMAGES]
    pictures = {p for p in (*places, *known.values()) if p in ours or headers[p] in IMAGES}
    return DefaultedTable(table, tuple(headers), places, pictures)
