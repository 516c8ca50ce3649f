"""Reads CSV: UTF-8 with or without a byte order mark, any line ends, ``,`` ``;`` or tab.

The file is read as a stream and never held. A quote that is opened and not closed, or closed in the
middle of a cell, refuses the file: guessing would glue rows together, and pay for the result.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from batchsora.manifest.errors import ManifestError, RowProblem, refused
from batchsora.manifest.raw import RawRow, Settings, check_regular
from batchsora.tables import restored

LONGEST_LINE: Final = 16 * 1024**2
"""Characters; the largest image as a data URI has 14 million."""
LONGEST_ROW: Final = 2 * LONGEST_LINE
"""Characters of a row over all its lines; quotes may make one row of a whole file."""
MOST_CELLS: Final = 200_000
"""Separators in a row, those inside texts too; a cell costs more memory than its text."""
DELIMITERS: Final = (",", ";", "\t")

_QUOTED = re.compile(r'"[^"]*"')
_UTF_8_HINT: Final = 'Save it again as "CSV UTF-8", or convert it to UTF-8.'


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file whose header has been read.

    Attributes:
        path: the file.
        delimiter: what separates its cells.
        headers: as written, without empty ones at the end.
        header_row: its first row that is not blank.
    """

    path: Path
    delimiter: str
    headers: tuple[str, ...]
    header_row: int

    @property
    def settings(self) -> Settings:
        """CSV has rows and nothing else."""
        return Settings()

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows below the header; wholly blank ones are left out.

        Raises:
            ManifestError: the file can't be read to its end, or has another header than before.
        """
        with _opened(self.path) as file:
            records = _records(self.path, file, self.delimiter)
            _, cells = next(records, (0, []))
            if _header(cells) != self.headers:
                raise refused(
                    str(self.path), "the file changed while it was read", "Start the command again."
                )
            for row, cells in records:
                if "'" in "".join(cells):  # cheaper than a look at every cell
                    cells = [restored(cell) for cell in cells]  # noqa: PLW2901 - the same cells
                yield RawRow(row, cells)


def open_csv(path: Path) -> CsvTable:
    """Open a CSV manifest and read its header.

    Raises:
        ManifestError: it is not a CSV file in UTF-8, or empty.
    """
    check_regular(path)
    with _opened(path) as file:
        delimiter = _delimiter(path, file)
    with _opened(path) as file:
        for row, cells in _records(path, file, delimiter):
            return CsvTable(path, delimiter, _header(cells), row)
    raise refused(str(path), "the file is empty", "Its first row must hold the columns' names.")


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise refused(
            str(path), f"the file can't be read: {error.strerror}", "Check its permissions."
        ) from error


def _delimiter(path: Path, file: TextIO) -> str:
    """Choose what separates cells: whatever the header has most of outside quotes; else a comma."""
    line = next((line for line in _lines(path, file) if line.strip()), "")
    bare = _QUOTED.sub("", line)
    return max(DELIMITERS, key=bare.count)


def _header(cells: list[str]) -> tuple[str, ...]:
    """Give the headers without the empty ones that spreadsheets leave at the end."""
    last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return tuple(restored(cell) for cell in cells[:last])


def _records(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows that are not blank, numbered as a spreadsheet numbers them.

    Raises:
        ManifestError: broken quotes, or a cell beyond all measure.
    """
    # A setting of the whole process, and the module's only way to read a data URI in a cell. It is
    # only ever raised, so that nobody else's reading fails by it.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    bounded = _Bounded(path, _lines(path, file), delimiter)
    reader = csv.reader(bounded, delimiter=delimiter, strict=True)
    row, line = 0, 0
    try:
        for row, cells in enumerate(reader, 1):
            if any(map(str.strip, cells)):
                yield row, cells
            line = reader.line_num
            bounded.begin(row + 1)
    except csv.Error as error:
        raise _broken(path, error, row + 1, line + 1) from error


class _Bounded:
    """The lines of a file, as long as they make rows of bounded size."""

    def __init__(self, path: Path, lines: Iterator[str], delimiter: str) -> None:
        self._path = path
        self._lines = lines
        self._delimiter = delimiter
        self.begin(1)

    def begin(self, row: int) -> None:
        """Say that another row begins."""
        self._row = row
        self._size = self._cells = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._size += len(line)
            self._cells += line.count(self._delimiter)
            if self._size > LONGEST_ROW or self._cells > MOST_CELLS:
                raise refused(
                    str(self._path),
                    f"row {self._row} has more than {LONGEST_ROW} characters or {MOST_CELLS} cells",
                    "Is this a CSV file, and is every quoted cell closed?",
                    row=self._row,
                )
            yield line


def _broken(path: Path, error: csv.Error, row: int, line: int) -> ManifestError:
    """Say in a person's words what the csv module found."""
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


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Read lines of bounded length.

    Raises:
        ManifestError: not UTF-8, a NUL byte, a line too long, or an error of the disk.
    """
    number = 0
    try:
        while line := file.readline(LONGEST_LINE):
            number += 1
            if "\0" in line:
                raise refused(
                    str(path),
                    f"line {number} has a NUL byte: this is UTF-16, or no text at all",
                    _UTF_8_HINT,
                )
            if len(line) == LONGEST_LINE:
                raise refused(
                    str(path),
                    f"line {number} is longer than {LONGEST_LINE} characters",
                    "Is this a CSV file?",
                )
            yield line
    except UnicodeDecodeError as error:
        raise _not_utf_8(path) from error
    except OSError as error:
        raise refused(
            str(path), f"the file can't be read: {error.strerror}", "Check the disk."
        ) from error


def _not_utf_8(path: Path) -> ManifestError:
    """Find the line that is not UTF-8; the decoder reads ahead and can't tell."""
    with path.open("rb") as file:
        head = file.read(2)
        if head in {b"\xff\xfe", b"\xfe\xff"}:
            return refused(str(path), "the file is UTF-16, not UTF-8", _UTF_8_HINT)
        file.seek(0)
        number = 1
        while line := file.readline(LONGEST_LINE):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 20) : error.start + 20]
                return refused(
                    str(path),
                    f"line {number} is not UTF-8",
                    _UTF_8_HINT,
                    found=shown.decode("latin-1").strip(),
                )
            number += line.endswith(b"\n")
    return refused(str(path), "the file is not UTF-8", _UTF_8_HINT)
