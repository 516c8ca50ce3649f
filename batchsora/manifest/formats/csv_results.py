"""Write results into a text table, of which every byte outside of their cells stays.

A row's bytes are copied, and only cells of results in rows that are jobs are replaced or added
behind it: separators, line ends, quotes, blank rows, comments and invalid rows stay. The header
gets the names of new columns.
"""

import codecs
import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import BinaryIO, Final

from batchsora.manifest.encodings import MARKS
from batchsora.manifest.formats.csv_dialect import Dialect
from batchsora.manifest.formats.csv_reader import CsvTable, open_csv
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.tables import neutralised, restored, restored_at_first

_END: Final = "\r\n"
_BREAKS: Final = re.compile(r"[\r\n]+")


def write_csv_results(
    path: Path,
    target: BinaryIO,
    results: Mapping[int, Mapping[str, str]],
    headers: Mapping[str, str],
    there: Mapping[str, int],
    reading: Reading = PLAIN,
) -> None:
    """Copy a text table with results in columns of their own, replacing those of an earlier export.

    Args:
        path: the table.
        target: where the copy goes.
        results: by row number and result; other rows stay as they are.
        headers: the header of each result's column, in order.
        there: the columns of an earlier export, from 0, by the result; the others are added.
        reading: how the table is read.

    Raises ManifestError if the table can't be read, ValueError if another cell would change its
    meaning.
    """
    table = open_csv(path, reading).as_several()
    mark, encoding = _encoding(path, table.dialect.encoding)
    target.write(mark)
    missing = [name for name in headers if name not in there]
    first, quoted = _looked_at(table, encoding, mark)
    places = {**there, **{name: first + number for number, name in enumerate(missing)}}
    for row, text, raw, cells in _rows(table, encoding, mark):
        new = None
        if row == table.header_row:
            new = {places[name]: headers[name] for name in missing}
        elif row in results:
            said = results[row]
            _check_marks(row, cells, places.values())
            new = {place: neutralised(said.get(name, "")) for name, place in places.items()}
        if not new:
            target.write(raw)
            continue
        copied = _copier(row, text, raw, encoding)
        for piece in _with_cells(row, text, cells, new, table.dialect, quoted=quoted):
            told = piece.encode(encoding, "replace") if isinstance(piece, str) else copied(*piece)
            target.write(told)


def _encoding(path: Path, said: str) -> tuple[bytes, str]:
    """Return the byte order mark of a table, and the encoding of what follows it."""
    with path.open("rb") as file:
        head = file.read(4)
    if said in ("utf-8-sig", "utf-16", "utf-32"):
        for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), *MARKS):
            if head.startswith(mark):
                return mark, encoding
    return b"", {"utf-8-sig": "utf-8"}.get(said, said)


def _rows(
    table: CsvTable, encoding: str, mark: bytes
) -> Iterator[tuple[int, str, bytes, Sequence[str]]]:
    """Return every row, also blank ones: number, text and bytes with the line end, and cells."""
    begun: list[tuple[str, bytes]] = []

    def noted() -> Iterator[str]:
        for line in _lines(table.path, encoding, mark):
            begun.append(line)
            yield line[0]

    try:
        for row, cells in enumerate(table.dialect.reader(noted()), 1):
            text = "".join(line for line, _ in begun)
            yield row, text, b"".join(raw for _, raw in begun), cells
            begun.clear()
    except (csv.Error, UnicodeError) as error:
        raise _impossible(str(error)) from error


def _lines(path: Path, encoding: str, mark: bytes) -> Iterator[tuple[str, bytes]]:
    """Read the text and the bytes of each line after the byte order mark.

    In encodings of East Asia two codes may be the same sign, so the text doesn't determine its
    bytes. In those whose lines don't end as in ASCII it does. Raises UnicodeError if the file is
    not in the encoding, or a line ends inside a character.
    """
    if _END.encode(encoding) != b"\r\n":
        with path.open(encoding=encoding, newline="") as file:
            file.read(1 if mark else 0)
            for line in file:
                yield line, line.encode(encoding)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        file.read(len(mark))
        for piece in file:
            for raw in piece.splitlines(keepends=True):
                line = decoder.decode(raw)
                if line[-1:] not in ("\r", "\n") and raw[-1:] in (b"\r", b"\n"):
                    raise UnicodeError("a line ends inside a character")
                yield line, raw
        if decoder.decode(b"", final=True):
            raise UnicodeError("the file ends inside a character")


def _copier(row: int, text: str, raw: bytes, encoding: str) -> Callable[[int, int], bytes]:
    """Return the function that returns the bytes of a piece of a row's text."""
    if text.encode(encoding, "replace") == raw:
        return lambda begin, end: text[begin:end].encode(encoding)
    ends = [0]
    decoder = codecs.getincrementaldecoder(encoding)()
    for place in range(len(raw)):
        ends += [place + 1] * len(decoder.decode(raw[place : place + 1]))
    if len(ends) != len(text) + 1:
        raise _impossible(f"cannot tell which bytes the cells of row {row} are")
    return lambda begin, end: raw[ends[begin] : ends[end]]


def _impossible(reason: str) -> ValueError:
    return ValueError(
        f"the results can't be written into the manifest: {reason}. Export to another file with -o"
    )


def _looked_at(table: CsvTable, encoding: str, mark: bytes) -> tuple[int, bool]:
    """Count the columns with any content, and check whether the whole header is quoted.

    Results go behind all of them: otherwise a row with a cell too many would seem to have none.
    """
    width, quoted = len(table.headers), False
    for row, text, _, cells in _rows(table, encoding, mark):
        if row == table.header_row:
            spans = _spans(row, text, cells, table.dialect)
            quoted = all(text.startswith('"', begin) for begin, end in spans if begin < end)
        if len(cells) > width:
            last = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
            width = max(width, last)
    return width, quoted


def _check_marks(row: int, cells: Sequence[str], ours: Collection[int]) -> None:
    """Check that cells mean the same next to results as without them.

    An apostrophe where an export sets a mark would be removed then.
    """
    for place, cell in enumerate(cells):
        if place not in ours and "'" in cell and restored(cell) != restored_at_first(cell):
            raise ValueError(
                f"the results can't be written into the manifest: row {row} has a text with an "
                "apostrophe before a formula sign, which would be read differently next to the "
                "results. Export to another file with -o"
            )


def _with_cells(
    row: int,
    text: str,
    cells: Sequence[str],
    new: Mapping[int, str],
    dialect: Dialect,
    *,
    quoted: bool,
) -> Iterator[str | tuple[int, int]]:
    """Return the pieces of a row with new cells: texts, and from where to where others stay."""
    spans = _spans(row, text, cells, dialect)
    done, width = 0, len(spans)
    for place, value in sorted(new.items()):
        written = _written(value, dialect, quoted=quoted)
        if place < len(spans):
            begin, end = spans[place]
            yield done, begin
            yield written
        else:
            end = spans[-1][1]
            yield done, end
            yield f"{dialect.delimiter * (place + 1 - width)}{written}"
            width = place + 1
        done = end
    yield done, len(text)


def _written(value: str, dialect: Dialect, *, quoted: bool) -> str:
    """Write a cell; if quotes enclose nothing there is no way to write a line break."""
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
    """Find where each cell of a row is in its text, quotes included."""
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
            "the results can't be written into the manifest: cannot tell where the cells of "
            f"row {row} begin. Export to another file with -o"
        )
    return spans


def _bare(cell: str, dialect: Dialect) -> str:
    cell = cell.lstrip(" ") if dialect.spaced else cell
    if dialect.quotes and len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell
