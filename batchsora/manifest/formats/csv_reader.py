"""Read CSV: UTF-8, or UTF-16 with a byte order mark; any line ends; ``,`` ``;`` ``|`` or tab.

The file is read as a stream, never as a whole. A quote that is never closed, or is closed in the
middle of a cell, refuses the file: guessing would join rows, and pay for the result.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from batchsora.manifest.errors import ManifestError, RowProblem, refused
from batchsora.manifest.formats.csv_dialect import LONGEST_LINE, Dialect, dialect_of, lines_of
from batchsora.manifest.formats.csv_faults import (
    another_separator,
    cut_at,
    cut_at_other,
    cut_in_quotes,
    seemingly_several,
    seems_separated,
    separated_otherwise,
)
from batchsora.manifest.formats.csv_formulas import calculated
from batchsora.manifest.raw import (
    PLAIN,
    RawRow,
    Reading,
    Settings,
    check_regular,
    encoding_of,
)
from batchsora.result_columns import result_column
from batchsora.tables import restored, restored_at_first

LONGEST_ROW: Final = 2 * LONGEST_LINE
"""Characters of a row over all its lines; quotes may make one row of a whole file."""
MOST_CELLS: Final = 200_000
"""Separators in a row, those inside texts too; a cell costs more memory than its text."""
SUFFIXES: Final = (".csv", ".tsv", ".tab", ".txt")
ENOUGH: Final = 3
"""Result columns of which a table has at least so many when we exported it; some may be gone."""
MOST_FIRST: Final = 1000
"""Rows that are checked for the places of quotes."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file whose header was read; ``header_row`` is its first row that is not blank.

    ``read`` are the places of the columns that are read, in which formulas are recognized.
    """

    path: Path
    dialect: Dialect
    headers: tuple[str, ...]
    header_row: int
    read: frozenset[int] = frozenset()

    sheet = None
    settings = Settings()

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows below the header without blank ones; a row whose text is cut is a problem.

        Raises ManifestError if the file can't be read to its end, or has another header than
        before.
        """
        lines: list[str] = []
        records = _records(self.path, self.dialect, lines)
        original = _original(self.headers)
        results = _results(self.headers)
        _, cells = next(records, (0, []))
        if _header(cells) != self.headers:
            raise refused(
                str(self.path), "the file changed while it was read", "Run the command again."
            )
        width = len(self.headers)
        for row, cells in records:
            if self.dialect.single and not "".join(lines).lstrip(" ").startswith('"'):
                cells = [text.rstrip(f"{self.dialect.delimiter} \r\n\t") for text in cells]  # noqa: PLW2901
                if seems_separated(cells[0]):
                    yield seemingly_several(str(self.path), row, self.headers[0], cells[0])
                    continue
            text = "".join(cells)  # cheaper than a look at every cell
            if (
                '"' in text
                or "'" in text
                or "`" in text
                or not text.isascii()
                or len(cells) < width
                or len(text) == len(cells[0])
            ):
                fault = self._fault(row, cells, lines, results)
                if fault is not None:
                    yield fault
                    continue
            written = cells
            if "'" in text:
                cells = [original(cell) for cell in cells]  # noqa: PLW2901 - the same cells
            if "=" in text or "\uff1d" in text:
                cells = [*calculated(cells, written, self.read)]  # noqa: PLW2901
            yield RawRow(row, cells)

    def _fault(
        self, row: int, cells: Sequence[str], lines: Sequence[str], results: Sequence[int]
    ) -> RowProblem | None:
        """Find a separator that cuts a text, or is not the table's.

        A row with results isn't checked for quotes of another kind: whoever wrote the results
        quoted every text with a separator.
        """
        text = lines[0] if len(lines) == 1 else "".join(lines)
        spaced, file = self.dialect.spaced, str(self.path)
        if self.dialect.quotes:
            cut = cut_at(cells, text, spaced=spaced) if '"' in text else None
            filled = any(cells[place].strip() for place in results if place < len(cells))
            if cut is None and not filled:
                cut = cut_at_other(cells, text, spaced=spaced)
            if cut is not None:
                header = self.headers[cut] if cut < len(self.headers) else None
                return cut_in_quotes(file, row, header, cells[cut])
        width, delimiter = len(self.headers), self.dialect.delimiter
        if len(cells) < width or not any(cells[1:]):
            quoted = self.dialect.quotes and text.lstrip(" ").startswith('"')
            other = separated_otherwise(cells, width, delimiter, quoted=quoted)
            if other is not None:
                return another_separator(file, row, delimiter.join(cells), delimiter, other)
        return None

    def as_several(self) -> "CsvTable":
        """Return a table of one column as one of several, as it will be with results."""
        return replace(self, dialect=replace(self.dialect, single=False))


def open_csv(path: Path, reading: Reading = PLAIN, suffix: str | None = None) -> CsvTable:
    """Open a CSV manifest and read its header, or raise ManifestError.

    ``suffix`` is that of the name that the file will have; None: it has it.
    """
    check_regular(path)
    encoding = encoding_of(path, reading.encoding)
    usual = path.suffix if suffix is None else suffix
    lines = lines_of(path, encoding)
    dialect = dialect_of(path, lines, encoding, reading.delimiter, usual.lower())
    dialect = replace(dialect, quotes=_quotes_enclose(path, dialect))
    dialect = replace(dialect, spaced=_quotes_follow_spaces(path, dialect))
    for row, cells in _records(path, dialect):
        return CsvTable(path, dialect, _header(cells), row)
    raise refused(str(path), "the file is empty", "Its first row must contain the column names.")


def _quotes_enclose(path: Path, dialect: Dialect) -> bool:
    """Find out whether quotes enclose cells in a table that tabs separate.

    They don't if that would leave unmatched quotes, and every row has as many cells as the header
    without it; or if a cell would span tabs and line breaks, and every line has as many cells as
    the header without it. Raises ManifestError if it is ambiguous.
    """
    if dialect.delimiter != "\t":
        return True
    lines = lines_of(path, dialect.encoding)
    if not any(line[0] == '"' or '\t"' in line for line in lines):
        return True
    try:
        records = _records(path, dialect)
        exported = any(_results(cells) for _, cells in islice(records, 1))
        glued = [row for row, cells in records if not exported and any(map(_is_glued, cells))]
    except ManifestError:
        widths = _literal_widths(path, dialect)
        return max(widths) > widths[0]
    if not glued:
        return True
    if len({*_literal_widths(path, dialect)}) > 1:
        raise refused(
            str(path),
            f"a quote opens in row {glued[0]} and closes on another line, after a tab: this may "
            "be one text or several rows",
            "Remove the tab from the text, or the quotes; or save the table as .xlsx.",
            row=glued[0],
        )
    return False


def _is_glued(cell: str) -> bool:
    """Return whether a cell has what ends a cell and what ends a row, perhaps by mistake.

    A quote in it was written twice, as only programs do that enclose cells.
    """
    return "\t" in cell and ("\n" in cell or "\r" in cell) and '"' not in cell


def _literal_widths(path: Path, dialect: Dialect) -> list[int]:
    """Return how many cells the rows have if quotes are left as they are."""
    return [len(cells) for _, cells in _records(path, replace(dialect, quotes=False))]


def _quotes_follow_spaces(path: Path, dialect: Dialect) -> bool:
    """Find out whether quotes enclose cells after a space, as in ``1, "A kite, red"``.

    They do if one of the first rows has such a cell, and all their quotes match when read that way.
    """
    if not dialect.quotes or dialect.delimiter == " ":
        return False
    try:
        begin = re.compile(rf'(?:\A|{re.escape(dialect.delimiter)}) +"')
        first = islice(lines_of(path, dialect.encoding), MOST_FIRST)
        if not any(' "' in line and begin.search(line) for line in first):
            return False
        deque(islice(_records(path, replace(dialect, spaced=True)), MOST_FIRST), maxlen=0)
        rows = islice(_records(path, dialect), MOST_FIRST)
        return any(re.match(' +"', cell) for _, cells in rows for cell in cells)
    except ManifestError:
        return False


def _header(cells: list[str]) -> tuple[str, ...]:
    """Return the headers without the empty ones that spreadsheets leave at the end."""
    last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    headers = tuple(restored_at_first(cell) for cell in cells[:last])
    original = _original(headers)
    return tuple(original(cell) for cell in cells[:last])


def _results(headers: Sequence[str]) -> list[int]:
    """Return the places of the columns of results in a table that we exported; else none."""
    names = {place: name for place, one in enumerate(headers) if (name := result_column(one))}
    return [*names] if len({*names.values()}) >= ENOUGH else []


def _original(headers: Sequence[str]) -> Callable[[str], str]:
    """Return the function that restores cells from an export; a person's own stay as they are."""
    return restored if _results(headers) else restored_at_first


def _records(
    path: Path, dialect: Dialect, seen: list[str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Read the rows that are not blank, numbered as a spreadsheet numbers them.

    ``seen`` holds the lines of the row that was yielded last. Raises ManifestError for broken
    quotes, or a row that is far too long.
    """
    # A setting of the whole process, and the module's only way to read a data URI in a cell. It is
    # only ever raised, so no other reading fails because of it.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    seen = [] if seen is None else seen
    seen.clear()
    skipped = not dialect.named
    row, line = 1, 0

    def bounded() -> Iterator[str]:
        size = cells = 0
        for text in lines_of(path, dialect.encoding):
            if not seen:
                size = cells = 0
            size += len(text)
            cells += text.count(dialect.delimiter)
            if size > LONGEST_ROW or cells > MOST_CELLS:
                raise refused(
                    str(path),
                    f"row {row} has more than {LONGEST_ROW} characters or {MOST_CELLS} cells",
                    "Is this a CSV file, and is every quoted cell closed?",
                    row=row,
                )
            seen.append(text)
            yield text

    reader = dialect.reader(bounded())
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                if skipped:
                    yield row, cells
                skipped = True
            row, line = row + 1, reader.line_num
            seen.clear()
    except csv.Error as error:
        raise _broken(path, error, row, line + 1) from error


def _broken(path: Path, error: csv.Error, row: int, line: int) -> ManifestError:
    words = str(error)
    if "end of data" in words or "field limit" in words:
        return refused(
            str(path),
            f"a quoted cell that begins in row {row} (line {line}) is never closed",
            'Close it with ", and write a quote inside a quoted cell twice ("").',
            row=row,
        )
    return refused(
        str(path),
        f"the quotes in row {row} (line {line}) don't match",
        'Put the whole cell in quotes, and write a quote inside it twice ("").',
        row=row,
    )
