"""Leave out rows of a table that are not jobs: what people and programs leave between the videos.

::

    repeated header    two tables in one file, whatever the other one calls its columns; in another
                       order of columns the file is refused
    comment            ``# first block``: it may be a prompt, so whoever buys is asked
    totals             ``Total`` beside numbers alone
    without ours       only cells of columns that are not read (checkboxes down to row 300)

They are counted and reported. A first column without a name that only counts the rows, as pandas
writes it, is ignored.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from unicodedata import combining

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, ManifestError, RowProblem, refused, rows_text
from batchsora.manifest.raw import OtherRows, RawRow, RawTable
from batchsora.manifest.rows.headers import WEAKEST, meaning, outright, rank

MARK: Final = "\ufeff"
"""A byte order mark; two files in one leave it before the second header."""

LONGEST_COUNT: Final = 10
"""Digits."""

_TOTALS: Final = frozenset(
    [
        "total",
        "totals",
        "subtotal",
        "subtotals",
        "sum",
        "summe",
        "gesamt",
        "gesamtsumme",
        "gesamtergebnis",
        "ergebnis",
        "zwischensumme",
        "teilergebnis",
        "endsumme",
        "insgesamt",
        "somme",
        "totale",
        "totali",
        "totaal",
        "totaux",
        "subtotaal",
        "suma",
        "soma",
        "razem",
        "summa",
        "summary",
        "итого",
        "всего",
        "сумма",
        "合计",
        "总计",
        "合計",
        "총계",
    ]
)  # fmt: skip
"""Words of a row that sums up others, without accents."""
_OF_WHAT: Final = frozenset(
    [
        "grand",
        "general",
        "generale",
        "geral",
        "sub",
        "overall",
        "all",
        "of",
        "the",
        "video",
        "videos",
        "clip",
        "clips",
        "row",
        "rows",
        "job",
        "jobs",
        "prompt",
        "prompts",
        "count",
        "cost",
        "costs",
        "price",
        "duration",
        "seconds",
        "sec",
        "usd",
        "eur",
    ]
)  # fmt: skip
"""What may be beside such a word."""
LONGEST_TOTAL: Final = 40
"""Characters of its cell."""
_NUMBER: Final = re.compile(
    r"[-+]?[$€£]?\s?[0-9][0-9.,'\s]*\s?(?:[$€£%]|usd|eur|s|sec)?", re.IGNORECASE
)
_WORD: Final = re.compile(r"[^\W_]+")
_CHECKBOXES: Final = frozenset({"true", "false", "wahr", "falsch", "0"})
_SEPARATOR: Final = re.compile(r"sep=.?", re.IGNORECASE)


@dataclass(slots=True)
class LeftOut:
    """Which rows of a table were left out in its last reading.

    ``counter``: a first column without a name counts the rows.
    """

    headers: list[int] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    counter: bool = False

    def as_json(self) -> dict[str, list[int]]:
        """Return the rows by their reason."""
        return {
            "repeated_headers": self.headers,
            "comments": self.comments,
            "totals": self.totals,
            "blank": self.blank,
        }

    def words(self) -> list[str]:
        """Return the reasons, a line each."""
        said = [
            (self.comments, "comments (they begin with # or //)"),
            (self.headers, "the header, repeated"),
            (self.totals, "a total of other rows"),
            (self.blank, "no value in the columns that are read"),
        ]
        lines = [f"left out: {rows_text(rows)}: {why}" for rows, why in said if rows]
        return lines + (["ignored: a first column that numbers the rows"] if self.counter else [])


@dataclass(frozen=True, slots=True)
class FilteredTable(OtherRows):
    """A table without the rows that are not jobs.

    ``nameless`` are the places of columns without a header. ``always``: an empty prompt has a
    default, so a row without our columns is a job.
    """

    inner: RawTable
    known: Mapping[str, int]
    nameless: tuple[int, ...]
    file: str
    always: bool
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the headers as written."""
        return self.inner.headers

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows that are jobs; raise ManifestError for a repeated, reordered header."""
        out = self.left_out
        for rows in (out.headers, out.comments, out.totals, out.blank):
            rows.clear()
        out.counter = False
        prompt = self.known["prompt"]
        judge = _Judge(self)
        last = -1 if 0 in self.nameless else None
        for raw in self.inner.rows():
            if not isinstance(raw, RawRow):
                yield raw
                continue
            cells = raw.cells
            if last is not None and (number := _count(cells, last)) is not None:
                last, out.counter = number, True
                cells = ["", *cells[1:]]
            text = cells[prompt].strip() if prompt < len(cells) else ""
            if judge.is_plain(text) or (rows_of := judge.reason(raw.row, cells)) is None:
                yield raw if cells is raw.cells else raw._replace(cells=cells)
            else:
                rows_of.append(raw.row)


class _Judge:
    """Decides which rows of a table are not jobs."""

    def __init__(self, table: FilteredTable) -> None:
        self._table = table
        self._heads = [_plain(header) for header in table.headers]
        self._ours = frozenset(table.known.values())
        self._prompt = table.known["prompt"]
        self._first = {self._prompt, table.known.get("id", self._prompt)}
        self._longest = max(LONGEST_TOTAL, *map(len, self._heads))

    def is_plain(self, text: str) -> bool:
        """Return whether a prompt alone shows that its row is a job, as nearly all do."""
        if not text or text[0] in "#/\ufeff":
            return False
        if len(text) > self._longest:
            return True
        low = text.casefold()
        if low in self._heads or _sums_up(text) or _SEPARATOR.fullmatch(text) is not None:
            return False
        return not (_speaks(low) and _names_prompts(text))

    def reason(self, row: int, cells: Sequence[str]) -> list[int] | None:
        """Return the list of left-out rows to which a row belongs; None if it is a job."""
        out = self._table.left_out
        filled = {place: _plain(cell) for place, cell in enumerate(cells) if cell.strip()}
        words = set(filled.values())
        if self._is_header(filled):
            return out.headers
        if self._is_another_header(filled):
            self._refuse_others(row, filled, cells)
            return out.headers
        if self._heads[self._prompt] in words and words <= {*self._heads}:
            order = "the header is repeated here, with its columns in another order"
            raise self._two_tables(order, row, cells)
        if self._is_comment(filled, cells):
            return out.comments
        if self._is_total(filled):
            return out.totals
        return out.blank if self._is_blank(filled) else None

    def _is_header(self, filled: Mapping[int, str]) -> bool:
        if len(filled) == 1 and _SEPARATOR.fullmatch(filled.get(0, "")):
            return True  # the line above a header
        return filled.get(self._prompt) == self._heads[self._prompt] and all(
            place < len(self._heads) and word == self._heads[place]
            for place, word in filled.items()
        )

    def _is_another_header(self, filled: Mapping[int, str]) -> bool:
        """Return whether each cell in a column of ours is a name for just that column."""
        return _names_prompts(filled.get(self._prompt, "")) and all(
            filled[place] == self._heads[place] or meaning(filled[place]) == name
            for name, place in self._table.known.items()
            if place in filled
        )

    def _refuse_others(self, row: int, filled: Mapping[int, str], cells: Sequence[str]) -> None:
        """Raise ManifestError for a table below another one, with our columns in other places."""
        for place, word in filled.items():
            elsewhere = place not in self._ours and meaning(word) not in (None, "id", "prompt")
            if elsewhere and rank(word) != WEAKEST:
                other = "another table begins here, with other columns"
                raise self._two_tables(other, row, cells)

    def _two_tables(self, problem: str, row: int, cells: Sequence[str]) -> ManifestError:
        return refused(
            self._table.file, problem, "Split it into two files.", row=row, found=", ".join(cells)
        )

    def _is_comment(self, filled: Mapping[int, str], cells: Sequence[str]) -> bool:
        first = next(iter(filled), None)
        if first is None or not filled[first].startswith(("#", "//")):
            return False
        try:
            values.refuse_formula(cells[first])
        except CellError:
            return False
        return first in self._first or (first == 0 and len(filled) == 1)

    def _is_total(self, filled: Mapping[int, str]) -> bool:
        """Return whether a row has ``Total`` and else only numbers, without prompt and id."""
        named = [place for place, word in filled.items() if _sums_up(word)]
        if len(named) != 1 or filled.keys() & self._first - {named[0]}:
            return False
        return all(_NUMBER.fullmatch(word) for p, word in filled.items() if p != named[0])

    def _is_blank(self, filled: Mapping[int, str]) -> bool:
        if not self._ours.isdisjoint(filled) or any(p >= len(self._heads) for p in filled):
            return False
        return not self._table.always or _CHECKBOXES.issuperset(filled.values())


def _speaks(low: str) -> bool:
    """Return whether a text in small letters contains a part of any name for prompts."""
    return (
        "prompt" in low or "text" in low or "idea" in low or "scene" in low or "description" in low
    )


def _names_prompts(text: str) -> bool:
    """Return whether a cell names the column of prompts: ``Prompts``, ``Text``, ``Video idea``."""
    if len(text) > LONGEST_TOTAL or "\n" in text or not _speaks(text.casefold()):
        return False
    return meaning(text) == "prompt" and (outright(text) or rank(text) != WEAKEST)


def _plain(text: str) -> str:
    """Return a cell without case, outer white space and byte order marks."""
    return text.strip().lstrip(MARK).strip('"').strip().casefold()


def _sums_up(text: str) -> bool:
    """Return whether a cell says ``Total``, in one of many languages: ``Grand total: 5``."""
    if len(text) > LONGEST_TOTAL:
        return False
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not combining(c))
    said = _WORD.findall(unicodedata.normalize("NFC", bare))
    words = [word for word in said if not word.isdecimal()]
    return len([word for word in words if word in _TOTALS]) == 1 and all(
        word in _TOTALS or word in _OF_WHAT for word in words
    )


def _count(cells: Sequence[str], last: int) -> int | None:
    """Return the number in a first cell that continues a count; None if it is something else."""
    text = cells[0].strip() if cells else ""
    if not (text.isdecimal() and len(text) < LONGEST_COUNT):
        return None
    number = int(text)
    return number if (number > last if last >= 0 else number in (0, 1)) else None
