"""Write an export as a file: how values look, and that it is whole.

A table is written beside its target and renamed over it, so nobody ever sees half of one.

CSV is UTF-8 with a byte order mark (without it Excel takes UTF-8 for something else; the manifest
reader takes both) and CRLF line ends (RFC 4180). What a spreadsheet would take for a formula gets a
``'`` in front; :func:`restored` removes exactly that one on loading.
"""

import csv
import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from jobs import system
from jobs.model.files import refuse_link, replaced

REST: Final = "… (more than a cell can hold: the whole text is in {})"
"""The last line of a workbook's text that was cut."""

# What a spreadsheet may take for a formula; those of East Asia read the wide signs (U+FF1D, U+FF0B,
# U+FF0D, U+FF20) like the others. It stands at the beginning of a cell, and spreadsheets differ in
# where that is: many countries separate cells by ";", LibreOffice splits at several signs at once,
# and then the quotes around a text count as part of it, and a line break ends the row. A comma or a
# bar splits only a table that is not separated by it, else the cell is quoted; prose has a space
# behind them.
_SIGN = r"=+\-@\uff1d\uff0b\uff0d\uff20"
_PLACES = (
    (r"\A *", rf"['\" ]*[{_SIGN}\t\r\n]"),
    (r"[;\t\r\n] *", rf"['\" ]*[{_SIGN}]"),
    (r"[,|]", rf"['\"]*[{_SIGN}]"),
)
"""Where a cell may begin for somebody, and what would be a formula there, behind marks of ours."""
_FORMULA = re.compile("|".join(f"{begin}(?={formula})" for begin, formula in _PLACES))
_MARKED = re.compile("|".join(f"({begin})'(?={formula})" for begin, formula in _PLACES))
_MARKED_AT_FIRST = re.compile(rf"'+[{_SIGN}\t\r\n]")
_PLAIN_NUMBER = re.compile(r"[+-][0-9]+(?:[.,][0-9]+)?")


_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_Writer = Callable[[TextIO, Sequence[str], Iterable[Mapping[str, object]]], None]


class TableError(Exception):
    """The table can't be written there, or not in that format; the text says what to do."""


def neutralised(text: str, *, first: bool = False) -> str:
    """Mark what a spreadsheet would run as a formula, wherever it sees a cell begin.

    ``restored(neutralised(text)) == text`` for every text.

    Args:
        first: it is the first cell of its row. Plain numbers are unchanged in other cells; there
            somebody who separates by ``;`` sees a number and all that follows it as one cell.
    """
    if not first and _PLAIN_NUMBER.fullmatch(text):
        return text
    return _FORMULA.sub(r"\g<0>'", text)


def restored(text: str) -> str:
    """Remove the marks of :func:`neutralised`."""
    return _MARKED.sub(lambda found: found[found.lastindex or 0], text)


def restored_at_first(text: str) -> str:
    """Remove the mark at the beginning alone: elsewhere a person's own apostrophe stays."""
    return text[1:] if _MARKED_AT_FIRST.match(text) else text


def write_table(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as a file in the format of its suffix: CSV, TSV, JSON lines or JSON.

    The target appears complete or not at all; an existing one is replaced. Values: text as it is,
    None as nothing (``null``), ``Decimal`` in plain notation (in JSON a string), aware times in UTC
    as ISO 8601, anything else as its JSON.

    Args:
        target: its folder exists.
        columns: the unique headers, in order.
        rows: by header; what a row lacks is None. Streamed, never held.

    Raises:
        TableError: another suffix, a folder in the way, or no such folder; no row was read yet.
        ValueError: a duplicate header, or a row with an unknown column.
        OSError: the disk is full, or the folder not writable; the target is unchanged.
    """
    check_target(target)
    if len(set(columns)) != len(columns):
        raise ValueError("a table has every column once")
    with replacing(target, _encoding(target)) as file:
        _WRITERS[target.suffix.lower()](file, columns, _checked(columns, rows))


def check_target(target: Path, *suffixes: str) -> None:
    """Raise a TableError if a file can't be written; ``suffixes`` are those of other writers."""
    if target.suffix.lower() not in (*_WRITERS, *suffixes):
        raise TableError(
            f"{target}: a table can't be written as {target.suffix or 'a file without suffix'!r}. "
            f"Name a file that ends with .xlsx, {', '.join(_WRITERS)}."
        )
    check_place(target)


def check_place(target: Path) -> None:
    """Raise a TableError if no file of any kind can be written there."""
    try:
        if target.is_dir():
            raise TableError(f"{target}: this is a folder. Name a file.")
        if not target.parent.is_dir():
            raise TableError(f"{target}: there is no folder {target.parent}. Create it first.")
        refuse_link(target, "name the file itself")
        target.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(target: Path, error: OSError) -> TableError:
    """Make the error of a file that can't be written."""
    remedy = {
        errno.EACCES: "Name a file in a folder that you may write to.",
        errno.EPERM: "Name a file in a folder that you may write to.",
        errno.EROFS: "Name a file on a drive that is not read-only.",
        errno.ENAMETOOLONG: "Give the file a shorter name.",
        errno.ENOSPC: "Free some space, or name a file on another drive.",
        errno.EDQUOT: "Free some space, or name a file on another drive.",
        errno.ELOOP: "Nothing was written.",
    }.get(error.errno or 0, "Name another file.")
    if isinstance(error, PermissionError) and system.OPEN_FILES_STAY and target.exists():
        remedy = "Close it in the program that has it open, and run this again."
    return TableError(f"{target} can't be written: {error.strerror}. {remedy}")


def _checked(
    columns: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> Iterator[Mapping[str, object]]:
    known = set(columns)
    for row in rows:
        if not row.keys() <= known:
            raise ValueError(f"columns without a header: {sorted(row.keys() - known)}")
        yield row


def _write_csv(
    file: TextIO,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    delimiter: str = ",",
) -> None:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(_marked(columns))
    writer.writerows(_marked([_text(row.get(column)) for column in columns]) for row in rows)


def _marked(cells: Sequence[str]) -> list[str]:
    return [neutralised(cell, first=not place) for place, cell in enumerate(cells)]


def _write_jsonl(
    file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> None:
    file.writelines(_json({column: row.get(column) for column in columns}) + "\n" for row in rows)


def _write_json(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    separator = "["
    for row in rows:
        file.write(f"{separator}\n{_json({column: row.get(column) for column in columns})}")
        separator = ","
    file.write("[]\n" if separator == "[" else "\n]\n")


_WRITERS: Final[Mapping[str, _Writer]] = {
    ".csv": _write_csv,
    ".tsv": partial(_write_csv, delimiter="\t"),
    ".jsonl": _write_jsonl,
    ".json": _write_json,
}


def _encoding(target: Path) -> str:
    return "utf-8-sig" if target.suffix.lower() in (".csv", ".tsv") else "utf-8"


def _text(value: object) -> str:
    """Write a value as a cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)  # a StrEnum's value, not its name
    if isinstance(value, (Decimal, date, os.PathLike)):
        return _json_value(value)
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_value)


def _json_value(value: object) -> str:
    """Write as text what JSON has no type for."""
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            if value.tzinfo is None:
                raise ValueError("a time needs a time zone")
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case os.PathLike():
            return str(value)
    raise TypeError(f"cannot write a {type(value).__name__} into a table")


@contextmanager
def replacing(target: Path, encoding: str | None = None) -> Iterator[Any]:
    """Open a new file that replaces the target when, and only when, it is complete on disk.

    Args:
        encoding: of a text, without translation of line ends and with ``?`` for what it can't
            encode; None: bytes.

    Raises:
        TableError: it is a link, which may have come with a folder that somebody sent; there is no
            space; or the system does not allow it.
    """
    check_place(target)
    draft: Path | None = None
    text: Any = {"encoding": encoding, "newline": "", "errors": "replace"} if encoding else {}
    try:
        # the file gets the rights that the person's umask gives to any other
        opened = "w" if encoding else "wb"
        with (
            replaced(target, mode=0o666, durable=True) as draft,
            draft.open(opened, **text) as file,
        ):
            yield file
    except OSError as error:
        if draft is None or error.errno in _NO_ROOM or error.filename == str(draft):
            raise unwritable(target, error) from error
        raise
