"""The folder beside a database that keeps its pictures: fitted ones, and those from workbooks.

A row names its picture by a file, and is sent minutes or weeks after it was loaded. So a file here
appears whole, survives a power cut, and never changes, because its name says what it holds.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from batchsora.picture_kinds import HEAD, OTHER_SUFFIX, SUFFIXES, kind_of
from jobs.model.files import made_folder, replaced

_EMBEDDED: Final = "embedded:"
_TEXT: Final = re.compile(r"\s*embedded:([0-9a-f]{64})\s*")


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Write a picture whole or not at all, under a name for its content; return the path.

    Raises:
        OSError: it can't be written, or the folder (made if missing) is a link or somebody else's.
    """
    made_folder(folder)
    final = folder.absolute() / name
    # another process at the same picture makes the same bytes; the row will name this file, also
    # after a power cut
    with replaced(final, mode=0o666, durable=True) as draft:
        draft.write_bytes(data)
    return final


def embedded_text(sha256: str) -> str:
    """Return the text of a cell for a picture in the workbook: the same at every load."""
    return f"{_EMBEDDED}{sha256}"


def embedded_in_text(text: str) -> str | None:
    """Return the SHA-256 of the picture that such a cell means; None for other cells."""
    found = _TEXT.fullmatch(text)
    return None if found is None else found[1]


def embedded_name(sha256: str, data: bytes) -> str:
    """Return the file name of such a picture; the suffix, by its content, is for people."""
    kind = kind_of(data[:HEAD])
    return f"embedded-{sha256}{OTHER_SUFFIX if kind is None else kind.suffix}"


def embedded_files(folder: Path, sha256: str) -> Iterator[Path]:
    """Return every path that such a picture may have."""
    for suffix in SUFFIXES:
        yield folder.absolute() / f"embedded-{sha256}{suffix}"
