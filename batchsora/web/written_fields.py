"""Fields for a text table's encoding and delimiter, and for the folder of a manifest's pictures.

Encoding and delimiter are offered where a file can't be read without them, or was not.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from batchsora.manifest.books.model import MOST_ROWS
from batchsora.manifest.images.picture_paths import MOST_FOLDERS, SUFFIXES, names_in
from batchsora.manifest.raw import Reading
from batchsora.web.uploads import Form

ENCODINGS: Final[Mapping[str, str]] = {
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows)",
    "mac-roman": "Western European (Mac)",
    "iso8859-15": "Western European (ISO)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "cp1253": "Greek (Windows)",
    "cp1254": "Turkish (Windows)",
    "cp1255": "Hebrew (Windows)",
    "cp1256": "Arabic (Windows)",
    "utf-16-le": "UTF-16, little end first",
    "utf-16-be": "UTF-16, big end first",
    "shift_jis": "Japanese (Shift JIS)",
    "euc_jp": "Japanese (EUC)",
    "gbk": "Chinese, simplified (GBK)",
    "big5": "Chinese, traditional (Big5)",
    "euc_kr": "Korean (EUC)",
}
"""Encodings that are offered: all that an error names, and similar ones."""

DELIMITERS: Final[Mapping[str, tuple[str, str]]] = {
    "comma": (",", "commas"),
    "semicolon": (";", "semicolons"),
    "tab": ("\t", "tabs"),
    "bar": ("|", "vertical bars"),
}
"""Delimiters that are offered, by a word."""

_DIGITS: Final = 7  # of the number of a row
FIELDS: Final = ("encoding", "delimiter", "header_row")


@dataclass(frozen=True, slots=True)
class Written:
    """What is offered for a text table."""

    encodings: Mapping[str, str]  # with their names for people; empty where not needed
    delimiters: Mapping[str, str]  # by a word, with their names; empty where not needed


def written_said(form: Form) -> Reading:
    """Return what a form says about encoding, delimiter and the row of the headers."""
    encoding, delimiter = form.text("encoding"), DELIMITERS.get(form.text("delimiter"))
    return Reading(
        encoding=encoding if encoding in ENCODINGS else None,
        delimiter=None if delimiter is None else delimiter[0],
        header_row=_row(form.text("header_row").strip()),
    )


def _row(text: str) -> int | None:
    plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if plain and 0 < int(text) <= MOST_ROWS else None


def written_of(form: Form, words: str, before: Reading) -> Written:
    """Return what is offered; ``words`` are messages, with the options in them that help."""
    encoding = "--encoding" in words or before.encoding or form.text("encoding")
    delimiter = "--delimiter" in words or before.delimiter or form.text("delimiter")
    return Written(
        ENCODINGS if encoding else {},
        {word: name for word, (_, name) in DELIMITERS.items()} if delimiter else {},
    )


DEEPEST: Final = 3  # folders in each other that are looked into, below that of the database
MOST_LOOKED_AT: Final = 1000  # folders searched, the nearest first: a home has 100,000


def picture_folders(database: Path) -> Mapping[str, Path]:
    """Return the folders that hold pictures, from the database's own on, by name.

    Links are not followed: who may open the page may not send what is elsewhere.
    """
    top = database.absolute().parent
    having = (
        folder
        for folder in islice(_folders(top), MOST_LOOKED_AT)
        if any(name.lower().endswith(SUFFIXES) for name in names_in(folder))
    )
    return {
        f"{folder.relative_to(top).as_posix()}/".removeprefix("./") or "./": folder
        for folder in islice(having, MOST_FOLDERS)
    }


def _folders(top: Path) -> Iterator[Path]:
    """Yield folders, the nearest first."""
    left = deque([(top, 0)])
    while left:
        folder, depth = left.popleft()
        yield folder
        if depth < DEEPEST:
            inside = [folder / name for name in names_in(folder) if not name.startswith(".")]
            left += [
                (path, depth + 1)
                for path in sorted(inside)[:MOST_FOLDERS]
                if path.is_dir() and not path.is_symlink()
            ]
