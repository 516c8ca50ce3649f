"""Columns whose cells look like those of a column of ours, under a header that is not ours.

A column ``File`` in which every cell names a picture was meant as the image; ignored, every row
would be bought as text to video. Such columns are found while the rows are read, and so are prompts
that are all only numbers. For headers that may be ours see
:mod:`batchsora.manifest.rows.likely_cells`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from batchsora.manifest import values
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.images.picture_paths import says_nothing
from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows import likely_cells
from batchsora.manifest.rows.columns import Columns, way_to_map
from batchsora.manifest.rows.headers import WEAKEST, meaning, rank
from batchsora.manifest.rows.likely_cells import NAMES, may_mean
from batchsora.manifest.rows.model_columns import names_default, names_models

_PICTURE: Final = re.compile(
    r"data:image/.*|[^\r\n]{1,2000}\.(?:jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|avif)(?:[?#]\S*)?"
    # "kite.png (https://…)" as Airtable exports it, "![kite](kite.png)" of Markdown
    r"|[^\r\n]{1,500}\.(?:jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|avif) ?\(https?://[^\r\n]*\)"
    r"|!\[[^\]\r\n]*\]\([^\r\n]+\)",
    re.IGNORECASE | re.DOTALL,
)
_WHAT: Final = {
    "image": "name pictures",
    "orientation": "are orientations",
    "duration": "are supported durations",
    "clock": f"may all be durations of {values.MODEL.seconds} seconds",
    "lies": "are orientations",
    "model": "name models that make videos",
}
_ONLY_NUMBER: Final = re.compile(r"\W*[0-9]{1,9}(?:[.:\-/][0-9]{1,9})*[a-z]?\W*", re.IGNORECASE)
"""A prompt that is a number and nothing else: ``7``, ``#7``, ``3.2``, ``4b``."""
MOST_OTHERS: Final = 50
"""More cells of another kind than fit make it a person's own column; the rest is not checked."""
_NOT_YET: Final = frozenset({"folgt", "tbd", "tba", "todo", "pending", "keine", "keins", "kein"})
_OUTRIGHT: Final = frozenset({"duration", "orientation", "image", "image_url", "count", "campaign"})
"""Our columns whose names mean nothing else inside a mapping."""
LONGEST_TREE: Final = 100_000
"""Characters of a mapping that are looked at."""
LONGEST_MODEL: Final = 40
"""Characters of the name of a model."""
LONGEST: Final = 2100
"""Characters of a cell that are looked at."""
_Said = tuple[str, str, str]
"""A header, what is wrong, and what to do about it."""


_KINDS: Final[Mapping[str, Callable[[str], bool]]] = {
    "image": lambda text: _PICTURE.fullmatch(text.strip().strip("\"'")) is not None,
    "orientation": likely_cells.is_orientation,
    "duration": lambda text: likely_cells.seconds(text) is not None,
    "clock": likely_cells.may_be_seconds,
    "lies": likely_cells.may_be_orientation,
    "model": lambda text: len(text) <= LONGEST_MODEL and names_models([text]),
}
_BY_ALL: Final = {"clock": "duration", "lies": "orientation"}
"""Kinds of a column only if all its cells are of that kind, and the columns of ours they mean."""


class Lookalikes:
    """Watches the columns of one manifest that have no meaning here."""

    def __init__(self, columns: Columns, headers: Sequence[str]) -> None:
        known = columns.known
        taken = {*known.values(), *columns.own}
        self._open = {place: set(_KINDS) for place in columns.carried if place not in taken}
        self._open |= {place: {"image"} for place in columns.results}  # a "file" of their own
        self._hinted: dict[int, str] = {
            place: kind
            for place in columns.carried
            if place not in taken and (kind := may_mean(headers[place])) is not None
        }
        """What a column is if its cells could be that, by its header."""
        self._could: Counter[int] = Counter()
        """How many more of its cells could be that than could not."""
        self._tells: set[int] = set()
        """Such columns with other values than the default."""
        self._ours: dict[int, str] = {
            known[name]: "image" if name == "image_url" else name
            for name in ("image", "image_url", "model", *likely_cells.COULD)
            if name in known
        }
        self._known = known
        self._within: dict[int, str] = {}
        """A key of ours inside the mappings of a column, by its place."""
        self._fit: Counter[tuple[int, str]] = Counter()
        """How many more cells of a column are of a kind than are not, by place and kind."""
        self._others: set[int] = set()
        """Columns some of whose cells are no durations."""
        self._twice: set[int] = set()
        """Columns in which a duration occurs twice, as no number does that counts rows."""
        self._makers: set[int] = set()
        """Columns that name another model than the default, which rows without one have anyway."""
        self._seen: set[tuple[int, int]] = set()
        """The durations of each column."""
        self._numbers: int | None = None if columns.told else 0
        """How many prompts were seen that are only numbers; None where one is a text."""

    def see(self, rows: Iterable[object]) -> None:
        """Check rows; anything else is skipped."""
        if not self._open and not self._hinted and self._numbers is None:
            return
        lump = [raw.cells for raw in rows if isinstance(raw, RawRow)]
        self._look_at_prompts(lump)
        for place, kind in [*self._ours.items()]:
            if any(cells[place].strip() for cells in lump if place < len(cells)):
                del self._ours[place]  # the manifest says it where it is looked for
                self._drop({kind, *(k for k, name in _BY_ALL.items() if name == kind)}, self._open)
                self._forget(p for p, k in self._hinted.items() if NAMES.get(k, k) == kind)
        for place in [*self._hinted]:
            self._weigh(place, [cells[place] for cells in lump if place < len(cells)])
        for place in [*self._open]:
            self._judge(place, [cells[place] for cells in lump if place < len(cells)])

    def _look_at_prompts(self, lump: Iterable[Sequence[str]]) -> None:
        place = self._known["prompt"]
        for cells in lump if self._numbers is not None else ():
            prompt = cells[place].strip() if place < len(cells) else ""
            if prompt and not _ONLY_NUMBER.fullmatch(prompt[:LONGEST]):
                self._numbers = None
                return
            self._numbers = (self._numbers or 0) + bool(prompt)

    def _weigh(self, place: int, cells: Sequence[str]) -> None:
        """Check the cells of a column whose header may be one of ours."""
        kind = self._hinted[place]
        for cell, times in Counter(cells).items():
            checked = kind == "side" and likely_cells.is_yes_or_no(cell[:LONGEST])
            if not checked and (says_nothing(cell) or cell.strip().casefold() in _NOT_YET):
                continue
            could = likely_cells.COULD[kind](cell[:LONGEST])
            self._could[place] += times if could else -times
            if could and (kind != "count" or likely_cells.how_many(cell) != 1):
                self._tells.add(place)
            if self._could[place] < -MOST_OTHERS:
                self._forget([place])
                return

    def _forget(self, places: Iterable[int]) -> None:
        for place in [*places]:
            del self._hinted[place]

    def _judge(self, place: int, cells: Sequence[str]) -> None:
        for cell, times in Counter(cells).items():
            if says_nothing(cell) or cell.strip().casefold() in _NOT_YET:
                continue
            if cell.startswith("{") and place not in self._within:
                self._look_within(place, cell)
            short = cell[:LONGEST]
            for kind in [*self._open[place]]:
                fits = _KINDS[kind](short)
                self._fit[place, kind] += times if fits else -times
                if kind == "model" and fits and not names_default(short):
                    self._makers.add(place)
                if kind == "duration":
                    self._note_duration(place, short if fits else None, times)
                if self._fit[place, kind] < -MOST_OTHERS or (not fits and kind in _BY_ALL):
                    self._drop({kind}, [place])
            if place not in self._open:
                return

    def _note_duration(self, place: int, text: str | None, times: int) -> None:
        """Note a supported duration, or None for anything else."""
        if text is None:
            self._others.add(place)
            return
        seconds = likely_cells.seconds(text)
        if times > 1 or (place, seconds) in self._seen:
            self._twice.add(place)
        self._seen.add((place, seconds or 0))

    def _look_within(self, place: int, cell: str) -> None:
        """Find a key of ours at any depth of a mapping that a reader of trees wrote as JSON."""
        try:
            tree = json.loads(cell[:LONGEST_TREE])
        except (ValueError, RecursionError):
            return
        left: list[Any] = [tree]
        while left:
            inner = left.pop()
            if isinstance(inner, list):
                left += inner
            elif isinstance(inner, dict):
                left += inner.values()
                for key in inner:
                    name = meaning(key)
                    if name in _OUTRIGHT and name not in self._known and rank(key) != WEAKEST:
                        self._within[place] = name
                        return

    def _drop(self, kinds: Collection[str], places: Iterable[int]) -> None:
        for place in [*places]:
            self._open[place].difference_update(kinds)
            if not self._open[place]:
                del self._open[place]

    def _mostly(self, place: int, kind: str) -> bool:
        """Return whether most cells of a column are of a kind, and not numbers that count rows."""
        counts = kind == "duration" and place in self._others and place not in self._twice
        default = kind == "model" and place not in self._makers
        return self._fit[place, kind] > 0 and not counts and not default

    def warnings(self, file: str, headers: Sequence[str], row: int | None) -> list[RowProblem]:
        """Return columns of the rows seen that look like ours, and prompts that are numbers."""
        found = {
            place: fitting[0]
            for place, kinds in self._open.items()
            if (fitting := [k for k in _KINDS if k in kinds and self._mostly(place, k)])
        }
        hinted = {
            place: kind
            for place, kind in self._hinted.items()
            if self._could[place] > 0 and place in self._tells
        }
        said = [
            *(_warning(headers[p], kind) for p, kind in found.items() if p not in hinted),
            *(_hint(headers[place], kind) for place, kind in hinted.items()),
            *(_warning_within(headers[place], name) for place, name in self._within.items()),
        ]
        if self._numbers and row is not None:  # a job of YAML calls its own prompt so
            said.insert(0, _only_numbers(headers[self._known["prompt"]]))
        return [
            RowProblem(file, problem, remedy, row=row, column=header)
            for header, problem, remedy in said
        ]


def _only_numbers(header: str) -> _Said:
    problem = "all prompts are only numbers, like those of a column that numbers the rows"
    way = "--map 'Your name=prompt' says which column has the prompts; if it is this one, use"
    return header, problem, f"{way} {way_to_map(header, 'prompt')}."


def _said(header: str, problem: str, way: str, column: str = "it is your own column") -> _Said:
    return header, problem, f"{way}; if {column}, {way_to_map(header, '')} keeps it as it is."


def _hint(header: str, kind: str) -> _Said:
    """Return the warning about a column whose header may be ours, and whose cells could be."""
    name = NAMES.get(kind, kind)
    way = f"Write landscape or portrait into a column {name!r}"
    if kind == name:
        way = f"Rename it to {name!r}, or use {way_to_map(header, name)}"
    return _said(header, f"may mean {name!r}, but is not read as it", way)


def _warning(header: str, kind: str) -> _Said:
    """Return the warning about a column with the contents of one of ours."""
    name = _BY_ALL.get(kind, kind)
    problem = f"its cells {_WHAT[kind]}, but it is not read as {name!r}"
    return _said(header, problem, f"Use {way_to_map(header, name)}")


def _warning_within(header: str, name: str) -> _Said:
    """Return the warning about a column with a key of ours inside its mappings."""
    problem = f"a key inside it means {name!r}, but is not read there"
    way = f"Write {name!r} as a key of the job itself"
    return _said(header, problem, way, "this is your own column")
