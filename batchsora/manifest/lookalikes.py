"""Columns that hold what a column of ours holds, under a header that is none of ours.

A column ``File`` in which every cell names a picture was meant as the image. Left alone, every row
would be bought as text to video. Such a column is found by its cells while the rows are read.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.columns import Columns, way_to_map
from batchsora.manifest.errors import CellError, RowProblem
from batchsora.manifest.raw import RawRow

_PICTURE: Final = re.compile(
    r"data:image/.*|[^\r\n]{1,2000}\.(?:jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|avif)(?:[?#]\S*)?",
    re.IGNORECASE | re.DOTALL,
)
_WHAT: Final = {
    "image": "name pictures",
    "orientation": "are orientations",
    "duration": "are durations that can be bought",
}
LONGEST: Final = 2100
"""Characters of a cell that are looked at."""


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except CellError:
        return False
    return True


_KINDS: Final[Mapping[str, Callable[[str], bool]]] = {
    "image": lambda text: _PICTURE.fullmatch(text.strip().strip("\"'")) is not None,
    "orientation": lambda text: _parses(values.orientation, text),
    "duration": lambda text: _parses(values.duration, text),
}


class Lookalikes:
    """Watches the columns of one manifest that mean nothing here.

    Args:
        columns: what the headers mean.
    """

    def __init__(self, columns: Columns) -> None:
        known = columns.known
        taken = {*known.values(), *columns.own}
        self._open = {place: set(_KINDS) for place in columns.carried if place not in taken}
        self._open |= {place: {"image"} for place in columns.results}  # a "file" of their own
        self._ours: dict[int, str] = {
            known[name]: kind
            for name, kind in (*((kind, kind) for kind in _KINDS), ("image_url", "image"))
            if name in known
        }
        self._seen: set[int] = set()

    def see(self, rows: Iterable[object]) -> None:
        """Look at rows; what is no row is passed over."""
        if not self._open:
            return
        lump = [raw.cells for raw in rows if isinstance(raw, RawRow)]
        for place, kind in [*self._ours.items()]:
            if any(cells[place].strip() for cells in lump if place < len(cells)):
                del self._ours[place]  # the manifest says it where it is looked for
                self._drop({kind}, self._open)
        for place in [*self._open]:
            self._judge(place, [cells[place] for cells in lump if place < len(cells)])

    def _judge(self, place: int, cells: Sequence[str]) -> None:
        for cell in dict.fromkeys(cells):
            if not cell.strip():
                continue
            self._seen.add(place)
            short = cell[:LONGEST]
            self._drop({k for k in self._open[place] if not _KINDS[k](short)}, [place])
            if place not in self._open:
                return

    def _drop(self, kinds: Collection[str], places: Iterable[int]) -> None:
        for place in [*places]:
            self._open[place].difference_update(kinds)
            if not self._open[place]:
                del self._open[place]

    def found(self) -> Mapping[int, str]:
        """Return which columns hold what one of ours holds, as far as rows were seen."""
        return {
            place: next(kind for kind in _KINDS if kind in kinds)
            for place, kinds in self._open.items()
            if place in self._seen
        }


def warning(file: str, header: str, name: str, row: int | None) -> RowProblem:
    """Return what is said of a column that holds what one of ours holds."""
    return RowProblem(
        file,
        row,
        header,
        None,
        f"all its cells {_WHAT[name]}, and it is not read as {name!r}",
        f"Say {way_to_map(header, name)}; if it is a column of your own, "
        f"{way_to_map(header, '')} carries it along.",
    )
