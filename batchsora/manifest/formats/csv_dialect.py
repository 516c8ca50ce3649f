"""How a text table is written: what separates its cells, and where quotes enclose them."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from batchsora.manifest.encodings import way_to_read
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.raw import unreadable

if TYPE_CHECKING:
    from _csv import Reader as _Reader

TAB_SEPARATED: Final = (".tsv", ".tab")
MOST_HEADER_LINES: Final = 100
"""Lines of one header; its cells may have line breaks."""
MOST_ROWS: Final = 20
"""Lines below a header that are looked at."""
MOST_LOOKED_AT: Final = 1024**2
"""Characters of these lines, without the first one."""
DELIMITERS: Final = (",", ";", "\t", "|")

_NOTHING: Final = "\x1f"
"""Separates nothing: no text that can be bought has it."""
_QUOTED = re.compile(r'"[^"]*"')
_HINT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_CELL_IN_QUOTES = re.compile(r'(?:(?<=[,;|\t\r\n])|\A) *"(?:[^"]|"")*"')
_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
"""The line that tells Excel what separates cells."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written.

    Attributes:
        delimiter: what separates its cells, or would.
        encoding: as Python calls it; for UTF-8 the one that accepts a byte order mark.
        named: the first line says the delimiter, as ``sep=;``.
        quotes: a quote at the beginning of a cell encloses it; if a program wrote the table without
            quoting, as Google Sheets writes .tsv, it is a part of the text.
        single: there is one column: nothing separates cells, and a comma belongs to the text.
        spaced: quotes also enclose a cell after spaces, which are not part of the text.
    """

    delimiter: str
    encoding: str
    named: bool = False
    quotes: bool = True
    single: bool = False
    spaced: bool = False

    def reader(self, lines: Iterable[str]) -> "_Reader":
        """Return a csv reader of such lines, which raises csv.Error for broken quotes."""
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
    """Find what separates cells: what a person or the file says, else what the header has most of.

    Only signs outside quotes and brackets count. If the header has several kinds, as in
    ``Prompt, English;Duration, sec``, the rows below decide, first all, then the first of them. A
    header without any is one column. Raises ManifestError if it is ambiguous.
    """
    line = next((line for line in lines if line.strip()), "")
    named = _SEPARATOR.fullmatch(line)
    if named is not None:
        return Dialect(delimiter or named[1], encoding, named=True)
    whole = line
    for more in islice(lines, MOST_HEADER_LINES) if line.count('"') % 2 else ():
        whole += more  # a cell of the header continues here
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
    present = {one: bare.count(one) for one in DELIMITERS if one in bare}
    if len(present) > 1:
        likely = _that_rows_have(path, line, lines, present)
    return Dialect(likely[0], encoding)


def _that_rows_have(
    path: Path, line: str, lines: Iterator[str], present: Mapping[str, int]
) -> list[str]:
    """Return which of the header's separators the rows use, the likeliest first.

    ``present`` is how often the header has each. Raises ManifestError if it is ambiguous.
    """
    most = max(present.values())
    likely = [one for one, times in present.items() if times == most]
    below: list[str] = []
    for row in islice(lines, MOST_ROWS):
        if below and sum(map(len, below)) + len(row) > MOST_LOOKED_AT:
            break
        below.append(row)
    text = _CELL_IN_QUOTES.sub("", "".join(below))
    rows = [row for row in text.splitlines() if row.strip()]
    fitting = [one for one in present if all(row.count(one) == present[one] for row in rows)]
    may_be = all(
        0 < row.count(likely[0]) <= most for row in rows
    )  # cells at the end may be missing
    if rows and len(fitting) == 1 and (fitting[0] in likely or not may_be):
        return fitting
    there = [one for one in likely if rows and rows[0].count(one) == most]
    if len(likely) == 1:
        others = [one for one in present if one not in likely and any(one in row for row in rows)]
        if any(likely[0] in row for row in rows):
            others = fitting if may_be else []
        there = [*dict.fromkeys([*likely, *others])]
    if len(there) > 1:
        raise refused(
            str(path),
            f"cannot tell whether {there[0]!r} or {there[1]!r} separates the cells",
            f"Use --delimiter '{there[1]}' or --delimiter '{there[0]}'.",
            found=line.strip(),
        )
    return there or likely


LONGEST_LINE: Final = 16 * 1024**2
"""Characters; the largest image as a data URI has 14 million."""


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """Read bounded lines; raise ManifestError for other encodings, NUL bytes, or unread files."""
    number = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if "\0" in line:
                    raise refused(
                        str(path),
                        f"line {number} has a NUL byte: the file is UTF-16 without a byte order "
                        "mark, or not a text",
                        way_to_read(path),
                    )
                if len(line) == LONGEST_LINE:
                    raise refused(
                        str(path),
                        f"line {number} is longer than {LONGEST_LINE} characters",
                        "Is this a CSV file?",
                    )
                yield line
    except UnicodeError as error:  # of UTF-16 also one without a byte order mark
        raise _undecodable(path, encoding) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _undecodable(path: Path, encoding: str) -> ManifestError:
    """Find the line that is not in the encoding: the decoder reads ahead and doesn't know it."""
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    if encoding != "utf-8-sig":
        return refused(str(path), f"the file is not {name}", way_to_read(path))
    with path.open("rb") as file:
        number = 1
        while line := file.readline(LONGEST_LINE):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 20) : error.start + 20]
                return refused(
                    str(path),
                    f"line {number} is not {name}",
                    way_to_read(path),
                    found=shown.decode("latin-1").strip(),
                )
            number += line.endswith(b"\n")
    return refused(str(path), f"the file is not {name}", way_to_read(path))
