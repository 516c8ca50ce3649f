"""Results written into a text table, of which every byte outside of their cells stays.

A row is copied as it stands, and only the cells of results in rows that are jobs are replaced or
added behind it: separators, line ends, quotes, blank rows, comments and rows that are not valid
stay. The header gets the names of the columns that are new.
"""

import codecs
import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, Final

from batchsora.manifest.csv_dialect import Dialect
from batchsora.manifest.csv_reader import CsvTable, open_csv
from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import PLAIN, RawRow, Reading
from batchsora.tables import neutralised, restored, restored_at_first

_END: Final = "\r\n"
_BREAKS: Final = re.compile(r"[\r\n]+")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def write_csv_results(
    path: Path,
    target: BinaryIO,
    results: Mapping[int, Mapping[str, str]],
    headers: Mapping[str, str],
    there: Mapping[str, int],
    reading: Reading = PLAIN,
) -> None:
    """Copy a text table with results in columns of their own, those of an earlier export replaced.

    Args:
        path: the table.
        target: where the copy goes.
        results: by row number and result; other rows stay as they are.
        headers: what the column of each result is called, in order.
        there: the columns of an earlier export, from 0, by the result; the others are added.
        reading: as the table is to be read.

    Raises:
        ManifestError: the table can't be read.
        ValueError: it can't be done so that all else keeps its meaning.
    """
    table = _several(open_csv(path, reading))
    mark, encoding = _encoding(path, table.dialect.encoding)
    target.write(mark)
    missing = [name for name in headers if name not in there]
    first = _width(table, encoding, mark)
    places = {**there, **{name: first + number for number, name in enumerate(missing)}}
    quoted = _all_quoted(table, encoding, mark)
    for row, text, cells in _rows(table, encoding, mark):
        new = None
        if row == table.header_row:
            new = {places[name]: headers[name] for name in missing}
        elif row in results:
            said = results[row]
            _check_marks(row, cells, places.values())
            new = {place: neutralised(said.get(name, "")) for name, place in places.items()}
        if new:
            text = _with_cells(row, text, cells, new, table.dialect, quoted=quoted)  # noqa: PLW2901
        target.write(text.encode(encoding, "replace"))


def check_written(
    path: Path,
    draft: Path,
    headers: Mapping[str, str],
    there: Mapping[str, int],
    reading: Reading = PLAIN,
) -> None:
    """Read a table with results back, before it takes the place of the one without.

    Args:
        path: the table without them.
        draft: the copy with them, whatever its name.
        headers: as :func:`write_csv_results` was told.
        there: as well.
        reading: as the table is to be read.

    Raises:
        ManifestError: the table can't be read.
        ValueError: the copy has other rows, or says something else in a cell that is not ours.
    """
    table = open_csv(path, reading)
    missing = [name for name in headers if name not in there]
    try:
        copy = open_csv(draft, reading, path.suffix)
        if copy.dialect != _several(table).dialect or copy.header_row != table.header_row:
            raise _differs(table.header_row)
        first = len(copy.headers) - len(missing)
        ours = {*there.values(), *range(first, len(copy.headers))}
        if copy.headers[first:] != tuple(headers[name] for name in missing):
            raise _differs(table.header_row)
        if _others(copy.headers, ours) != _others(table.headers, ours):
            raise _differs(table.header_row)
        for old, new in zip_longest(table.rows(), copy.rows()):
            if old is None or new is None or not _is_same(old, new, ours):
                raise _differs((old or new).row)
    except ManifestError as error:
        if error.problem.file != str(draft):
            raise
        raise ValueError(
            f"the results can't be written into the manifest: with them {error.problem.problem}. "
            "Export to another file with -o"
        ) from error


def _several(table: CsvTable) -> CsvTable:
    """Take a table of one column as one of several, as it will be with results."""
    return replace(table, dialect=replace(table.dialect, single=False))


def _is_same(old: RawRow | RowProblem, new: RawRow | RowProblem, ours: Collection[int]) -> bool:
    """Compare the cells of a row that are not ours; empty ones at its end are no cells."""
    if isinstance(old, RowProblem) or isinstance(new, RowProblem):
        return isinstance(old, RowProblem) and isinstance(new, RowProblem) and old.row == new.row
    return old == new or (old.row, _others(old.cells, ours)) == (new.row, _others(new.cells, ours))


def _others(cells: Sequence[str], ours: Collection[int]) -> list[str]:
    kept = [cell for place, cell in enumerate(cells) if place not in ours]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _differs(row: int | None) -> ValueError:
    return ValueError(
        f"the results can't be written into the manifest: row {row} would be read differently "
        "beside them. Export to another file with -o"
    )


def _encoding(path: Path, said: str) -> tuple[bytes, str]:
    """Return the byte order mark of a table, and the encoding of what follows it."""
    with path.open("rb") as file:
        head = file.read(3)
    if said in ("utf-8-sig", "utf-16"):
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                return mark, encoding
    return b"", {"utf-8-sig": "utf-8"}.get(said, said)


def _rows(table: CsvTable, encoding: str, mark: bytes) -> Iterator[tuple[int, str, Sequence[str]]]:
    """Read every row, blank ones as well: its number, its text with the line end, its cells."""
    begun: list[str] = []
    with table.path.open(encoding=encoding, newline="") as file:
        file.read(1 if mark else 0)

        def noted() -> Iterator[str]:
            for line in file:
                begun.append(line)
                yield line

        reader = table.dialect.reader(noted())
        try:
            for row, cells in enumerate(reader, 1):
                yield row, "".join(begun), cells
                begun.clear()
        except csv.Error as error:
            raise ValueError(
                f"the results can't be written into the manifest: {error}. Export to another file "
                "with -o"
            ) from error


def _width(table: CsvTable, encoding: str, mark: bytes) -> int:
    """Count the columns in which anything stands: behind all of them is room for results.

    A row that has a cell too many would otherwise seem to have none.
    """
    width = len(table.headers)
    for _, _, cells in _rows(table, encoding, mark):
        if len(cells) > width:
            last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
            width = max(width, last)
    return width


def _all_quoted(table: CsvTable, encoding: str, mark: bytes) -> bool:
    """Check whether every name in the header is quoted, as some programs do."""
    for row, text, cells in _rows(table, encoding, mark):
        if row == table.header_row:
            spans = _spans(row, text, cells, table.dialect)
            return all(text.startswith('"', begin) for begin, end in spans if begin < end)
    return False


def _check_marks(row: int, cells: Sequence[str], ours: Collection[int]) -> None:
    """Check that cells say the same beside results as without them.

    Raises:
        ValueError: one has an apostrophe where an export sets a mark, which is taken off then.
    """
    for place, cell in enumerate(cells):
        if place not in ours and "'" in cell and restored(cell) != restored_at_first(cell):
            raise ValueError(
                f"the results can't be written into the manifest: row {row} has a text with an "
                "apostrophe before a sign of a formula, which would be read differently beside "
                "them. Export to another file with -o"
            )


def _with_cells(
    row: int,
    text: str,
    cells: Sequence[str],
    new: Mapping[int, str],
    dialect: Dialect,
    *,
    quoted: bool,
) -> str:
    """Put cells into a row's text; all others, and its line end, stay as they are written."""
    spans = _spans(row, text, cells, dialect)
    pieces, done, width = [], 0, len(spans)
    for place, value in sorted(new.items()):
        written = _written(value, dialect, quoted=quoted)
        if place < len(spans):
            begin, end = spans[place]
            pieces += [text[done:begin], written]
        else:
            end = spans[-1][1]
            pieces += [text[done:end], dialect.delimiter * (place + 1 - width), written]
            width = place + 1
        done = end
    return "".join([*pieces, text[done:]])


def _written(value: str, dialect: Dialect, *, quoted: bool) -> str:
    """Write a cell; where quotes enclose nothing there is no way to write a line break."""
    if not dialect.quotes:
        return _BREAKS.sub(" ", value).replace(dialect.delimiter, " ")
    line = StringIO()
    writer = csv.writer(
        line,
        delimiter=dialect.delimiter,
        lineterminator=_END,  # Python 3.11 quotes the signs of this one, and no others
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
    )
    writer.writerow([value, ""])  # alone, an empty cell would be quoted
    after = f'{dialect.delimiter}""{_END}' if quoted else f"{dialect.delimiter}{_END}"
    return line.getvalue().removesuffix(after)


def _spans(row: int, text: str, cells: Sequence[str], dialect: Dialect) -> list[tuple[int, int]]:
    """Find where each cell of a row stands in its text, quotes included.

    Raises:
        ValueError: that can't be told.
    """
    delimiter = dialect.delimiter
    spans, place, end = [], 0, len(text.rstrip("\r\n"))
    while True:
        begin = place
        while dialect.spaced and text.startswith(" ", place):
            place += 1
        if dialect.quotes and text.startswith('"', place):
            place += 1
            while place < end and not (text[place] == '"' and not text.startswith('""', place)):
                place += 2 if text[place] == '"' else 1
        while place < end and not text.startswith(delimiter, place):
            place += 1
        spans.append((begin, place))
        if place >= end:
            break
        place += 1
    read = [_bare(text[begin:end], dialect) for begin, end in spans]
    if read != list(cells):
        raise ValueError(
            f"the results can't be written into the manifest: it can't be told where the cells of "
            f"row {row} begin. Export to another file with -o"
        )
    return spans


def _bare(cell: str, dialect: Dialect) -> str:
    """Read a cell as it is written."""
    cell = cell.lstrip(" ") if dialect.spaced else cell
    if dialect.quotes and len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell
