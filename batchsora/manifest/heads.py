"""The sheets and headers of a manifest that may be refused, so that a person can choose."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from batchsora.apart import ApartError, ask, bounds_for
from batchsora.manifest.books.choosing import book_of
from batchsora.manifest.books.model import Book, SheetRow
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.formats.apart_table import import_library
from batchsora.manifest.formats.sheet_choice import header_of, named
from batchsora.manifest.formats.sheet_reader import EXCEL, OTHERS, trimmed, understood
from batchsora.manifest.raw import PLAIN, RawRow, Reading, check_regular
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER

TASK: Final = "batchsora.manifest.heads:prepare"

MOST_SHEETS: Final = 200
"""Sheets that can be chosen."""

PREVIEWED: Final = 6
"""Rows that are shown below the headers."""
LONGEST_CELL: Final = 200
"""Characters of a cell that are shown."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file has before its rows: headers, their sheet, and all visible sheets.

    ``rows`` are the first rows below the headers, to be shown: with their numbers, and long cells
    cut off. ``header_row`` is the number of the row of the headers in a workbook.
    """

    headers: tuple[str, ...]
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    rows: tuple[RawRow, ...] = field(default=(), compare=False)
    header_row: int | None = field(default=None, compare=False)


def book_head(path: Path, reading: Reading = PLAIN) -> Head:
    """Read a workbook's sheets, and the headers of the sheet that is read, or raise ManifestError.

    If the wanted sheet does not exist, the headers are those of the first one.
    """
    from batchsora.apart.answers import only  # noqa: PLC0415 - pydantic, needed here alone
    from batchsora.manifest import answers  # noqa: PLC0415 - as above

    check_regular(path)
    given = {"path": str(path.absolute()), "reading": reading.as_json()}
    try:
        said = only(ask(TASK, given, bounds_for(path.stat().st_size)), answers.HEAD)
    except (ApartError, OSError) as error:
        raise refused(
            str(path), f"the file can't be read: {error}", "Save it as CSV UTF-8."
        ) from error
    if isinstance(said, answers.Refused):
        raise ManifestError(said.refused.of(str(path)))
    rows = tuple(RawRow(number, cells) for number, cells in said.rows)
    return Head(tuple(said.headers), said.sheet, tuple(said.sheets), rows, said.header_row)


def prepare(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import what reads a workbook, in the separate process; return the function that reads."""
    path, reading = Path(given["path"]), Reading.of(given["reading"])
    import_library(path.suffix.lower())
    return lambda: _looked(path, reading)


def _looked(path: Path, reading: Reading) -> Iterator[Any]:
    try:
        with understood(path):
            book = book_of(path)
            names, seen = book.names(), book.visible()
            wanted = None if reading.sheet is None else named(names, reading.sheet)
            sheet = wanted or next(iter(seen or names), None)
            hidden = bool(reading.include_hidden)
            said = reading.columns
            header = (
                None
                if sheet is None
                else header_of(
                    book, sheet, include_hidden=hidden, said=said, at=reading.header_row
                ).row
            )
            cells = () if header is None else trimmed(header.cells)
            others = [name for name in seen if name != sheet][: MOST_SHEETS - 1]
            shown = [name for name in names if name == sheet or name in others]
            rows = [] if header is None or sheet is None else _first(book, sheet, header, reading)
        # one more of each, so that the caller sees that there are too many
        headers = [cell[: LONGEST_HEADER + 1] for cell in cells[: MOST_COLUMNS + 1]]
        yield {
            "headers": headers,
            "sheet": sheet,
            "sheets": shown,
            "rows": rows,
            "header_row": None if header is None else header.number,
        }
    except ManifestError as error:
        yield {"refused": asdict(error.problem)}


def _first(
    book: Book, sheet: str, header: SheetRow, reading: Reading
) -> list[tuple[int, list[str]]]:
    """Return the first rows below a header that are read, as far as they can be."""
    rows: list[tuple[int, list[str]]] = []
    with suppress(ManifestError):  # reported when all rows are read
        for row in book.rows(sheet):
            hidden = row.hidden and not reading.include_hidden
            if row.number > header.number and not row.blank and not hidden:
                rows.append((row.number, _shown(row.cells)))
            if len(rows) == PREVIEWED:
                break
    return rows


def _shown(cells: Sequence[str]) -> list[str]:
    return [cell[:LONGEST_CELL] for cell in cells[:MOST_COLUMNS]]


def head_of(path: Path, reading: Reading = PLAIN) -> Head:
    """Read the head of a manifest, whatever its headers mean, or raise ManifestError.

    An unknown sheet of a workbook is replaced by its first one.
    """
    suffix = path.suffix.lower()
    if suffix in (*EXCEL, *OTHERS):
        return book_head(path, reading)
    from batchsora.manifest.read import READERS  # noqa: PLC0415 - not for the process apart

    reader = READERS.get(suffix)
    if reader is None:
        raise refused(str(path), "not a manifest", f"Supported: {', '.join(READERS)}.")
    table = reader(path, reading)
    rows: list[RawRow] = []
    with suppress(ManifestError):  # as above
        raw = (row for row in table.rows() if isinstance(row, RawRow))
        rows = [RawRow(row.row, _shown(row.cells)) for row in islice(raw, PREVIEWED)]
    return Head(table.headers, rows=tuple(rows))
