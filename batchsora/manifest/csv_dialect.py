"""How a text table is written: what separates its cells, and where quotes enclose them."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from batchsora.manifest.errors import refused

if TYPE_CHECKING:
    from _csv import Reader as _Reader

TAB_SEPARATED: Final = (".tsv", ".tab")
MOST_HEADER_LINES: Final = 100
"""Lines of one header; its cells may have line breaks."""
DELIMITERS: Final = (",", ";", "\t", "|")

_NOTHING: Final = "\x1f"
"""Separates no cells: no text that can be bought has it."""
_QUOTED = re.compile(r'"[^"]*"')
_HINT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
"""The line by which Excel is told what separates cells."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written.

    Attributes:
        delimiter: what separates its cells, or would.
        encoding: as Python calls it; of UTF-8 the one that takes a byte order mark or none.
        named: the first line tells the delimiter, as ``sep=;``.
        quotes: a quote at the beginning of a cell encloses it; in a table that a program wrote
            without them, as Google Sheets writes .tsv, it is a part of the text.
        single: there is one column, so that nothing separates cells, and a comma is one of a text.
        spaced: a quote encloses a cell behind spaces, too, and these are not of the text.
    """

    delimiter: str
    encoding: str
    named: bool = False
    quotes: bool = True
    single: bool = False
    spaced: bool = False

    def reader(self, lines: Iterable[str]) -> "_Reader":
        """Read rows so written; what breaks its rules is an error of the csv module."""
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        return csv.reader(
            lines,
            delimiter=_NOTHING if self.single else self.delimiter,
            strict=True,
            quoting=quoting,
            skipinitialspace=self.spaced,
        )


def dialect_of(
    path: Path, lines: Iterator[str], encoding: str, delimiter: str | None, suffix: str
) -> Dialect:
    """See what separates cells: what a person or the file says, else what the header has most of.

    Only what is outside quotes and brackets counts; of two that it has equally often it is the one
    that the line below has, too. A header without any is one column.

    Raises:
        ManifestError: it can't be told.
    """
    line = next((line for line in lines if line.strip()), "")
    named = _SEPARATOR.fullmatch(line)
    if named is not None:
        return Dialect(delimiter or named[1], encoding, named=True)
    whole = line
    for more in islice(lines, MOST_HEADER_LINES) if line.count('"') % 2 else ():
        whole += more  # a cell of the header goes on here
        if whole.count('"') % 2 == 0:
            line = whole
            break
    bare = _HINT.sub("", _QUOTED.sub("", line))
    most = max(map(bare.count, DELIMITERS))
    likely = [one for one in DELIMITERS if bare.count(one) == most]
    if delimiter is not None or suffix in TAB_SEPARATED or not most:
        usual = "\t" if suffix in TAB_SEPARATED else DELIMITERS[0]
        single = not most and delimiter is None and suffix not in TAB_SEPARATED
        return Dialect(delimiter or usual, encoding, single=single)
    if len(likely) > 1:
        below = _QUOTED.sub("", next((line for line in lines if line.strip()), ""))
        there = [one for one in likely if below.count(one) == most]
        if len(there) > 1:
            raise refused(
                str(path),
                f"it can't be told whether {there[0]!r} or {there[1]!r} separates the cells",
                f"Say --delimiter '{there[1]}' or --delimiter '{there[0]}'.",
                found=line.strip(),
            )
        likely = there or likely
    return Dialect(likely[0], encoding)
